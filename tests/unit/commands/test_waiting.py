"""How an object stands towards what somebody waits for, and what is shown meanwhile."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from runai_operator.commands.duration import Duration
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.progress import Progress
from runai_operator.commands.view import View
from runai_operator.commands.waiting import Goal, Standing, State, Target, exit_code, towards, wait
from runai_operator.domain.model import FINALIZER

TARGET = Target("team-a", "train", "uid-1")


def item(observed=2, deleting=False, finalizers=(FINALIZER,), uid="uid-1", owner="uid-1", **conditions):
    """An object at generation 2 whose conditions are `Ready="True Running"` and so on."""
    made = [
        {"type": kind, "status": value.split()[0], "reason": value.split()[1], "message": "Look.", "lastTransitionTime": "x"}
        for kind, value in conditions.items()
    ]  # fmt: skip
    metadata = {"namespace": "team-a", "name": "train", "uid": uid, "generation": 2, "finalizers": list(finalizers)}
    metadata |= {"deletionTimestamp": "2026-03-01T11:00:00Z"} if deleting else {}
    return View(
        {"metadata": metadata, "status": {"observedGeneration": observed, "ownerUid": owner, "conditions": made}}
    )


RUNNING = {"Ready": "True Running", "Synced": "True Synced"}
COMPLETED = {"Ready": "True Completed", "Completed": "True Completed"}
FAILED = {"Ready": "False Failed", "Stalled": "True Failed"}
EDITED = {"Ready": "False FinishedNotRerun", "Stalled": "True FinishedNotRerun", "Completed": "True Completed"}
PENDING = {"Ready": "False Pending", "Reconciling": "True Pending"}
STUCK = {"Ready": "False Deleting", "Stalled": "True Deleting"}

STANDINGS = {
    "ready: it runs": (Goal.READY, item(**RUNNING), "met Running"),
    "ready: it has completed": (Goal.READY, item(**COMPLETED), "met Completed"),
    "ready: it is on its way": (Goal.READY, item(**PENDING), "waiting Pending"),
    "ready: it has failed": (Goal.READY, item(**FAILED), "failed Failed"),
    "ready: it ran before an edit": (Goal.READY, item(observed=1, **RUNNING), "waiting NotSeen"),
    "ready: it had failed before an edit": (Goal.READY, item(observed=1, **FAILED), "waiting NotSeen"),
    "ready: nobody has seen it": (Goal.READY, item(observed=-1), "waiting NotSeen"),
    "ready: the status came with a backup": (Goal.READY, item(owner="another", **RUNNING), "waiting NotSeen"),
    "ready: it is being deleted": (Goal.READY, item(deleting=True, **RUNNING), "failed Deleting"),
    "ready: it is gone": (Goal.READY, None, "failed Deleted"),
    "ready: another has its name": (Goal.READY, item(uid="uid-2", owner="uid-2", **RUNNING), "failed Deleted"),
    "completed: it runs": (Goal.COMPLETED, item(**RUNNING), "waiting Running"),
    "completed: it has": (Goal.COMPLETED, item(**COMPLETED), "met Completed"),
    "completed: it had, before an edit": (Goal.COMPLETED, item(observed=1, **COMPLETED), "waiting NotSeen"),
    "completed: it had, and an edit is not run": (Goal.COMPLETED, item(**EDITED), "failed FinishedNotRerun"),
    "completed: it has failed": (Goal.COMPLETED, item(**FAILED), "failed Failed"),
    "completed: it is gone": (Goal.COMPLETED, None, "failed Deleted"),
    "deleted: it is there": (Goal.DELETED, item(**RUNNING), "waiting NotDeleted"),
    "deleted: it has failed, and nobody has deleted it": (Goal.DELETED, item(**FAILED), "waiting NotDeleted"),
    "deleted: it is on its way": (Goal.DELETED, item(deleting=True, Ready="False Deleting"), "waiting Deleting"),
    "deleted: it had failed before": (Goal.DELETED, item(observed=1, deleting=True, **FAILED), "waiting NotSeen"),
    "deleted: it will not go by itself": (Goal.DELETED, item(deleting=True, **STUCK), "failed Deleting"),
    "deleted: others hold it": (Goal.DELETED, item(deleting=True, finalizers=["x.io/y"]), "waiting Finalizers"),
    "deleted: it is gone": (Goal.DELETED, None, "met Deleted"),
    "deleted: another has its name": (Goal.DELETED, item(uid="uid-2", **RUNNING), "met Deleted"),
}  # fmt: skip


@pytest.mark.parametrize(("goal", "shown", "stands"), STANDINGS.values(), ids=STANDINGS)
def test_an_object_stands_towards_a_goal(goal, shown, stands):
    standing = towards(goal)(shown, TARGET)

    assert f"{standing.state} {standing.reason}" == stands
    assert standing.words.endswith(".")


MET, WAITING, LOST = (Standing(state, "R", "W.") for state in (State.MET, State.WAITING, State.FAILED))


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        ([], ExitCode.OK),
        ([MET, MET], ExitCode.OK),
        ([MET, WAITING], ExitCode.TIMEOUT),
        ([MET, WAITING, LOST], ExitCode.FAILED),
    ],
)
def test_the_exit_code_is_that_of_the_worst(standings, code):
    assert exit_code({("ns", str(number)): standing for number, standing in enumerate(standings)}) == code


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90s", 90), ("1h30m", 5400), ("500ms", 0.5)])
def test_a_duration_is_read_as_kubectl_reads_it(text, seconds):
    assert Duration()(text) == seconds


class Screen(io.StringIO):
    """A terminal, or what is none."""

    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


@pytest.fixture
def screen(monkeypatch):
    def show(*, is_terminal):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "24")
        monkeypatch.setenv("LINES", "5")
        made = Screen(is_terminal)
        monkeypatch.setattr(sys, "stderr", made)
        return made

    return show


def test_what_is_piped_has_a_line_for_each_change_and_none_for_the_same(screen):
    lines = screen(is_terminal=False)
    progress = Progress()
    progress.show({"a": WAITING, "b": WAITING})
    progress.show({"a": WAITING, "b": WAITING})
    done = Standing(State.MET, "Done", "W.")
    progress.show({"a": WAITING, "b": done})
    progress.show({"a": Standing(State.WAITING, "R", "\x1b[2J\nX."), "b": done})
    progress.close()

    shown = ["a: R: W.", "b: R: W.", "b: Done: W.", "a: R: \\x1b[2J\\nX."]
    assert lines.getvalue() == "".join(f"{line}\n" for line in shown)


def test_on_a_terminal_every_object_keeps_its_line_and_the_end_takes_them_away(screen):
    lines = screen(is_terminal=True)
    progress = Progress()
    progress.show({"a": WAITING, "b": Standing(State.WAITING, "R", "A long text, of many words.")})
    progress.show({"a": WAITING, "b": MET})
    progress.close()

    first, second, third = lines.getvalue().split("\x1b[J")[1:]
    assert first == "a: R: W.\nb: R: A long text, of …\n\x1b[2A\r"
    assert second == "a: R: W.\nb: R: W.\n\x1b[2A\r"
    assert third == ""


def test_on_a_terminal_what_does_not_fit_is_counted(screen):
    lines = screen(is_terminal=True)
    Progress().show({str(number): WAITING for number in range(9)})

    assert lines.getvalue() == "\x1b[J0: R: W.\n1: R: W.\nand 7 more\n"


class Unreachable:
    """A cluster that answers once, and for a while or for ever no more."""

    def __init__(self, *, comes_back):
        self._comes_back = comes_back

    async def follow(self, _path, _query, keep, troubled):
        yield {TARGET.key: keep(item(**RUNNING).item)}
        troubled("Nobody answers.")
        if self._comes_back:
            troubled(None)
        await asyncio.Event().wait()


@pytest.mark.parametrize("comes_back", [False, True])
async def test_what_may_have_come_about_unseen_is_not_claimed_to_be_as_it_was(screen, comes_back):
    lines, cluster = screen(is_terminal=False), Unreachable(comes_back=comes_back)
    goal = towards(Goal.DELETED)
    standings = await wait(cluster, [TARGET], goal, path="", timeout=0.01, watcher=Progress())

    known = Standing(State.WAITING, "NotDeleted", "Nobody has deleted it yet.")
    unsure = Standing(State.WAITING, "NotSeen", "Nobody answers. Before: Nobody has deleted it yet.")
    assert standings == {TARGET.key: known if comes_back else unsure}
    told = [
        "train: NotDeleted: Nobody has deleted it yet.",
        "train: NotSeen: Nobody answers. Before: Nobody has deleted it yet.",
    ]
    assert lines.getvalue().splitlines() == [*told, *(told[:1] if comes_back else [])]


def test_a_reason_is_said_once_where_the_message_begins_with_it():
    paused = item(Ready="True Paused")
    paused.item["status"]["conditions"][0]["message"] = "Paused: nothing is written."

    assert paused.reason == "Paused: nothing is written."
    assert towards(Goal.READY)(paused, TARGET).words == "nothing is written."
