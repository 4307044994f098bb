"""The simulator over real sockets: documented refusals, filters, paging, tokens, switches and faults."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import httpx
import pytest

from runai_simulator.faults import KINDS
from runai_simulator.switches import Switches

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"
JOB = {"apiVersion": "batch/v1", "kind": "Job"}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"metadata": {"projectId": "1"}, "manifest": JOB}, 400, "Workload name must not be empty"),
        ({"metadata": {"projectId": "1", "name": "x" * 64}, "manifest": JOB}, 400, "must not exceed 63 characters"),
        ({"metadata": {"projectId": "1", "name": "1a"}, "manifest": JOB}, 400, "start with an alphabetic character"),
        ({"metadata": {"name": "a"}, "manifest": JOB}, 400, "either projectId or clusterId must be provided"),
        (
            {"metadata": {"name": "a", "projectId": "1", "clusterId": "c"}, "manifest": JOB},
            400,
            "projectId and clusterId are mutually exclusive",
        ),
        ({"metadata": {"name": "a", "projectId": "99"}, "manifest": JOB}, 403, "insufficient permissions"),
        (
            {"metadata": {"name": "a", "projectId": "1"}, "manifest": {"kind": "Job"}},
            400,
            "missing required field: apiVersion",
        ),
        (
            {"metadata": {"name": "a", "projectId": "1"}, "manifest": {**JOB, "kind": "Nope"}},
            400,
            "workload type not found for GVK: batch/v1/Nope",
        ),
        (
            {"metadata": {"name": "a", "projectId": "1", "priority": "urgent"}, "manifest": JOB},
            400,
            "priority 'urgent' is not available in this cluster",
        ),
        (
            {"metadata": {"name": "a", "projectId": "1", "category": "Fun"}, "manifest": JOB},
            400,
            "category 'Fun' is not available in this cluster",
        ),
        (
            {"metadata": {"name": "a", "projectId": "1"}, "manifestBase64Encoded": "%"},
            400,
            "failed to convert YAML to JSON",
        ),
        ({"metadata": {"name": "a", "projectId": "1"}}, 400, "a manifest must be provided"),
    ],
)
def test_refusals_use_the_documented_words(api, body, code, message):
    answer = api.http.post("/api/v2/workloads", json=body)

    assert answer.status_code == code
    assert answer.json()["code"] == code
    assert message in answer.json()["message"]


def test_text_is_taken_as_base64_of_yaml(api):
    text = base64.b64encode(b"apiVersion: batch/v1\nkind: Job\n").decode()
    body = {"metadata": {"name": "a", "projectId": "1"}, "manifestBase64Encoded": text}
    answer = api.http.post("/api/v2/workloads", json=body)

    assert answer.status_code == 202
    assert answer.json()["rawManifest"] == JOB


def test_rows_are_filtered_sorted_and_paged(api):
    for number in range(7):
        api.created(f"w{number}", projectId="1" if number % 2 else "2")

    assert [row["name"] for row in api.rows(filterBy="name==w3")] == ["w3"]
    assert len(api.rows(filterBy="projectId==2")) == 4
    assert [row["name"] for row in api.rows(filterBy="projectId==1,name=^w", sortBy="name", sortOrder="desc")] == [
        "w5",
        "w3",
        "w1",
    ]
    first = api.http.get("/api/v1/workloads", params={"limit": 5, "sortBy": "name"}).json()
    rest = api.http.get("/api/v1/workloads", params={"limit": 5, "offset": first["next"], "sortBy": "name"}).json()
    names = [row["name"] for row in first["workloads"] + rest["workloads"]]

    assert names == [f"w{number}" for number in range(7)]
    assert "next" not in rest


@pytest.mark.parametrize(
    "query", [{"filterBy": "id==x"}, {"filterBy": "phaseUpdatedAt=@2026"}, {"limit": "501"}, {"sortBy": "id"}]
)
def test_queries_outside_the_documented_ones_are_refused(api, query):
    assert api.http.get("/api/v1/workloads", params=query).status_code == 400


def test_changes_since_a_moment(api):
    api.created("old")
    time.sleep(0.3)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))

    assert api.rows(filterBy=f"phaseUpdatedAt>={moment}") == []
    assert len(api.rows(filterBy="phaseUpdatedAt>=2026-01-01T00:00:00Z")) == 1


def test_without_a_valid_token_nothing_is_answered(api):
    api.http.headers["Authorization"] = "Bearer made-up"

    assert api.http.get("/api/v1/workloads").status_code == 401


def test_tokens_expire_and_can_be_revoked(api):
    api.switch(token_lifetime=0.0)
    api.log_in()
    assert api.http.get("/api/v1/workloads").status_code == 401

    api.switch(token_lifetime=60.0)
    api.log_in()
    assert api.http.get("/api/v1/workloads").status_code == 200

    api.http.delete("/_admin/tokens")
    assert api.http.get("/api/v1/workloads").status_code == 401


def test_an_old_control_plane_has_only_the_first_token_endpoint(api):
    api.switch(token_v2=False)
    assert api.http.post("/api/v2/token", data={}).status_code == 404

    body = {"grantType": "client_credentials", "clientID": "a", "clientSecret": "b"}
    assert api.http.post("/api/v1/token", json=body).json()["accessToken"]


def gone(api):
    workload_id = api.created("a")
    api.http.delete(f"/api/v2/workloads/{workload_id}")
    time.sleep(0.2)
    return workload_id


@pytest.mark.parametrize(("answers_404", "code"), [(True, 404), (False, 200)])
def test_reading_what_is_deleted_both_ways(api, answers_404, code):
    api.switch(deleted_answers_404=answers_404)
    answer = api.read(gone(api))

    assert answer.status_code == code
    if code == 200:
        assert answer.json()["syncInfo"]["status"] == "Deleted"
        assert answer.json()["workload"]["metadata"]["deletedAt"]


@pytest.mark.parametrize(("answers_404", "code"), [(True, 404), (False, 202)])
def test_deleting_twice_both_ways(api, answers_404, code):
    api.switch(deleted_answers_404=answers_404)

    assert api.http.delete(f"/api/v2/workloads/{gone(api)}").status_code == code


@pytest.mark.parametrize(("echo", "shown"), [(True, True), (False, False)])
def test_manifests_are_echoed_or_not(api, echo, shown):
    api.switch(raw_manifest_echo=echo)
    workload = api.read(api.created("a")).json()["workload"]

    assert bool(workload["rawManifest"]) is shown
    assert bool(workload["workloadManifest"]) is shown


@pytest.mark.parametrize("equal", [True, False])
def test_the_two_apis_share_their_ids_or_not(api, equal):
    api.switch(ids_equal=equal)
    workload_id = api.created("a")

    assert (api.rows()[0]["id"] == workload_id) is equal


@pytest.mark.parametrize(("known", "made"), [(True, 0), (False, 1)])
def test_a_dry_run_creates_nothing_where_it_is_known(api, known, made):
    api.switch(dry_run=known)
    body = {"metadata": {"name": "a", "projectId": "1"}, "manifest": JOB}
    answer = api.http.post("/api/v2/workloads?dryRun=true", json=body)

    assert answer.status_code == 202
    assert len(api.simulator.world.creates) == made


@pytest.mark.parametrize(("known", "listed"), [(True, 1), (False, 0)])
def test_deleted_ones_are_listed_or_not(api, known, listed):
    api.switch(deleted_list=known)
    gone(api)

    assert len(api.rows(deleted="true")) == listed
    assert api.rows() == []


@pytest.mark.parametrize(
    ("kind", "raises", "effect"),
    [
        ("reset", httpx.TransportError, 0),
        ("lost-answer", httpx.TransportError, 1),
        ("timeout", httpx.ReadTimeout, 0),
        ("timeout-after", httpx.ReadTimeout, 1),
    ],
)
def test_faults_that_leave_no_answer(api, kind, raises, effect):
    api.fault(kind=kind, method="POST", path="/api/v2/workloads", count=1)
    api.http.timeout = 0.5
    with pytest.raises(raises):
        api.create("a")

    assert len(api.simulator.world.creates) == effect


@pytest.mark.parametrize(
    ("rule", "code", "effect"),
    [
        ({"kind": "status", "status": 503}, 503, 0),
        ({"kind": "status", "status": 429, "after": "7"}, 429, 0),
        ({"kind": "error-after", "status": 500}, 500, 1),
        ({"kind": "html"}, 502, 0),
        ({"kind": "unauthorized"}, 401, 0),
        ({"kind": "garbage"}, 200, 1),
        ({"kind": "huge"}, 200, 1),
        ({"kind": "deep"}, 200, 1),
        ({"kind": "latency", "seconds": 0.05}, 202, 1),
        ({"kind": "slow-answer", "seconds": 0.1}, 202, 1),
    ],
)
def test_faults_with_an_answer(api, rule, code, effect):
    api.fault(method="POST", path="/api/v2/workloads", count=1, **rule)
    answer = api.create("a")

    assert answer.status_code == code
    assert answer.headers.get("retry-after", "") == rule.get("after", "")
    assert len(api.simulator.world.creates) == effect
    assert api.create("b").status_code == 202, "one fault strikes once"


def test_every_fault_is_tried_here():
    tried = {
        "reset",
        "lost-answer",
        "timeout",
        "timeout-after",
        "status",
        "error-after",
        "html",
        "unauthorized",
        "garbage",
        "huge",
        "deep",
        "latency",
        "slow-answer",
    }

    assert tried == set(KINDS)


def test_unknown_faults_and_switches_are_refused(api):
    assert api.http.post("/_admin/faults", json={"kind": "flood"}).status_code == 400
    assert api.http.post("/_admin/switches", json={"nope": 1}).status_code == 400
    assert api.http.post("/_admin/switches", json={"ids_equal": "yes"}).status_code == 400


def test_calls_are_counted_by_method_path_and_code(api):
    workload_id = api.created("a")
    api.read(workload_id)
    api.create("a")
    counters = api.http.get("/_admin/counters").json()
    counted = {(one["method"], one["path"], one["code"]): one["count"] for one in counters["requests"]}

    assert counted["POST", "/api/v2/workloads", 202] == 1
    assert counted["POST", "/api/v2/workloads", 409] == 1
    assert counted["GET", "/api/v2/workloads/{id}", 200] == 1
    assert counters["creates"] == [["1", "a"]]


def test_the_clock_can_be_skewed(api):
    api.http.post("/_admin/clock", json={"skew": 86400})
    shown = httpx.get(f"{api.url}/api/v1/clusters", headers=api.http.headers, trust_env=False)

    from email.utils import parsedate_to_datetime

    assert parsedate_to_datetime(shown.headers["date"]).timestamp() > time.time() + 80000


def test_a_pending_workload_says_why_it_waits(api):
    annotations = {"simulator.run.ai/pending": "true"}
    workload_id = api.created("a", manifest={**JOB, "metadata": {"annotations": annotations}})
    time.sleep(0.2)
    detail = api.http.get(f"/api/v1/workloads/{workload_id}").json()

    assert "quota" in detail["pendingSchedulingMessages"][0]["userMessage"]


def test_the_page_names_every_switch_and_fault():
    text = DOCS.read_text()

    for name in [*Switches().shown(), *KINDS]:
        assert f"`{name}`" in text, f"docs/simulator.md does not tell of {name}"
