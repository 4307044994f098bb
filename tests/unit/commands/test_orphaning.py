"""How an object is removed without its workload while others write to it, between any two of our calls."""

from __future__ import annotations

import asyncio
import copy

import pytest

from runai_operator.commands import orphaning
from runai_operator.commands.orphaning import orphan
from runai_operator.domain.errors import AccessDenied, KubernetesUnavailable, StaleObject, Vanished
from runai_operator.domain.model import FINALIZER

PAUSED = "bridge.run.ai/paused"


class OneObject:
    """A cluster with one object; `meanwhile` is what others do before each of our calls, but for the first."""

    namespace = "team-a"

    def __init__(self, **spec):
        metadata = {"namespace": "team-a", "name": "train", "uid": "uid-1", "resourceVersion": "1", "annotations": {}}
        self.item = {"metadata": metadata | {"finalizers": [FINALIZER]}, "spec": spec, "status": {}}
        self.meanwhile = []
        self.loses = {}
        """What is raised, by what was done, in place of an answer that tells of it."""
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

    def answer(self, done):
        if error := self.loses.pop(done, None):
            raise error
        return copy.deepcopy(self.item)

    async def get(self, path):
        self.others_act()
        return copy.deepcopy(self.item)

    async def call(self, method, path, **options):
        return {}

    async def patch(self, path, changes):
        if changes["metadata"].get("resourceVersion") not in (None, self.item["metadata"]["resourceVersion"]):
            raise StaleObject("Somebody else has changed it.")
        annotations = self.item["metadata"]["annotations"] | changes["metadata"]["annotations"]
        self.write(spec=changes["spec"])
        self.item["metadata"]["annotations"] = {name: text for name, text in annotations.items() if text is not None}
        return self.answer("patch")

    async def delete(self, path, options):
        self.others_act()
        if options["preconditions"]["resourceVersion"] != self.item["metadata"]["resourceVersion"]:
            raise StaleObject("Somebody else has changed it.")
        self.policy_when_deleted = self.item["spec"]["deletionPolicy"], self.item["metadata"]["annotations"].get(PAUSED)
        self.write(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
        self.answer("delete")


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

    with pytest.raises(StaleObject, match="put deletionPolicy of train back at once, so it was not deleted"):
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


async def test_what_may_have_been_deleted_unanswered_keeps_the_policy_that_keeps_its_workload():
    """Else the operator deletes the workload of an object that is on its way out."""
    cluster = OneObject(deletionPolicy="Delete")
    cluster.loses["delete"] = KubernetesUnavailable("No answer came.")
    standings = await act(cluster)

    assert [standing.state for standing in standings.values()] == ["met"]
    assert cluster.item["spec"]["deletionPolicy"] == "Orphan"
    assert cluster.item["metadata"]["annotations"] == {PAUSED: "true"}


async def test_what_may_have_been_deleted_keeps_its_policy_where_that_cannot_be_found_out_either():
    cluster = OneObject(deletionPolicy="Delete")
    cluster.loses["delete"] = KubernetesUnavailable("No answer came.")
    cluster.meanwhile = [lambda _: None, refuses]

    with pytest.raises(
        KubernetesUnavailable, match=r"^No answer came. It may be left paused, with deletionPolicy: Orphan"
    ):
        await act(cluster)
    assert cluster.item["spec"]["deletionPolicy"] == "Orphan"


@pytest.mark.parametrize("error", [KubernetesUnavailable("No answer came."), asyncio.CancelledError()], ids=repr)
async def test_what_was_only_written_is_put_back_where_it_ends_before_the_deletion(error):
    cluster = OneObject(deletionPolicy="Delete")
    cluster.loses["patch"] = error
    cluster.meanwhile = [writes_status]

    with pytest.raises(type(error)):
        await act(cluster)
    assert (cluster.policy_when_deleted, cluster.item["spec"]["deletionPolicy"]) == (None, "Delete")
    assert cluster.item["metadata"]["annotations"] == {}


async def test_who_stops_it_between_the_policy_and_the_deletion_leaves_the_object_as_it_was():
    cluster = OneObject(deletionPolicy="Delete")

    def stopped(_):
        raise asyncio.CancelledError

    cluster.meanwhile = [stopped]
    with pytest.raises(asyncio.CancelledError):
        await act(cluster)
    assert cluster.item["spec"]["deletionPolicy"] == "Delete"
    assert cluster.item["metadata"]["annotations"] == {}


async def test_that_the_deletion_has_begun_is_told_also_where_kubernetes_does_not_answer_any_more():
    class Away(OneObject):
        async def follow(self, *args):
            raise KubernetesUnavailable("Kubernetes cannot be reached.")
            yield

    cluster = Away()
    items = [copy.deepcopy(cluster.item)]
    standings = await orphan(cluster, items, path="", force=False, timeout=60, watcher=None)

    [standing] = standings.values()
    assert (standing.state, standing.reason) == ("waiting", "NotSeen")
    assert standing.words == "Kubernetes cannot be reached. It goes as soon as the operator has seen it."
    assert cluster.policy_when_deleted == ("Orphan", "true")


async def test_what_cannot_be_put_back_is_said_to_be_left_as_it_is():
    cluster = OneObject(deletionPolicy="Delete")
    cluster.meanwhile = [refuses, refuses]

    with pytest.raises(KubernetesUnavailable, match=r"^You are not allowed. It may be left paused"):
        await act(cluster)


class Several:
    """A cluster with several objects by name."""

    namespace = "team-a"

    def __init__(self, **objects):
        self.objects = objects
        for name, one in objects.items():
            one.item["metadata"] |= {"name": name, "uid": f"uid-{name}"}

    def workloads(self, name=None, *, namespace=None):
        return name

    def __getattr__(self, method):
        async def act(*args, **options):
            name = next(each for each in args if each in self.objects)
            return await getattr(self.objects[name], method)(*args, **options)

        return act


async def test_what_cannot_be_removed_is_told_beside_what_was():
    cluster = Several(a=OneObject(), b=OneObject(), c=OneObject())
    cluster.objects["b"].meanwhile = [puts_the_policy_back]
    items = [copy.deepcopy(one.item) for one in cluster.objects.values()]
    standings = await orphan(cluster, items, path="", force=False, timeout=0, watcher=None)

    assert [f"{one.state} {one.reason}" for one in standings.values()] == [
        "met Deleting",
        "failed Refused",
        "met Deleting",
    ]
    assert "put deletionPolicy of b back at once" in standings["team-a", "b"].words
    assert [one.policy_when_deleted for one in cluster.objects.values()] == [
        ("Orphan", "true"),
        None,
        ("Orphan", "true"),
    ]
