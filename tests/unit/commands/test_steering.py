"""When a requested read of Run:ai counts as done."""

from __future__ import annotations

import pytest

from runai_operator.commands.steering import handled
from runai_operator.commands.view import View
from runai_operator.commands.waiting import Target

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
