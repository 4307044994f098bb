"""The simulator over real sockets: documented refusals, filters, paging, tokens, faults and its own endpoint."""

from __future__ import annotations

import base64
from datetime import datetime

import httpx
import pytest

from fakes.simulated_runai import RUNNING, job
from runai_simulator.answers import ERROR_BODIES
from runai_simulator.faults import INJECTED, KINDS

JOB = {"apiVersion": "batch/v1", "kind": "Job"}
PLACE = {"name": "a", "projectId": "1"}


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
def test_refusals_use_the_documented_words(shared_api, body, code, message):
    answer = shared_api.http.post("/api/v2/workloads", json=body)

    assert answer.status_code == code
    assert answer.json()["code"] == code
    assert message in answer.json()["message"]


def submit_text(api, text: bytes):
    encoded = base64.b64encode(text).decode()
    return api.http.post("/api/v2/workloads", json={"metadata": PLACE, "manifestBase64Encoded": encoded})


@pytest.mark.parametrize(
    "text",
    [
        b"apiVersion: batch/v1\nkind: Job\n",
        b'{"apiVersion": "batch/v1", "kind": "Job"}',
        b"{apiVersion: batch/v1, kind: Job}",
    ],
)
def test_a_manifest_may_come_as_base64_of_yaml(api, text):
    answer = submit_text(api, text)

    assert answer.status_code == 202
    assert answer.json()["rawManifest"] == JOB


def test_dates_in_yaml_stay_strings(api):
    answer = submit_text(api, b"apiVersion: batch/v1\nkind: Job\nspec: {day: 2026-01-02, 1: one}\n")

    assert answer.json()["rawManifest"]["spec"] == {"day": "2026-01-02", "1": "one"}


BOMB = b"apiVersion: batch/v1\nkind: Job\na0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%b]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"a: b: c",
        b"[1, 2]",
        b"x: &x [*x]",
        b"? [a, b]\n: c",
        b"a: !!binary aGVsbG8=",
        b"a: !!python/name:os.system",
        b"a: .inf",
        b'{"a": 1e999}',
        b'a: "\\ud800"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        BOMB,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_unreadable_manifest_text_is_refused(shared_api, text):
    assert submit_text(shared_api, text).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"{" * 100_000,
        b'{"metadata": 1}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifest": 7}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifest": {}, "manifestBase64Encoded": ""}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifestBase64Encoded": 7}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifest": {"x": NaN}}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifest": {"x": "\\ud800"}}',
        b'{"metadata": {"name": ["a"], "projectId": "1"}, "manifest": {"apiVersion": "batch/v1", "kind": "Job"}}',
        b'{"metadata": {"name": "a", "projectId": "1", "priority": []}, "manifest": {"apiVersion": "v1", "kind": "Pod"}}',
        b'{"metadata": {"name": "a", "projectId": "1"}, "manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": []}}',
    ],
    ids=lambda body: repr(body[-24:]),
)
def test_unreadable_bodies_are_refused(shared_api, body):
    answer = shared_api.http.post("/api/v2/workloads", content=body)

    assert (answer.status_code, answer.json()["code"]) == (400, 400)


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
    "query",
    [
        {"filterBy": "id==x"},
        {"filterBy": "name"},
        {"filterBy": "name=="},
        {"filterBy": "phaseUpdatedAt=@2026"},
        {"filterBy": "phaseUpdatedAt>=yesterday"},
        {"filterBy": "phaseUpdatedAt>=0001-01-01T00:00:00+14:00"},
        {"filterBy": "priority>=high"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "\N{ARABIC-INDIC DIGIT FIVE}"},
        {"offset": "-1"},
        {"offset": "9" * 5000},
        {"sortBy": "id"},
        {"sortOrder": "up"},
    ],
)
def test_undocumented_queries_are_refused(shared_api, query):
    assert shared_api.http.get("/api/v1/workloads", params=query).status_code == 400


