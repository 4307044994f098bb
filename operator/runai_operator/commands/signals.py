"""Ends a command that is stopped from outside as Ctrl-C does, so that it leaves nothing behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def as_ctrl_c() -> Iterator[list[int]]:
    """Within, SIGTERM (from `timeout`, or a CI that cancels a job) and SIGHUP (from a terminal that is closed) do what SIGINT does;
    yields the numbers of those that have come. Who has them ignored, as `nohup` does, has them ignored still."""
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        # Called, not raised: a loop that waits for events would not see it before the next one.
        interrupt = signal.getsignal(signal.SIGINT)
        (interrupt if callable(interrupt) else signal.default_int_handler)(signal.SIGINT, frame)

    caught: list[signal.Signals] = []
    with suppress(ValueError):  # outside of the main thread, where nothing is stopped
        for each in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) is signal.SIG_DFL:
                signal.signal(each, stop)
                caught.append(each)
    try:
        yield came
    finally:
        for each in caught:
            signal.signal(each, signal.SIG_DFL)
