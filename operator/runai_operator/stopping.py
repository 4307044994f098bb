"""SIGTERM and SIGINT, from the first line of the command to its last.

Imports only what costs nothing: most of a start is spent importing, and a stop must not be lost meanwhile. As process 1
of a container, one without handlers would not even end on them.
"""

from __future__ import annotations

import asyncio
import signal
import threading

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop` from now on; call in the running loop. Does nothing outside of the main thread."""
    if _is_main_thread():
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)


class StopSignals:
    """Notes a stop before there is an event loop, and keeps a second one from spoiling the exit code."""

    def __init__(self) -> None:
        self.requested = False
        if _is_main_thread():
            for number in SIGNALS:
                signal.signal(number, self._note)

    def hand_on_to(self, stop: asyncio.Event) -> None:
        """Set `stop` on a signal from now on, or at once if there was one. Call in the running loop."""
        stop_on_signals(stop)
        if self.requested:
            stop.set()

    def ignore(self) -> None:
        """The process is ending. Call in the running loop, which would otherwise restore the default handlers."""
        if _is_main_thread():
            for number in SIGNALS:
                asyncio.get_running_loop().remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def _note(self, *_: object) -> None:
        self.requested = True


def _is_main_thread() -> bool:
    """Python allows signal handlers nowhere else; tests run commands in other threads."""
    return threading.current_thread() is threading.main_thread()