def test_rows_changed_since_a_moment_are_listed(api):
    api.created("old")
    api.wait(RUNNING)
    api.created("new")
    moment = api.rows(filterBy="name==new")[0]["phaseUpdatedAt"]

    assert {row["name"] for row in api.rows(filterBy=f"phaseUpdatedAt>={moment}")} == {"old", "new"}
    assert {row["name"] for row in api.rows(filterBy=f"createdAt>={moment}")} == {"new"}

    api.wait(1)
    later = moment.replace("Z", "+00:00")
    assert [row["name"] for row in api.rows(filterBy=f"createdAt<={later}", sortBy="createdAt")] == ["old", "new"]
    assert api.rows(filterBy="phaseUpdatedAt>=2999-01-01T00:00:00Z") == []


def test_without_a_valid_token_nothing_is_answered(api):
    api.http.headers["Authorization"] = "Bearer made-up"

    assert api.http.get("/api/v1/workloads").status_code == 401


def test_tokens_can_be_revoked(api):
    api.admin("DELETE", "tokens")
    assert api.http.get("/api/v1/workloads").status_code == 401

    api.log_in()
    assert api.http.get("/api/v1/workloads").status_code == 200


@pytest.mark.parametrize(
    ("kind", "raises", "effect"),
    [
        ("reset", (httpx.RemoteProtocolError, httpx.ReadError), 0),
        ("lost-answer", (httpx.RemoteProtocolError, httpx.ReadError), 1),
        ("timeout", httpx.ReadTimeout, 0),
        ("timeout-after", httpx.ReadTimeout, 1),
    ],
)
def test_faults_that_give_no_answer(api, kind, raises, effect):
    api.fault(kind=kind, method="POST", path="/api/v2/workloads", count=1)
    if raises is httpx.ReadTimeout:
        api.http.timeout = httpx.Timeout(60, read=0.5)
    with pytest.raises(raises):
        api.create("a")

    api.http.timeout = 60
    assert len(api.admin("GET", "counters")["creates"]) == effect


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
def test_faults_that_give_an_answer(api, rule, code, effect):
    api.fault(method="POST", path="/api/v2/workloads", count=1, **rule)
    answer = api.create("a")

    assert answer.status_code == code
    assert answer.headers.get("retry-after", "") == rule.get("after", "")
    assert len(api.simulator.world.creates) == effect
    assert api.create("b").status_code == 202, "one fault strikes once"


@pytest.mark.parametrize(
    ("kind", "offset", "names", "following"),
    [
        ("endless", 0, ["a", "b", "c"], 500),
        ("endless", 500, [], 1000),
        ("repeating", 0, ["a", "b", "c"], 500),
        ("repeating", 500, ["a", "b", "c"], 1000),
        ("unreadable-row", 0, ["a", "b", "c", None], None),
        ("large-rows", 0, ["a", "b", "c"], None),
    ],
)
def test_faults_of_lists(api, kind, offset, names, following):
    for name in "abc":
        api.created(name)
    api.wait(RUNNING)
    api.fault(kind=kind, path="/api/v1/workloads$")

    answer = api.http.get("/api/v1/workloads", params={"limit": 500, "offset": offset})

    assert answer.status_code == 200
    assert "date" in answer.headers
    assert [row.get("name") for row in answer.json()["workloads"]] == names
    assert answer.json().get("next") == following
    assert (len(answer.content) > 3 * 1024 * 1024) is (kind == "large-rows")
    assert api.create("d").status_code == 202, "what is no list stays as it is"


def test_a_login_page_answers_whatever_is_asked(api):
    api.fault(kind="login", path="/api/v1/workloads$")

    answer = api.http.get("/api/v1/workloads")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


