"""What is read from Run:ai's JSON and what is written: tolerant one way, strict the other."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.codecs.json import Unreadable
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import Gvk, OwnerMark, Project, RowQuery, Submission
from runai_operator.runai import wire
from runai_operator.runai.wire import Answer

UUID = "3f6b2c1e-0000-4000-8000-000000000001"
MARK = {
    "bridge.run.ai/owner-install": "cluster-a",
    "bridge.run.ai/owner-namespace": "team",
    "bridge.run.ai/owner-name": "train-a",
    "bridge.run.ai/owner-uid": "uid-1",
}
FULL = {
    "metadata": {
        "id": UUID,
        "name": "train-a",
        "projectId": "17",
        "projectName": "team-a",
        "clusterId": "71f6",
        "tenantId": 1001,
        "departmentId": "2",
        "departmentName": "default",
        "gvk": {"group": "batch", "version": "v1", "kind": "Job"},
        "priority": "low",
        "category": "Train",
        "preemptibility": "preemptible",
        "createdAt": "2026-01-15T10:30:00Z",
        "createdBy": "svc",
        "deletedAt": None,
    },
    "desiredPhase": "Running",
    "workloadManifest": {},
    "rawManifest": {"metadata": {"annotations": MARK}},
}


def parsed(value, **answer):
    """`value` as it looks after a trip over the wire."""
    return wire.parse(Answer(200, json.dumps(value).encode(), "application/json", **answer))


def remote(**changes):
    return wire.read_remote(parsed({**FULL, **changes}))


def metadata(**changes):
    return wire.read_remote(parsed({**FULL, "metadata": {**FULL["metadata"], **changes}}))


def row(**changes):
    item = {"id": UUID, "name": "train-a", "projectId": "17", **changes}
    return wire.read_page(RowQuery(), None)(parsed({"workloads": [item]})).rows[0]


def test_a_workload_is_read_whole():
    read = remote()

    assert (read.id, read.name, read.project_id) == (UUID, "train-a", "17")
    assert (read.project_name, read.cluster_id, read.department_name) == ("team-a", "71f6", "default")
    assert read.gvk == Gvk("batch", "v1", "Job")
    assert (read.priority, read.category, read.preemptibility) == ("low", "Train", "preemptible")
    assert (read.desired_phase, read.created_at, read.deleted_at) == ("Running", "2026-01-15T10:30:00Z", None)
    assert read.mark == OwnerMark("cluster-a", "team", "train-a", "uid-1")
    assert read.mark_readable


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"workload": FULL, "syncInfo": {"status": "Failed", "message": "no"}}, id="GET wraps it"),
        pytest.param({**FULL, "syncInfo": {"status": "Failed", "message": "no"}}, id="a bare one with syncInfo"),
        pytest.param({"workload": {**FULL, "syncInfo": {"status": "Failed", "message": "no"}}}, id="syncInfo inside"),
    ],
)
def test_the_sync_state_is_found_wherever_it_is(body):
    read = wire.read_remote(parsed(body))

    assert (read.id, read.sync_status, read.sync_message) == (UUID, "Failed", "no")


def test_an_enum_value_that_nobody_knows_yet_is_kept_as_it_came():
    assert remote(desiredPhase="Hibernating").desired_phase == "Hibernating"
    assert row(phase="Suspending").phase == "Suspending"


@pytest.mark.parametrize(
    ("manifests", "mark", "readable"),
    [
        pytest.param({}, None, False, id="no manifest at all: a missing mark proves nothing"),
        pytest.param({"rawManifest": {}, "workloadManifest": {}}, None, False, id="empty echoes prove nothing"),
        pytest.param({"rawManifest": "e30="}, None, False, id="an echo in base64 proves nothing"),
        pytest.param(
            {"rawManifest": {"metadata": {"name": "x", "annotations": {"a": "b"}}}},
            None,
            True,
            id="annotations without a mark: not marked",
        ),
        pytest.param(
            {"rawManifest": {"metadata": {"name": "x"}}}, None, False, id="an echo without annotations proves nothing"
        ),
        pytest.param(
            {"workloadManifest": {"metadata": {"annotations": MARK}}}, "uid-1", True, id="only the applied one"
        ),
        pytest.param(
            {"rawManifest": {"metadata": {}}, "workloadManifest": {"metadata": {"annotations": MARK}}},
            "uid-1",
            True,
            id="the applied one where the raw one has none",
        ),
        pytest.param(
            {
                "rawManifest": {"metadata": {"annotations": MARK}},
                "workloadManifest": {"metadata": {"annotations": {**MARK, "bridge.run.ai/owner-uid": "other"}}},
            },
            "uid-1",
            True,
            id="the raw one wins",
        ),
    ],
)
def test_the_owner_mark_comes_from_the_first_manifest_that_has_one(manifests, mark, readable):
    body = {key: value for key, value in FULL.items() if not key.endswith("Manifest")} | manifests
    read = wire.read_remote(parsed(body))

    assert (read.mark.uid if read.mark else None, read.mark_readable) == (mark, readable)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"workload": None}, id="an empty wrapping"),
        pytest.param({"metadata": []}, id="metadata that is a list"),
        *(
            pytest.param({"metadata": {**FULL["metadata"], key: bad}}, id=f"{key} is {bad!r:.20}")
            for key in ("id", "name", "projectId")
            for bad in (None, "", True, 1.5, {}, "x" * 300)
        ),
        pytest.param({"metadata": {**FULL["metadata"], "id": "../projects"}}, id="an id that would leave its path"),
        pytest.param({"metadata": {**FULL["metadata"], "name": 7}}, id="a numeric name"),
    ],
)
def test_without_identity_an_answer_is_unreadable(body):
    with pytest.raises(Unreadable):
        wire.read_remote(parsed(body))


def test_a_numeric_id_means_the_same_as_its_string():
    assert metadata(projectId=17).project_id == "17"


@pytest.mark.parametrize("bad", [7, True, [], {}, ""], ids=repr)
def test_optional_fields_of_the_wrong_type_count_as_missing(bad):
    read = remote(desiredPhase=bad, syncInfo={"status": bad, "message": bad})
    more = metadata(priority=bad, gvk=bad, createdAt=bad, clusterId=bad)

    assert (read.desired_phase, read.sync_status, read.sync_message) == (None, None, None)
    assert (more.priority, more.gvk, more.created_at, more.cluster_id) == (None, None, None, None)


@pytest.mark.parametrize(
    ("given_date", "read"),
    [
        ("2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z"),
        ("2026-01-15T10:30:00.131Z", "2026-01-15T10:30:00.131000Z"),
        ("2026-01-15T10:30:00.123456789Z", "2026-01-15T10:30:00.123456Z"),
        ("2026-01-15T12:30:00+02:00", "2026-01-15T10:30:00Z"),
        ("2026-01-15t10:30:00z", "2026-01-15T10:30:00Z"),
        pytest.param("0001-01-01T00:00:00Z", None, id="Go's zero time means never"),
        pytest.param("0001-01-01T00:00:00+05:00", None, id="out of range in UTC"),
        pytest.param("2026-01-15T10:30:00", None, id="no zone"),
        pytest.param("2026-01-15", None, id="only a day"),
        pytest.param("2026-W03-4T10:30:00Z", None, id="a week date"),
        pytest.param("2026-02-30T10:30:00Z", None, id="no such day"),
        pytest.param("2026-01-15T10:30:60Z", None, id="a leap second"),
        pytest.param("٢٠٢٦-01-15T10:30:00Z", None, id="digits of another script"),
        pytest.param("yesterday", None, id="words"),
        pytest.param(1736937000, None, id="a number"),
    ],
)
def test_dates_are_kept_as_the_schema_takes_them_or_not_at_all(given_date, read):
    assert metadata(deletedAt=given_date).deleted_at == read
    assert row(completedAt=given_date).completed_at == read


@pytest.mark.parametrize(
    ("gpu", "read"),
    [(2, "2"), (0, "0"), (0.5, "0.5"), (1.50, "1.5"), (0.1 + 0.2, "0.3"), (1e-9, "0"), (100, "100"), (1e3, "1000")]
    + [(bad, None) for bad in (None, True, "1", -1, 1e300, [], {})],
    ids=repr,
)
def test_gpus_become_a_short_decimal(gpu, read):
    assert row(allocatedResources={"gpu": gpu}).allocated_gpus == read


@pytest.mark.parametrize(
    ("number", "read"),
    [(0, 0), (5, 5), (2**31 - 1, 2**31 - 1)] + [(bad, None) for bad in (2**31, -1, True, 1.5, "1", None)],
)
def test_counts_fit_an_int32_or_are_dropped(number, read):
    read_row = row(runningPods=number, requestedPods={"number": number})

    assert (read_row.running_pods, read_row.requested_pods) == (read, read)


def test_requested_pods_fall_back_to_the_parallelism():
    assert row(requestedPods={"number": None, "parallelism": 3}).requested_pods == 3
    assert row(requestedPods={"number": 0, "parallelism": 3}).requested_pods == 0


def test_a_uuid_is_the_same_in_any_case():
    """Lists and readings are matched by it; other ids are left as they are."""
    assert row(id=UUID.upper()).id == UUID
    assert metadata(id=UUID.upper()).id == UUID
    assert row(id="V1-Id").id == "V1-Id"


def test_a_row_takes_the_name_of_its_priority_not_its_number():
    assert row(priority=50, priorityClassName="high").priority == "high"


def test_long_text_is_clipped():
    assert len(row(phaseMessage="x" * 100_000).phase_message) == 4096
    assert len(metadata(priority="x" * 100_000).priority) == 253


def test_half_a_surrogate_pair_does_not_reach_the_status_write():
    assert row(phaseMessage="broken \ud83d half").phase_message.encode()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no\tnode\n has  GPUs", "no node has GPUs"),
        ("\x1b[2Jall is well\x07", "[2Jall is well"),
        ("\x1b", None),
        ("", None),
        (7, None),
    ],
)
def test_what_runai_says_of_a_phase_or_a_sync_is_one_line_that_moves_no_cursor(said, shown):
    assert row(phaseMessage=said).phase_message == shown


def test_one_bad_row_does_not_hide_the_others():
    good = {"id": UUID, "name": "a", "projectId": "1"}
    page = wire.read_page(RowQuery(), None)(parsed({"workloads": [None, {"id": 7}, good, "x"]}))

    assert [r.name for r in page.rows] == ["a"]
    assert page.unreadable == 3


@pytest.mark.parametrize("body", [{}, {"workloads": None}, {"workloads": {}}], ids=repr)
def test_what_holds_no_list_is_not_an_empty_page(body):
    with pytest.raises(Unreadable):
        wire.read_page(RowQuery(), None)(parsed(body))


def test_a_page_of_which_nothing_can_be_read_is_not_an_empty_page():
    body = parsed({"workloads": [None, {}]})

    assert wire.read_page(RowQuery(), None)(body).unreadable == 2
    with pytest.raises(Unreadable):
        wire.read_page(RowQuery(name="a", project_id="1"), None)(body)


@pytest.mark.parametrize("stamps", [(9, 5), (5, 9), (9, 9)])
def test_of_two_rows_of_one_workload_the_one_that_changed_last_is_kept(stamps):
    rows = [
        {"id": "a", "name": "n", "projectId": "1", "phase": f"P{number}", "phaseUpdatedAt": f"2026-01-01T00:00:0{at}Z"}
        for number, at in enumerate(stamps)
    ]
    page = wire.read_page(RowQuery(), None)(parsed({"workloads": [*rows, rows[0] | {"id": "b"}]}))

    assert [(row.id, row.phase) for row in page.rows] == [("a", "P0" if stamps[0] > stamps[1] else "P1"), ("b", "P0")]


def test_rows_are_compared_again_since_filters_are_only_presumed():
    items = [
        {"id": UUID, "name": name, "projectId": project}
        for name, project in [("a", "1"), ("a", "2"), ("A", "1"), ("ab", "1")]
    ]
    page = wire.read_page(RowQuery(name="a", project_id="1"), None)(parsed({"workloads": items}))

    assert [(r.name, r.project_id) for r in page.rows] == [("a", "1")]


@pytest.mark.parametrize(
    ("following", "read"),
    [
        (1000, 1000),
        (501, 501),
        (500, None),
        (0, None),
        (-1, None),
        (None, None),
        ("", None),
        ("1000", 1000),
        (1000.0, 1000),
        (500.5, None),
        ("soon", None),
        (1e300, None),
        (True, None),
    ],
    ids=repr,
)
def test_only_a_next_offset_that_leads_forward_is_followed(following, read):
    page = wire.read_page(RowQuery(offset=500), None)(parsed({"workloads": [], "next": following}))

    assert page.next_offset == read


def test_environment_command_and_arguments_are_dropped_while_parsing():
    secrets = {"environmentVariables": {"KEY": "secret"}, "command": "secret", "arguments": "secret"}

    assert "secret" not in repr(parsed({"workloads": [{"id": UUID, "additionalFields": secrets, **secrets}]}))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(
            RowQuery(),
            {"limit": 500, "offset": 0, "sortBy": "createdAt", "sortOrder": "asc"},
            id="everything, oldest first",
        ),
        pytest.param(
            RowQuery(changed_since=datetime(2026, 1, 15, 10, 30, tzinfo=UTC), offset=500),
            {
                "limit": 500,
                "offset": 500,
                "sortBy": "phaseUpdatedAt",
                "sortOrder": "asc",
                "filterBy": "phaseUpdatedAt>=2026-01-15T10:30:00.000Z",
            },
            id="what changed, in the order of change",
        ),
        pytest.param(
            RowQuery(deleted=True, changed_since=datetime(2026, 1, 15, 12, 30, tzinfo=timezone(timedelta(hours=2)))),
            {
                "limit": 500,
                "offset": 0,
                "sortBy": "deletedAt",
                "sortOrder": "asc",
                "deleted": "true",
                "filterBy": "deletedAt>=2026-01-15T10:30:00.000Z",
            },
            id="what was deleted, in UTC",
        ),
        pytest.param(
            RowQuery(name="train-a", project_id="17"),
            {
                "limit": 500,
                "offset": 0,
                "sortBy": "createdAt",
                "sortOrder": "asc",
                "filterBy": "name==train-a,projectId==17",
            },
            id="one name in one project",
        ),
    ],
)
def test_list_queries(query, expected):
    assert wire.list_params(query) == expected


@pytest.mark.parametrize("value", ["a,name==b", "", "a b", "ä", "=a", "a\n"], ids=repr)
def test_a_value_that_would_change_the_filter_is_refused(value):
    with pytest.raises(InvalidWorkload):
        wire.list_params(RowQuery(project_id=value))
    with pytest.raises(InvalidWorkload):
        wire.project_params(value, None, 0)


@pytest.mark.parametrize("workload_id", ["", ".", "..", "a/b", "a%2fb", "a?x", "a b", "x" * 65], ids=repr)
def test_an_id_that_would_address_something_else_is_refused(workload_id):
    with pytest.raises(InvalidWorkload):
        wire.safe_id(workload_id)


def test_projects_are_read_with_their_cluster():
    body = {"projects": [{"id": 1, "name": "a", "clusterId": "c"}, {"id": "2", "name": "b"}, None], "next": 100}

    assert wire.read_projects_from(0)(parsed(body)) == ([Project("1", "a", "c"), Project("2", "b", None)], 100)


def read_message(**shown):
    row = wire.read_row_of("a")(parsed({"id": "a", "name": "b", "projectId": "c"} | shown))
    return row.phase_message, row.by_scheduler


def test_scheduling_messages_are_said_once_and_for_people():
    messages = [
        None,
        {"nodePool": "a", "reason": "OverLimit", "userMessage": "No  GPU\nleft"},
        {"nodePool": "b", "reason": "OverLimit", "userMessage": "No GPU left"},
        {"nodePool": "c", "reason": "Over quota", "userMessage": None},
        "x",
    ]

    assert read_message(pendingSchedulingMessages=messages) == ("No GPU left; Over quota", True)
    assert read_message(pendingSchedulingMessages=None) == (None, False)
    assert read_message() == (None, False)
    assert read_message(pendingSchedulingMessages=messages, phaseMessage="queued") == ("queued", False)


def test_another_row_than_the_one_asked_for_is_unreadable():
    with pytest.raises(Unreadable):
        wire.read_row_of("another")(parsed({"id": "a", "name": "b", "projectId": "c"}))


@pytest.fixture
def submission() -> Submission:
    return Submission(name="a", project_id="17", manifest={"kind": "Job", "x": "ü"})


def test_a_create_leaves_out_what_is_not_set(submission):
    assert json.loads(wire.create_body(submission)) == {
        "metadata": {"name": "a", "projectId": "17"},
        "manifest": {"kind": "Job", "x": "ü"},
    }


def test_a_create_says_all_that_is_set(submission):
    full = dataclasses.replace(
        submission, priority="low", category="Train", preemptibility="preemptible", mnnvl="Required"
    )

    assert json.loads(wire.create_body(full))["metadata"] == {
        "name": "a",
        "projectId": "17",
        "priority": "low",
        "category": "Train",
        "preemptibility": "preemptible",
        "configuration": {"mnnvl": "Required"},
    }


def test_an_update_always_says_priority_category_and_manifest_and_nothing_immutable(submission):
    full = dataclasses.replace(submission, priority="low", preemptibility="preemptible", mnnvl="Required")

    assert json.loads(wire.update_body(full)) == {
        "metadata": {"priority": "low", "category": None},
        "manifest": {"kind": "Job", "x": "ü"},
    }


def test_an_encoded_manifest_is_compact_json_without_escapes(submission):
    body = json.loads(wire.create_body(dataclasses.replace(submission, encoded=True)))

    assert base64.b64decode(body["manifestBase64Encoded"]).decode() == '{"kind":"Job","x":"ü"}'
    assert "manifest" not in body


def test_an_encoded_manifest_may_fill_the_limit_and_not_exceed_it(submission):
    overhead = len('{"x":""}')
    fits = dataclasses.replace(submission, encoded=True, manifest={"x": "a" * (wire.ENCODED_LIMIT // 4 * 3 - overhead)})
    too_large = dataclasses.replace(fits, manifest={"x": fits.manifest["x"] + "a"})

    assert len(json.loads(wire.create_body(fits))["manifestBase64Encoded"]) == wire.ENCODED_LIMIT
    with pytest.raises(InvalidWorkload, match=r"2,097,156 characters in base64, and Run:ai accepts 2,097,152"):
        wire.create_body(too_large)


def _endless() -> dict:
    loop: dict = {}
    loop["self"] = loop
    return loop


def _deep(levels: int) -> dict:
    value: dict = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param({"secret-marker": math.nan}, id="not a number"),
        pytest.param({"secret-marker": math.inf}, id="infinite"),
        pytest.param({"secret-marker": "\ud800"}, id="half a surrogate pair"),
        pytest.param({"secret-marker": datetime(2026, 1, 1, tzinfo=UTC)}, id="a date"),
        pytest.param({"secret-marker": _endless()}, id="a loop"),
        pytest.param({"secret-marker": _deep(50_000)}, id="50,000 levels"),
    ],
)
def test_what_json_cannot_say_is_refused_without_showing_it(submission, manifest):
    with pytest.raises(InvalidWorkload) as refused:
        wire.create_body(dataclasses.replace(submission, manifest=manifest))

    assert "secret-marker" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, None), id="too large"),
        pytest.param(Answer(200, b""), id="empty"),
        pytest.param(Answer(200, b"<html>"), id="no JSON"),
        pytest.param(Answer(200, b"{}", "text/html; charset=utf-8"), id="JSON under the wrong content type"),
        pytest.param(Answer(200, b"[]"), id="a list"),
        pytest.param(Answer(200, b"\xff\xfe{}"), id="no UTF-8"),
        pytest.param(Answer(200, b'{"next":' + b"9" * 5000 + b"}"), id="a number of 5,000 digits"),
        pytest.param(Answer(200, b'{"a":' * 50_000 + b"1" + b"}" * 50_000), id="50,000 objects deep"),
        pytest.param(Answer(200, b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"), id="50,000 lists deep"),
    ],
)
def test_garbage_is_unreadable(answer):
    with pytest.raises(Unreadable):
        wire.parse(answer)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/problem+json", "text/json", ""]
)
def test_content_types_that_promise_json(content_type):
    assert wire.parse(Answer(200, b'{"name": "a"}', content_type)) == {"name": "a"}


NOT_FOUND = {"code": 404, "message": "not found"}


@pytest.mark.parametrize(
    ("answer", "absent"),
    [
        pytest.param(Answer(404, json.dumps(NOT_FOUND).encode(), "application/json"), True, id="the API says so"),
        pytest.param(Answer(404, json.dumps({**NOT_FOUND, "details": "x"}).encode()), True, id="with details"),
        pytest.param(Answer(410, json.dumps(NOT_FOUND).encode()), False, id="another status"),
        pytest.param(Answer(404, b""), False, id="an empty 404"),
        pytest.param(Answer(404, b"404 page not found", "text/plain"), False, id="Go's router"),
        pytest.param(Answer(404, b"<html>nginx</html>", "text/html"), False, id="nginx"),
        pytest.param(Answer(404, b'{"message": "no Route matched with those values"}'), False, id="Kong"),
        pytest.param(Answer(404, b'{"code": 5, "message": "Not Found", "details": []}'), False, id="a gRPC gateway"),
        pytest.param(
            Answer(404, b'{"code": 404, "message": "Not Found", "details": []}'), False, id="details as a list"
        ),
        pytest.param(Answer(404, b'{"timestamp": "x", "status": 404, "error": "Not Found"}'), False, id="Spring"),
        pytest.param(
            Answer(404, b'{"kind": "Status", "code": 404, "message": "the server could not find the resource"}'),
            False,
            id="a Kubernetes API server",
        ),
        pytest.param(Answer(404, json.dumps({**NOT_FOUND, "code": 403}).encode()), False, id="another code inside"),
        pytest.param(Answer(404, json.dumps({**NOT_FOUND, "code": "404"}).encode()), False, id="a code that is text"),
        pytest.param(Answer(404, json.dumps(NOT_FOUND).encode(), "text/html"), False, id="not served as JSON"),
        pytest.param(Answer(404, None), False, id="too large to be it"),
    ],
)
def test_only_the_apis_own_404_means_that_a_workload_is_gone(answer, absent):
    assert wire.is_absent(answer) is absent


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Thu, 15 Jan 2026 10:30:00 GMT", datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("Thu, 15 Jan 2026 12:30:00 +0200", datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("Thu, 15 Jan 2026 10:30:00 -0000", datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
        ("Fri, 31 Dec 9999 23:59:00 -1200", None),
    ],
)
def test_the_servers_clock_is_read_in_utc(header, date):
    assert wire.read_date(header) == date


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(wire._READ)) | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_no_json_breaks_a_reader(value):
    """Every value is either understood or `Unreadable`; dates, counts and texts that are understood fit the schema."""
    for read in (
        wire.read_remote,
        wire.read_page(RowQuery(), None),
        wire.read_projects_from(0),
        wire.read_row_of("a"),
        lambda body: wire.read_row_of("a")({"id": "a", "name": "b", "projectId": "c"} | body),
        lambda body: wire.read_page(RowQuery(), None)(
            {"workloads": [{"id": "a", "name": "b", "projectId": "c"} | body]}
        ),
        lambda body: wire.read_remote({"metadata": {"id": "a", "name": "b", "projectId": "c"} | body}),
    ):
        try:
            read(value if isinstance(value, dict) else {"metadata": value})
        except Unreadable:
            continue


@given(st.text(max_size=40))
def test_no_date_header_breaks_the_reader(text):
    date = wire.read_date(text)

    assert date is None or date.utcoffset() == timedelta(0)


SAID = {
    "the documented form": ({"code": 400, "message": "no kind", "details": "spec.x"}, "no kind (spec.x)"),
    "details in a list": (
        {"code": 400, "message": "no", "details": ["a", {"field": "x", "message": "b"}]},
        "no (a; x: b)",
    ),
    "a message alone": ({"message": "no kind"}, "no kind"),
    "an error in an error": ({"error": {"code": 400, "message": "no kind"}}, "no kind"),
    "an error as text": ({"error": "Bad Request", "status": 400}, "Bad Request"),
    "a list of errors": ({"errors": ["a", "b", "a"]}, "a; b; a"),
    "errors by field": (
        {"title": "Invalid", "errors": {"spec.x": ["missing", "empty"]}},
        "Invalid (spec.x: missing; empty)",
    ),
    "a problem": ({"type": "about:blank", "title": "Bad", "status": 400, "detail": "no kind"}, "no kind"),
    "a validator's": ({"detail": [{"loc": ["body", "x"], "msg": "missing", "type": "t"}]}, "missing"),
    "several lines": ({"message": "a\n\tb"}, "a b"),
    "a list": ([{"message": "a"}, {"message": "b"}], "a; b"),
    "text": ("no kind", "no kind"),
    "what was sent, beside the error": ({"message": "no", "rawManifest": {"a": "s3cret"}, "request": "s3cret"}, "no"),
    "numbers": ({"message": 7, "details": [1, None, True]}, ""),
    "nothing": ({}, ""),
    "null": (None, ""),
}


@pytest.mark.parametrize(("body", "said"), SAID.values(), ids=SAID)
def test_what_an_error_says_is_read_from_any_form(body, said):
    assert wire.read_message(Answer(400, json.dumps(body).encode(), "application/problem+json")) == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(400, b"bad\nrequest", "text/plain; charset=utf-8"), "bad request"),
        (Answer(400, b"\xff", "text/plain"), "\ufffd"),
        (Answer(400, b" <html>", "text/plain"), ""),
        (Answer(400, b"<html>", "text/html"), ""),
        (Answer(400, b"", "application/json"), ""),
        (Answer(400, b"{", "application/json"), ""),
        (Answer(400, b'{"errors":' * 50 + b"1" + b"}" * 50, "application/json"), ""),
        (Answer(400, None, "application/json"), ""),
    ],
)
def test_what_is_no_error_body_says_nothing(answer, said):
    assert wire.read_message(answer) == said
