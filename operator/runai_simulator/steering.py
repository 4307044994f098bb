"""Annotations in a submitted manifest that steer what the simulator does with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "simulator.run.ai/"

SYNC = f"{PREFIX}sync"
"""`fail`: the sync fails; `hold`: it stays Queued."""
END = f"{PREFIX}end"
"""`Failed`, `Completed` or `Running` is how the workload ends up."""
PENDING = f"{PREFIX}pending"
"""`true` leaves it Pending, with a scheduling message."""
PHASES = f"{PREFIX}phases"
"""The whole way, as `Pending=2,Running=5,Failed`: phases with seconds; the last one stays."""
MESSAGE = f"{PREFIX}message"
"""Text shown with the last phase, with a failed sync, and as the scheduling message of a pending one."""
DELETE_TIME = f"{PREFIX}delete-time"
"""Seconds from DELETE until it is gone, or `never`."""
REFUSE = f"{PREFIX}refuse"
"""POST and PUT are answered by 400 with this text: real answers quote the manifest, too."""
ANNOTATIONS = (SYNC, END, PENDING, PHASES, MESSAGE, DELETE_TIME, REFUSE)

PHASE_NAMES = frozenset({
    "Creating", "Initializing", "Resuming", "Pending", "Deleting", "Running", "Updating", "Stopped", "Stopping",
    "Degraded", "Failed", "Completed", "Terminating", "Unknown",
})  # fmt: skip
ENDS = ("Failed", "Completed", "Running")


@dataclass(frozen=True, slots=True)
class Steering:
    """What the annotations ask for; the defaults ask for nothing."""

    sync: str = ""
    end: str = ""
    pending: bool = False
    phases: tuple[tuple[str, float | None], ...] = ()
    """Phase and its seconds; None is as long as usual."""
    message: str = ""
    delete_time: float | None = None
    """Infinite for never; None is as long as usual."""


def read(annotations: Mapping[str, Any]) -> Steering:
    """Raises `ValueError` for what cannot be understood: a typing error must not pass for a working simulation."""
    given = {key: str(annotations[key]) for key in ANNOTATIONS if key in annotations}
    for key in annotations:
        if key.startswith(PREFIX) and key not in given:
            raise ValueError(f"{key} is not known; there are {', '.join(ANNOTATIONS)}")
    if given.get(REFUSE):
        raise ValueError(given[REFUSE])
    _one_of(given, SYNC, ("fail", "hold", ""))
    _one_of(given, END, (*ENDS, ""))
    _one_of(given, PENDING, ("true", "false", ""))
    return Steering(
        sync=given.get(SYNC, ""),
        end=given.get(END, ""),
        pending=given.get(PENDING) == "true",
        phases=tuple(_step(text) for text in given.get(PHASES, "").split(",") if text.strip()),
        message=given.get(MESSAGE, ""),
        delete_time=_delete_time(given.get(DELETE_TIME, "")),
    )


def _one_of(given: Mapping[str, str], key: str, allowed: tuple[str, ...]) -> None:
    if given.get(key, "") not in allowed:
        raise ValueError(f"{key} is one of {', '.join(filter(None, allowed))}")


def _step(text: str) -> tuple[str, float | None]:
    phase, found, seconds = text.strip().partition("=")
    if phase not in PHASE_NAMES:
        raise ValueError(f"{PHASES}: {phase!r} is not a phase")
    return phase, _seconds(PHASES, seconds) if found else None


def _delete_time(text: str) -> float | None:
    if text == "never":
        return math.inf
    return _seconds(DELETE_TIME, text) if text else None


def _seconds(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{key}: {text!r} is not a number of seconds")
    return value
