"""How an object is removed without its workload while others write to it, between any two of our calls."""

from __future__ import annotations

import copy

import pytest

from runai_operator.commands import orphaning
from runai_operator.commands.exits import CommandError
from runai_operator.commands.orphaning import orphan
from runai_operator.domain.errors import AccessDenied, StaleObject, Vanished
from runai_operator.domain.model import FINALIZER

PAUSED = "bridge.run.ai/paused"


class OneObject:
    """A cluster with one object; `meanwhile` is what others do before each of our calls, but for the first."""

    namespace = "team-a"

    def __init__(self, **spec):
        metadata = {"namespace": "team-a", "name": "train", "uid": "uid-1", "resourceVersion": "1", "annotations": {}}
        self.item = {"metadata": metadata | {"finalizers": [FINALIZER]}, "spec": spec, "status": {}}
        self.meanwhile = []
        self.policy_when_deleted = None

    def workloads(self, name=None, *, namespace=None):
        return f"{namespace}/{name}"

    def write(self, **changes):
        self.item["metadata"]["resourceVersion"] = str(int(self.item["metadata"]["resourceVersion"]) + 1)
        for part, values in changes.items():
            self.item[part] = {name: value for name, value in (self.item[part] | values).items() if value is not None}

    def others_act(self):
        if self.meanwhile:
            self.meanwhile.pop(0)(self)

    async def get(self, path):
        self.others_act()
        return copy.deepcopy(self.item)

    async def call(self, method, path, **options):
        return {}

    async def patch(self, path, changes):
        annotations = self.item["metadata"]["annotations"] | changes["metadata"]["annotations"]
        self.write(spec=changes["spec"])
        self.item["metadata"]["annotations"] = {name: text for name, text in annotations.items() if text is not None}
        return copy.deepcopy(self.item)

    async def delete(self, path, options):
        self.others_act()
        if options["preconditions"]["resourceVersion"] != self.item["metadata"]["resourceVersion"]:
            raise StaleObject("Somebody else has changed it.")
        self.policy_when_deleted = self.item["spec"]["deletionPolicy"], self.item["metadata"]["annotations"].get(PAUSED)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(orphaning, "PAUSE", 0)


async def act(cluster):
    return await orphan(cluster, [copy.deepcopy(cluster.item)], path="", force=False, timeout=0, watcher=None)


def writes_status(cluster):
    cluster.write(status={"phase": "Running"})


def puts_the_policy_back(cluster):
    cluster.write(spec={"deletionPolicy": "Delete"})


def refuses(cluster):
    raise AccessDenied("You are not allowed.")


def vanishes(cluster):
    raise Vanished("It is gone.")


@pytest.mark.parametrize("writes", [0, 1, 5])
async def test_it_is_deleted_as_it_was_written_however_often_status_is_written_meanwhile(writes):
    cluster = OneObject()
    cluster.meanwhile = [writes_status] * writes
    await act(cluster)

    assert cluster.policy_when_deleted == ("Orphan", "true")


@pytest.mark.parametrize("before", [{"deletionPolicy": "Delete"}, {}], ids=["with a policy", "with the default"])
@pytest.mark.parametrize("others", [0, 1, 2])
async def test_what_is_put_back_before_the_deletion_is_not_deleted_and_left_as_it_was(before, others):
    cluster = OneObject(**before)
    cluster.meanwhile = [writes_status] * others + [puts_the_policy_back]

    with pytest.raises(CommandError, match=r"put deletionPolicy of train back at once\. Nothing was deleted"):
        await act(cluster)
    assert cluster.policy_when_deleted is None
    assert cluster.item["spec"]["deletionPolicy"] == "Delete"
    assert cluster.item["metadata"]["annotations"] == {}


async def test_what_changes_for_ever_is_not_tried_for_ever():
    cluster = OneObject()
    cluster.meanwhile = [writes_status] * 1000

    with pytest.raises(StaleObject, match="changes all the time"):
        await act(cluster)
    assert cluster.policy_when_deleted is None
    assert cluster.item["metadata"]["annotations"] == {}


async def test_a_deletion_that_is_refused_leaves_the_object_as_it_was():
    cluster = OneObject(deletionPolicy="Delete")
    cluster.item["metadata"]["annotations"] = {PAUSED: "true"}
    cluster.meanwhile = [refuses]

    with pytest.raises(AccessDenied):
        await act(cluster)
    assert cluster.item["spec"]["deletionPolicy"] == "Delete"
    assert cluster.item["metadata"]["annotations"] == {PAUSED: "true"}


async def test_what_somebody_else_has_removed_meanwhile_is_gone():
    cluster = OneObject()
    cluster.meanwhile = [vanishes]
    standings = await act(cluster)

    assert [standing.state for standing in standings.values()] == ["met"]
