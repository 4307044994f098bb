"""Failures of Run:ai as errors of the domain: one function, `failure`, for answers and exceptions alike.

Admitted here: the meaning of status codes and of httpx's exceptions. The question behind every line: may a write have
happened? An exception that proves nothing was sent is `Unavailable`; after that only a clear answer is believed, and
everything else is `OutcomeUnknown`. Reads have no such doubt.

Error bodies are read leniently for what they say, and strictly for what they prove. Nothing of a request and nothing of
an answer but its own error message gets into an error. Messages are full sentences that say what to do, since they
reach conditions.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import httpx

from runai_operator.codecs.json import Unreadable
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.runai.wire import Answer, number, read_date, read_message, read_oauth_error
from runai_operator.text import clip, field_paths, one_line

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, OSError)
"""Everything that sending a request can raise; `OSError` holds the TLS errors and timeouts that httpx lets through."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_NO_ANSWER = (httpx.TransportError, OSError)
_DETAIL_LIMIT = 512
_LONGEST_WAIT = timedelta(hours=1).total_seconds()


class Operation(StrEnum):
    """A request to Run:ai; its value is a metric label."""

    CREATE = "create"
    DRY_RUN = "dry_run"
    GET = "get"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    DETAIL = "detail"
    PROJECTS = "projects"
    PROJECT = "project"
    TOKEN = "token"  # noqa: S105 - the name of an operation

    @property
    def writes(self) -> bool:
        """Whether it may change something; a release without `dryRun` ignores the flag and creates."""
        return self.submits or self is Operation.DELETE

    @property
    def creates(self) -> bool:
        """Whether it needs a name that is free."""
        return self in (Operation.CREATE, Operation.DRY_RUN)

    @property
    def submits(self) -> bool:
        """Whether a manifest travels with it, which Run:ai may refuse."""
        return self.creates or self is Operation.UPDATE

    @property
    def names_a_workload(self) -> bool:
        """Whether it is about a workload that may be gone."""
        return self in (Operation.GET, Operation.UPDATE, Operation.DELETE)

    @property
    def purpose(self) -> str:
        return _PURPOSE[self]


_PURPOSE = {
    Operation.CREATE: "create the workload",
    Operation.DRY_RUN: "check the workload",
    Operation.GET: "read the workload",
    Operation.UPDATE: "update the workload",
    Operation.DELETE: "delete the workload",
    Operation.LIST: "list workloads",
    Operation.DETAIL: "read why the workload waits",
    Operation.PROJECTS: "list projects",
    Operation.PROJECT: "read the name of a project",
    Operation.TOKEN: "get an access token",
}


def failure(
    operation: Operation, cause: Answer | Exception, *, credentials: str = "the operator's credentials"
) -> BridgeError:
    """The domain's error for an answer that is not a success, one that cannot be read, or an exception of httpx.

    `credentials` names the settings to check where they are refused.
    """
    if isinstance(cause, Answer) and operation is Operation.TOKEN:
        return _of_token_answer(cause, credentials)
    if isinstance(cause, Answer):
        return _with_unquoted(operation, cause, credentials)
    if isinstance(cause, Unreadable):
        return _doubtful(operation, f"its answer cannot be used ({cause})")
    return _of_exception(operation, cause)