@pytest.mark.parametrize("form", ERROR_BODIES)
def test_a_fault_answers_in_each_form_of_an_error_body(api, form):
    api.fault(kind="status", status=400, method="POST", path="/api/v2/workloads", body=form)
    answer = api.create("a")

    assert answer.status_code == 400
    assert (INJECTED in answer.text) is (form not in ("page", "empty"))
    documented = form not in ("problem", "text", "page", "empty")
    assert (answer.headers.get("content-type") == "application/json") is documented


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
        "endless",
        "repeating",
        "unreadable-row",
        "large-rows",
        "login",
    }

    assert tried == set(KINDS)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "flood"},
        {"kind": []},
        {"kind": "reset", "often": 1},
        {"kind": "reset", "path": "("},
        {"kind": "reset", "method": 1},
        {"kind": "reset", "count": 1.5},
        {"kind": "reset", "probability": 2},
        {"kind": "latency", "seconds": "1"},
        {"kind": "status", "status": 99},
        {"kind": "status", "body": "poem"},
        {"kind": "status", "body": []},
        {"kind": "status", "after": "1\r\nX: y"},
    ],
)
def test_invalid_faults_are_refused(shared_api, rule):
    assert shared_api.http.post("/_admin/faults", json=rule).status_code == 400
    assert shared_api.admin("GET", "faults") == []


def test_calls_are_counted_by_method_path_and_code(api):
    workload_id = api.created("a")
    api.read(workload_id)
    api.create("a")
    counters = api.admin("GET", "counters")
    counted = {(one["method"], one["path"], one["code"]): one["count"] for one in counters["requests"]}

    assert counted["POST", "/api/v2/workloads", 202] == 1
    assert counted["POST", "/api/v2/workloads", 409] == 1
    assert counted["GET", "/api/v2/workloads/{id}", 200] == 1
    assert counters["creates"] == [["1", "a"]]
    assert api.admin("DELETE", "counters") == {"requests": [], "creates": []}


def test_the_clock_can_be_skewed(api):
    assert api.admin("POST", "clock", skew=86400) == {"skew": 86400}
    assert api.admin("GET", "switches")["clock_skew"] == 86400
    assert api.http.post("/_admin/clock", json={"skew": "soon"}).status_code == 400


# --- what people do behind the caller's back


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        ({"phase": "Failed", "message": "out of memory"}, {"phase": "Failed", "live": True}),
        ({"phase": "Suspending"}, {"phase": "Suspending"}),
        ({"sync": "Failed", "message": "no such thing"}, {"sync": "Failed", "phase": "Running"}),
        ({"desiredPhase": "Stopped"}, {"desiredPhase": "Stopped", "phase": "Stopped"}),
        ({"priority": "low", "category": "Train"}, {"priority": "low", "category": "Train", "phase": "Running"}),
        ({"manifest": job("theirs")}, {"manifest": job("theirs"), "sync": "Synced"}),
        ({"deleted": True}, {"live": False, "desiredPhase": "Deleted", "sync": "Deleted", "phase": "Deleting"}),
    ],
)
def test_the_admin_endpoint_changes_a_workload(api, wish, shown):
    workload_id = api.created()
    api.wait(RUNNING)
    api.admin("POST", f"workloads/{workload_id}", **wish)
    api.wait(20)
    found = api.admin("GET", f"workloads/{workload_id}")

    assert {key: found[key] for key in shown} == shown


def test_a_stopped_workload_can_be_resumed(api):
    workload_id = api.created()
    api.wait(RUNNING)
    for wanted, soon, then in (("Stopped", "Stopping", "Stopped"), ("Running", "Resuming", "Running")):
        api.admin("POST", f"workloads/{workload_id}", desiredPhase=wanted)
        assert api.phase(workload_id) == soon

        api.wait(10)
        assert api.phase(workload_id) == then
        assert api.workload(workload_id)["desiredPhase"] == wanted


@pytest.mark.parametrize(
    "wish", [{"desiredPhase": "Deleted"}, {"priority": "urgent"}, {"manifest": {}}, {"manifest": []}, [1]]
)
def test_invalid_changes_are_refused(api, wish):
    path = f"/_admin/workloads/{api.created()}"
    before = api.http.get(path).json()

    assert api.http.post(path, json=wish).status_code == 400
    assert api.http.get(path).json() == before


def test_a_purged_workload_is_forgotten_everywhere(api):
    workload_id = api.created("a")
    api.admin("DELETE", f"workloads/{workload_id}")

    assert api.read(workload_id).status_code == api.detail(workload_id).status_code == 404
    assert api.rows() == api.admin("GET", "workloads") == []
    assert api.create("a").status_code == 202


