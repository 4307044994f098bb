"""What goes wrong on the way to Run:ai or to Kubernetes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    KubernetesUnavailable,
    OutcomeUnknown,
    Scope,
    StaleObject,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.model import RowPage
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.wire import Answer

SECRET = "hunter2"
"""What the manifests in Secrets hold."""
SLOWNESS = 9.0
"""Seconds that each call takes while Run:ai is slow."""


class Side(StrEnum):
    RUNAI = "Run:ai"
    KUBE = "Kubernetes"


WRITES = {"create", "dry_run", "update", "delete"}
READS = {"get", "row"}
PROJECTS = {"projects", "project"}
OF_WORKLOADS = READS | {"rows", "find", "update", "delete"}
LISTS = {"rows", "find"} | PROJECTS
CLASSES = {
    "everything": WRITES | READS | LISTS,
    "lists": LISTS,
    "the list of workloads": {"rows"},
    "reads": READS,
    "V2": READS | WRITES,
    "writes": WRITES,
    "creates": {"create", "dry_run"},
    "updates": {"update"},
    "deletes": {"delete"},
    "the list of projects": PROJECTS,
}


class Kind(StrEnum):
    UNREACHABLE = "out of reach"
    BROKEN = "answered 500"
    LOST = "answers are lost"
    FORBIDDEN = "forbidden"
    LOGGED_OUT = "credentials refused"
    THROTTLED = "throttled"
    LONG_HOLD = "throttled for an hour"
    GARBAGE = "garbage"
    ENDLESS = "another page after the last"
    AHEAD = "a row from the future"
    MISFORMED = "rejected in another form"
    QUOTING = "refused with a quotation"
    FORGETFUL = "as if it held nothing"
    SLOW = "slow"


OF_PAGES = (Kind.ENDLESS, Kind.AHEAD)
"""Nothing fails, but the pages of the list are odd."""
SPECIAL = (Kind.MISFORMED, Kind.QUOTING, Kind.FORGETFUL, Kind.SLOW)
"""What only scripts have."""
REFUSALS = {
    Kind.MISFORMED: {"details": [{"field": "spec.text", "reason": "is not to the taste of Run:ai"}]},
    Kind.QUOTING: {"code": 400, "message": f"cannot use the password {SECRET}"},
}
"""What HTTP 400 says then."""
OPERATIONS = {"rows": Operation.LIST, "find": Operation.LIST, "row": Operation.DETAIL}
"""Calls that the wire knows by another name."""
THROTTLES = (Kind.THROTTLED, Kind.LONG_HOLD)
OUTAGES = (Kind.UNREACHABLE, Kind.BROKEN, Kind.LOST)
"""What counts as Run:ai being out of reach."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """All calls of some kind meet the same; a new error each time, as from an adapter."""

    side: Side
    kind: Kind
    calls: str = "everything"
    """One of `CLASSES`; not looked at for Kubernetes."""

    def __str__(self) -> str:
        if self.side is Side.KUBE and self.kind is Kind.BROKEN:
            return f"{self.side}, writes: somebody writes in between"
        return f"{self.side}, {self.calls}: {self.kind}"

    @property
    def after_effect(self) -> bool:
        return self.kind is Kind.LOST

    @property
    def is_error(self) -> bool:
        """It comes in place of an answer; otherwise the answer is another one."""
        return self.kind not in (*OF_PAGES, Kind.FORGETFUL, Kind.SLOW)

    @property
    def makes_nothing(self) -> bool:
        """What meets it surely has no effect."""
        return self.kind in (*REFUSALS, Kind.UNREACHABLE, Kind.FORBIDDEN, Kind.LOGGED_OUT, *THROTTLES)

    def instead(self, name: str, now: datetime) -> Any:
        """The answer to a call of a Run:ai that seems to hold nothing."""
        return {"rows": RowPage((), None, now), "find": (), "delete": False}.get(name)

    def meets(self, name: str) -> bool:
        if self.side is Side.KUBE:
            return self.kind is not Kind.BROKEN or name.startswith("write")
        return name in CLASSES[self.calls]

    def spoils(self, *names: str) -> bool:
        """Whether it meets any of these calls of Run:ai."""
        return self.side is Side.RUNAI and any(map(self.meets, names))

    def error(self, name: str) -> BridgeError:
        if self.side is Side.KUBE:
            conflict = StaleObject("Somebody wrote in between.")
            return conflict if self.kind is Kind.BROKEN else KubernetesUnavailable("Kubernetes is out of reach.")
        match self.kind:
            case Kind.MISFORMED | Kind.QUOTING:
                operation = OPERATIONS.get(name) or Operation(name)
                return failure(operation, Answer(400, json.dumps(REFUSALS[self.kind]).encode(), "application/json"))
            case Kind.UNREACHABLE:
                return Unavailable("Run:ai is out of reach.")
            case Kind.FORBIDDEN:
                return AccessDenied("Run:ai forbids it.")
            case Kind.LOGGED_OUT:
                return AccessDenied("Run:ai refuses the credentials.", scope=Scope.CONNECTION)
            case Kind.THROTTLED:
                return Throttled("Run:ai throttles.", after=5.0)
            case Kind.LONG_HOLD:
                return Throttled("Run:ai throttles.", after=3600.0)
            case Kind.GARBAGE:
                return UnexpectedReply("A login page.") if name not in WRITES else OutcomeUnknown("A login page.")
            case _:
                return OutcomeUnknown("HTTP 500.") if name in WRITES else Unavailable("HTTP 500.")
