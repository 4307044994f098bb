"""The table of status fields: every field that Run:ai gives reaches the status, and the CRD has room for it."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from builders import MARK, REF, WORKLOAD_ID, a_desired, a_row, a_state, a_workload, submitted_status
from runai_operator.domain import status as status_module
from runai_operator.domain.actions import Create, MarkInDoubt, Result, Verdict
from runai_operator.domain.decide import decide
from runai_operator.domain.manifest import CONTENT, OWNER_ANNOTATIONS
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import NOT_SUBMITTED, Remote, Row, RowQuery
from runai_operator.domain.status import (
    FIELDS,
    MESSAGE_LIMIT,
    RUN_FIELDS,
    build_status,
    forget_run,
    patch_between,
    watched,
)
from runai_operator.runai import wire

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CRD = yaml.safe_load((Path(__file__).parents[3] / "crds" / "runaiworkloads.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]

# --- what Run:ai answers, each value another

ITEM = {
    "id": WORKLOAD_ID,
    "name": "name-in-list",
    "projectId": "21",
    "projectName": "project-in-list",
    "clusterId": "cluster-in-list",
    "departmentName": "department-in-list",
    "phase": "Degraded",
    "phaseMessage": "a pod is lost",
    "phaseUpdatedAt": "2026-02-01T00:00:01Z",
    "runningPods": 3,
    "requestedPods": {"number": 4},
    "allocatedResources": {"gpu": 2.5},
    "priorityClassName": "priority-in-list",
    "category": "category-in-list",
    "createdAt": "2026-02-01T00:00:02Z",
    "completedAt": "2026-02-01T00:00:03Z",
    "deletedAt": "2026-02-01T00:00:04Z",
}
SHOWN_OF_ITEM = {
    "projectName": "project-in-list",
    "departmentName": "department-in-list",
    "priority": "priority-in-list",
    "category": "category-in-list",
    "phase": "Degraded",
    "phaseMessage": "a pod is lost",
    "runningPods": 3,
    "requestedPods": 4,
    "allocatedGpus": "2.5",
    "completedAt": "2026-02-01T00:00:03Z",
}
NOT_SHOWN_OF_ROW = {
    "id": "by it the row was found",
    "name": "shown from V2; a row is never taken for ours by its name",
    "project_id": "shown from V2",
    "cluster_id": "shown from V2",
    "by_scheduler": "says where `phase_message` comes from",
    "phase_updated_at": "tells new rows from known ones",
    "created_at": "shown from V2",
    "deleted_at": "a deleted workload shows nothing",
    "in_list_of_deleted": "a deleted workload shows nothing",
}

ANSWER = {
    "workload": {
        "metadata": {
            "id": WORKLOAD_ID,
            "name": "name-in-v2",
            "projectId": "31",
            "projectName": "project-in-v2",
            "clusterId": "cluster-in-v2",
            "departmentName": "department-in-v2",
            "gvk": {"group": "group-in-v2", "version": "v9", "kind": "Kind"},
            "priority": "priority-in-v2",
            "category": "category-in-v2",
            "preemptibility": "preemptibility-in-v2",
            "createdAt": "2026-03-01T00:00:01Z",
            "updatedAt": "2026-03-01T00:00:03Z",
            "deletedAt": "2026-03-01T00:00:02Z",
        },
        "desiredPhase": "Stopped",
        "rawManifest": {
            "metadata": {
                "annotations": dict(zip(OWNER_ANNOTATIONS, astuple(MARK), strict=True)) | {CONTENT: "v1:aaaa"},
            }
        },
    },
    "syncInfo": {"status": "Failed", "message": "no such image"},
}
SHOWN_OF_ANSWER = {
    "workloadId": WORKLOAD_ID,
    "workloadName": "name-in-v2",
    "projectId": "31",
    "projectName": "project-in-v2",
    "clusterId": "cluster-in-v2",
    "departmentName": "department-in-v2",
    "gvk": {"group": "group-in-v2", "version": "v9", "kind": "Kind"},
    "priority": "priority-in-v2",
    "category": "category-in-v2",
    "preemptibility": "preemptibility-in-v2",
    "desiredPhase": "Stopped",
    "syncStatus": "Failed",
    "syncMessage": "no such image",
    "createdAt": "2026-03-01T00:00:01Z",
}
NOT_SHOWN_OF_REMOTE = {
    "updated_at": "only that of our own change is shown",
    "deleted_at": "says that it is gone",
    "unlisted": "says that it is gone, where nothing else does",
    "mark": "decides whose it is",
    "mark_readable": "decides whose it is",
    "content": "decides whether it is what is asked for",
}

OF_ROW = [pytest.param(field, id=field.name) for field in FIELDS if field.row is not None]
OF_REMOTE = [pytest.param(field, id=field.name) for field in FIELDS if field.remote is not None]


def read(body, reader):
    return reader(wire.parse(wire.Answer(200, json.dumps(body).encode())))


ROW: Row = replace(read({"workloads": [ITEM]}, wire.read_page(RowQuery(), None)).rows[0], in_list_of_deleted=True)
REMOTE: Remote = read(ANSWER, wire.read_remote)


def settled(*, row=None, remote=None, stored=None):
    """The status after a pass that saw these, over one that knows only the workload's id, and that it is of no Secret."""
    known = {"workloadId": WORKLOAD_ID, "conditions": []} if stored is None else stored
    s = a_state(a_workload(status=known), row=row, remote=remote, memory=Memory(of_secret=False))
    return build_status(s, Result(Verdict.IN_SYNC), now=NOW)


