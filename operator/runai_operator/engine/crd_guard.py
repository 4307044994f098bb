"""The guard against the deletion of the CustomResourceDefinition, which deletes every RunaiWorkload.

Only a reading of the definition that began after the deletion of an object was seen shows whether that is the cause.
One such reading serves all deletions seen before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import CRDState
from runai_operator.domain.requeue import WAKE_WITHIN

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between readings while objects are held back."""


class CRDGuard:
    """Reads the definition when a deletion needs it, and wakes the objects that were held back."""

    def __init__(
        self,
        read: Callable[[], Awaitable[CRDState | None]],
        wake: Callable[[str, float], None],
        *,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """`read` returns None where it is forbidden; `wake(uid, delay)` queues an object; `clock` in loop seconds."""
        self._read, self._wake, self._clock, self._random = read, wake, clock, random
        self._lock = asyncio.Lock()
        self._begun = float("-inf")
        self._last = CRDState(deleting=False, confirmed=False)
        self._blind = False
        self._held: dict[str, None] = {}
        """In the order in which they came."""
        self._holds = asyncio.Event()

    async def seen_since(self, uid: str, moment: float) -> CRDState:
        """The definition as it was after `moment` (loop seconds), for the deletion of `uid`, which is held back if need
        be. Raises the errors of the reading."""
        await self._refresh(moment)
        if _holds(self._last):
            self._held[uid] = None
            self._holds.set()
        return self._last

    async def _refresh(self, moment: float) -> None:
        async with self._lock:
            if not self._is_fresh(moment):
                begun = self._clock()
                self._last = self._known(await self._read())
                self._begun = begun

    def _is_fresh(self, moment: float) -> bool:
        """Holding back is the safe answer, so that one may be a little old."""
        return self._begun > (self._clock() - INTERVAL if _holds(self._last) else moment)

    def _known(self, read: CRDState | None) -> CRDState:
        if read is not None:
            return read
        if not self._blind:
            self._blind = True
            log.warning(
                "the CustomResourceDefinition may not be read, so that deleting it deletes the workloads in Run:ai too:"
                " allow `get` on it to have them held back"
            )
        return CRDState(deleting=False, confirmed=False)

    async def run(self) -> None:
        """Reads again while any object is held back; runs for ever."""
        while True:
            await self._holds.wait()
            await asyncio.sleep(INTERVAL)
            try:
                await self._refresh(self._clock())
            except BridgeError as error:
                log.warning("%s", error.message)
                continue
            if not _holds(self._last):
                self._release()

    def _release(self) -> None:
        held, self._held = self._held, {}
        self._holds.clear()
        for uid in held:
            self._wake(uid, self._random.uniform(0, WAKE_WITHIN))


def _holds(crd: CRDState) -> bool:
    return crd.deleting and not crd.confirmed
