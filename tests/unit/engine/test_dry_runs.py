"""How it is found out whether dry runs create nothing, call by call, and how what one has made after all is removed.

Run:ai is as small as it can be here: no lists that lag, no sync. `test_dry_run` has one that is not.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest

from builders import MANIFEST, MARK, a_remote, a_row, a_workload
from runai_operator.domain.errors import (
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.manifest import read_mark, with_mark
from runai_operator.domain.model import ManagementPolicy, OwnerMark, Submission
from runai_operator.domain.naming import PROBE_PREFIX, probe_name
from runai_operator.domain.probe import PROVING, UNSUPPORTED, probe_mark
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import BACKOFF_CEILING, PROJECT_PROBE, SOON_CEILING, next_sync_read
from runai_operator.engine.dry_runs import GOING, KEPT, DryRuns, Leftovers

pytestmark = pytest.mark.looptime

GRACE = 60.0
PROOF = GRACE + 20
LOOKS = [0, *accumulate(next_sync_read(looks) for looks in range(9))]
"""Seconds after something was sent at which it is looked for, up to the first time after the lag."""
DOWN = Unavailable("Run:ai cannot be reached.")
LOST = OutcomeUnknown("No answer came.")
FULL = InvalidWorkload("Its quota is used up.")


class FullJitter(Random):
    def random(self) -> float:
        return 1.0


class Runai:
    """What both classes see of it: nothing is made by a dry run unless `creates` says so."""

    def __init__(self) -> None:
        self.creates = False
        self.tells_id = True
        self.visible = True
        self.listed = True
        """Whether a list shows what was made."""
        self.removal = 0.0
        """Seconds that a deletion takes."""
        self.made = {}
        self.going = {}
        self.calls = []
        self.trouble = {}
        """Errors by method, or by method and project."""

    def _call(self, method, what, project):
        self.calls.append((now(), method, what, project))
        error = self.trouble.get((method, project), self.trouble.get(method))
        if error is not None:
            raise error

    def called(self, method):
        return [each for each in self.calls if each[1] == method]

    def make(self, name, project, mark, **changes):
        made = a_remote(id=f"id-{len(self.made)}", name=name, project_id=project, mark=mark, **changes)
        self.made[made.id] = made
        return made

    def _shown(self, workload_id):
        remote = self.made.get(workload_id)
        gone_at = self.going.get(workload_id)
        if remote is None or gone_at is None:
            return remote
        return None if gone_at <= now() else replace(remote, desired_phase="Deleted", sync_status="Deleting")

    async def find(self, *, name, project_id):
        self._call("find", name, project_id)
        shown = [self._shown(each) for each in self.made if self.listed]
        of_name = [each for each in shown if each is not None and (each.name, each.project_id) == (name, project_id)]
        return [a_row(id=each.id, name=name, project_id=project_id) for each in of_name]

    async def get(self, workload_id, *, project):
        self._call("get", workload_id, project)
        remote = self._shown(workload_id)
        assert remote is None or remote.project_id == project
        return remote

    async def delete(self, workload_id, *, project):
        self._call("delete", workload_id, project)
        assert self.made[workload_id].project_id == project
        self.going[workload_id] = now() + self.removal

    async def dry_run(self, submission):
        self._call("dry_run", submission.name, submission.project_id)
        if not self.creates:
            return None
        made = self.make(submission.name, submission.project_id, read_mark(submission.manifest))
        return made.id if self.tells_id else None

    async def shows(self, place):
        self._call("shows", None, place.project_id)
        return self.visible


def now():
    return asyncio.get_running_loop().time()


async def _no_object(ref):
    """It is gone by now."""
    del ref


class Bench:
    def __init__(self, runai=None):
        self.runai = runai or Runai()
        self.woken, self.bugs, self.refuted = [], [], []
        self.dry_runs = DryRuns(
            self.runai,
            self.runai,
            install="i",
            former=("former",),
            grace=GRACE,
            wake=lambda uid: self.woken.append((now(), uid)),
            bug=lambda: self.bugs.append(now()),
            clock=now,
            random=FullJitter(),
        )
        self.leftovers = Leftovers(
            self.runai,
            read=_no_object,
            serves_all=True,
            made=lambda: self.refuted.append(now()),
            bug=lambda: self.bugs.append(now()),
            clock=now,
            random=FullJitter(),
        )

    @asynccontextmanager
    async def started(self):
        tasks = [asyncio.create_task(each.run()) for each in (self.dry_runs, self.leftovers)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def ask(self, uid="a", project="1"):
        return self.dry_runs.ask(uid, project)


@pytest.fixture
async def bench():
    async with Bench().started() as bench:
        yield bench


def about(caplog):
    """Of each warning, what it is about."""
    keys = ("project_id", "workload", "workload_id")
    return [{key: vars(each)[key] for key in keys if key in vars(each)} for each in caplog.records]


# --- the proof


async def test_who_asks_first_begins_and_is_woken_once_by_the_proof(bench):
    assert bench.ask() is PROVING
    await asyncio.sleep(PROOF)

    assert bench.woken == [(LOOKS[-1], "a")]
    assert bench.ask() is True
    assert [each[0] for each in bench.runai.called("find")] == [0, *LOOKS]
    assert [each[2:] for each in bench.runai.called("dry_run")] == [(probe_name("i", "1"), "1")]
    assert {each[2:] for each in bench.runai.called("find")} == {(probe_name("i", "1"), "1")}
    assert {each[3] for each in bench.runai.called("shows")} == {"1"}


async def test_once_it_is_proven_nothing_more_is_asked_and_nobody_waits(bench):
    bench.ask()
    await asyncio.sleep(PROOF)
    calls = len(bench.runai.calls)
    bench.ask("b")
    await asyncio.sleep(3 * PROOF)
    bench.dry_runs.refute()

    assert len(bench.runai.calls) == calls
    assert [uid for _, uid in bench.woken] == ["a"]


async def test_who_leaves_is_not_woken_and_nothing_is_sent_for_nobody(bench):
    bench.ask()
    bench.dry_runs.leave("a")
    bench.dry_runs.leave("b")
    await asyncio.sleep(PROOF)

    assert (bench.woken, bench.runai.called("dry_run")) == ([], [])
    assert len(bench.runai.called("find")) == 1, "what an earlier one has left behind is looked for"


async def test_who_asks_again_does_not_begin_anew(bench):
    for _ in range(30):
        bench.ask()
        await asyncio.sleep(2)

    assert len(bench.runai.called("dry_run")) == 1


async def test_one_probe_at_a_time_is_sent_and_the_proof_is_for_all_projects(bench):
    for uid, project in (("a", "1"), ("b", "2"), ("c", "3")):
        bench.ask(uid, project)
    await asyncio.sleep(PROOF)

    assert sorted(uid for _, uid in bench.woken) == ["a", "b", "c"]
    assert [each[3] for each in bench.runai.called("dry_run")] == ["1"]
    assert len([each for each in bench.runai.called("find") if each[3] == "2"]) == 1
    calls = len(bench.runai.calls)
    await asyncio.sleep(2 * SOON_CEILING)
    assert len(bench.runai.calls) == calls, "those that have not begun have nothing to do any more"


async def test_what_is_due_comes_first_whatever_it_is_called(bench):
    bench.runai.trouble["dry_run", "1"] = bench.runai.trouble["dry_run", "2"] = FULL
    names = {}
    for uid, project in (("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")):
        bench.ask(uid, project)
        names[project] = probe_name("i", project)
    await asyncio.sleep(PROOF)

    assert bench.ask("e", "4") is True


# --- the opposite


async def test_what_was_made_is_the_opposite_and_is_removed(bench, caplog):
    bench.runai.creates, bench.runai.removal = True, 10
    bench.ask()
    await asyncio.sleep(PROOF)

    assert [uid for _, uid in bench.woken] == ["a"]
    assert bench.woken[0][0] == 0, "at once"
    assert bench.ask() is UNSUPPORTED
    assert [each[2] for each in bench.runai.called("delete")] == ["id-0"]
    assert len(bench.runai.called("dry_run")) == 1
    probe = {"project_id": "1", "workload": probe_name("i", "1"), "workload_id": "id-0"}
    assert about(caplog) == [probe, probe], "what was found, and that it was deleted, each once"


async def test_by_the_id_in_the_answer_it_is_found_before_lists_show_it(bench):
    bench.runai.creates, bench.runai.listed = True, False
    bench.ask()
    await asyncio.sleep(PROOF)

    assert bench.ask() is UNSUPPORTED
    assert [each[2] for each in bench.runai.called("delete")] == ["id-0"]


async def test_without_an_id_in_the_answer_it_is_found_by_its_name(bench):
    bench.runai.creates, bench.runai.tells_id, bench.runai.visible = True, False, False
    bench.ask()
    await asyncio.sleep(PROOF)

    assert bench.ask() is UNSUPPORTED
    assert len(bench.runai.called("delete")) == 1
    assert bench.runai.called("shows")[0][0] == 0, "whether a project is visible is asked where nothing was found"


async def test_what_refutes_the_proof_is_told_once(bench, caplog):
    bench.ask()
    await asyncio.sleep(PROOF)
    caplog.clear()
    bench.dry_runs.refute()
    bench.dry_runs.refute()

    assert bench.ask("b") is UNSUPPORTED
    assert [each.getMessage() for each in caplog.records] == [UNSUPPORTED.message]


async def test_who_waits_hears_that_it_was_refuted(bench):
    bench.ask()
    bench.dry_runs.refute()

    assert [uid for _, uid in bench.woken] == ["a"]
    await asyncio.sleep(PROOF)
    assert bench.runai.called("dry_run") == []
    assert bench.ask() is UNSUPPORTED


async def test_a_project_where_nothing_was_made_does_not_undo_what_another_has_shown(bench):
    bench.ask("a", "1")
    await asyncio.sleep(1)
    bench.runai.trouble["find", "1"] = DOWN
    bench.runai.creates = True
    await asyncio.sleep(2)
    bench.ask("b", "2")
    await asyncio.sleep(1)
    assert bench.ask() is UNSUPPORTED
    bench.runai.trouble.clear()
    await asyncio.sleep(BACKOFF_CEILING)

    assert [each[3] for each in bench.runai.called("dry_run")] == ["1", "2"]
    assert bench.ask() is UNSUPPORTED


async def test_what_is_found_after_the_answer_is_known_changes_nothing(bench, caplog):
    bench.runai.creates = True
    bench.ask("a", "1")
    await asyncio.sleep(1)
    assert bench.ask() is UNSUPPORTED
    caplog.clear()
    made = bench.runai.make(probe_name("i", "2"), "2", probe_mark("i"))
    bench.dry_runs.seen(a_row(id=made.id, name=made.name, project_id="2"))
    await asyncio.sleep(PROOF)

    assert about(caplog) == [{"project_id": "2", "workload": made.name, "workload_id": made.id}]


# --- what is left behind


@pytest.mark.parametrize(
    ("name", "is_looked_for"),
    [
        (probe_name("i", "1"), True),
        (probe_name("former", "1"), True),
        (probe_name("i", "2"), False),
        (probe_name("other", "1"), False),
        (f"{PROBE_PREFIX}x", False),
        ("train", False),
    ],
    ids=["ours", "of a former install id", "of another project", "of another install", "much like it", "a user's"],
)
async def test_a_list_that_shows_a_probe_of_ours_has_it_removed(bench, name, is_looked_for):
    mark = probe_mark("former" if name == probe_name("former", "1") else "i")
    made = bench.runai.make(name, "1", mark)
    bench.dry_runs.seen(a_row(id=made.id, name=name, project_id="1"))
    await asyncio.sleep(PROOF)

    assert [each[2] for each in bench.runai.called("delete")] == ([made.id] if is_looked_for else [])
    assert bool(bench.runai.calls) is is_looked_for
    assert bench.runai.called("dry_run") == []
    assert bench.ask() is PROVING, "what was there before says nothing"


async def test_nothing_is_sent_under_a_former_install_id(bench):
    bench.runai.trouble["dry_run"] = FULL
    bench.dry_runs.seen(a_row(name=probe_name("former", "1"), project_id="1"))
    bench.ask()
    await asyncio.sleep(PROOF)

    assert [each[2] for each in bench.runai.called("dry_run")] == [probe_name("i", "1")]


async def test_trouble_with_what_a_former_install_id_left_is_nobodys_answer(bench, caplog):
    bench.runai.trouble["find"] = DOWN
    bench.dry_runs.seen(a_row(name=probe_name("former", "1"), project_id="1"))
    await asyncio.sleep(10)

    assert [each[0] for each in bench.runai.called("find")] == [0, 2, 6]
    assert about(caplog) == []
    bench.runai.trouble.clear()
    assert bench.ask() is PROVING


# --- trouble


async def test_a_refusal_is_shown_to_those_of_the_project_and_tried_again_later(bench, caplog):
    bench.runai.trouble["dry_run", "1"] = FULL
    bench.ask()
    await asyncio.sleep(1)

    assert [uid for _, uid in bench.woken] == ["a"]
    assert about(caplog) == [{"project_id": "1", "workload": probe_name("i", "1")}]
    told = bench.ask()
    assert (told.condition_reason, told.scope) == (Reason.DRY_RUN_UNSUPPORTED, Scope.OBJECT)
    assert "in project 1," in told.message
    assert told.message.endswith(FULL.message)
    for until, times in ((PROJECT_PROBE - 1, 1), (PROJECT_PROBE, 2)):
        await asyncio.sleep(until - now())
        bench.ask()
        await asyncio.sleep(0.5)
        assert len(bench.runai.called("dry_run")) == times
    assert [uid for _, uid in bench.woken] == ["a"], "it is no news"
    assert len(caplog.records) == 1


async def test_another_project_gives_the_answer_where_one_refuses(bench):
    bench.runai.trouble["dry_run", "1"] = FULL
    bench.ask("a", "1")
    bench.ask("b", "2")
    await asyncio.sleep(1)
    bench.ask("a", "1")
    await asyncio.sleep(PROOF + SOON_CEILING)

    assert [each[3] for each in bench.runai.called("dry_run")] == ["1", "2"]
    assert bench.ask() is True
    assert sorted(uid for _, uid in bench.woken) == ["a", "a", "b"]


@pytest.mark.parametrize("error", [LOST, UnexpectedReply("No JSON.")])
async def test_a_lost_answer_proves_nothing_and_is_tried_again_when_it_was_looked_for(bench, error):
    bench.runai.trouble["dry_run"] = error
    bench.ask()
    await asyncio.sleep(1)
    shown = bench.ask()
    assert (shown.message, shown.scope, shown.circuit) == (error.message, Scope.OBJECT, None)
    assert shown is not error
    assert len(bench.runai.called("dry_run")) == 1
    bench.runai.trouble.clear()
    await asyncio.sleep(PROOF)
    assert len(bench.runai.called("dry_run")) == 2
    assert bench.ask() is PROVING, "the trouble is over"
    await asyncio.sleep(PROOF)

    assert bench.ask() is True


async def test_where_nobody_waits_any_more_what_a_lost_answer_may_have_made_is_looked_for_and_that_is_all(bench):
    bench.runai.trouble["dry_run"] = LOST
    bench.ask()
    await asyncio.sleep(2 * PROOF)

    assert [each[0] for each in bench.runai.called("find")] == [0, *LOOKS]


async def test_a_stranger_of_that_name_is_told_of(bench):
    bench.runai.make(probe_name("i", "1"), "1", None)
    bench.ask()
    await asyncio.sleep(PROOF)

    assert isinstance(bench.ask(), NameTaken)
    assert bench.runai.called("shows") == [], "its project is to be seen"


async def test_a_name_that_is_taken_proves_nothing_either(bench):
    bench.runai.trouble["dry_run"] = NameTaken("taken")
    bench.ask()
    await asyncio.sleep(PROOF)
    assert 2 <= len(bench.runai.called("dry_run")) <= 3
    assert bench.ask() is PROVING
    bench.runai.trouble.clear()
    await asyncio.sleep(2 * PROOF)

    assert bench.ask() is True


async def test_trouble_is_tried_again_with_growing_pauses_that_begin_anew(bench):
    bench.runai.trouble["find"] = DOWN
    bench.ask()
    await asyncio.sleep(60)
    assert [each[0] for each in bench.runai.called("find")] == [0, 2, 6, 14, 30]
    assert (bench.ask().message, bench.ask().condition_reason) == (DOWN.message, DOWN.condition_reason)
    bench.runai.trouble.clear()
    await asyncio.sleep(2 * PROOF)
    assert bench.ask() is True

    bench.runai.calls.clear()
    bench.runai.trouble["find"] = DOWN
    bench.dry_runs.seen(a_row(name=probe_name("i", "1"), project_id="1"))
    began = now()
    await asyncio.sleep(7)
    assert [each[0] - began for each in bench.runai.called("find")] == [0, 2, 6]


async def test_other_trouble_is_logged_again_and_wakes_nobody(bench, caplog):
    bench.runai.trouble["find"] = DOWN
    bench.ask()
    await asyncio.sleep(1)
    bench.ask()
    bench.runai.trouble["find"] = Unavailable("Run:ai is on fire.")
    await asyncio.sleep(20)

    assert [uid for _, uid in bench.woken] == ["a"]
    assert bench.ask().message == "Run:ai is on fire."
    assert len(caplog.records) == 2


async def test_trouble_of_one_project_wakes_nobody_of_another(bench):
    bench.runai.trouble["find", "1"] = DOWN
    bench.ask("a", "1")
    bench.ask("b", "2")
    await asyncio.sleep(1)

    assert [uid for _, uid in bench.woken] == ["a"]


async def test_one_who_waits_beside_trouble_elsewhere_is_served(bench):
    bench.runai.trouble["dry_run", "1"] = LOST
    bench.ask("a", "1")
    await asyncio.sleep(1)
    bench.ask("b", "2")
    await asyncio.sleep(1)

    assert [each[3] for each in bench.runai.called("dry_run")] == ["1", "2"]


async def test_a_project_that_is_hidden_is_told_and_looked_at_again(bench):
    bench.ask()
    await asyncio.sleep(1)
    bench.runai.visible = False
    await asyncio.sleep(PROOF)
    assert bench.ask().condition_reason == Reason.DRY_RUN_UNSUPPORTED
    bench.runai.visible = True
    await asyncio.sleep(BACKOFF_CEILING)
    assert [each[0] for each in bench.runai.called("find")][2:4] == [1, 1 + BACKOFF_CEILING]
    await asyncio.sleep(PROOF)

    assert bench.ask() is True


async def test_a_fault_of_ours_is_reported_shown_and_outlived(bench):
    bench.runai.trouble["find"] = ZeroDivisionError()
    bench.ask()
    await asyncio.sleep(1)
    assert bench.bugs == [0]
    assert "fault of the operator" in bench.ask().message
    bench.runai.trouble.clear()
    await asyncio.sleep(3 * PROOF)

    assert bench.ask() is True


async def test_after_a_fault_of_ours_nobody_knows_whether_something_was_sent(bench):
    bench.runai.trouble["dry_run"] = ZeroDivisionError()
    bench.ask()
    await asyncio.sleep(1)
    bench.ask()
    bench.runai.trouble.clear()
    await asyncio.sleep(GRACE - 5)

    assert len(bench.runai.called("dry_run")) == 1, "it is looked for first"


# --- what a dry run has made after the proof

SUBMISSION = Submission("train", "1", with_mark(MANIFEST, name="train", mark=MARK))
ROW = a_row(id="id-0", name="train", project_id="1")


def deleted(bench):
    return [each[2] for each in bench.runai.called("delete")]


async def test_what_the_answer_names_is_read_and_removed(bench, caplog):
    bench.runai.make("train", "1", MARK)
    bench.runai.removal = 3
    await asyncio.sleep(5)
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(60)

    assert deleted(bench) == ["id-0"]
    assert about(caplog) == [{"project_id": "1", "workload": "train", "workload_id": "id-0"}]
    assert bench.refuted[0] == 5, "at once"
    assert [each[0] for each in bench.runai.called("get")] == [5, 6, 7.5, 9.75], "until it is gone"
    assert len(bench.refuted) == 3


async def test_without_an_id_a_row_of_the_name_is_the_hint(bench):
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, None)
    await asyncio.sleep(10)
    assert bench.runai.calls == []
    bench.leftovers.seen(ROW)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(10)

    assert deleted(bench) == ["id-0"]


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, name="other"),
        replace(ROW, project_id="2"),
        replace(ROW, deleted_at="2026-01-01T00:00:00Z"),
    ],
    ids=["another name", "another project", "a deleted one"],
)
async def test_what_no_dry_run_can_have_made_costs_no_call(bench, row):
    bench.leftovers.sent(SUBMISSION, None)
    bench.leftovers.seen(row)
    await asyncio.sleep(10)

    assert bench.runai.calls == []


@pytest.mark.parametrize(
    ("changes", "told", "is_made"),
    [
        ({}, None, True),
        ({"mark": None, "mark_readable": False}, "id-0", True),
        ({"mark": None, "mark_readable": False}, None, False),
        ({"mark": None}, "id-0", False),
        ({"mark": OwnerMark("i", "team-a", "train", "uid-2")}, "id-0", False),
        ({"name": "other"}, "id-0", False),
        ({"project_id": "1", "sync_status": "Deleted"}, "id-0", False),
    ],
    ids=[
        "our mark",
        "no mark is shown, and the answer named it",
        "no mark is shown",
        "no mark",
        "another's mark",
        "another name",
        "gone",
    ],
)
async def test_only_what_a_dry_run_has_made_is_removed(bench, changes, told, is_made):
    known = {"name": "train", "project": "1", "mark": MARK, **changes}
    bench.runai.make(known.pop("name"), known.pop("project_id", known.pop("project")), known.pop("mark"), **known)
    bench.leftovers.sent(SUBMISSION, told)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(60)

    assert deleted(bench) == (["id-0"] if is_made else [])
    assert bool(bench.refuted) is is_made
    reads = len(bench.runai.called("get"))
    bench.leftovers.seen(ROW)
    await asyncio.sleep(60)
    assert len(bench.runai.called("get")) == reads, "what was cleared up is not read again"


async def test_what_goes_already_is_not_deleted_again(bench):
    bench.runai.make("train", "1", MARK, desired_phase="Deleted", sync_status="Deleting")
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(3)

    assert (deleted(bench), bench.refuted) == ([], [0, 1, 2.5])


async def test_what_was_not_made_leaves_room_for_another_suspect(bench):
    bench.runai.make("train", "1", None)
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(1)
    bench.leftovers.seen(replace(ROW, id="id-1"))
    await asyncio.sleep(1)

    assert deleted(bench) == ["id-1"]


async def test_what_carries_no_mark_is_not_sent_by_us(bench):
    bench.leftovers.sent(Submission("train", "1", MANIFEST), "id-0")
    await asyncio.sleep(1)

    assert bench.runai.calls == []


@pytest.mark.parametrize(("after", "reads"), [(KEPT - 1, 1), (KEPT, 0)])
async def test_what_was_sent_is_remembered_for_an_hour(bench, after, reads):
    await asyncio.sleep(100)
    bench.leftovers.sent(SUBMISSION, None)
    await asyncio.sleep(after)
    bench.leftovers.sent(replace(SUBMISSION, name="other"), None)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(1)

    assert len(bench.runai.called("get")) == reads


async def test_nothing_that_was_sent_takes_memory_for_ever(bench):
    bench.runai.trouble["get"] = DOWN
    bench.leftovers.sent(SUBMISSION, "id-0")
    bench.leftovers.sent(replace(SUBMISSION, name="old"), None)
    await asyncio.sleep(10)
    bench.leftovers.sent(replace(SUBMISSION, name="younger"), None)
    await asyncio.sleep(KEPT - 5)
    bench.leftovers.sent(replace(SUBMISSION, name="new"), None)

    assert [one.name for one in bench.leftovers._all()] == ["train", "younger", "new"]


async def test_a_suspect_is_remembered_until_it_is_cleared_up(bench):
    bench.runai.make("train", "1", MARK)
    bench.runai.trouble["get"] = DOWN
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(KEPT + 1)
    bench.leftovers.sent(replace(SUBMISSION, name="other"), None)
    bench.leftovers.sent(SUBMISSION, None)
    bench.leftovers.seen(replace(ROW, id="id-9"))
    bench.runai.trouble.clear()
    await asyncio.sleep(BACKOFF_CEILING)

    assert deleted(bench) == ["id-0"]
    assert {each[2] for each in bench.runai.called("get")} == {"id-0"}


async def test_what_was_hidden_for_a_while_is_removed_when_a_list_shows_it_again(bench):
    """Where a project is taken out of our sight, what is in it answers as what is gone."""
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(1)
    assert [each[2] for each in bench.runai.called("get")] == ["id-0"]
    bench.runai.make("train", "1", MARK)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(1)

    assert deleted(bench) == ["id-0"]


async def test_sent_again_it_may_have_been_made_anew(bench):
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(1)
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(1)

    assert deleted(bench) == ["id-0"]


async def test_what_is_to_be_submitted_from_now_on_is_spared(bench):
    bench.leftovers.spare(SUBMISSION)
    bench.runai.make("train", "1", MARK)
    bench.runai.make("other", "1", replace(MARK, uid="uid-2"))
    bench.runai.trouble["get"] = DOWN
    bench.leftovers.sent(SUBMISSION, "id-0")
    other = with_mark(MANIFEST, name="other", mark=replace(MARK, uid="uid-2"))
    bench.leftovers.sent(Submission("other", "1", other), "id-1")
    bench.leftovers.spare(SUBMISSION)
    bench.runai.trouble.clear()
    await asyncio.sleep(10)

    assert deleted(bench) == ["id-1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest": with_mark(MANIFEST, name="train", mark=replace(MARK, uid="uid-2"))},
        {"manifest": MANIFEST},
        {"name": "other"},
        {"project_id": "2"},
    ],
    ids=["another object", "no object", "another name", "another project"],
)
async def test_what_is_submitted_otherwise_spares_nothing(bench, changes):
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, "id-0")
    bench.leftovers.spare(replace(SUBMISSION, **changes))
    await asyncio.sleep(10)

    assert deleted(bench) == ["id-0"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, []), ({"name": "other"}, ["id-0"]), ({"mark": replace(MARK, uid="uid-2")}, ["id-0"])],
    ids=["what was made", "another name", "another mark"],
)
@pytest.mark.parametrize("told", ["id-0", None])
async def test_what_is_taken_over_is_spared(bench, changes, expected, told):
    made = bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, told)
    assert bench.leftovers.spare_adopted(replace(made, **changes)) is None
    bench.leftovers.seen(ROW)
    await asyncio.sleep(10)

    assert deleted(bench) == expected


async def test_what_is_on_its_way_out_is_neither_submitted_nor_taken_over(bench):
    made = bench.runai.make("train", "1", MARK)
    bench.runai.removal = 30
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(1)

    assert bench.leftovers.spare(SUBMISSION) is bench.leftovers.spare_adopted(made) is GOING
    await asyncio.sleep(60)
    assert bench.leftovers.spare(SUBMISSION) is bench.leftovers.spare_adopted(made) is None


async def test_what_was_submitted_under_a_name_was_made_by_no_dry_run(bench):
    bench.leftovers.created(SUBMISSION)
    bench.leftovers.sent(SUBMISSION, None)
    bench.leftovers.created(SUBMISSION)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(10)

    assert bench.runai.calls == []


async def test_what_was_made_for_one_of_several_objects_of_a_name_is_removed(bench):
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, None)
    other = with_mark(MANIFEST, name="train", mark=replace(MARK, uid="uid-2"))
    bench.leftovers.sent(replace(SUBMISSION, manifest=other), None)
    bench.leftovers.spare(replace(SUBMISSION, manifest=other))
    bench.leftovers.seen(ROW)
    await asyncio.sleep(10)

    assert deleted(bench) == ["id-0"]


async def test_what_may_be_submitted_is_removed_once_its_object_is_only_to_be_checked_again(bench):
    async def read(ref):
        checked = a_workload(status={}, finalizer=False)
        return replace(checked, spec=replace(checked.spec, management_policy=ManagementPolicy.DRY_RUN))

    bench.leftovers._read = read
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, None)
    bench.leftovers.spare(SUBMISSION)
    bench.leftovers.seen(ROW)
    await asyncio.sleep(10)

    assert deleted(bench) == ["id-0"]


async def test_what_another_process_may_have_submitted_stays_when_its_object_is_gone(bench):
    """With `deletionPolicy: Orphan`, say: the object was seen once as one that submits, and never with its workload."""
    submits = a_workload(status={}, finalizer=True)
    seen = iter([submits])

    async def read(ref):
        return next(seen, None)

    bench.leftovers._read = read
    bench.runai.make("train", "1", MARK)
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(600)

    assert (deleted(bench), bench.refuted) == ([], [])


async def test_what_is_spared_while_it_is_read_is_not_touched(bench):
    bench.runai.make("train", "1", MARK)
    read = bench.runai.get

    async def get(workload_id, *, project):
        bench.runai.get = read
        bench.leftovers.spare(SUBMISSION)
        return await read(workload_id, project=project)

    bench.runai.get = get
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(10)

    assert (deleted(bench), bench.refuted) == ([], [])


@pytest.mark.parametrize(("error", "bugs"), [(DOWN, 0), (ZeroDivisionError(), 5)], ids=["trouble", "a fault of ours"])
async def test_a_suspect_that_cannot_be_read_is_read_again_with_growing_pauses(bench, error, bugs, caplog):
    bench.runai.make("train", "1", MARK)
    bench.runai.trouble["get"] = error
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(60)

    assert [each[0] for each in bench.runai.called("get")] == [0, 2, 6, 14, 30]
    assert len(bench.bugs) == len([each for each in caplog.records if each.levelno >= logging.ERROR]) == bugs
    bench.runai.trouble.clear()
    await asyncio.sleep(10)
    assert deleted(bench) == ["id-0"]


async def test_the_suspect_that_is_due_comes_first(bench):
    bench.runai.make("train", "1", MARK)
    bench.runai.make("other", "2", MARK)
    bench.runai.trouble["get", "1"] = DOWN
    bench.leftovers.sent(SUBMISSION, "id-0")
    await asyncio.sleep(31)
    bench.leftovers.sent(Submission("other", "2", SUBMISSION.manifest), "id-1")
    await asyncio.sleep(1)

    assert deleted(bench) == ["id-1"]
