"""Faults on demand: what a network, a gateway or an overloaded control plane does to one request."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from runai_simulator.answers import ERROR_BODIES, error_body

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INJECTED = "injected by the simulator"
"""What errors say that were made on demand."""

KINDS = {
    "status": "answers `status` with an error body of the form `body` (and `Retry-After: after`), without effect",
    "latency": "waits `seconds`, then serves",
    "timeout": "never answers, without effect",
    "timeout-after": "takes effect and never answers",
    "reset": "cuts the connection, without effect",
    "lost-answer": "takes effect, then cuts the connection",
    "error-after": "takes effect, then answers `status` with an error body of the form `body`",
    "garbage": "takes effect, then answers what is no JSON",
    "huge": "takes effect, then answers 10 MiB",
    "deep": "takes effect, then answers JSON of 50,000 levels",
    "html": "answers 502 with a page, as gateways do, without effect",
    "login": "answers 200 with a page, as proxies do that want people to log in, without effect",
    "endless": "a list names a next page, also after its last one",
    "repeating": "a list shows its first page again and again, each time with a next one",
    "unreadable-row": "a list ends its page with a row that lacks everything",
    "large-rows": "each row of a list carries another MiB",
    "unauthorized": "answers 401, without effect",
    "slow-answer": "takes effect, then lets the answer drip over `seconds`",
}
"""What each kind of fault does."""

_NUMBERS: tuple[tuple[str, Any, float, float], ...] = (
    ("count", int, -1, 1_000_000),
    ("probability", int | float, 0, 1),
    ("status", int, 200, 599),
    ("seconds", int | float, 0, 3600),
)
"""Types and bounds."""


@dataclass(slots=True)
class Fault:
    """One rule: which requests, how often, and what happens to them."""

    kind: str
    method: str = ""
    """Empty: all methods."""
    path: str = "/api/"
    """Regular expression, searched in the path. Tokens are `/api/v[12]/token`."""
    count: int = -1
    """How many requests; -1 is all."""
    probability: float = 1.0
    status: int = 503
    after: str = ""
    body: str = "documented"
    """One of `ERROR_BODIES`."""
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Raises `ValueError` for what could not strike."""
        if self.kind not in list(KINDS):
            raise ValueError(f"no fault is named {self.kind}; there are {', '.join(KINDS)}")
        if self.body not in list(ERROR_BODIES):
            raise ValueError(f"no error body is named {self.body}; there are {', '.join(ERROR_BODIES)}")
        for name in ("method", "path", "after"):
            text = getattr(self, name)
            if not (isinstance(text, str) and text.isascii() and text.isprintable()):
                raise ValueError(f"{name} is a string")
        for name, kind, low, high in _NUMBERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                raise ValueError(f"{name} is a number from {low} to {high}")
        try:
            re.compile(self.path)
        except re.error as problem:
            raise ValueError(f"path is no regular expression: {problem}") from None


class Faults:
    """ASGI middleware around the API; the admin endpoint and, unless named, the token endpoints stay out of it."""

    def __init__(self, app: App, rules: list[Fault], *, seed: int | None = None) -> None:
        """The first of `rules` that strikes a request is the one; what strikes a limited number of times counts down."""
        self._app, self._rules = app, rules
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._strike(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._suffer(fault, scope, receive, send)

    def _strike(self, scope: Scope) -> Fault | None:
        path = scope["path"]
        if path.startswith("/_admin"):
            return None
        for fault in self._rules:
            meant = "token" in fault.path or "/token" not in path
            if not meant or fault.count == 0 or fault.method not in ("", scope["method"]):
                continue
            if re.search(fault.path, path) and self._random.random() < fault.probability:
                fault.count -= fault.count > 0
                return fault
        return None

    async def _suffer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        kind = fault.kind
        if kind == "latency":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
            return
        if kind in ("lost-answer", "error-after", "garbage", "huge", "deep", "timeout-after", "slow-answer"):
            answer = await _swallow(self._app, scope, receive)
        if kind in _DISTORTED:
            await _distort(kind, self._app, scope, receive, send)
            return
        if kind in ("reset", "lost-answer"):
            await _cut(receive, send)
            return
        if kind in ("timeout", "timeout-after"):
            await asyncio.Event().wait()
        if kind == "slow-answer":
            await _drip(send, answer, fault.seconds)
            return
        await _answer(send, *_content(fault))


async def _cut(receive: Receive, send: Send) -> None:
    """Reset the connection. ASGI has no word for it, so this reaches for the server's own request cycle."""
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _content(fault: Fault) -> tuple[int, bytes, str, str]:
    """Status, body, content type and Retry-After of a made-up answer."""
    match fault.kind:
        case "garbage":
            return 200, b"\x00\xffno JSON at all", "application/json", ""
        case "huge":
            return 200, b'{"x": "' + b"x" * 10 * 1024 * 1024 + b'"}', "application/json", ""
        case "deep":
            return 200, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", ""
        case "html":
            return 502, b"<html><body>Bad Gateway</body></html>", "text/html", ""
        case "login":
            return 200, b"<html><body>Please log in</body></html>", "text/html", ""
        case "unauthorized":
            return 401, *error_body(fault.body, 401, INJECTED), ""
    return fault.status, *error_body(fault.body, fault.status, INJECTED), fault.after


async def _answer(send: Send, status: int, body: bytes, content_type: str, after: str) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    if content_type:
        headers.append((b"content-type", content_type.encode()))
    if after:
        headers.append((b"retry-after", after.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _swallow(app: App, scope: Scope, receive: Receive) -> list[Message]:
    """Let the request take effect and keep its answer."""
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    await app(scope, receive, keep)
    return kept


_DISTORTED = ("endless", "repeating", "unreadable-row", "large-rows")
"""Faults of a list that is served, and shown differently."""
_BALLAST = "x" * 1024 * 1024


async def _distort(kind: str, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """A list as a faulty server shows it; what is no list stays as it is."""
    query = dict(parse_qsl(scope["query_string"].decode()))
    if kind == "repeating":
        scope = {**scope, "query_string": urlencode(query | {"offset": "0"}).encode()}
    answer = await _swallow(app, scope, receive)
    body = json.loads(b"".join(message.get("body", b"") for message in answer[1:]) or b"null")
    rows = next((part for part in body.values() if isinstance(part, list)), None) if isinstance(body, dict) else None
    if rows is None:
        for message in answer:
            await send(message)
        return
    if kind in ("endless", "repeating"):
        body["next"] = int(query.get("offset", 0)) + int(query.get("limit", 50))
    elif kind == "unreadable-row":
        rows.append({})
    else:
        for row in rows:
            row["arguments"] = _BALLAST
    changed = json.dumps(body).encode()
    kept = [(name, value) for name, value in answer[0]["headers"] if name.lower() != b"content-length"]
    await send({**answer[0], "headers": [*kept, (b"content-length", str(len(changed)).encode())]})
    await send({"type": "http.response.body", "body": changed})


async def _drip(send: Send, answer: list[Message], seconds: float) -> None:
    start, *bodies = answer
    await send(start)
    body = b"".join(message.get("body", b"") for message in bodies)
    for piece in range(10):
        await asyncio.sleep(seconds / 10)
        part = body[len(body) * piece // 10 : len(body) * (piece + 1) // 10]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