def code_of(error: Exception) -> str:
    """The metric label `code` of a call that got no answer."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "timeout"
    return "unreachable" if isinstance(error, _NOT_SENT) else "reset"


def _of_exception(operation: Operation, error: Exception) -> BridgeError:
    if isinstance(error, _NOT_SENT):
        return Unavailable(f"Run:ai cannot be reached to {operation.purpose}: {_cause(error)}.")
    if operation.writes:
        return _doubtful(operation, "no answer came back")
    if isinstance(error, _NO_ANSWER):
        return Unavailable(f"Run:ai did not answer the request to {operation.purpose}.")
    return _doubtful(operation, f"its answer cannot be used ({type(error).__name__})")


def _with_unquoted(operation: Operation, answer: Answer, credentials: str) -> BridgeError:
    """Where one workload is concerned, what the API says may quote its manifest."""

    def saying(said: str) -> BridgeError:
        if answer.status == 401:
            return _refused_token(said, credentials)
        return _of_answer(operation, answer, said)

    error = saying(_said(answer))
    if operation not in (Operation.LIST, Operation.PROJECTS):
        error.unquoted = saying(_named(answer)).message
    return error


def _of_answer(operation: Operation, answer: Answer, said: str) -> BridgeError:
    """`said` ends a sentence: what the API says."""
    status = answer.status
    if status >= 500 or status in (408, 499):
        return _server_trouble(operation, answer, said)
    if status >= 400:
        return _refusal(operation, answer, said)
    if status >= 300:
        return _unexpected(
            operation, "it redirects to another address", advice="Check RUNAI_BASE_URL.", scope=Scope.CONNECTION
        )
    return _doubtful(operation, f"it answered HTTP {status}, which the API does not document")


def _refusal(operation: Operation, answer: Answer, said: str) -> BridgeError:
    match answer.status:
        case 400 | 422 if operation.submits:
            # Whoever answered so did not carry it out, whatever the body looks like.
            if operation.creates and "already exists" in _said(answer).lower():
                return _name_taken(said)
            why = said if said != "." else f" without a reason that can be shown ({_form(answer)})."
            return InvalidWorkload(f"Run:ai refused the workload{why} Correct what it names.")
        case 403 | 407:
            return _denial(operation, answer.status, said)
        case 409 if operation.creates:
            return _name_taken(said)
        case 409 if operation.writes:
            return Busy(f"Run:ai cannot {operation.purpose} now{said}")
        case 413 if operation.submits:
            return InvalidWorkload(
                "The workload is too large for Run:ai or a proxy in front of it. Move large data out of its manifest."
            )
        case 429:
            return Throttled("Run:ai asks for fewer requests, so this one has to wait.", after=_retry_after(answer))
        case 404 | 405:
            what = f"this address does not know the request ({_form(answer)})"
            if answer.status == 404 and operation.names_a_workload:
                what = f"it answered {_form(answer)}, which is not how its API says that a workload is gone"
            return _unexpected(
                operation,
                f"{what}{said}",
                advice="Check RUNAI_BASE_URL and that Run:ai has the Workloads V2 API (2.24 or later).",
            )
        case status:
            return _unexpected(operation, f"it answered HTTP {status}{said}")


def _denial(operation: Operation, status: int, said: str) -> BridgeError:
    if status == 407:
        return Unavailable(
            f"The proxy on the way to Run:ai refuses the request to {operation.purpose}."
            " Check HTTPS_PROXY and the credentials in it."
        )
    return AccessDenied(
        f"Run:ai denies the permission to {operation.purpose}{said} "
        "Give the operator's service account a role in this project that allows it."
    )


def _refused_token(said: str, credentials: str) -> AccessDenied:
    return AccessDenied(f"Run:ai does not accept the access token{said} Check {credentials}.", scope=Scope.CONNECTION)


def _of_token_answer(answer: Answer, credentials: str) -> BridgeError:
    """The token endpoint. Its error texts are left out: they may quote what was sent."""
    oauth = read_oauth_error(answer)
    if answer.status == 429:
        return Throttled(
            "Run:ai asks for fewer requests for access tokens, so this one has to wait.",
            after=_retry_after(answer),
        )
    if answer.status >= 500 or answer.status == 408 or oauth in ("server_error", "temporarily_unavailable"):
        return Unavailable(f"Run:ai cannot issue an access token now (HTTP {answer.status}).")
    if answer.status in (400, 401, 403):
        reason = f" ({oauth})" if oauth else ""
        return AccessDenied(
            f"Run:ai refuses the operator's credentials{reason}. Check {credentials}.", scope=Scope.CONNECTION
        )
    return _unexpected(
        Operation.TOKEN, f"the token endpoint answered HTTP {answer.status}", advice="Check RUNAI_BASE_URL."
    )


def _server_trouble(operation: Operation, answer: Answer, said: str) -> BridgeError:
    if operation.writes:
        return _doubtful(operation, f"it answered HTTP {answer.status}{said}")
    return Unavailable(f"Run:ai failed to {operation.purpose} (HTTP {answer.status}){said}")


def _doubtful(operation: Operation, what: str) -> BridgeError:
    """No usable answer: a write may have happened, a read is outside the contract."""
    if operation.writes:
        return OutcomeUnknown(
            f"It is not known whether the request to {operation.purpose} took effect: {what.rstrip('.')}."
        )
    return _unexpected(operation, what)


def _unexpected(operation: Operation, what: str, *, advice: str = "", scope: Scope = Scope.OBJECT) -> UnexpectedReply:
    """`what` goes on after "but"; `advice` is a sentence."""
    error = UnexpectedReply(f"Run:ai was asked to {operation.purpose}, but {what.rstrip('.')}. {advice}".rstrip())
    error.scope = Scope.CONNECTION if operation in (Operation.TOKEN, Operation.LIST) else scope
    return error


def _name_taken(said: str) -> NameTaken:
    return NameTaken(f"A workload with this name already exists in the project{said}")


def _said(answer: Answer) -> str:
    """The end of a sentence: what the answer says, or only a full stop."""
    text = clip(read_message(answer), _DETAIL_LIMIT).rstrip(".")
    return f": {text}." if text else "."


def _form(answer: Answer) -> str:
    """What came, for somebody who has to find out where it came from."""
    kind = clip(one_line(answer.content_type.partition(";")[0]), 64)
    return f"HTTP {answer.status} {'with ' + kind if kind and answer.body != b'' else 'without a body'}"


def _named(answer: Answer) -> str:
    """In place of `_said`: no more than the code and the fields that it names."""
    said = read_message(answer)
    fields = field_paths(said)
    return f" (HTTP {answer.status}{', about ' + fields if fields else ''}; what it says is left out)." if said else "."


def _cause(error: Exception) -> str:
    """Why there is no connection. Only these messages are shown: they name addresses and certificates, no content."""
    if not isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return "waited too long" if isinstance(error, httpx.TimeoutException) else "the address is not usable"
    text = clip(" ".join(str(error).split()), _DETAIL_LIMIT).rstrip(".") or "no connection"
    unknown_issuer = "CERTIFICATE_VERIFY_FAILED" in text and any(word in text for word in ("issuer", "self-signed"))
    advice = ". RUNAI_CA_FILE must hold the certificate authority that issued the control plane's certificate"
    return text + advice if unknown_issuer else text


def _retry_after(answer: Answer) -> float | None:
    """`Retry-After` in seconds; one that is a date is compared with the server's own clock."""
    seconds = number(answer.retry_after)
    until = read_date(answer.retry_after)
    if seconds is None and until and answer.date:
        seconds = (until - answer.date).total_seconds()
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_WAIT)
