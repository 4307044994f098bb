"""A Run:ai of which some parts work and others do not: what stands before the world in memory, on the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.errors import BridgeError
from runai_operator.engine.gate import CallClass

_CLASS = {
    "create": CallClass.WRITES,
    "dry_run": CallClass.WRITES,
    "update": CallClass.WRITES,
    "delete": CallClass.WRITES,
    "get": CallClass.READS,
    "row": CallClass.READS,
    "rows": CallClass.LISTS,
    "find": CallClass.LISTS,
    "projects": CallClass.LISTS,
    "project": CallClass.LISTS,
}


@dataclass(frozen=True, slots=True)
class Lost:
    """The call takes effect, and then this is all that comes back."""

    error: BridgeError


class Troubles(dict[str, Callable[[], BridgeError | Lost | Exception]]):
    """What a call meets, by its method or else by its class; an error made anew each time, as by an adapter."""


class UnevenRunai:
    """Implements `engine.ports.Runai` in front of another, which it asks in the end."""

    def __init__(self, runai: Any, troubles: Troubles, latency: dict[str, float], note: Callable[[str], None]) -> None:
        """`latency` in seconds, by method or class; `note` is told the method of each call."""
        self._runai, self._troubles, self._latency, self._note = runai, troubles, latency, note

    async def aclose(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        method, kind = getattr(self._runai, name), _CLASS[name]

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._note(name)
            await asyncio.sleep(self._latency.get(name, self._latency.get(kind, 0.02)))
            trouble = self._troubles.get(name) or self._troubles.get(kind)
            met = trouble() if trouble is not None else None
            if isinstance(met, Lost):
                await method(*args, **kwargs)
                raise met.error
            if met is not None:
                raise met
            return await method(*args, **kwargs)

        return call
