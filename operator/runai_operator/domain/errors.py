"""What can go wrong, in our own words; adapters map every foreign exception to one of these.

    BridgeError
    ├── InvalidWorkload     the user's content is rejected, by us or by Run:ai; only a change of it helps
    │   ├── NameTaken       the name in Run:ai belongs to something that is not ours
    │   └── SourceUnusable  the ConfigMap or Secret with the manifest, at one of its versions
    ├── Busy                Run:ai is still applying or deleting; try again soon
    ├── Held                we hold back a write on purpose, until the rate allows it or somebody acts
    ├── AccessDenied        credentials or permissions; an admin must act
    ├── NotVisible          answered like something that does not exist, which is not proven
    ├── Throttled           Run:ai asks the whole connection to wait
    ├── Unavailable         not reachable, and surely nothing was done
    │   └── CircuitOpen     not even sent, because earlier calls failed
    ├── OutcomeUnknown      a write was sent and no usable answer came back: it may have happened
    ├── UnexpectedReply     an answer outside the contract; nothing is written because of it
    │   └── PageTooLarge    a page of a list, which has to be asked for in smaller pieces
    ├── StaleObject         Kubernetes: somebody wrote in between; read again
    ├── Vanished            Kubernetes: the object is gone
    ├── NotSelected         Kubernetes: the object is there, and another release serves it
    └── TooLarge            work that must not hold up others; it is done later, separately

Messages are for the person who applied the resource: what, where, and what to do. Each begins with a capital letter and
ends with a full stop, since a condition shows it as it is. They are clipped, and never hold tokens, manifests or answer
bodies beyond the API's own message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from runai_operator.domain.reasons import Reason
from runai_operator.text import clip

MESSAGE_LIMIT = 1024
"""Longest error message we keep, in characters."""


class Scope(StrEnum):
    """What is affected: one workload, those of a project, or everything behind the same connection."""

    OBJECT = "object"
    PROJECT = "project"
    CONNECTION = "connection"


class BridgeError(Exception):
    """Base of everything the adapters raise."""

    reason: ClassVar[Reason] = Reason.INTERNAL_ERROR
    """Reason of the condition, unless the error names another."""
    scope: Scope = Scope.OBJECT
    circuit: str | None = None
    """Name of the circuit breaker that this error counts against; None when it counts against none."""
    unquoted: str | None = None
    """The message without what the other side said, which may repeat what it was sent; None where it quotes nothing."""

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        self.message = clip(message, MESSAGE_LIMIT)
        self.condition_reason = reason or self.reason
        super().__init__(self.message)

    def twin(self) -> Self:
        """A copy without traceback and cause: one instance that is raised again and again would collect them."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    def within(self, circuit: str) -> Self:
        """A twin that names the circuit it counts against."""
        twin = self.twin()
        twin.circuit = circuit
        return twin

    def without_quotes(self) -> Self:
        """A twin for where others may read it, or for an object whose manifest comes from a Secret."""
        twin = self.twin()
        if self.unquoted is not None:
            twin.message, twin.unquoted, twin.args = self.unquoted, None, (self.unquoted,)
        return twin


class InvalidWorkload(BridgeError):
    """Local checks, or Run:ai's 400 and 422."""

    reason = Reason.INVALID_SPEC


class NameTaken(InvalidWorkload):
    """409 on create, and the holder is not ours."""

    reason = Reason.NAME_TAKEN


class SourceUnusable(InvalidWorkload):
    """The source of `manifestFrom` gives no text; `version`: its resourceVersion, or the reason where it cannot be read."""

    reason = Reason.SOURCE_INVALID

    def __init__(self, message: str, *, reason: str | None = None, version: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.version = version or self.condition_reason


class Busy(BridgeError):
    """409 on update or delete."""

    reason = Reason.RUNAI_BUSY


class Held(BridgeError):
    """A write that we hold back, mostly a deletion; `after`: seconds to wait, None until somebody acts."""

    reason = Reason.DELETING

    def __init__(
        self, message: str, *, reason: str | None = None, after: float | None = None, scope: Scope = Scope.OBJECT
    ) -> None:
        super().__init__(message, reason=reason)
        self.after, self.scope = after, scope


class AccessDenied(BridgeError):
    """401 after one refresh of the token (scope `CONNECTION`) or 403 (scope `OBJECT`)."""

    reason = Reason.ACCESS_DENIED

    def __init__(self, message: str, *, reason: str | None = None, scope: Scope = Scope.OBJECT) -> None:
        super().__init__(message, reason=reason)
        self.scope = scope


class NotVisible(BridgeError):
    """Run:ai shows neither the workload nor a proof that it is gone; access may have been lost (scope `PROJECT`)."""

    reason = Reason.NOT_VISIBLE

    def __init__(self, message: str, *, scope: Scope = Scope.PROJECT) -> None:
        super().__init__(message)
        self.scope = scope


class Throttled(BridgeError):
    """429; `after` is the server's hint in seconds, if it gave one."""

    reason = Reason.RUNAI_THROTTLED
    scope = Scope.CONNECTION

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Unavailable(BridgeError):
    """Not connected, or a 5xx on a read."""

    reason = Reason.RUNAI_UNAVAILABLE
    scope = Scope.CONNECTION


class CircuitOpen(Unavailable):
    """Refused on our side, so surely not sent; message and reason are those of the error that opened the circuit."""

    circuit: str

    def __init__(
        self, message: str, *, circuit: str, reason: str | None = None, scope: Scope = Scope.CONNECTION
    ) -> None:
        super().__init__(message, reason=reason)
        self.circuit, self.scope = circuit, scope


class OutcomeUnknown(BridgeError):
    """A POST, PUT or DELETE went out and no usable answer came back (timeout, reset, 5xx, garbage)."""

    reason = Reason.OUTCOME_UNKNOWN
    scope = Scope.CONNECTION


class UnexpectedReply(BridgeError):
    """An answer that does not fit the contract."""

    reason = Reason.UNEXPECTED_REPLY


class PageTooLarge(UnexpectedReply):
    """A page of a list is larger than any answer that is read; fewer rows may fit."""


class StaleObject(BridgeError):
    """Kubernetes refused a guarded write."""

    reason = Reason.STALE_OBJECT


class Vanished(BridgeError):
    """The custom resource no longer exists."""

    reason = Reason.VANISHED


class NotSelected(BridgeError):
    """The custom resource does not have the labels that this process serves (any more). Nothing shows it."""


class NotLeader(BridgeError):
    """This process may not write (any more)."""

    reason = Reason.NOT_LEADER


class KubernetesUnavailable(BridgeError):
    """The Kubernetes API did not answer as it should; shown in logs and metrics, since no status can be written."""

    reason = Reason.KUBERNETES_UNAVAILABLE


class TooLarge(BridgeError):
    """Reading or encoding this workload would hold up others. The engine defers it, so it needs no reason."""