def test_workloads_can_be_there_already(api):
    submitted = [{"metadata": {"name": name, "projectId": "2"}, "manifest": job()} for name in "ab"]
    made = api.admin("POST", "workloads", workloads=submitted, phase="Degraded", age=3600)

    assert [one["name"] for one in made] == ["a", "b"]
    assert [row["id"] for row in api.rows()] == [one["id"] for one in made]
    assert {row["phase"] for row in api.rows()} == {"Degraded"}
    assert {row["createdAt"] for row in api.rows()} == {row["phaseUpdatedAt"] for row in api.rows()}
    assert [age_of(api, row) for row in api.rows()] == [3600, 3600]
    assert api.read(made[0]["id"]).json()["syncInfo"] == {"status": "Synced"}
    assert api.admin("GET", "counters")["creates"] == []
    assert api.create("a", projectId="2").status_code == 409


def age_of(api, row):
    return round(api.clock.now - datetime.fromisoformat(row["createdAt"]).timestamp())


@pytest.mark.parametrize(
    "wish",
    [{}, {"workloads": [1]}, {"workloads": [{}]}, {"workloads": [], "age": -1}, {"workloads": [], "age": 1e300}],
)
def test_what_cannot_be_there_already_is_refused(api, wish):
    assert api.http.post("/_admin/workloads", json=wish).status_code == 400


def test_projects_can_be_added(api):
    made = api.admin("POST", "projects", name="team-z")

    assert api.create(projectId=made["id"]).status_code == 202
    assert api.http.post("/_admin/projects", json={}).status_code == 400
    assert api.http.post("/_admin/projects", json={"name": "x", "clusterId": "none"}).status_code == 400
    assert api.http.post("/_admin/projects/99", json={"hidden": True}).status_code == 404


def test_types_can_be_registered_and_made_not_ready(api):
    manifest = {"apiVersion": "example.com/v1", "kind": "Widget"}
    assert "workload type not found" in api.create(manifest=manifest).json()["message"]

    api.admin("POST", "types", name="Widget", group="example.com", category="Train", completes=True)
    assert api.create(manifest=manifest).json()["metadata"]["category"] == "Train"
    [listed] = api.http.get("/api/v1/workload-types?filterBy=name==Widget").json()["types"]
    assert listed["categoryName"] == "Train"

    api.admin("POST", "types", name="Widget", group="example.com", phase="NotReady")
    assert "is not ready" in api.create("b", manifest=manifest).json()["message"]
    for wish in ({}, {"name": "Widget", "category": "Fun"}, {"name": "Widget", "versions": "v1"}):
        assert api.http.post("/_admin/types", json=wish).status_code == 400


# --- v1


def test_a_pending_workload_says_why_it_waits(api):
    usual = api.created("a", manifest=job(pending="true"))
    told = api.created("b", manifest=job(pending="true", message="no node has 16 GPUs"))
    api.wait(RUNNING)
    messages = [api.detail(one).json()["pendingSchedulingMessages"][0]["userMessage"] for one in (usual, told)]

    assert messages == ["project team-a has no GPUs left in its quota", "no node has 16 GPUs"]


def test_events_and_history_show_every_phase_newest_first(api):
    path = f"/api/v1/workloads/{api.created()}"
    api.wait(RUNNING)
    events = api.http.get(f"{path}/events").json()["events"]
    records = api.http.get(f"{path}/history").json()["records"]
    phases = ["Running", "Initializing", "Pending", "Creating"]

    assert [event["reason"] for event in events] == phases
    assert [record["spec"]["phaseUpdate"]["phase"] for record in records] == phases
    first = api.http.get(f"{path}/events", params={"sortOrder": "asc", "limit": 1}).json()
    assert ([event["reason"] for event in first["events"]], first["next"]) == (["Creating"], 1)


def test_pods_are_listed_once_they_run(api):
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}
    path = f"/api/v1/workloads/{api.created(manifest=manifest)}/pods"
    assert api.http.get(path).json()["pods"] == []

    api.wait(RUNNING)
    assert len(api.http.get(path).json()["pods"]) == 3
