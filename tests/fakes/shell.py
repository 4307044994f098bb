"""The kopf shell, running, and what it told."""

from __future__ import annotations

import asyncio

from runai_operator.handlers import Watcher
from runai_operator.kube.watch import WatchState

GUARD_SECONDS = 30


async def until(true, what="it"):
    """Poll; the time is only a guard against hanging."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not true():  # noqa: ASYNC110 - what is waited for is many things, most without an event
            await asyncio.sleep(0.01)


class Shell:
    """A running watcher and what it told."""

    def __init__(self, session, client, namespaces=()):
        self.state = WatchState(namespaces)
        self.seen = []
        self.known = {}
        """Resource versions, by UID."""
        self.stop = asyncio.Event()
        self.watcher = Watcher(
            session=session,
            state=self.state,
            observe=lambda kind, meta: self.seen.append((kind, meta.ref.name)),
            is_known=lambda uid, version: self.known.get(uid) == version,
            served=client.resource_served,
            namespaces=namespaces,
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.watcher.run(self.stop))
        return self

    async def __aexit__(self, *_):
        self.stop.set()
        async with asyncio.timeout(GUARD_SECONDS):
            await self.task

    async def established(self, listed=1):
        await until(lambda: self.state.established and self.state.listed >= listed)

    async def observed(self, kind, name):
        await until(lambda: (kind, name) in self.seen)
