"""What the status on record says, part by part."""

from __future__ import annotations

import pytest

from builders import a_condition, completed_status, submitted_status
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.manifest import HASH_VERSION
from runai_operator.domain.model import Gvk, Spec
from runai_operator.domain.reasons import Reason
from runai_operator.domain.stored_status import GONE_REASONS, LOST_REASONS, StoredStatus

IDENTITY = "0123456789ab"
HASH = f"{HASH_VERSION}:aa.bb"
READY, SYNCED = a_condition("Ready", "True", Reason.RUNNING), a_condition("Synced", "True", Reason.SYNCED)


def synced(status, reason):
    return {"conditions": [READY, a_condition("Synced", status, reason)]}


def case(claim, *values):
    return pytest.param(*values, id=claim)


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        case("nothing observed yet", "observed_generation", {}, -1),
        case("a generation", "observed_generation", {"observedGeneration": 3}, 3),
        case("when it was made", "created_at", {"createdAt": "t"}, "t"),
        case("when it was sent to", "submitted_at", {"submittedAt": "t"}, "t"),
        case("what was sent before", "previous_hash", {"previousHash": "h"}, "h"),
        case("when it completed", "completed_at", completed_status(completedAt="t"), "t"),
        case("when it failed is no completion", "completed_at", submitted_status(completedAt="t"), None),
        case(
            "a kind",
            "gvk",
            {"gvk": {"group": "batch", "version": "v1", "kind": "Job"}},
            Gvk("batch", "v1", "Job"),
        ),
        case("a kind of which nothing is said", "gvk", {"gvk": {"other": "x"}}, Gvk("", "", "")),
        case("no kind", "gvk", {}, None),
        case("content and identity", "content", {"submittedHash": f"{HASH}.{IDENTITY}"}, HASH),
        case("content and identity", "identity", {"submittedHash": f"{HASH}.{IDENTITY}"}, IDENTITY),
        case("after a Secret", "identity", {"submittedHash": f"{HASH}.{IDENTITY}+17"}, IDENTITY),
        case("after a Secret", "left_secret_at", {"submittedHash": f"{HASH}.{IDENTITY}+17"}, 17.0),
        case("not after a Secret", "left_secret_at", {"submittedHash": f"{HASH}.{IDENTITY}"}, None),
        case("never submitted", "content", {}, None),
        case("never submitted", "identity", {}, None),
        case("never submitted", "left_secret_at", {}, None),
        case("to be deleted", "being_deleted", {"desiredPhase": "Deleted"}, True),
        case("on its way out", "being_deleted", {"syncStatus": "Deleting"}, True),
        case("out", "being_deleted", {"syncStatus": "Deleted"}, True),
        case("to run", "being_deleted", {"desiredPhase": "Running", "syncStatus": "Synced"}, False),
        case("gone while it ran", "lost", submitted_status(syncStatus="Deleted"), True),
        case("gone after it completed", "lost", submitted_status(syncStatus="Deleted", phase="Completed"), False),
        case("gone after it failed", "lost", submitted_status(syncStatus="Deleted", phase="Failed"), False),
        case("there", "lost", submitted_status(), False),
        case("sent", "delivered", submitted_status(), True),
        case("never sent", "delivered", {"conditions": [SYNCED]}, False),
        case("an edit not sent", "delivered", submitted_status(**synced("False", Reason.NOT_DELIVERED)), False),
        case("known", "unknown", submitted_status(), None),
        case("nothing said", "unknown", {}, None),
        case("no word of a retry", "unknown", synced("Unknown", Reason.SYNC_NOT_REPORTED), None),
        case("a retry, and known", "unknown", synced("False", Reason.RUNAI_UNAVAILABLE), None),
        case("as Run:ai shows it", "mirrors", submitted_status(), True),
        case("unknown", "mirrors", synced("Unknown", Reason.RUNAI_UNAVAILABLE), True),
        case("an edit not sent", "mirrors", synced("False", Reason.NOT_DELIVERED), False),
        case(
            "lost", "mirrors", {"conditions": [a_condition("Ready", "False", Reason.DELETED_EXTERNALLY), SYNCED]}, False
        ),
    ],
)
def test_what_status_says(name, status, expected):
    assert getattr(StoredStatus(status), name) == expected


def test_why_it_is_unknown():
    status = synced("Unknown", Reason.RUNAI_UNAVAILABLE)
    status["conditions"][1]["message"] = "Down."
    unknown = StoredStatus(status).unknown

    assert isinstance(unknown, BridgeError)
    assert (unknown.condition_reason, unknown.message) == ("RunaiUnavailable", "Down.")


FOUND = {"projectId": "1", "projectResolvedFrom": "team-a", "clusterId": "c"}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        case("named as it was found", Spec(project_name="team-a"), FOUND, "1"),
        case("named as it was found, in its cluster", Spec(project_name="team-a", cluster_id="c"), FOUND, "1"),
        case("named as it was found, in another cluster", Spec(project_name="team-a", cluster_id="d"), FOUND, None),
        case("named otherwise", Spec(project_name="team-b"), FOUND, None),
        case("not named", Spec(), FOUND, None),
        case("neither named nor found by a name", Spec(), {"projectId": "1"}, None),
    ],
)
def test_a_project_is_that_on_record_while_the_spec_names_it_as_it_did(spec, status, expected):
    assert StoredStatus(status).project_named_by(spec) == expected


def test_what_ready_says_of_a_lost_workload():
    gone = {"DeletedExternally", "RecreateGivenUp", "EndedUnseen"}

    assert gone == GONE_REASONS
    assert gone | {"WaitingToRecreate", "ManagedByOther", "InstallChanged", "Recreating"} == LOST_REASONS
