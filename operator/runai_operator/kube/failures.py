"""Failures of the Kubernetes API as errors of the domain: one function, `failure`, for answers and exceptions.

Admitted here: the meaning of status codes, of aiohttp's exceptions and of the configuration loader's. Of an answer only
the API's own message is kept, without anything it quotes: a refusal may quote what it refuses. Messages are full
sentences, since they reach conditions.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from dataclasses import dataclass
from typing import Any

import aiohttp

from runai_operator.codecs.json import Unreadable, decode_json
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    InvalidWorkload,
    KubernetesUnavailable,
    StaleObject,
    Vanished,
)
from runai_operator.domain.reasons import Reason
from runai_operator.kube.config_loader import ConfigException
from runai_operator.kube.wire import Answer
from runai_operator.text import clip, one_line

FOREIGN = (aiohttp.ClientError, OSError, Unreadable, ConfigException)
"""Everything that a call can raise; OSError holds the TLS errors and timeouts."""

_DETAIL_LIMIT = 512
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WEBHOOK = re.compile(r'admission webhook "([a-z0-9.-]{1,253})"')
_OF_POLICY = re.compile(r"\bdenied (?:the )?request\b|: exceeded quota: ")
"""What admission says, be it a webhook, a ValidatingAdmissionPolicy or a ResourceQuota; the status code is its own choice."""
_TOO_LARGE = ("request is too large", "larger than max", "entity too large")
"""etcd (1.5 MiB), its client (2 MiB) and the API server (3 MiB) in turn; the first two come as a bare 500."""


@dataclass(frozen=True, slots=True)
class Call:
    """The request, in the words of RBAC."""

    verb: str
    resource: str
    namespace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        place = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{place}"


def failure(call: Call, cause: Answer | Exception) -> BridgeError:
    """The domain's error for an answer of 400 and above, one that cannot be read, or an exception of `FOREIGN`."""
    if isinstance(cause, Answer):
        return _of_answer(call, cause)
    if isinstance(cause, Unreadable):
        return KubernetesUnavailable(f"The Kubernetes API's answer to the request to {call} cannot be used: {cause}.")
    if isinstance(cause, ConfigException):
        return KubernetesUnavailable(f"There is no access to Kubernetes: {_sentence(str(cause))}")
    if isinstance(cause, TimeoutError):
        return KubernetesUnavailable(f"The Kubernetes API did not answer the request to {call} in time.")
    return KubernetesUnavailable(f"The Kubernetes API cannot be reached to {call}: {_why(cause)}.")


def message_of(answer: Answer) -> str:
    """The API's own message, clipped, with every quoted text left out; empty when there is none."""
    causes = _details(answer).get("causes")
    listed = [_cause(cause) for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    message = "; ".join(dict.fromkeys(listed)) or _status(answer).get("message")
    return clip(_unquoted(message), _DETAIL_LIMIT) if isinstance(message, str) else ""


def _of_answer(call: Call, answer: Answer) -> BridgeError:
    message = message_of(answer)
    refusal = InvalidWorkload(f"Kubernetes refuses to {call}: {_sentence(message or 'no reason was given')}")
    if is_of_admission(answer):
        return refusal
    if answer.status == 413 or any(words in message.lower() for words in _TOO_LARGE):
        return InvalidWorkload(
            "The object is too large for Kubernetes: it leaves no room for the operator's finalizer and status. Make the"
            " manifest smaller, or move it into a ConfigMap and use manifestFrom.",
            reason=Reason.TOO_LARGE,
        )
    if answer.status == 404 and _details(answer).get("name"):
        return Vanished(f"The object {call.resource}/{call.name} no longer exists.")
    if answer.status == 409:
        return StaleObject(f"The object has changed before the operator could {call}.")
    if answer.status == 422:
        return refusal
    if answer.status == 403 and is_terminating(answer):
        return Vanished(f"Namespace {call.namespace} is being deleted, so nothing can be created in it.")
    if answer.status == 403:
        return AccessDenied(
            f"The operator is not allowed to {call}. Grant it that right in the Role or ClusterRole of its"
            " ServiceAccount."
        )
    said = f": {_sentence(message)}" if message else "."
    return KubernetesUnavailable(f"The Kubernetes API answered HTTP {answer.status} to the request to {call}{said}")


def retry_after(answer: Answer) -> float:
    """Seconds that a 429 asks us to wait, by its header or its Status; 1 where it says nothing."""
    for seconds in (answer.retry_after, _details(answer).get("retryAfterSeconds")):
        with contextlib.suppress(TypeError, ValueError):
            return max(0.0, float(seconds))  # type: ignore[arg-type]  # whatever it is, it fails as it should
    return 1.0


def _why(error: Exception) -> str:
    """Class and operating system's words; aiohttp's own texts hold URLs and headers."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(inner, ssl.SSLError):
        return f"{type(error).__name__} ({inner.reason or 'TLS'})"
    strerror = inner.strerror if isinstance(inner, OSError) else None
    return f"{type(error).__name__} ({strerror})" if strerror else type(error).__name__


def _status(answer: Answer) -> dict[str, Any]:
    try:
        status = decode_json(answer.body)
    except Unreadable:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _details(answer: Answer) -> dict[str, Any]:
    details = _status(answer).get("details")
    return details if isinstance(details, dict) else {}


def is_of_admission(answer: Answer) -> bool:
    """A policy refuses it, whatever the status code says; no right is missing, and nothing is malformed or has changed."""
    said = str(_status(answer).get("message", ""))
    return 400 <= answer.status < 500 and _OF_POLICY.search(_unquoted(said)) is not None


def is_terminating(answer: Answer) -> bool:
    """The namespace is being deleted."""
    causes = _details(answer).get("causes")
    return isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "NamespaceTerminating" for cause in causes
    )


def _cause(cause: dict[str, Any]) -> str:
    message = str(cause.get("message"))
    return f"{cause['field']}: {message}" if cause.get("field") else message


def _sentence(text: str) -> str:
    """The end of a sentence: one line, with a full stop."""
    return f"{_unquoted(text).rstrip('.')}."


def _unquoted(text: str) -> str:
    return one_line(_QUOTED.sub('"…"', _WEBHOOK.sub(r"admission webhook \1", text)))
