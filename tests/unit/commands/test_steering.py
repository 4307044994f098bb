"""When a requested read of Run:ai counts as done."""

from __future__ import annotations

import pytest

from runai_operator.commands.steering import handled, pause, refresh
from runai_operator.commands.view import View
from runai_operator.commands.waiting import Target
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, KubernetesUnavailable

TARGET = Target("team-a", "train", "uid-1")


def item(token="ours", done=None, uid="uid-1"):
    annotations = {"bridge.run.ai/reconcile-requested-at": token} if token else {}
    status = {"lastHandledReconcileAt": done} if done else {}
    return View(
        {"metadata": {"namespace": "team-a", "name": "train", "uid": uid, "annotations": annotations}, "status": status}
    )


@pytest.mark.parametrize(
    ("shown", "stands"),
    [
        pytest.param(item(), "waiting Requested", id="not yet"),
        pytest.param(item(done="earlier"), "waiting Requested", id="an earlier one was"),
        pytest.param(item(done="ours"), "met Refreshed", id="it was"),
        pytest.param(item(token="later", done="ours"), "met Refreshed", id="it was, and somebody asks again"),
        pytest.param(item(token="later", done="later"), "met Refreshed", id="a later one was, which stands for ours"),
        pytest.param(item(token="later"), "waiting Requested", id="somebody asks again before it was"),
        pytest.param(item(token=None), "failed Undone", id="somebody has taken it back"),
        pytest.param(None, "failed Deleted", id="the object is gone"),
        pytest.param(item(done="ours", uid="uid-2"), "failed Deleted", id="another object has its name"),
    ],
)
def test_a_request_is_done_when_the_operator_says_so(shown, stands):
    standing = handled("ours")(shown, TARGET)

    assert f"{standing.state} {standing.reason}" == stands
    assert standing.words


class Refusing:
    """A cluster that raises, or takes a change, by the name of the object."""

    def __init__(self, **errors):
        self._errors, self.changed = errors, []

    def workloads(self, name, *, namespace):
        return name

    async def patch(self, name, changes):
        if error := self._errors.get(name):
            raise error
        self.changed.append(name)
        return {}


def three():
    return [{"metadata": {"namespace": "team-a", "name": name, "uid": f"uid-{name}"}} for name in "abc"]


@pytest.mark.parametrize(
    ("error", "results", "changed"),
    [
        (AccessDenied("No."), "met Paused, failed Refused, met Paused", ["a", "c"]),
        (InvalidWorkload("No."), "met Paused, failed Refused, met Paused", ["a", "c"]),
        (KubernetesUnavailable("No."), "met Paused, failed Refused, failed NotTried", ["a"]),
    ],
)
async def test_what_is_refused_for_one_is_told_beside_what_was_done_to_the_others(error, results, changed):
    cluster = Refusing(b=error)
    standings = await pause(cluster, three())

    assert ", ".join(f"{one.state} {one.reason}" for one in standings.values()) == results
    assert standings["team-a", "b"].words == "No."
    assert cluster.changed == changed


async def test_where_nothing_could_be_done_the_error_is_the_answer():
    with pytest.raises(AccessDenied):
        await pause(Refusing(**dict.fromkeys("abc", AccessDenied("No."))), three())


async def test_a_refresh_that_is_refused_for_one_is_asked_for_the_others():
    standings = await refresh(Refusing(b=AccessDenied("No.")), three(), path="", timeout=0, watcher=None)

    assert [one.reason for one in standings.values()] == ["Requested", "Refused", "Requested"]


async def test_what_was_asked_for_is_said_also_where_kubernetes_does_not_answer_any_more():
    class Away(Refusing):
        async def follow(self, *args):
            raise KubernetesUnavailable("Kubernetes cannot be reached.")
            yield

    standings = await refresh(Away(b=AccessDenied("No.")), three(), path="", timeout=60, watcher=None)

    assert [f"{one.state} {one.reason}" for one in standings.values()] == [
        "waiting NotSeen",
        "failed Refused",
        "waiting NotSeen",
    ]
    assert standings["team-a", "a"].words == "Kubernetes cannot be reached. The operator was asked to read Run:ai."
