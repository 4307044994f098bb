"""Every unknown of the API, both ways."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from fakes.simulated_runai import FINISHED, GONE, RUNNING, SYNCED, SimulatedRunai, job
from runai_simulator.switches import Switches

TRIED: set[str] = set()


@pytest.fixture
def switched(api: SimulatedRunai, request: pytest.FixtureRequest) -> SimulatedRunai:
    """The API under one value of the switch that the test is about."""
    api.switch(**request.param)
    return api


def both_ways(name: str, *outcomes: tuple[Any, Any]) -> pytest.MarkDecorator:
    """Values of a switch, and what is expected then."""
    TRIED.add(name)
    cases = [pytest.param({name: value}, expected, id=f"{name}={value}") for value, expected in outcomes]
    return pytest.mark.parametrize(("switched", "expected"), cases, indirect=["switched"])


def gone(api: SimulatedRunai, **more: Any) -> str:
    """The id of a workload that is deleted."""
    workload_id = api.created("a", **more)
    api.delete(workload_id)
    api.wait(GONE)
    return workload_id


# --- after the end


@both_ways("deleted_answers_404", (True, (404, 404, 404)), (False, (200, 409, 202)))
def test_a_deleted_workload_is_unknown_or_still_shown(switched, expected):
    workload_id = gone(switched)
    answers = switched.read(workload_id), switched.put(workload_id), switched.delete(workload_id)

    assert tuple(answer.status_code for answer in answers) == expected
    if expected[0] == 200:
        assert answers[0].json()["syncInfo"]["status"] == "Deleted"
        assert answers[0].json()["workload"]["desiredPhase"] == "Deleted"
        assert answers[0].json()["workload"]["metadata"]["deletedAt"]


@both_ways("deleted_at_when_asked", (True, (0.0, 0.0)), (False, (None, GONE)))
def test_when_deleted_at_is_set(switched, expected):
    switched.switch(deleted_answers_404=False)
    workload_id, asked = switched.created(), switched.clock.now
    said = [switched.delete(workload_id).json()["metadata"]["deletedAt"]]
    switched.wait(GONE)
    said.append(switched.workload(workload_id)["metadata"]["deletedAt"])
    moments = [text and round(datetime.fromisoformat(text).timestamp() - asked, 1) for text in said]

    assert tuple(moments) == expected


@both_ways("second_delete", (True, 202), (False, 404))
def test_a_second_delete(switched, expected):
    workload_id = switched.created()
    switched.delete(workload_id)

    assert switched.delete(workload_id).status_code == expected
    assert switched.sync(workload_id) == "Deleting"


@both_ways("put_while_deleting", (True, 202), (False, 409))
def test_a_put_to_what_is_being_deleted_has_no_effect(switched, expected):
    workload_id = switched.created(manifest=job("old"))
    switched.delete(workload_id)

    assert switched.put(workload_id, job("new")).status_code == expected
    assert switched.workload(workload_id)["rawManifest"] == job("old")
    assert switched.sync(workload_id) == "Deleting"


@both_ways("deleted_list", (True, 1), (False, 0))
def test_deleted_workloads_are_listed_or_not(switched, expected):
    workload_id = gone(switched)

    assert len(switched.rows(deleted="true")) == expected
    assert switched.rows() == []
    assert switched.detail(workload_id).status_code == (200 if expected else 404)


@both_ways("deleted_keeps_phase", (True, "Completed"), (False, "Deleting"))
def test_a_finished_workload_that_is_deleted_is_still_listed_as_finished(switched, expected):
    workload_id = switched.created()
    switched.wait(FINISHED + 1)
    switched.delete(workload_id)
    switched.wait(GONE)
    [row] = switched.rows(deleted="true")

    assert row["phase"] == expected
    assert row["completedAt"] < row["deletedAt"]


@both_ways("retention", (60.0, (404, 404, 0)), (3600.0, (200, 200, 1)))
def test_a_deleted_workload_is_remembered_for_a_time(switched, expected):
    switched.switch(deleted_answers_404=False)
    workload_id = gone(switched)
    switched.wait(60)
    answers = switched.read(workload_id), switched.detail(workload_id)

    assert (*(answer.status_code for answer in answers), len(switched.rows(deleted="true"))) == expected


@both_ways("delete_time", (5.0, 404), (50.0, 200))
def test_deletion_takes_its_time(switched, expected):
    assert switched.read(gone(switched)).status_code == expected


@both_ways("errors_documented", (True, {"code", "message"}), (False, {"type", "title", "status", "detail"}))
def test_what_a_refusal_looks_like(switched, expected):
    answer = switched.read("0" * 8)

    assert answer.status_code == 404
    assert set(answer.json()) == expected


# --- names


@both_ways("name_free_at_once", (True, 202), (False, 409))
def test_when_the_name_of_a_workload_being_deleted_is_free(switched, expected):
    switched.delete(switched.created("a"))

    assert switched.create("a").status_code == expected
    switched.wait(GONE)
    assert switched.create("a").status_code == (409 if expected == 202 else 202)


@both_ways("name_blocked_for", (0.0, 202), (60.0, 409))
def test_when_the_name_of_a_deleted_workload_is_free(switched, expected):
    gone(switched)
    assert switched.create("a").status_code == expected

    switched.wait(60)
    assert switched.create("b").status_code == 202


@both_ways("failed_sync_frees_name", (True, 202), (False, 409))
def test_whether_a_failed_sync_occupies_the_name(switched, expected):
    switched.created("a", manifest=job(sync="fail"))
    assert switched.create("a").status_code == 409, "it has not failed yet"

    switched.wait(SYNCED)
    assert switched.create("a").status_code == expected


@both_ways("conflict_names_workload", (True, "name 'a' already exists"), (False, "Resource with this name"))
def test_a_conflict_names_the_holder_or_not(switched, expected):
    switched.created("a")

    assert expected in switched.create("a").json()["message"]


# --- writes


@both_ways("create_answers_201", (True, 201), (False, 202))
def test_what_a_post_answers(switched, expected):
    assert switched.create().status_code == expected


@both_ways("dry_run", (True, 0), (False, 1))
def test_a_dry_run_creates_nothing_where_it_is_supported(switched, expected):
    body = {"metadata": {"name": "a", "projectId": "1"}, "manifest": job()}
    answer = switched.http.post("/api/v2/workloads?dryRun=true", json=body)

    assert answer.status_code == 202
    assert len(switched.rows()) == expected


@both_ways("unknown_project_403", (True, 403), (False, 400))
def test_a_post_to_an_unknown_project(switched, expected):
    assert switched.create(projectId="99").status_code == expected


@both_ways("writes_while_busy", (True, 202), (False, 409))
def test_writes_before_the_sync_is_over(switched, expected):
    put, deleted = switched.created("a"), switched.created("b")
    switched.wait(SYNCED / 2)

    assert switched.put(put, job("new")).status_code == expected
    assert switched.delete(deleted).status_code == expected


@both_ways("put_known", (True, 202), (False, 405))
def test_whether_there_is_a_put(switched, expected):
    assert switched.put(switched.created()).status_code == expected


@both_ways("put_keeps_manifest", (True, 202), (False, 400))
def test_a_put_without_a_manifest(switched, expected):
    workload_id = switched.created(manifest=job("old"))

    assert switched.put(workload_id, priority="low").status_code == expected
    assert switched.workload(workload_id)["rawManifest"] == job("old")


@both_ways("put_keeps_metadata", (True, ("low", "Train")), (False, ("high", "Build")))
def test_a_put_without_priority_and_category(switched, expected):
    workload_id = switched.created(priority="low", category="Train")
    made = switched.put(workload_id, job("new")).json()["metadata"]

    assert (made["priority"], made["category"]) == expected


@pytest.mark.parametrize("labels", [{}, {"team": "red"}])
def test_a_put_of_the_same_content_runs_nothing_again(api, labels):
    manifest = job(end="Failed")
    workload_id = api.created(manifest=manifest)
    api.wait(FINISHED)
    api.put(workload_id, {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}, priority="low")
    api.wait(RUNNING)

    assert (api.sync(workload_id), api.phase(workload_id)) == ("Synced", "Failed")


@both_ways("put_reruns_failed", (True, "Running"), (False, "Failed"))
def test_a_failed_workload_is_mended_by_a_put_or_not(switched, expected):
    workload_id = switched.created(manifest=job("old", end="Failed"))
    switched.wait(FINISHED)
    switched.put(workload_id, job("new"))
    switched.wait(RUNNING)

    assert switched.phase(workload_id) == expected


@both_ways("put_reruns_completed", (True, "Running"), (False, "Completed"))
def test_a_completed_workload_runs_again_after_a_put_or_not(switched, expected):
    workload_id = switched.created(manifest=job("old"))
    switched.wait(FINISHED)
    switched.put(workload_id, job("new"))
    switched.wait(RUNNING)

    assert switched.phase(workload_id) == expected


# --- what is shown


@both_ways("raw_manifest_echo", (True, job("echo")), (False, {}))
def test_manifests_are_echoed_or_not(switched, expected):
    workload = switched.workload(switched.created(manifest=job("echo")))

    assert workload["rawManifest"] == expected
    assert bool(workload["workloadManifest"]) == bool(expected)


@both_ways("raw_annotations", (True, {"team": "blue"}), (False, None))
def test_manifests_are_echoed_with_their_annotations_or_without(switched, expected):
    workload = switched.workload(switched.created())

    assert workload["rawManifest"]["metadata"].get("annotations") == expected
    assert workload["workloadManifest"]["metadata"].get("annotations") == expected


@both_ways("sync_info", (True, True), (False, False))
def test_reads_carry_sync_info_or_not(switched, expected):
    assert ("syncInfo" in switched.read(switched.created()).json()) is expected


@both_ways("ids_equal", (True, (True, 200)), (False, (False, 404)))
def test_the_two_apis_share_their_ids_or_not(switched, expected):
    workload_id = switched.created()
    [row] = switched.rows()

    assert (row["id"] == workload_id, switched.detail(workload_id).status_code) == expected
    assert switched.detail(row["id"]).status_code == 200


@both_ways("source_api", (True, "WorkloadsV2"), (False, None))
def test_rows_show_which_api_submitted_them(switched, expected):
    switched.created()

    assert switched.rows()[0]["sourceApi"] == expected


@both_ways("type_is_kind", (True, "Job"), (False, "runai-job"))
def test_the_type_of_a_row(switched, expected):
    switched.created()

    assert switched.rows()[0]["type"] == expected
    assert len(switched.rows(filterBy=f"type=={expected}")) == 1


@both_ways("filters_all_hold", (True, set()), (False, {"a", "b"}))
def test_how_several_filters_combine(switched, expected):
    switched.created("a", projectId="1")
    switched.created("b", projectId="2")
    switched.created("c", projectId="1")

    assert {row["name"] for row in switched.rows(filterBy="name==a,projectId==2")} == expected
    assert {row["name"] for row in switched.rows(filterBy="name==a")} == {"a"}
    assert len(switched.rows()) == 3

    query = {"filterBy": "name==team-a,clusterId==none"}
    assert bool(switched.http.get("/api/v1/org-unit/projects", params=query).json()["projects"]) == bool(expected)


@both_ways("hidden_answers_404", (True, 404), (False, 403))
def test_a_workload_outside_of_the_scope(switched, expected):
    workload_id = switched.created()
    switched.admin("POST", "projects/1", hidden=True)
    calls = switched.read, switched.put, switched.delete, switched.detail

    assert [call(workload_id).status_code for call in calls] == [expected] * len(calls)
    assert switched.rows() == []
    assert switched.create("b").status_code == 403
    assert switched.http.get("/api/v1/org-unit/projects?filterBy=name==team-a").json()["projects"] == []
    assert switched.http.get("/api/v1/org-unit/projects/1").status_code == expected

    switched.admin("POST", "projects/1", hidden=False)
    assert switched.read(workload_id).status_code == 200
    assert switched.http.get("/api/v1/org-unit/projects/1").json()["name"] == "team-a"
    assert len(switched.rows()) == 1


# --- the API itself


@both_ways("v2_known", (True, (202, True)), (False, (404, False)))
def test_whether_there_is_a_second_api(switched, expected):
    answer = switched.create()

    assert (answer.status_code, answer.headers["content-type"] == "application/json") == expected


@both_ways("token_v2", (True, 200), (False, 404))
def test_whether_the_second_token_endpoint_exists(switched, expected):
    form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}

    assert switched.http.post("/api/v2/token", data=form).status_code == expected


@both_ways("token_v1", (True, 200), (False, 404))
def test_whether_the_first_token_endpoint_exists(switched, expected):
    body = {"grantType": "client_credentials", "clientID": "a", "clientSecret": "b"}

    assert switched.http.post("/api/v1/token", json=body).status_code == expected


@both_ways("token_expiry_told", (True, 3600), (False, None))
def test_the_expiry_of_a_token_is_shown_or_only_in_its_claims(switched, expected):
    answer = switched.token()
    claims = answer["access_token"].split(".")[1]
    claimed = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))

    assert answer.get("expires_in") == expected
    assert claimed["exp"] - claimed["iat"] == 3600


@both_ways("token_lifetime", (60.0, 200), (10.0, 401))
def test_tokens_last_as_long_as_they_say(switched, expected):
    switched.log_in()
    assert switched.http.get("/api/v1/workloads").status_code == 200

    switched.wait(30)
    assert switched.http.get("/api/v1/workloads").status_code == expected


@both_ways("date_header", (True, True), (False, False))
def test_answers_are_dated_or_not(switched, expected):
    assert ("date" in switched.http.get("/api/v1/clusters").headers) is expected


@both_ways("clock_skew", (0.0, 0), (86_400.0, 86_400), (-86_400.0, -86_400))
def test_a_skewed_clock_is_the_same_in_every_answer(switched, expected):
    workload_id = switched.created()
    switched.log_in()
    answer = switched.read(workload_id)
    shown = [
        parsedate_to_datetime(answer.headers["date"]),
        datetime.fromisoformat(answer.json()["workload"]["metadata"]["createdAt"]),
        datetime.fromisoformat(switched.rows()[0]["phaseUpdatedAt"]),
    ]

    assert {round(moment.timestamp() - switched.clock.now) for moment in shown} <= {expected - 1, expected}
    assert answer.status_code == 200, "a token's life does not depend on it"


# --- the cluster


@both_ways(
    "cluster_connected", (True, ("Synced", "Deleted", "Connected")), (False, ("Queued", "Deleting", "Disconnected"))
)
def test_work_held_up_by_a_disconnected_cluster_goes_on_when_it_reconnects(switched, expected):
    switched.switch(deleted_answers_404=False)
    made, deleted = switched.created("a"), gone(switched, projectId="2")
    clusters = switched.http.get("/api/v1/clusters").json()
    state = switched.sync(made), switched.sync(deleted), clusters[0]["status"]["state"]

    assert state == expected

    switched.switch(cluster_connected=True)
    switched.wait(RUNNING)
    assert (switched.sync(made), switched.phase(made), switched.sync(deleted)) == ("Synced", "Running", "Deleted")


@both_ways("sync_failure_recovers", (True, ("Synced", "Running")), (False, ("Failed", "Creating")))
def test_a_failed_sync_is_tried_again_or_final(switched, expected):
    workload_id = switched.created(manifest=job(sync="fail"))
    switched.wait(SYNCED)
    assert switched.sync(workload_id) == "Failed"

    switched.wait(SYNCED + RUNNING)
    assert (switched.sync(workload_id), switched.phase(workload_id)) == expected

    switched.put(workload_id, job("new"))
    switched.wait(RUNNING)
    assert (switched.sync(workload_id), switched.phase(workload_id)) == ("Synced", "Running")


@both_ways("list_lag", (0.0, (1, 200)), (5.0, (0, 404)))
def test_the_lists_may_lag(switched, expected):
    workload_id = switched.created()
    assert (len(switched.rows()), switched.detail(workload_id).status_code) == expected

    switched.wait(5)
    assert (len(switched.rows()), switched.detail(workload_id).status_code) == (1, 200)


@both_ways("scheduler_time", (0.0, True), (60.0, False))
def test_the_scheduler_may_say_late_why_a_workload_waits(switched, expected):
    workload_id = switched.created(manifest=job(pending="true"))
    switched.wait(RUNNING)
    assert bool(switched.detail(workload_id).json()["pendingSchedulingMessages"]) is expected

    switched.wait(60)
    assert switched.detail(workload_id).json()["pendingSchedulingMessages"]


@both_ways("sync_time", (1.0, "Synced"), (2.0, "Applying"))
def test_a_sync_takes_its_time(switched, expected):
    workload_id = switched.created()
    switched.wait(SYNCED)

    assert switched.sync(workload_id) == expected


@both_ways("phase_time", (10.0, "Running"), (20.0, "Pending"))
def test_phases_take_their_time(switched, expected):
    workload_id = switched.created()
    switched.wait(RUNNING)

    assert switched.phase(workload_id) == expected


@both_ways("run_time", (100.0, "Completed"), (101.0, "Running"))
def test_work_takes_its_time(switched, expected):
    workload_id = switched.created()
    switched.wait(FINISHED)

    assert switched.phase(workload_id) == expected


def test_every_switch_is_tried_here():
    assert set(Switches().shown()) == TRIED


@pytest.mark.parametrize(
    "values",
    [
        {"nope": 1},
        {"ids_equal": "yes"},
        {"ids_equal": 1},
        {"list_lag": True},
        {"list_lag": -1},
        {"list_lag": "1"},
        {"clock_skew": 1e12},
    ],
)
def test_invalid_switch_values_are_refused_and_change_nothing(shared_api, values):
    before = shared_api.admin("GET", "switches")

    assert shared_api.http.post("/_admin/switches", json={"second_delete": False, **values}).status_code == 400
    assert shared_api.admin("GET", "switches") == before
