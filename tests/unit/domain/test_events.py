"""What is reported of an operation, and of two statuses that differ, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import MARK, WORKLOAD_ID, a_condition, a_desired, a_remote, a_state, a_workload
from runai_operator.domain.actions import (
    Adopt,
    Create,
    Delete,
    ForgetWorkload,
    RecordOrphan,
    RemoveFinalizer,
    Render,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.errors import CircuitOpen, InvalidWorkload, Unavailable
from runai_operator.domain.events import in_words, of_changes, of_operation
from runai_operator.domain.model import Missing, Orphan

BEFORE = a_state(a_workload(status={"workloadId": WORKLOAD_ID}))
SUBMISSION = a_desired().submission
CREATE, UPDATE, DELETE = Create(SUBMISSION), Update(WORKLOAD_ID, SUBMISSION), Delete(WORKLOAD_ID)
ORPHAN = RecordOrphan(Orphan(MARK, "train", "1", "team-a", WORKLOAD_ID, why="RunaiUnavailable"))
PUBLIC, LOGGED = True, False


def case(claim, *values):
    return pytest.param(*values, id=claim)


@pytest.mark.parametrize(
    ("action", "after", "expected"),
    [
        case("a POST", CREATE, {"done": {Create}, "remote": a_remote()}, ("Created", PUBLIC)),
        case("one of several", CREATE, {"done": {ForgetWorkload, Create}, "remote": a_remote()}, ("Recreated", PUBLIC)),
        case("a PUT", UPDATE, {"done": {Update}}, ("Updated", PUBLIC)),
        case("a DELETE", DELETE, {"done": {Delete}}, ("Deleted", PUBLIC)),
        case("an adoption", Adopt(a_remote(), None, finished=False), {}, ("Adopted", PUBLIC)),
        case("somebody deleted it", ForgetWorkload(lost=True), {}, ("DeletedExternally", PUBLIC)),
        case("it is replaced", ForgetWorkload(), {}, None),
        case("an orphan", ORPHAN, {"orphan_recorded": True}, ("Orphaned", PUBLIC)),
        case("a full record", ORPHAN, {"orphan_recorded": False}, None),
        case("the end", RemoveFinalizer("it is gone"), {}, ("Released", LOGGED)),
        case("a refusal", CREATE, {"failed": InvalidWorkload("No.")}, ("InvalidSpec", LOGGED)),
        case("an outage", UPDATE, {"failed": Unavailable("No.")}, ("RunaiUnavailable", LOGGED)),
        case("a call that was not made", UPDATE, {"failed": CircuitOpen("No.", circuit="writes")}, None),
        case("a name that is taken", CREATE, {"conflict": True}, ("NameTaken", LOGGED)),
        case("a workload that is gone", DELETE, {"remote": Missing()}, ("WorkloadNotFound", LOGGED)),
        case("what only reads", Render(), {"desired": a_desired()}, None),
    ],
)
def test_what_is_reported_of_an_operation(action, after, expected):
    done = frozenset(after.pop("done", ()))
    event = of_operation(action, BEFORE, replace(BEFORE, done=done, **after))

    assert (event and (event.reason, event.is_public)) == expected
    if event is not None:
        assert event.message.endswith(".")
        assert event.is_warning == (event.reason == "Orphaned")


def status(ready, synced="Synced", *, stalled=False):
    conditions = [a_condition("Ready", "False", reason=ready), a_condition("Synced", "False", reason=synced)]
    return {"conditions": conditions + ([a_condition("Stalled", "True", reason=ready)] if stalled else [])}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        case("nothing was said yet", {}, status("Syncing"), [("Syncing", False, LOGGED)]),
        case("the same is said", status("Running"), status("Running"), []),
        case("on its way", status("Syncing"), status("Pending"), [("Pending", False, LOGGED)]),
        case("it runs", status("Creating"), status("Running"), [("Running", False, PUBLIC)]),
        case("it failed", status("Running"), status("Failed", stalled=True), [("Failed", True, PUBLIC)]),
        case("it is degraded", status("Running"), status("Degraded"), [("Degraded", True, PUBLIC)]),
        case("a retry", status("Syncing"), status("RunaiUnavailable"), [("RunaiUnavailable", False, LOGGED)]),
        case(
            "a retry that has stalled",
            status("RunaiUnavailable"),
            status("RunaiUnavailable", stalled=True),
            [("RunaiUnavailable", True, PUBLIC)],
        ),
        case(
            "it runs, and its source is gone",
            status("Running"),
            status("Running", "SourceNotFound"),
            [("SourceNotFound", True, PUBLIC)],
        ),
        case(
            "the source is back",
            status("Running", "SourceNotFound"),
            status("Running"),
            [("Running", False, LOGGED)],
        ),
        case("it runs, and Run:ai cannot be asked", status("Running"), status("Running", "RunaiUnavailable"), []),
        case("it runs, and nobody may ask Run:ai", status("Running"), status("Running", "AccessDenied"), []),
        case("both say the same", {}, status("InvalidSpec", "InvalidSpec"), [("InvalidSpec", False, LOGGED)]),
    ],
)
def test_what_is_reported_of_a_change_of_status(before, after, expected):
    assert [(event.reason, event.is_warning, event.is_public) for event in of_changes(before, after)] == expected


def refused(message, generation):
    entry = a_condition("Ready", "False", reason="InvalidSpec") | {"message": message, "observedGeneration": generation}
    return {"conditions": [entry, {**entry, "type": "Stalled", "status": "True"}]}


@pytest.mark.parametrize(
    ("after", "count"),
    [
        case("another edit, for another cause", refused("The name is too long.", 2), 1),
        case("another edit, for the same cause", refused("There is no kind.", 2), 0),
        case("the same edit, in other words", refused("There is no such kind.", 1), 0),
    ],
)
def test_what_is_refused_again_is_reported_again_only_for_another_cause(after, count):
    assert [event.message for event in of_changes(refused("There is no kind.", 1), after)] == count * [
        "The name is too long."
    ]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (CREATE, "Create"),
        (Result(Verdict.IN_SYNC), "in_sync"),
        (Result(Verdict.REJECTED, InvalidWorkload("No.")), "rejected (InvalidSpec)"),
    ],
)
def test_a_decision_is_logged_by_its_name(action, words):
    assert in_words(action) == words
