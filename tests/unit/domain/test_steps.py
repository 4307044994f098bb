"""What each step of a pass adds to its state, whole: what is not named here stays as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders import (
    INSTALL,
    MARK,
    WORKLOAD_ID,
    a_desired,
    a_remote,
    a_row,
    a_state,
    a_workload,
    completed_status,
    submitted_status,
)
from runai_operator.domain import steps
from runai_operator.domain.access import Access
from runai_operator.domain.actions import (
    AddFinalizer,
    Adopt,
    Create,
    Delete,
    ForgetWorkload,
    RecordId,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.errors import NameTaken, Unavailable
from runai_operator.domain.manifest import KEYED_HASH_VERSION
from runai_operator.domain.memory import Memory, Requests, Unread
from runai_operator.domain.model import NOT_SUBMITTED, Candidate, Missing, Sighting, SourceRef
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.requeue import Limits
from runai_operator.domain.state import State
from runai_operator.domain.status import overlay

WALL = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
DESIRED = a_desired()
SECRETS = a_desired(f"{KEYED_HASH_VERSION}:aaaa")
LIVE = a_workload(status=submitted_status())
FAILED = a_workload(status=submitted_status(phase="Failed", phaseMessage="why", completedAt=MOMENT))
ON_RECORD = submitted_status(submittedHash=a_desired("v1:bbbb").fingerprint(adopts=False))
LEARNT = {
    "connection": "default",
    "workloadId": WORKLOAD_ID,
    "workloadName": "train",
    "createdAt": None,
    "projectId": "1",
    "ownerUid": "uid-1",
    "submission": None,
    "projectName": "team-a",
    "projectResolvedFrom": "team-a",
    "submittedHash": DESIRED.fingerprint(adopts=False),
    "submittedFrom": None,
}
OLD = Memory(lookup_since=1.0, missing_since=2.0, failures=3)


def owing(before: State, learnt, **changes) -> State:
    """Status has to say it, and says it for the rest of the pass."""
    workload = replace(before.workload, status=overlay(before.workload.status, learnt))
    memory = changes.pop("memory", before.memory)
    return replace(before, workload=workload, memory=memory.owing(learnt), **changes)


class TestBegun:
    def begin(self, workload=LIVE, memory=None, seen=None, **rest):
        known = {"install": INSTALL, "limits": Limits(grace=7.0), "access": Access(), "now": 9.0, "wall": WALL}
        return steps.begun(workload, memory or Memory(), Requests(read=True), seen, **(known | rest))

    def test_from_what_is_given(self):
        access = Access(())

        assert self.begin(memory=Memory(failures=3), access=access) == State(
            workload=LIVE,
            install=INSTALL,
            limits=Limits(grace=7.0),
            access=access,
            now=9.0,
            began=9.0,
            wall=WALL,
            memory=Memory(failures=3),
            requests=Requests(read=True),
        )

    def test_with_what_status_still_owes(self):
        owed = Memory(pending_status={"phase": "Pending", "syncStatus": "Synced", "category": None})
        begun = self.begin(memory=owed)

        assert begun.workload.status == overlay(LIVE.status, {"phase": "Pending"})
        assert begun.memory.pending_status == {"phase": "Pending"}, "the rest is there already"

    def test_without_a_status_about_another_uid(self):
        foreign = a_workload(status=submitted_status(ownerUid="uid-0"))
        begun = self.begin(foreign, memory=Memory(pending_status={"phase": "Pending"}))

        assert begun.workload.status == {"phase": "Pending"}
        assert begun.memory.pending_status == {**dict.fromkeys(foreign.status), "phase": "Pending"}

    def test_and_the_deletion_is_seen_once(self):
        going = a_workload(deleting=True, status=submitted_status())

        assert self.begin(going).memory.deletion_seen_at == 9.0
        assert self.begin(going, memory=Memory(deletion_seen_at=1.0)).memory.deletion_seen_at == 1.0
        assert self.begin(LIVE).memory.deletion_seen_at is None

    @pytest.mark.parametrize(("version", "expected"), [("7", True), ("6", False), (None, False)])
    def test_with_the_proof_of_this_process_while_nobody_has_written_the_object(self, version, expected):
        begun = self.begin(memory=Memory(unmade_at=version, released=True))

        assert begun.unmade is expected
        assert begun.memory == Memory()

    @pytest.mark.parametrize(
        ("seen", "memory", "expected"),
        [
            (Sighting(WORKLOAD_ID, a_row()), Memory(), a_row()),
            (Sighting("2", a_row()), Memory(), None),
            (None, Memory(), None),
            (
                Sighting(WORKLOAD_ID, a_row(phase="Failed", phase_updated_at=MOMENT)),
                Memory(sent_at=LATER),
                None,
            ),
            (
                Sighting(WORKLOAD_ID, a_row(phase="Failed", phase_updated_at=MOMENT)),
                Memory(sent_at=LATER, ends_count_at=9.0),
                a_row(phase="Failed", phase_updated_at=MOMENT),
            ),
        ],
        ids=["its own", "of the workload before", "none", "from before an edit", "from before an edit, and it counts"],
    )
    def test_with_its_last_row(self, seen, memory, expected):
        assert self.begin(seen=seen, memory=memory).row == expected

    def test_with_what_its_last_row_shows_of_the_clusters_clock(self):
        row = a_row(created_at="2026-01-01T00:01:01Z", phase_updated_at="2026-01-01T00:00:00Z")

        assert self.begin(seen=Sighting(WORKLOAD_ID, row)).memory.clock_behind == 60.0
        assert self.begin(seen=Sighting("2", row)).memory.clock_behind == 0.0

    def test_without_the_phase_that_an_edit_may_have_undone(self):
        seen, sent = Sighting(WORKLOAD_ID, a_row(phase="Failed", phase_updated_at=MOMENT)), Memory(sent_at=LATER)
        begun = self.begin(FAILED, seen=seen, memory=sent)
        gone = {"phase": None, "phaseMessage": None, "completedAt": None}

        assert gone.keys().isdisjoint(begun.workload.status)
        assert begun.workload.status["workloadId"] == WORKLOAD_ID
        assert begun.memory.pending_status.items() >= gone.items()

        silent = a_workload(status=submitted_status(phase=None))
        assert self.begin(silent, seen=seen, memory=sent).memory.pending_status == {}


class TestRead:
    def test_what_is_shown_is_not_missing(self):
        before = a_state(LIVE, memory=OLD)
        remote = a_remote(content=SECRETS.content)
        memory = replace(OLD, missing_since=None, of_secret=True)

        assert steps.seen(before, remote, a_row()) == replace(before, remote=remote, row=a_row(), memory=memory)
        assert steps.seen(before, a_remote(), None).memory.of_secret is False

    def test_what_may_be_gone_is_missing_as_before(self):
        may_be_gone = a_remote(desired_phase="Deleted", sync_status=None)
        assert may_be_gone.may_be_gone

        assert steps.seen(a_state(LIVE, memory=OLD), may_be_gone, None).memory.missing_since == 2.0

    def test_what_is_missing_is_so_since_the_first_time(self):
        before = a_state(LIVE, now=9.0)
        assert steps.missing(before) == replace(before, memory=Memory(missing_since=9.0))
        assert steps.missing(a_state(LIVE, now=9.0, memory=OLD)).memory == OLD

    def test_a_project_is_shown_since_it_was_not(self):
        hidden = steps.hidden(a_state(LIVE, now=9.0))
        assert hidden == a_state(LIVE, now=9.0, memory=Memory(missing_since=9.0, project_shown_since=math.inf))

        shown = steps.absent(replace(hidden, now=12.0))
        assert shown.memory == Memory(missing_since=9.0, project_shown_since=12.0)
        assert steps.absent(replace(shown, now=15.0)).memory == shown.memory
        assert steps.absent(a_state(LIVE, now=9.0)).memory == Memory(missing_since=9.0)

    def test_a_look_up_counts_from_the_first(self):
        found = (Candidate(a_row(), a_remote()), Candidate(a_row(), None))
        before = a_state(memory=Memory(missing_since=2.0, of_secret=True), is_project_visible=False)
        after = steps.looked_up(before, found, what="1/x", is_visible=True, now=9.0)

        memory = Memory(lookup_since=9.0, lookup_of="1/x", of_secret=True)
        assert after == replace(before, found=found, is_project_visible=True, memory=memory)
        assert steps.looked_up(after, (), what="1/x", is_visible=True, now=12.0).memory == memory

    def test_a_look_up_finds_what_is_of_a_secret(self):
        found = (Candidate(a_row(), a_remote(content=SECRETS.content)),)

        assert steps.looked_up(a_state(), found, what="1/x", is_visible=True, now=9.0).memory.of_secret is True

    def test_a_look_up_in_a_hidden_project_proves_nothing(self):
        before = a_state(memory=OLD, now=9.0)
        after = steps.looked_up(before, (), what="1/x", is_visible=False, now=9.0)

        memory = replace(OLD, lookup_since=None, project_shown_since=math.inf)
        assert after == replace(before, found=(), is_project_visible=False, memory=memory)

    @pytest.mark.parametrize("is_visible", [True, False])
    def test_a_look_up_beside_a_workload_on_record_says_nothing_of_that(self, is_visible):
        found = (Candidate(a_row(), a_remote(content=SECRETS.content)),)
        before = a_state(LIVE, memory=OLD, is_project_visible=not is_visible)

        after = steps.looked_up(before, found, what="1/x", is_visible=is_visible, now=9.0)
        assert after == replace(before, found=found, is_project_visible=is_visible)


class TestDone:
    def test_the_intent_is_announced_with_the_cluster_that_it_is_for(self):
        before = a_state(memory=OLD, done=frozenset({ForgetWorkload}))
        done = frozenset({ForgetWorkload, AddFinalizer})

        assert steps.announced(before, "cluster-1") == owing(before, {"clusterId": "cluster-1"}, done=done)
        assert steps.announced(before, None) == replace(before, done=done)

    def test_created(self):
        before = a_state(desired=DESIRED, row=a_row(), memory=OLD, done=frozenset({AddFinalizer}))
        memory = Memory(failures=3, first_submission=True, of_secret=False)

        assert steps.created(before, a_remote()) == owing(
            before,
            LEARNT,
            memory=memory,
            remote=a_remote(),
            row=None,
            delivered_now=True,
            done=frozenset({AddFinalizer, Create}),
        )

    def test_created_from_a_secret(self):
        assert steps.created(a_state(desired=SECRETS), a_remote()).memory.of_secret is True

    def test_what_comes_from_a_source_says_so(self):
        workload = a_workload(manifest=None, manifest_from=SourceRef("ConfigMap", "code", "k"), priority="high")
        before = a_state(workload, desired=DESIRED)
        said = "ConfigMap/code/k priority=high"

        assert steps.created(before, a_remote()).workload.status["submittedFrom"] == said
        assert steps.updated(before, a_remote()).workload.status["submittedFrom"] == said
        other = steps.adopted(before, Adopt(a_remote(), None, finished=False, content="v1:cccc"))
        assert "submittedFrom" not in other.workload.status, "it holds something else"

    def test_a_project_is_called_as_runai_calls_it(self):
        after = steps.created(a_state(desired=DESIRED), a_remote(project_name="team-b"))

        assert after.workload.status["projectName"] == "team-b"
        assert after.workload.status["projectResolvedFrom"] == "team-a"

    def test_a_post_without_an_answer_makes_earlier_look_ups_worthless(self):
        before = a_state(memory=OLD)
        assert steps.unanswered(before) == replace(before, memory=replace(OLD, lookup_since=None))

    def test_adopted_by_its_mark(self):
        before = a_state(desired=DESIRED, memory=OLD, done=frozenset({AddFinalizer}))
        learnt = LEARNT | {"submittedHash": "." + LEARNT["submittedHash"].rpartition(".")[2], "submittedFrom": None}

        assert steps.adopted(before, Adopt(a_remote(), a_row(), finished=False)) == owing(
            before,
            learnt,
            memory=Memory(failures=3, of_secret=False),
            remote=a_remote(),
            row=a_row(),
            row_read=a_row(),
            done=frozenset({AddFinalizer, Adopt}),
        )

    @pytest.mark.parametrize("content", [None, "v1:cccc"])
    def test_what_was_adopted_by_its_mark_does_not_count_as_only_observed_without_the_finalizer(self, content):
        before = a_state(a_workload(finalizer=False), desired=DESIRED)
        after = steps.adopted(before, Adopt(replace(a_remote(), content=content), a_row(), finished=False))

        assert after.workload_id == WORKLOAD_ID
        assert not after.only_observed
        assert not after.stored_status.delivered, "what it holds is not proven to be what is asked for"

    @pytest.mark.parametrize(
        ("stored", "remote", "content", "delivered_now", "held"),
        [
            (ON_RECORD, a_remote(), None, False, "v1:bbbb"),
            (ON_RECORD, a_remote(), "v1:cccc", False, "v1:cccc"),
            (ON_RECORD, a_remote(id="w-2"), None, False, ""),
            (ON_RECORD | {"submittedHash": None}, a_remote(), None, False, ""),
            (ON_RECORD, a_remote(), None, True, "v1:aaaa"),
            (ON_RECORD, a_remote(), "v1:cccc", True, "v1:cccc"),
        ],
        ids=[
            "as on record",
            "other content",
            "another one",
            "nothing on record",
            "just sent",
            "sent, and edited since",
        ],
    )
    def test_what_an_adopted_workload_holds(self, stored, remote, content, delivered_now, held):
        before = a_state(a_workload(status=stored), desired=DESIRED, delivered_now=delivered_now)
        after = steps.adopted(before, Adopt(remote, a_row(), finished=False, content=content))

        assert after.stored_status.content == held

    @pytest.mark.parametrize(
        ("delivered_now", "action", "submitted"),
        [
            (True, Adopt(a_remote(), None, finished=False), "v1:aaaa"),
            (False, Adopt(a_remote(), None, finished=True), "v1:aaaa"),
            (False, Adopt(a_remote(), None, finished=False, content="v1:cccc"), "v1:cccc"),
        ],
        ids=["a PUT was accepted", "it is done", "it holds something else"],
    )
    def test_adopted_with_what_it_holds(self, delivered_now, action, submitted):
        after = steps.adopted(a_state(desired=DESIRED, delivered_now=delivered_now), action)

        assert after.stored_status.content == submitted
        assert after.delivered_now is (delivered_now or action.finished)

    def test_adopted_by_its_id(self):
        before = a_state(
            a_workload(workload_id=WORKLOAD_ID, status={"submittedAt": MOMENT, "previousHash": "h"}), desired=DESIRED
        )
        after = steps.adopted(before, Adopt(a_remote(content=SECRETS.content), None, finished=True))

        assert (after.stored_status.adopted_id, after.stored_status.workload_id) == (WORKLOAD_ID, WORKLOAD_ID)
        assert after.memory.pending_status.items() >= {"submittedAt": None, "previousHash": None}.items()
        assert after.stored_status.identity == DESIRED.identity(adopts=True)
        assert after.memory.of_secret is True

    def test_adopted_to_be_deleted(self):
        after = steps.adopted(a_state(a_workload(project_name=None)), Adopt(a_remote(), None, finished=True))

        unknown = {"projectName", "projectResolvedFrom", "submittedHash"}
        assert unknown.isdisjoint(after.memory.pending_status), "what the spec asks for was not looked up"

    @pytest.mark.parametrize(
        ("stored", "remote", "content", "known"),
        [
            (None, a_remote(), None, {}),
            (ON_RECORD | {"submittedFrom": "x"}, a_remote(), None, {}),
            (None, a_remote(), "v1:cccc", {"submittedHash": "v1:cccc.", "submittedFrom": None}),
            (
                ON_RECORD | {"submittedFrom": "x"},
                a_remote(id="w-2"),
                None,
                {"submittedHash": "." + ON_RECORD["submittedHash"].rpartition(".")[2], "submittedFrom": None},
            ),
        ],
        ids=["found", "found under the id on record", "found, and it says what it holds", "in the place of another"],
    )
    def test_adopted_whatever_is_wanted(self, stored, remote, content, known):
        before = a_state(a_workload(status=stored), memory=OLD)
        learnt = {
            key: LEARNT[key] for key in LEARNT if not key.startswith("submitted") and key != "projectResolvedFrom"
        }

        assert steps.adopted(before, Adopt(remote, a_row(), finished=False, content=content)) == owing(
            before,
            learnt | {"workloadId": remote.id} | known,
            memory=Memory(failures=3, of_secret=False),
            remote=remote,
            row=a_row(),
            row_read=a_row(),
            done=frozenset({Adopt}),
        )

    def test_what_is_wanted_may_be_unknown(self):
        assert steps.created(a_state(), a_remote()).memory.of_secret is False
        after = steps.updated(a_state(LIVE, desired=Unavailable("down")), a_remote(updated_at=LATER))
        assert (after.stored_status.content, after.stored_status.submitted_at) == ("", None)

    def test_recorded(self):
        before = a_state(memory=OLD.owing({"workloadId": "1"}), done=frozenset({Adopt}))

        expected = replace(before, workload=LIVE, memory=OLD, done=frozenset({Adopt, RecordId}))
        assert steps.recorded(before, LIVE) == expected

    def test_updated_with_what_it_held_before(self):
        before = a_state(
            LIVE,
            desired=DESIRED,
            memory=Memory(first_submission=True, row_reads=3, sync_reads=3, failures=3),
            done=frozenset({Delete}),
        )
        answer = a_remote(mark=None, updated_at=LATER)
        learnt = {
            "submittedHash": DESIRED.fingerprint(adopts=False),
            "syncStatus": None,
            "syncMessage": None,
            "submittedFrom": None,
        }

        assert steps.updated(before, answer) == owing(
            before,
            learnt,
            memory=Memory(counts_may_lag=True, failures=3),
            remote=replace(answer, mark=MARK),
            delivered_now=True,
            done=frozenset({Delete, Update}),
        )

    def test_updated_with_something_else(self):
        after = steps.updated(a_state(LIVE, desired=a_desired("v1:bbbb"), row=a_row()), a_remote(updated_at=LATER))

        assert (after.stored_status.submitted_at, after.stored_status.previous_hash) == (LATER, "v1:aaaa")
        assert after.memory.sent_at == LATER
        assert after.row == a_row()

    def test_updated_where_the_clusters_clock_is_behind(self):
        before = a_state(LIVE, desired=a_desired("v1:bbbb"), memory=Memory(clock_behind=60.0))
        after = steps.updated(before, a_remote(updated_at="2026-01-01T00:01:00Z"))

        assert after.stored_status.submitted_at == after.memory.sent_at == "2026-01-01T00:00:00+00:00"

    def test_updated_after_an_end_by_a_clock_that_is_ahead(self):
        ended = a_row(phase="Failed", phase_updated_at="2026-01-01T01:00:00Z")
        after = steps.updated(a_state(LIVE, desired=a_desired("v1:bbbb"), row=ended), a_remote(updated_at=LATER))

        assert after.stored_status.submitted_at == after.memory.sent_at == "2026-01-01T01:00:01+00:00"

    def test_updated_and_what_it_held_was_not_known(self):
        unknown = a_workload(status=submitted_status(submittedHash=None))
        after = steps.updated(a_state(unknown, desired=DESIRED), a_remote(updated_at=LATER))

        assert after.stored_status.submitted_at == LATER

    def test_updated_after_it_failed(self):
        after = steps.updated(a_state(FAILED, desired=DESIRED, row=a_row(phase="Failed")), a_remote())

        gone = {"phase": None, "phaseMessage": None, "completedAt": None}
        assert after.row is None
        assert after.memory.pending_status.items() >= gone.items()
        assert gone.keys().isdisjoint(after.workload.status)

    def test_a_put_without_an_answer_leaves_unknown_what_is_there(self):
        before = a_state(LIVE)

        unknown = owing(before, {"submittedHash": f".{DESIRED.identity(adopts=False)}"})
        assert steps.update_unanswered(before) == replace(unknown, done=frozenset({Update}))

    def test_deleted(self):
        before = a_state(LIVE, remote=a_remote(), memory=OLD, done=frozenset({Update}))
        done = frozenset({Update, Delete})

        accepted = replace(before, done=done, memory=replace(OLD, deletion_accepted=True))
        assert steps.deleted(before, existed=True) == accepted
        assert steps.deleted(before, existed=False) == replace(before, done=done, remote=None)

    def test_forgotten(self):
        before = a_state(
            LIVE,
            remote=Missing(),
            row=a_row(),
            found=(),
            deletion_wait=0.0,
            conflict=True,
            desired=DESIRED,
            now=9.0,
            requests=Requests(read=True, row=True),
            memory=replace(OLD, deletion_accepted=True, recreations=1, recreated_at=8.0).owing({"phase": None}),
            done=frozenset({Delete, Update}),
        )
        after = replace(
            before,
            workload=a_workload(),
            remote=None,
            row=None,
            found=None,
            deletion_wait=None,
            conflict=False,
            requests=Requests(row=True),
            memory=Memory(failures=3, recreations=1, recreated_at=8.0),
            done=frozenset({Update, ForgetWorkload}),
        )

        assert steps.forgotten(before, a_workload(), ForgetWorkload()) == after
        assert steps.forgotten(before, a_workload(), ForgetWorkload(lost=True)) == replace(
            after, memory=Memory(failures=3, recreations=2, recreated_at=9.0)
        )


DONE = Result(Verdict.IN_SYNC)
RETRIED = Result(Verdict.RETRYING, Unavailable("down"))
AT_REST = StatusSummary(workload_id=WORKLOAD_ID, sync="Synced", phase="Running", reason="Running")
ON_ITS_WAY = replace(AT_REST, sync="Applying", reason="Syncing")
APPLYING = a_workload(status=submitted_status(syncStatus="Applying"))
UNSYNCED = a_workload(status=submitted_status(syncStatus="Failed"))
FAILED_SYNC = replace(AT_REST, sync="Failed", reason="SyncFailed")
COUNTS = Memory(counts_may_lag=True, row_reads=2)


def remembered(state, end=DONE, summary=AT_REST, written=LIVE):
    return steps.remembered(state, end, summary, written=written, wrote_at=5.0)


@pytest.mark.parametrize(
    ("state", "end", "summary", "expected"),
    [
        pytest.param(
            a_state(LIVE, memory=Memory(failures=3, broken_off=2).owing({"a": 1})),
            DONE,
            AT_REST,
            Memory(),
            id="it is done",
        ),
        pytest.param(
            a_state(LIVE, now=9.0, memory=Memory(failures=3)),
            RETRIED,
            AT_REST,
            Memory(failures=4, unread=Unread(9.0, "RunaiUnavailable", "down")),
            id="it could not be read",
        ),
        pytest.param(
            a_state(LIVE, now=9.0),
            replace(RETRIED, outstanding=True),
            AT_REST,
            Memory(failures=1, retrying_since=9.0),
            id="it could not be sent",
        ),
        pytest.param(a_state(LIVE), Result(Verdict.WAITING), AT_REST, Memory(failures=1), id="it waits"),
        pytest.param(a_state(LIVE), Result(Verdict.DELETING), AT_REST, Memory(failures=1), id="it is deleted"),
        pytest.param(
            a_state(desired=DESIRED, memory=Memory(failures=3)),
            Result(Verdict.REJECTED, NameTaken("taken")),
            AT_REST,
            Memory(name_wanted=("1", "train")),
            id="its name is taken",
        ),
        pytest.param(
            a_state(APPLYING, memory=Memory(sync_reads=2)), DONE, ON_ITS_WAY, Memory(sync_reads=3), id="on its way"
        ),
        pytest.param(
            a_state(LIVE, memory=Memory(sync_reads=2)), DONE, ON_ITS_WAY, Memory(), id="on its way by another word"
        ),
        pytest.param(
            a_state(UNSYNCED, memory=Memory(sync_reads=2)),
            DONE,
            FAILED_SYNC,
            Memory(sync_reads=3),
            id="its sync failed",
        ),
        pytest.param(
            a_state(LIVE, memory=Memory(sync_reads=2)), DONE, FAILED_SYNC, Memory(), id="its sync has just failed"
        ),
        pytest.param(a_state(LIVE, memory=Memory(sync_reads=2)), DONE, AT_REST, Memory(), id="it has arrived"),
        pytest.param(
            a_state(LIVE, memory=Memory(row_reads=2)),
            DONE,
            replace(AT_REST, phase="Pending"),
            Memory(row_reads=2),
            id="it is pending",
        ),
        pytest.param(
            a_state(LIVE, memory=Memory(row_reads=2)), DONE, AT_REST, Memory(), id="it is not pending any more"
        ),
        pytest.param(a_state(LIVE, memory=COUNTS), DONE, AT_REST, COUNTS, id="its pods are counted after an edit"),
        pytest.param(
            a_state(LIVE, memory=COUNTS), DONE, replace(AT_REST, phase="Failed"), Memory(), id="it has finished"
        ),
        pytest.param(
            a_state(LIVE, memory=replace(COUNTS, row_reads=4)),
            DONE,
            AT_REST,
            Memory(),
            id="they were counted often enough",
        ),
        pytest.param(
            a_state(LIVE, now=9.0, memory=Memory(sent_at=MOMENT)),
            DONE,
            AT_REST,
            Memory(sent_at=MOMENT, ends_count_at=129.0),
            id="an edit has arrived",
        ),
        pytest.param(
            a_state(APPLYING, now=9.0, memory=Memory(sent_at=MOMENT)),
            DONE,
            ON_ITS_WAY,
            Memory(sent_at=MOMENT, sync_reads=1),
            id="an edit is on its way",
        ),
        pytest.param(
            a_state(LIVE, now=9.0, memory=Memory(recreations=2, recreated_at=8.0)),
            DONE,
            AT_REST,
            Memory(recreations=2, recreated_at=8.0),
            id="it was created again a moment ago",
        ),
        pytest.param(
            a_state(LIVE, now=9000.0, memory=Memory(recreations=2, recreated_at=8.0)),
            DONE,
            AT_REST,
            Memory(recreated_at=8.0),
            id="it was created again, and lasted",
        ),
        pytest.param(
            a_state(conflict=True, unmade=True), DONE, AT_REST, Memory(unmade_at="7"), id="409 to a first attempt"
        ),
        pytest.param(
            a_state(conflict=True, unmade=True, done=frozenset({Update})),
            DONE,
            AT_REST,
            Memory(),
            id="a PUT after the 409",
        ),
        pytest.param(a_state(conflict=True), DONE, AT_REST, Memory(), id="409 to a later one"),
        pytest.param(a_state(unmade=True), DONE, AT_REST, Memory(), id="no 409"),
    ],
)
def test_what_is_remembered(state, end, summary, expected):
    assert remembered(state, end, summary) == replace(expected, wrote_at=5.0)


def test_a_finalizer_that_we_removed_is_not_guarded_any_more():
    guarded, without = Memory(guarded=True), a_workload(finalizer=False)

    assert not remembered(a_state(LIVE, memory=guarded), written=without).guarded
    assert remembered(a_state(LIVE, memory=guarded)).guarded
    assert remembered(a_state(without, memory=guarded), written=without).guarded


def test_what_breaks_off_is_counted_for_itself():
    assert steps.broken_off(Memory(failures=3, broken_off=1)) == Memory(failures=3, broken_off=2)


def test_completed_work_is_not_failed_work():
    before = a_state(a_workload(status=completed_status()), desired=DESIRED, row=a_row(phase="Completed"))

    assert steps.updated(before, a_remote()).row is not None


@pytest.mark.parametrize(
    ("since", "of", "expected"), [(None, None, 9.0), (2.0, WORKLOAD_ID, 2.0), (2.0, "another", 9.0), (2.0, "1/x", 9.0)]
)
def test_since_when_lists_do_not_show_what_is_to_be_adopted_is_remembered(since, of, expected):
    before = a_state(now=9.0, memory=Memory(lookup_since=since, lookup_of=of, failures=3))
    after = replace(before, memory=Memory(lookup_since=expected, lookup_of=WORKLOAD_ID, failures=3))

    assert steps.unlisted(before, WORKLOAD_ID) == after


def test_what_took_the_place_of_a_workload_to_adopt_ends_the_adoption():
    before = a_state(a_workload(workload_id="2"), desired=DESIRED)
    after = steps.adopted(before, Adopt(a_remote(), a_row(), finished=True))

    assert (after.stored_status.adopted_id, after.to_adopt) == ("2", None)
    assert after.is_same_identity(DESIRED)


def test_since_when_what_was_to_be_adopted_is_missing_is_remembered_beside_a_look_up():
    before = a_state(remote=Missing(), memory=Memory(missing_since=2.0))

    assert steps.looked_up(before, (), what="1/x", is_visible=True, now=9.0).memory.missing_since == 2.0


def test_how_long_another_name_was_looked_for_proves_nothing():
    before = a_state(memory=Memory(lookup_since=2.0, lookup_of="1/y"))

    assert steps.looked_up(before, (), what="1/x", is_visible=True, now=9.0).memory.lookup_since == 9.0


@pytest.mark.parametrize(
    ("status", "proven", "expected"),
    [
        ({}, True, None),
        ({"submission": NOT_SUBMITTED}, True, 2.0),
        ({}, False, 2.0),
    ],
    ids=["another process has begun an attempt since the proof", "the proof stands", "there was no proof"],
)
def test_look_ups_from_before_the_last_proof_say_nothing_about_an_attempt_since(status, proven, expected):
    memory = Memory(lookup_since=2.0, lookup_of="1/x", proven=proven)

    known = {"install": INSTALL, "limits": Limits(), "access": Access(()), "now": 9.0, "wall": WALL}
    state = steps.begun(a_workload(status=status), memory, Requests(), None, **known)
    assert state.memory.lookup_since == expected


@pytest.mark.parametrize("proven", [True, False])
def test_a_proof_that_nothing_was_made_is_remembered(proven):
    assert remembered(a_state(), end=replace(DONE, not_submitted=proven)).proven is proven


def test_the_row_that_a_pass_has_read_stays_with_an_adoption_that_shows_none():
    before = a_state(desired=DESIRED, row_read=a_row())
    after = steps.adopted(before, Adopt(a_remote(), None, finished=False))

    assert (after.row, after.row_read) == (None, a_row())


def test_what_is_adopted_without_knowing_what_is_asked_for_was_sent_all_the_same():
    after = steps.adopted(a_state(), Adopt(a_remote(), a_row(), finished=False, content="v1:cccc"))

    assert after.stored_status.content == "v1:cccc"
    assert after.stored_status.identity is None
    assert steps.adopted(a_state(), Adopt(a_remote(), a_row(), finished=False)).stored_status.submitted_hash is None
