"""Notices changes of the ConfigMaps and Secrets that manifests come from: nothing watches them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.memory import Source
from runai_operator.domain.model import SourceRef

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Sources that are looked at at the same time: one that hangs must not hold up the others."""

SourceKey = tuple[str, str, str]
"""Namespace, kind and name."""
Users = Sequence[tuple[str, Source]]
"""The UIDs of the objects that read their manifests there, with what each of them has read."""


class Sources:
    """Reads the metadata of each source once for all its users."""

    def __init__(self, version_of: Callable[[str, SourceRef], Awaitable[str]], changed: Callable[[str], None]) -> None:
        """`version_of` is given a namespace and a source, and returns its resourceVersion, or the reason why it cannot be read;
        `changed` is given the UID of each object that has read another one."""
        self._version_of, self._changed = version_of, changed
        self._unreadable: set[SourceKey] = set()
        """Those whose last read failed, which is logged once."""

    async def check(self, users: Mapping[SourceKey, Users]) -> None:
        """Returns when all of them were looked at once."""
        self._unreadable.intersection_update(users)
        waiting = iter(users.items())

        async def check() -> None:
            for key, using in waiting:
                await self._check(key, using)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(check())

    async def _check(self, key: SourceKey, users: Users) -> None:
        try:
            version = await self._version_of(key[0], users[0][1].ref)
        except BridgeError as error:
            if key not in self._unreadable:
                log.warning("%s", error.message)
                self._unreadable.add(key)
            return
        self._unreadable.discard(key)
        for uid, read in users:
            if read.version != version:
                self._changed(uid)