# --- the walk


@pytest.mark.parametrize("reading", [ROW, REMOTE], ids=["a row", "a V2 answer"])
def test_the_example_gives_every_attribute_a_value_of_its_own(reading):
    values = [getattr(reading, attribute.name) for attribute in fields(reading)]

    assert None not in values
    assert len({repr(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("reading", "source", "not_shown"),
    [
        pytest.param(Row, "row", NOT_SHOWN_OF_ROW, id="a row"),
        pytest.param(Remote, "remote", NOT_SHOWN_OF_REMOTE, id="a V2 answer"),
    ],
)
def test_each_attribute_is_shown_by_one_field_or_is_known_not_to_be(reading, source, not_shown):
    """If one is missing: add a line to `FIELDS`, or say above why it is not shown."""
    shown = [getattr(field, source) for field in FIELDS if getattr(field, source) is not None]

    assert sorted([*shown, *not_shown]) == sorted(attribute.name for attribute in fields(reading))


@pytest.mark.parametrize("field", OF_ROW)
def test_what_a_row_says_reaches_the_status(field):
    assert settled(row=ROW)[field.name] == SHOWN_OF_ITEM[field.name]


@pytest.mark.parametrize("field", OF_REMOTE)
def test_what_a_v2_answer_says_reaches_the_status(field):
    alive = replace(REMOTE, deleted_at=None)

    assert settled(remote=alive)[field.name] == SHOWN_OF_ANSWER[field.name]


def test_where_both_say_it_the_row_wins():
    assert settled(row=ROW, remote=REMOTE).items() >= SHOWN_OF_ITEM.items()


LASTS = {
    "workloadName",
    "projectId",
    "projectName",
    "clusterId",
    "departmentName",
    "gvk",
    "priority",
    "category",
    "preemptibility",
    "desiredPhase",
    "createdAt",
}
"""What a workload is, and is meant to be: a reading that leaves it out does not say that it is no more. What becomes of it
may be over, and goes then."""


@pytest.mark.parametrize("field", OF_ROW)
def test_a_row_without_it_keeps_or_removes_what_was_known(field):
    stored = settled(row=ROW)
    status = settled(row=replace(ROW, **{field.row: None}), stored=stored)

    assert status.get(field.name) == (stored[field.name] if field.name in LASTS else None)


@pytest.mark.parametrize("field", [param for param in OF_REMOTE if param.values[0].name != "workloadId"])
def test_a_v2_answer_without_it_keeps_or_removes_what_was_known(field):
    stored = settled(remote=REMOTE)
    status = settled(remote=replace(REMOTE, **{field.remote: None, "deleted_at": None}), stored=stored)

    assert status.get(field.name) == (stored[field.name] if field.name in LASTS else None)


@pytest.mark.parametrize("field", OF_ROW)
def test_a_row_that_shows_another_value_is_worth_a_pass(field):
    other = replace(ROW, **{field.row: None})

    assert watched(other) != watched(ROW)


@pytest.mark.parametrize("attribute", NOT_SHOWN_OF_ROW)
def test_a_row_that_shows_the_same_is_not(attribute):
    assert watched(replace(ROW, **{attribute: "another"})) == watched(ROW)


@pytest.mark.parametrize(("phase", "worth"), [("Pending", True), ("Running", False)])
def test_why_it_waits_is_asked_anew_each_time_it_is_pending(phase, worth):
    first, second = (a_row(phase=phase, phase_updated_at=f"2026-02-01T00:00:0{second}Z") for second in (1, 2))

    assert (watched(first) != watched(second)) is worth


# --- the schema


def test_the_table_and_the_schema_have_the_same_fields_in_the_same_order():
    assert [field.name for field in FIELDS] == list(SCHEMA)


def bound_in_schema(schema):
    if "properties" in schema:
        return {part: bound_in_schema(entry) for part, entry in schema["properties"].items()}
    return schema.get("maxLength")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_bound_is_that_of_the_schema(field):
    assert field.bound == bound_in_schema(SCHEMA[field.name])


def test_the_bound_of_messages_is_that_of_the_schema():
    assert SCHEMA["conditions"]["items"]["properties"]["message"]["maxLength"] == MESSAGE_LIMIT


WRITTEN_ANEW = ("ready", "reason", "submission", "ownerUid", "validatedHash")
"""By every pass."""


@pytest.mark.parametrize(
    ("name", "bound"),
    [(field.name, field.bound) for field in FIELDS if isinstance(field.bound, int) and field.name not in WRITTEN_ANEW],
)
def test_what_is_longer_is_clipped(name, bound):
    assert len(settled(stored=submitted_status(**{name: "x" * 5000}))[name]) == bound


def test_each_part_of_an_object_is_clipped():
    gvk = settled(stored=submitted_status(gvk=dict.fromkeys(("group", "version", "kind"), "x" * 5000)))["gvk"]

    assert {part: len(text) for part, text in gvk.items()} == {"group": 253, "version": 63, "kind": 63}


# --- what goes with the workload

FULL = {
    **SHOWN_OF_ANSWER,
    **SHOWN_OF_ITEM,
    "observedGeneration": 1,
    "ready": "False",
    "reason": "Degraded",
    "connection": "default",
    "adoptedId": WORKLOAD_ID,
    "ownerUid": REF.uid,
    "submission": NOT_SUBMITTED,
    "projectResolvedFrom": "team-a",
    "submittedHash": "v1:a.b",
    "submittedAt": "2026-03-01T00:00:03Z",
    "previousHash": "v1:c",
    "submittedFrom": "ConfigMap/train/job.yaml",
    "validatedHash": "v1:a",
    "lastHandledReconcileAt": "token",
    "conditions": [],
}
OF_THE_OBJECT = {
    "observedGeneration",
    "ready",
    "reason",
    "connection",
    "adoptedId",
    "createdAt",
    "ownerUid",
    "submission",
    "validatedHash",
    "lastHandledReconcileAt",
    "conditions",
}


def test_forgetting_a_workload_leaves_what_belongs_to_the_object():
    assert set(FULL) == {field.name for field in FIELDS}
    assert forget_run() == dict.fromkeys(RUN_FIELDS)
    assert set(FULL) - set(forget_run()) == OF_THE_OBJECT


def test_after_it_another_workload_is_created():
    left = {key: value for key, value in FULL.items() if key not in forget_run()}
    s = a_state(
        a_workload(status=left | {"submission": None}),
        desired=a_desired(),
        memory=Memory(lookup_since=0.0),
        now=61.0,
        found=(),
    )

    assert decide(replace(s, done=frozenset({MarkInDoubt}))) == Create(a_desired().submission)


def test_what_is_no_more_in_it_is_removed_from_the_status():
    assert patch_between(FULL, {}) == dict.fromkeys(FULL)


# --- a field more


def with_one_line_more(line):
    """status.py as it is with that line in its table."""
    source = Path(status_module.__file__).read_text()
    module = ModuleType("status_with_one_line_more")
    sys.modules[module.__name__] = module  # dataclasses look there
    edited = source.replace("\nFIELDS = (\n", f"\nFIELDS = (\n    {line},\n")
    assert edited != source
    exec(compile(edited, module.__name__, "exec"), module.__dict__)
    return module


def test_a_new_field_is_one_line_in_the_table(monkeypatch):
    monkeypatch.setitem(sys.modules, "status_with_one_line_more", None)
    new = with_one_line_more('StatusField("lastSeenOn", 12, row="cluster_id")')
    s = a_state(a_workload(status=submitted_status()), row=ROW)
    status = new.build_status(s, Result(Verdict.IN_SYNC), now=NOW)

    assert status["lastSeenOn"] == "cluster-in-…"
    assert "lastSeenOn" in new.forget_run()
    assert new.patch_between({"lastSeenOn": "there"}, {}) == {"lastSeenOn": None}
    assert new.watched(ROW) != new.watched(replace(ROW, cluster_id="another"))
