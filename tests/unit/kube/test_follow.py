"""Following a collection as commands do: what comes over one watch, and over many that end in every way."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from aiohttp import web

from fakes.apiserver import COLLECTION, an_object, refusal
from runai_operator.domain.errors import AccessDenied, KubernetesUnavailable
from runai_operator.kube import objects
from runai_operator.kube.objects import Cluster

GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class Follower:
    """Takes the label `state` of each object, and keeps what was yielded."""

    def __init__(self, cluster):
        self.seen, self.troubles = asyncio.Queue(), []
        self.task = asyncio.create_task(self._run(cluster))

    async def _run(self, cluster):
        keep = lambda item: item["metadata"].get("labels", {}).get("state")  # noqa: E731
        async for kept in cluster.follow(COLLECTION, {}, keep, self.troubles.append):
            self.seen.put_nowait({name: state for (_, name), state in kept.items()})

    async def next(self):
        async with asyncio.timeout(30):
            waiting = asyncio.create_task(self.seen.get())
            await asyncio.wait([waiting, self.task], return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                self.task.result()
            return await waiting


def stateful(name, state, version):
    return an_object(name, version=version, labels={"state": state} if state else {})


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(objects, "AGAIN_AFTER", (0.0,))


@pytest_asyncio.fixture
async def follow(fake, session):
    started = []

    async def start():
        fake.objects["a"] = stateful("a", "new", 1)
        started.append(Follower(Cluster(session, namespace="team-a")))
        assert await started[0].next() == {"a": "new"}
        await watched(fake)
        return started[0]

    yield start
    for follower in started:
        follower.task.cancel()


async def watched(fake):
    async with asyncio.timeout(30):
        while not fake.watches:  # noqa: ASYNC110 - the server is on a socket
            await asyncio.sleep(0)


def watches(fake):
    return [request.query["resourceVersion"] for request in fake.asked(COLLECTION, watch="true")]


async def test_what_comes_changes_and_goes_is_seen(fake, follow):
    follower = await follow()
    fake.emit("ADDED", stateful("b", "new", 101))
    assert await follower.next() == {"a": "new", "b": "new"}
    fake.emit("MODIFIED", stateful("a", "old", 102))
    assert await follower.next() == {"a": "old", "b": "new"}
    fake.emit("DELETED", stateful("b", "new", 103))

    assert await follower.next() == {"a": "old"}


async def test_what_changes_nothing_that_is_kept_is_not_told(fake, follow):
    follower = await follow()
    fake.emit("MODIFIED", stateful("a", "new", 101))
    fake.emit("BOOKMARK", {"metadata": {"resourceVersion": "102"}})
    fake.emit("MODIFIED", stateful("a", "old", 103))

    assert await follower.next() == {"a": "old"}


async def test_an_object_that_is_no_longer_kept_goes(fake, follow):
    follower = await follow()
    fake.emit("MODIFIED", stateful("a", None, 101))

    assert await follower.next() == {}


async def test_an_object_longer_than_any_line_is_read(fake, follow):
    follower = await follow()
    long = stateful("a", "old", 101)
    long["spec"]["manifestYaml"] = "x" * 900_000
    fake.emit("MODIFIED", long)

    assert await follower.next() == {"a": "old"}


async def test_a_watch_that_is_closed_is_continued_where_it_ended(fake, follow):
    follower = await follow()
    fake.emit("BOOKMARK", {"metadata": {"resourceVersion": "150"}})
    fake.end_watches()
    await asyncio.sleep(0.05)
    await watched(fake)
    fake.emit("MODIFIED", stateful("a", "old", 151))

    assert await follower.next() == {"a": "old"}
    assert watches(fake) == ["100", "150"]
    assert len(fake.lists()) == 1


@pytest.mark.parametrize("how", ["as an answer", "as an event"])
async def test_where_the_server_has_forgotten_everything_is_listed_again(fake, follow, how):
    follower = await follow()
    fake.objects["a"] = stateful("a", "old", 170)
    fake.version = 170
    if how == "as an event":
        fake.emit("ERROR", GONE)
    else:
        fake.fault = lambda request: refusal(410) if request.query.get("resourceVersion") == "100" else None
        fake.end_watches()

    assert await follower.next() == {"a": "old"}
    await asyncio.sleep(0.05)
    await watched(fake)
    assert watches(fake)[-1] == "170"


async def test_a_server_that_fails_for_a_while_is_asked_again(fake, follow):
    follower = await follow()
    answers = iter([refusal(503), refusal(500), web.Response(text="no JSON\n")])
    fake.fault = lambda request: next(answers, None) if request.query.get("watch") else None
    fake.end_watches()
    async with asyncio.timeout(30):
        while len(watches(fake)) < 5 or not fake.watches:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
    fake.emit("MODIFIED", stateful("a", "old", 101))

    assert await follower.next() == {"a": "old"}
    again_and_again = [why for why in follower.troubles if why]
    assert len(again_and_again) == 2, "the first failure may be nothing"
    assert "HTTP 500" in again_and_again[0]
    assert follower.troubles[-1] is None


async def test_an_error_among_the_events_is_not_taken_for_an_object(fake, follow):
    follower = await follow()
    fake.emit("ERROR", {"kind": "Status", "code": 500, "message": "etcd is away"})
    await asyncio.sleep(0.05)
    await watched(fake)
    fake.emit("MODIFIED", stateful("a", "old", 101))

    assert await follower.next() == {"a": "old"}


@pytest.mark.parametrize(("answer", "error"), [(403, AccessDenied), (401, AccessDenied), (503, KubernetesUnavailable)])
async def test_what_fails_from_the_start_ends_it(fake, session, answer, error):
    fake.fault = lambda _: refusal(answer)

    with pytest.raises(error):
        await Follower(Cluster(session, namespace="team-a")).next()


async def test_a_right_that_is_taken_away_ends_it(fake, follow):
    follower = await follow()
    fake.fault = lambda _: refusal(403)
    fake.end_watches()

    with pytest.raises(AccessDenied, match="You are not allowed to watch runaiworkloads"):
        await follower.next()
