"""What follows from one moment of a pass: properties of `State`, one claim a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from builders import (
    MARK,
    WORKLOAD_ID,
    a_condition,
    a_desired,
    a_remote,
    a_row,
    a_state,
    a_workload,
    completed_status,
    submitted_status,
)
from runai_operator.domain.absence import Place
from runai_operator.domain.actions import AddFinalizer, BeginSubmission, Delete, ForgetWorkload, Result, Verdict
from runai_operator.domain.errors import BridgeError, Busy, InvalidWorkload, NameTaken, Unavailable
from runai_operator.domain.manifest import KEYED_HASH_VERSION
from runai_operator.domain.memory import Memory, Requests, Source, Unread
from runai_operator.domain.model import (
    NAME_HELD,
    NOT_SUBMITTED,
    REPLACING,
    Candidate,
    ManagementPolicy,
    Missing,
    SourceRef,
)
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import Ending

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SECRET, CONFIG_MAP = (SourceRef(kind, "code", "k") for kind in ("Secret", "ConfigMap"))
DESIRED = a_desired()
KEYED = f"{KEYED_HASH_VERSION}:aaaa"
IDENTITY = DESIRED.identity(adopts=False)
LEFT_SECRET = f"{DESIRED.fingerprint(adopts=False)}+{int(EPOCH.timestamp())}"
LIVE = a_workload(status=submitted_status())
GOING = a_workload(status=submitted_status(), deleting=True, deletion_requested=EPOCH)
DONE = a_workload(status=completed_status())
LACKING = a_workload(
    status=submitted_status(
        conditions=[a_condition("Ready", "True", "Running"), a_condition("Synced", "False", "SourceNotFound")]
    )
)
GONE_SOURCE = Source(CONFIG_MAP, "1", Unavailable("gone"))
EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
TOO_LATE = a_workload(status=completed_status(submittedAt=LATER, completedAt=EARLIER, previousHash="v1:0000"))
LONG = {"memory": Memory(lookup_since=0.0), "now": 60.0}
ANOTHERS = replace(MARK, uid="uid-9")
OBSERVED = a_workload(
    finalizer=False, workload_id=WORKLOAD_ID, management_policy=ManagementPolicy.OBSERVE, status=submitted_status()
)


def from_source(source, **rest):
    return a_workload(manifest=None, manifest_from=source, **rest)


def recorded(**fields):
    return a_workload(status=submitted_status(**fields))


MOVED = recorded(projectId="2")


def held_by(**remote):
    """The name was refused to a repeated attempt."""
    holder = Candidate(a_row(), a_remote(**remote))
    return a_state(a_workload(status={"submission": NAME_HELD}), found=(holder,), **LONG)


def case(claim, *values):
    return pytest.param(*values, id=claim)


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        # Whose words may be shown.
        case("a manifest from a Secret", "is_confidential", a_state(from_source(SECRET)), True),
        case("a manifest from a ConfigMap", "is_confidential", a_state(from_source(CONFIG_MAP)), False),
        case("a manifest of the spec", "is_confidential", a_state(LIVE), False),
        case(
            "Run:ai holds one from a Secret, as it said",
            "is_confidential",
            a_state(LIVE, memory=Memory(of_secret=True)),
            True,
        ),
        case(
            "Run:ai holds one from a Secret, as is on record",
            "is_confidential",
            a_state(recorded(submittedHash=f"{KEYED}.{IDENTITY}")),
            True,
        ),
        case("never one of a Secret", "follows_secret", a_state(LIVE), False),
        case(
            "a moment after one of a Secret",
            "follows_secret",
            a_state(recorded(submittedHash=LEFT_SECRET), wall=EPOCH + timedelta(seconds=119)),
            True,
        ),
        case(
            "long after one of a Secret",
            "follows_secret",
            a_state(recorded(submittedHash=LEFT_SECRET), wall=EPOCH + timedelta(seconds=120)),
            False,
        ),
        case(
            "long after one of a Secret, and which of the two Run:ai holds is not known",
            "follows_secret",
            a_state(recorded(submittedHash=f".{IDENTITY}+{int(EPOCH.timestamp())}"), wall=EPOCH + timedelta(days=1)),
            True,
        ),
        case("what Run:ai holds is on record", "may_be_confidential", a_state(LIVE), False),
        case("it is a Secret's", "may_be_confidential", a_state(LIVE, memory=Memory(of_secret=True)), True),
        case("it is neither on record nor read", "may_be_confidential", a_state(recorded(submittedHash=None)), True),
        case(
            "it is not on record, and was read",
            "may_be_confidential",
            a_state(recorded(submittedHash=None), memory=Memory(of_secret=False)),
            False,
        ),
        case("Run:ai holds nothing", "may_be_confidential", a_state(), False),
        # Projects.
        case("an attempt in doubt", "attempted_project", a_state(a_workload(status={"projectId": "7"})), "7"),
        case(
            "an attempt that was proven to have made nothing",
            "attempted_project",
            a_state(a_workload(status={"projectId": "7", "submission": NOT_SUBMITTED})),
            None,
        ),
        case("what was submitted is no attempt", "attempted_project", a_state(LIVE), None),
        case(
            "the next attempt goes where the one in doubt went",
            "target_project",
            a_state(a_workload(status={"projectId": "7"}), desired=DESIRED),
            "7",
        ),
        case("the next attempt goes where the spec says", "target_project", a_state(desired=DESIRED), "1"),
        case("where the next attempt goes is not known", "target_project", a_state(), None),
        case("the next workload goes where the spec says", "project_of_next", a_state(MOVED, desired=DESIRED), "1"),
        case(
            "the next workload goes where the spec says by its id",
            "project_of_next",
            a_state(a_workload(project_id="3", project_name=None, status=submitted_status(projectId="2"))),
            "3",
        ),
        case(
            "the next workload goes where the present one is, as the spec named that",
            "project_of_next",
            a_state(recorded(projectResolvedFrom="team-a")),
            "1",
        ),
        case("the next workload does not go where the present one was moved", "project_of_next", a_state(MOVED), None),
        case(
            "where what was submitted is",
            "place",
            a_state(a_workload(project_id="3", status=submitted_status(projectName="team-d", clusterId="c"))),
            Place("1", "team-d", "c"),
        ),
        case(
            "where what the spec asks for will be",
            "place",
            a_state(a_workload(project_id="3", cluster_id="c")),
            Place("3", "team-a", "c"),
        ),
        # What was observed.
        case(
            "observed once",
            "only_observed",
            a_state(a_workload(finalizer=False, status=submitted_status(submittedHash=None))),
            True,
        ),
        case("sent to", "only_observed", a_state(a_workload(finalizer=False, status=submitted_status())), False),
        case("meant to be sent to", "only_observed", a_state(recorded(submittedHash=None)), False),
        case(
            "named by the spec",
            "only_observed",
            a_state(a_workload(finalizer=False, workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None))),
            False,
        ),
        case("nothing on record", "only_observed", a_state(a_workload(finalizer=False)), False),
        case("to adopt, and nothing was sent", "adoption_unproven", a_state(a_workload(workload_id=WORKLOAD_ID)), True),
        case(
            "to adopt, and something was sent",
            "adoption_unproven",
            a_state(a_workload(workload_id=WORKLOAD_ID, status=submitted_status())),
            False,
        ),
        case("nothing to adopt, and nothing was sent", "adoption_unproven", a_state(), False),
        case("an edit that came after the end", "edited", a_state(TOO_LATE), True),
        case("an edit that came after the end", "ended_unchanged", a_state(TOO_LATE), True),
        case(
            "an edit that came after the end, as the row shows",
            "ended_unchanged",
            a_state(recorded(submittedAt=LATER), row=a_row(phase="Completed", completed_at=EARLIER)),
            True,
        ),
        case(
            "an edit that came before the end that the row shows",
            "ended_unchanged",
            a_state(TOO_LATE, row=a_row(phase="Completed", completed_at=LATER)),
            False,
        ),
        case(
            "the row shows no completion",
            "ended_unchanged",
            a_state(recorded(submittedAt=LATER), row=a_row(phase="Failed", completed_at=EARLIER)),
            False,
        ),
        case(
            "a source that changed after the end",
            "ended_unchanged",
            a_state(from_source(CONFIG_MAP, status=completed_status(submittedAt=LATER, completedAt=EARLIER))),
            False,
        ),
        case("it goes on", "ended_unchanged", a_state(LIVE), False),
        # What is asked of the pass.
        case(
            "a source that this process has not read",
            "must_check_content",
            a_state(from_source(CONFIG_MAP, status=submitted_status())),
            True,
        ),
        case(
            "a source that it has read",
            "must_check_content",
            a_state(from_source(CONFIG_MAP, status=submitted_status()), memory=Memory(source=Source(CONFIG_MAP, "1"))),
            False,
        ),
        case("no source", "must_check_content", a_state(LIVE), False),
        case("an edit", "edited", a_state(a_workload(generation=2, status=submitted_status())), True),
        case(
            "an edit that was seen and not sent",
            "edited",
            a_state(recorded(conditions=[a_condition("Synced", "False", Reason.NOT_DELIVERED)])),
            True,
        ),
        case("no edit", "edited", a_state(LIVE), False),
        case("two edits", "may_have_sent_another", a_state(a_workload(generation=3, status=submitted_status())), True),
        case("one edit", "may_have_sent_another", a_state(a_workload(generation=2, status=submitted_status())), False),
        case("Run:ai says that it holds it", "record_holds", a_state(LIVE, remote=a_remote(content="v1:aaaa")), True),
        case(
            "Run:ai says that it holds another",
            "record_holds",
            a_state(LIVE, remote=a_remote(content="v1:bbbb")),
            False,
        ),
        case("Run:ai does not say what it holds", "record_holds", a_state(LIVE, remote=a_remote()), None),
        case("it was not read", "record_holds", a_state(LIVE), None),
        case(
            "what it should hold is not on record",
            "record_holds",
            a_state(recorded(submittedHash=None), remote=a_remote(content="v1:aaaa")),
            None,
        ),
        # Gone, and why.
        case("shown", "missing_for", a_state(LIVE, now=50.0), 0.0),
        case("missing", "missing_for", a_state(LIVE, now=50.0, memory=Memory(missing_since=20.0)), 30.0),
        case("shown", "absent_for", a_state(LIVE, now=50.0), 0.0),
        case(
            "missing, in a project that is shown",
            "absent_for",
            a_state(LIVE, now=50.0, memory=Memory(missing_since=20.0)),
            30.0,
        ),
        case(
            "missing, in a project that was hidden for a while",
            "absent_for",
            a_state(LIVE, now=50.0, memory=Memory(missing_since=20.0, project_shown_since=40.0)),
            10.0,
        ),
        case(
            "missing, in a project that is hidden",
            "absent_for",
            a_state(LIVE, now=50.0, memory=Memory(missing_since=20.0, project_shown_since=float("inf"))),
            0.0,
        ),
        case(
            "Run:ai has accepted to delete it",
            "absence_is_expected",
            a_state(LIVE, memory=Memory(deletion_accepted=True)),
            True,
        ),
        case("Run:ai was deleting it", "absence_is_expected", a_state(recorded(syncStatus="Deleting")), True),
        case("nobody deletes it", "absence_is_expected", a_state(LIVE), False),
        case("its object is deleted", "is_to_go", a_state(GOING), True),
        case("it is replaced", "is_to_go", a_state(recorded(submission=REPLACING)), True),
        case("it is to stay", "is_to_go", a_state(LIVE), False),
        case(
            "it was to go, and Run:ai agreed",
            "absence_is_explained",
            a_state(GOING, memory=Memory(deletion_accepted=True)),
            True,
        ),
        case("it was to go, and Run:ai was not asked", "absence_is_explained", a_state(GOING), False),
        case(
            "somebody else deleted it",
            "absence_is_explained",
            a_state(recorded(syncStatus="Deleting")),
            False,
        ),
        case("it had completed", "ending", a_state(LIVE, row=a_row(phase="Completed")), Ending.FINISHED),
        case("it had failed", "ending", a_state(LIVE, row=a_row(phase="Failed", deleted_at="t")), Ending.FINISHED),
        case("deleted while it ran", "ending", a_state(LIVE, row=a_row(deleted_at="t")), Ending.DELETED),
        case(
            "deleted after its end", "ending", a_state(LIVE, row=a_row(deleted_at="t", completed_at="t")), Ending.UNTOLD
        ),
        case("listed as it was", "ending", a_state(LIVE, row=a_row()), Ending.UNLISTED),
        case("never missed before", "ending", a_state(LIVE, now=1.0), Ending.UNLISTED),
        case(
            "missed a moment ago",
            "ending",
            a_state(LIVE, now=59.0, memory=Memory(missing_since=0.0)),
            Ending.NOT_LISTED_YET,
        ),
        case(
            "missed for as long as lists lag",
            "ending",
            a_state(LIVE, now=60.0, memory=Memory(missing_since=0.0)),
            Ending.UNLISTED,
        ),
        case("a deletion of a day", "is_overdue", a_state(GOING, wall=EPOCH + timedelta(days=1)), True),
        case(
            "a deletion of almost a day", "is_overdue", a_state(GOING, wall=EPOCH + timedelta(seconds=86399.5)), False
        ),
        case("a younger deletion", "is_overdue", a_state(GOING, wall=EPOCH + timedelta(hours=23)), False),
        case("answered by 404", "is_gone", a_state(LIVE, remote=Missing()), True),
        case("shown as deleted", "is_gone", a_state(LIVE, remote=a_remote(sync_status="Deleted")), True),
        case("shown", "is_gone", a_state(LIVE, remote=a_remote()), False),
        case("not read", "is_gone", a_state(LIVE), False),
        case("ours", "is_lost", a_state(LIVE, remote=a_remote()), False),
        case("without a mark", "is_lost", a_state(LIVE, remote=a_remote(mark=None)), False),
        case("another's", "is_lost", a_state(LIVE, remote=a_remote(mark=ANOTHERS)), True),
        case("gone", "is_lost", a_state(LIVE, remote=Missing()), True),
        case("not read, and fine before", "is_lost", a_state(LIVE), False),
        case(
            "not read, and lost before",
            "is_lost",
            a_state(recorded(conditions=[a_condition("Ready", "False", Reason.DELETED_EXTERNALLY)])),
            True,
        ),
        case(
            "not read, and being replaced",
            "is_lost",
            a_state(recorded(conditions=[a_condition("Ready", "False", Reason.RECREATING)])),
            False,
        ),
        case("gone, as lists say", "is_lost", a_state(LIVE, remote=a_remote(sync_status="Deleted")), True),
        case("not read, and gone before", "is_lost", a_state(recorded(syncStatus="Deleted")), True),
        case("observed, and another's", "is_lost", a_state(OBSERVED, remote=a_remote(mark=ANOTHERS)), False),
        case("observed, and gone", "is_lost", a_state(OBSERVED, remote=Missing()), True),
        case("nothing of ours, and another's", "is_lost", a_state(remote=a_remote(mark=ANOTHERS)), False),
        # Finished.
        case("its row has failed", "has_finished", a_state(LIVE, row=a_row(phase="Failed")), True),
        case("its row has completed", "has_finished", a_state(LIVE, row=a_row(phase="Completed")), True),
        case("its row runs, and failed before", "has_finished", a_state(recorded(phase="Failed"), row=a_row()), False),
        case("it failed, as status says", "has_finished", a_state(recorded(phase="Failed")), True),
        case("it has completed, whatever its row says", "has_finished", a_state(DONE, row=a_row()), True),
        case("it runs", "has_finished", a_state(LIVE), False),
        case("Ready says that it has completed", "shows_completed", a_state(DONE), True),
        case("it runs", "shows_completed", a_state(LIVE), False),
        case(
            "it has completed, and Ready says something else",
            "shows_completed",
            a_state(
                a_workload(
                    status=completed_status(
                        conditions=[a_condition("Ready", "False", "InvalidSpec"), a_condition("Completed")]
                    )
                )
            ),
            False,
        ),
        case("its row is asked for", "must_read_row", a_state(LIVE, row=a_row(), requests=Requests(row=True)), True),
        case(
            "its row is asked for, and no connection can be used",
            "must_read_row",
            a_state(LIVE, row=a_row(), requests=Requests(row=True), unusable=Unavailable("down")),
            False,
        ),
        case("there is a row", "row_to_show", a_state(LIVE, row=a_row()), a_row()),
        case("there is none", "row_to_show", a_state(LIVE), None),
        case(
            "its row shows an end from before an edit",
            "row_to_show",
            a_state(LIVE, row=a_row(phase="Failed", phase_updated_at=EARLIER), memory=Memory(sent_at=LATER)),
            None,
        ),
        case("deleted at some time", "ending", a_state(LIVE, row=a_row(deleted_at=EARLIER)), Ending.DELETED),
        case("in the list of deleted", "ending", a_state(LIVE, row=a_row(in_list_of_deleted=True)), Ending.DELETED),
        case("lacked its source, as stored", "lacks_source_as_stored", a_state(LACKING), True),
        case("lacks it still", "lacks_source_as_stored", a_state(LACKING, memory=Memory(source=GONE_SOURCE)), True),
        case(
            "has it by now",
            "lacks_source_as_stored",
            a_state(LACKING, memory=Memory(source=Source(CONFIG_MAP, "2"))),
            False,
        ),
        case("never lacked one", "lacks_source_as_stored", a_state(LIVE), False),
        # Attempts.
        case("through a connection", "place_of_attempt", a_state(connection="east"), {"connection": "east"}),
        case("through none", "place_of_attempt", a_state(unusable=Unavailable("down")), {}),
        case("nobody has it", "absence_proven", a_state(found=(), **LONG), True),
        case("its project is hidden", "absence_proven", a_state(found=(), is_project_visible=False, **LONG), False),
        case(
            "our own has it, from another install id",
            "absence_proven",
            a_state(found=(Candidate(a_row(), a_remote(mark=replace(MARK, install="install-0"))),), **LONG),
            False,
        ),
        case("the name is held, and another's has it", "absence_proven", held_by(mark=ANOTHERS), True),
        case("the name is held, and what has it has no mark", "absence_proven", held_by(mark=None), True),
        case(
            "the name is held, and what has it cannot be read",
            "absence_proven",
            held_by(mark=None, mark_readable=False),
            False,
        ),
        case(
            "the name is held, and what has it is gone",
            "absence_proven",
            held_by(mark=None, sync_status="Deleted"),
            False,
        ),
        case("every attempt was answered", "is_first_attempt", a_state(unmade=True), True),
        case("the finalizer was added now", "is_first_attempt", a_state(done=frozenset({AddFinalizer})), True),
        case("the submission was begun now", "is_first_attempt", a_state(done=frozenset({BeginSubmission})), True),
        case("the old one was forgotten now", "is_first_attempt", a_state(done=frozenset({ForgetWorkload})), True),
        case("nothing of that", "is_first_attempt", a_state(done=frozenset({Delete})), False),
        case("the name was refused before", "name_held", a_state(a_workload(status={"submission": NAME_HELD})), True),
        case("a repeated attempt was refused the name", "name_held", a_state(conflict=True), True),
        case("a first attempt was refused the name", "name_held", a_state(conflict=True, unmade=True), False),
        case("nobody refused the name", "name_held", a_state(), False),
        # Restating.
        case("only that", "only_restates", a_state(LIVE, requests=Requests(restate=True)), True),
        case("more than that", "only_restates", a_state(LIVE, requests=Requests(restate=True, read=True)), False),
        case("not that", "only_restates", a_state(LIVE), False),
        case("while it is deleted", "only_restates", a_state(GOING, requests=Requests(restate=True)), False),
        case(
            "while somebody asks",
            "only_restates",
            a_state(a_workload(token="now", status=submitted_status()), requests=Requests(restate=True)),
            False,
        ),
        case(
            "while status owes something",
            "only_restates",
            a_state(LIVE, requests=Requests(restate=True), memory=Memory(pending_status={"phase": None})),
            False,
        ),
        case(
            "after an edit",
            "only_restates",
            a_state(a_workload(generation=2, status=submitted_status()), requests=Requests(restate=True)),
            False,
        ),
        case(
            "after it was paused",
            "only_restates",
            a_state(a_workload(paused=True, status=submitted_status()), requests=Requests(restate=True)),
            False,
        ),
    ],
)
def test_what_follows_from_a_moment(name, state, expected):
    assert getattr(state, name) == expected


RETRIED = Result(Verdict.RETRYING, Unavailable("down"))
TAKEN = Result(Verdict.REJECTED, NameTaken("taken"), outstanding=True)


@pytest.mark.parametrize(
    ("name", "state", "end", "expected"),
    [
        case(
            "it waits to be replaced",
            "is_replacing",
            a_state(LIVE),
            Result(Verdict.WAITING, Busy("", reason=Reason.RECREATING)),
            True,
        ),
        case("it waits for something else", "is_replacing", a_state(LIVE), Result(Verdict.WAITING, Busy("")), False),
        case(
            "it is rejected as being replaced",
            "is_replacing",
            a_state(LIVE),
            Result(Verdict.REJECTED, InvalidWorkload("", reason=Reason.RECREATING)),
            False,
        ),
        case("the DELETE was sent", "is_replacing", a_state(LIVE, done=frozenset({Delete})), RETRIED, True),
        case(
            "the DELETE was sent since the object goes",
            "is_replacing",
            a_state(GOING, done=frozenset({Delete})),
            RETRIED,
            False,
        ),
        case("it was being replaced before", "is_replacing", a_state(recorded(submission=REPLACING)), RETRIED, True),
        case(
            "it was being replaced before, and Run:ai is at it",
            "is_replacing",
            a_state(recorded(submission=REPLACING), remote=a_remote(sync_status="Deleting")),
            RETRIED,
            True,
        ),
        case(
            "it was being replaced before, and is gone",
            "is_replacing",
            a_state(recorded(submission=REPLACING), remote=a_remote(sync_status="Deleted")),
            RETRIED,
            True,
        ),
        case(
            "it was being replaced before, and lives",
            "is_replacing",
            a_state(recorded(submission=REPLACING), remote=a_remote()),
            RETRIED,
            False,
        ),
        case("the name is taken", "name_wanted", a_state(desired=DESIRED), TAKEN, ("1", "train")),
        case(
            "the name is to become free",
            "name_wanted",
            a_state(desired=DESIRED),
            Result(Verdict.WAITING, Busy("", reason=Reason.WAITING_FOR_NAME)),
            ("1", "train"),
        ),
        case(
            "what holds the name cannot be read",
            "name_wanted",
            a_state(desired=DESIRED),
            Result(Verdict.RETRYING, BridgeError("", reason=Reason.HOLDER_UNREADABLE)),
            ("1", "train"),
        ),
        case("it waits for no name", "name_wanted", a_state(desired=DESIRED), RETRIED, None),
        case("nothing is wrong", "name_wanted", a_state(desired=DESIRED), Result(Verdict.IN_SYNC), None),
        case("what is wanted is not known", "name_wanted", a_state(), TAKEN, None),
        case("unread for the first time", "unread", a_state(now=9.0), RETRIED, Unread(9.0, "RunaiUnavailable", "down")),
        case(
            "unread since the pass began",
            "unread",
            a_state(now=9.0, began=3.0),
            RETRIED,
            Unread(3.0, "RunaiUnavailable", "down"),
        ),
        case(
            "unread since an earlier pass",
            "unread",
            a_state(now=9.0, began=3.0, memory=Memory(unread=Unread(1.0, "RunaiBusy", "Busy."))),
            RETRIED,
            Unread(1.0, "RunaiUnavailable", "down"),
        ),
        case("outstanding", "unread", a_state(), replace(RETRIED, outstanding=True), None),
        case("rejected", "unread", a_state(), Result(Verdict.REJECTED, InvalidWorkload("no")), None),
        case("for no reason", "unread", a_state(), Result(Verdict.RETRYING), None),
    ],
)
def test_what_follows_from_how_a_pass_ends(name, state, end, expected):
    assert getattr(state, name)(end) == expected


NOW = f"+{int(EPOCH.timestamp())}"


@pytest.mark.parametrize(
    ("state", "held", "expected"),
    [
        case("what was sent", a_state(LIVE), DESIRED, DESIRED.fingerprint(adopts=False)),
        case(
            "what was adopted", a_state(a_workload(workload_id=WORKLOAD_ID)), DESIRED, DESIRED.fingerprint(adopts=True)
        ),
        case("not known, but as what", a_state(LIVE), None, f".{IDENTITY}"),
        case("not known at all", a_state(recorded(submittedHash=None)), None, None),
        case(
            "after one from a Secret",
            a_state(LIVE, memory=Memory(of_secret=True), wall=EPOCH),
            DESIRED,
            DESIRED.fingerprint(adopts=False) + NOW,
        ),
        case(
            "shortly after one from a Secret",
            a_state(recorded(submittedHash=LEFT_SECRET), wall=EPOCH),
            DESIRED,
            DESIRED.fingerprint(adopts=False) + NOW,
        ),
        case(
            "from a Secret again",
            a_state(LIVE, memory=Memory(of_secret=True), wall=EPOCH),
            a_desired(KEYED),
            f"{KEYED}.{IDENTITY}",
        ),
    ],
)
def test_what_is_recorded_of_what_runai_holds(state, held, expected):
    assert state.hash_of(held) == expected


@pytest.mark.parametrize(
    ("state", "workload_id", "expected"),
    [
        case("it says so itself", a_state(LIVE, remote=a_remote(content="v1:cccc")), WORKLOAD_ID, "v1:cccc"),
        case(
            "it says so where it was found",
            a_state(LIVE, found=(Candidate(a_row(), a_remote(content="v1:cccc")),)),
            WORKLOAD_ID,
            "v1:cccc",
        ),
        case(
            "it says so where it was read, and otherwise where it was found",
            a_state(LIVE, remote=a_remote(content="v1:cccc"), found=(Candidate(a_row(), a_remote(content="v1:dddd")),)),
            WORKLOAD_ID,
            "v1:cccc",
        ),
        case("it does not say", a_state(LIVE, remote=a_remote()), WORKLOAD_ID, "v1:aaaa"),
        case("nothing was read", a_state(LIVE), WORKLOAD_ID, "v1:aaaa"),
        case("the search failed", a_state(LIVE, found=Unavailable("down")), WORKLOAD_ID, "v1:aaaa"),
        case("another one says", a_state(LIVE, remote=a_remote(content="v1:cccc")), "2", None),
        case("another one says", a_state(LIVE, remote=a_remote(id="2", content="v1:cccc")), WORKLOAD_ID, "v1:aaaa"),
    ],
)
def test_what_a_workload_holds(state, workload_id, expected):
    assert state.held_by(workload_id) == expected


@pytest.mark.parametrize(
    ("state", "content", "expected"),
    [
        case("what was submitted", a_state(LIVE), "v1:aaaa", True),
        case("something else", a_state(LIVE), "v1:bbbb", False),
        case("nothing is on record", a_state(recorded(submittedHash=None)), "v1:aaaa", False),
        case("an edit that came after the end has not run", a_state(TOO_LATE), "v1:aaaa", False),
        case("what was there before it has", a_state(TOO_LATE), "v1:0000", True),
        case("hashed by another version", a_state(LIVE), "v9:aaaa", True),
        case(
            "hashed by another version, and edited",
            a_state(a_workload(generation=2, status=submitted_status())),
            "v9:aaaa",
            False,
        ),
    ],
)
def test_what_was_submitted_is_what_is_asked_for(state, content, expected):
    assert state.holds(a_desired(content)) is expected


def test_what_was_stalled_before_is_so_for_its_own_reason_only():
    shown = [a_condition("Stalled", "True", "RunaiUnavailable")]
    state = a_state(recorded(conditions=shown), memory=Memory(retrying_since=0.0))

    assert state.has_stalled(replace(RETRIED, outstanding=True))
    assert not state.has_stalled(Result(Verdict.RETRYING, Busy("busy"), outstanding=True))
    assert not state.has_stalled(Result(Verdict.RETRYING, outstanding=True))


def test_only_the_workload_on_record_has_its_project():
    assert a_state(LIVE).project_of(WORKLOAD_ID) == "1"
    assert a_state(LIVE).project_of("2") is None


@pytest.mark.parametrize("part", ["desired", "remote", "found", "failed"])
def test_what_may_be_confidential_is_not_quoted(part):
    error = BridgeError("Run:ai says: s3cret")
    error.unquoted = "Run:ai says something."

    assert getattr(a_state(**{part: error}).without_quotes(), part).message == "Run:ai says something."


def test_trouble_is_what_ready_says_unless_that_shows_completed_work():
    ready, synced = (a_condition("Ready", "False", "RunaiBusy"), a_condition("Synced", "False", "AccessDenied"))
    ready["message"], synced["message"] = "Busy.", "No role."
    trouble = a_state(recorded(conditions=[ready, synced])).trouble
    assert (trouble.condition_reason, trouble.message) == ("RunaiBusy", "Busy.")

    assert a_state().trouble.message == ""

    done = [a_condition("Ready", "True", "Completed"), synced, a_condition("Completed")]
    trouble = a_state(a_workload(status=completed_status(conditions=done))).trouble
    assert (trouble.condition_reason, trouble.message) == ("AccessDenied", "No role.")


SAID = "ConfigMap/code/k"


@pytest.mark.parametrize(
    ("state", "desired", "expected"),
    [
        case(
            "an edit of the manifest",
            a_state(a_workload(generation=2, status=submitted_status())),
            a_desired("v1:bbbb"),
            True,
        ),
        case("no edit", a_state(LIVE), a_desired("v1:bbbb"), False),
        case("no edit, and a project found elsewhere", a_state(LIVE), a_desired(project_id="2"), False),
        case(
            "an edit beside a source that has changed",
            a_state(from_source(CONFIG_MAP, generation=2, status=submitted_status(submittedFrom=SAID))),
            a_desired("v1:bbbb"),
            False,
        ),
        case(
            "an edit of what is sent beside the source",
            a_state(
                from_source(CONFIG_MAP, generation=2, priority="high", status=submitted_status(submittedFrom=SAID))
            ),
            a_desired("v1:bbbb"),
            True,
        ),
        case(
            "another source",
            a_state(from_source(CONFIG_MAP, generation=2, status=submitted_status(submittedFrom="ConfigMap/old/k"))),
            a_desired("v1:bbbb"),
            True,
        ),
        case(
            "the same source, and another project",
            a_state(from_source(CONFIG_MAP, generation=2, status=submitted_status(submittedFrom=SAID))),
            a_desired("v1:bbbb", project_id="2"),
            True,
        ),
        case(
            "an edit to a manifest of the spec, which had none before",
            a_state(a_workload(generation=2, status=submitted_status(submittedFrom=None))),
            a_desired("v1:bbbb"),
            True,
        ),
    ],
)
def test_what_is_reason_to_run_finished_work_again(state, desired, expected):
    assert state.has_finished_work_run_again(desired) is expected
