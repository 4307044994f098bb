"""What may happen at a call: the process dies, or the answer is lost, before or after the effect."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from runai_operator.domain.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone; nothing of it may catch this."""


class Mishap(StrEnum):
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    LOST_BEFORE = "lost before the effect"
    LOST_AFTER = "lost after the effect"
    UNREACHABLE = "unreachable"


@dataclass(slots=True)
class Chance:
    """Which call of a pass suffers what; `down` makes every call to Run:ai fail."""

    plan: dict[int, Mishap] = field(default_factory=dict)
    named: dict[str, Mishap] = field(default_factory=dict)
    """By the name of the next such call."""
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By the name of the next such call: what others do after its effect and before its answer."""
    down: bool = False
    calls: int = 0

    def begin(self, plan: dict[int, Mishap] | None = None) -> None:
        """A new pass."""
        self.plan, self.named, self.calls = plan or {}, {}, 0


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Where another process may get in between."""
    yield


async def call(chance: Chance, effect: Callable[[], T], *, to_runai: bool, is_write: bool = False, name: str = "") -> T:
    """One call of a port, with what chance has planned for it."""
    await turn()
    mishap = chance.named.pop(name, None) or chance.plan.get(chance.calls)
    chance.calls += 1
    if mishap is Mishap.CRASH_BEFORE:
        raise Crash
    if to_runai and (chance.down or mishap is Mishap.UNREACHABLE):
        raise Unavailable("the fake is out of reach")
    if to_runai and mishap is Mishap.LOST_BEFORE:
        raise OutcomeUnknown("lost") if is_write else Unavailable("lost")
    result = effect()
    if mishap is Mishap.CRASH_AFTER:
        raise Crash
    if to_runai and mishap is Mishap.LOST_AFTER:
        raise OutcomeUnknown("lost") if is_write else Unavailable("lost")
    if (happens := chance.meanwhile.pop(name, None)) is not None:
        happens()
    await turn()
    return result
