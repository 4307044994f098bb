"""One request to Run:ai and its answer, bounded in size and in time.

Admitted here: httpx clients and their settings, counting of calls, and where bodies are read. Nothing of Run:ai's API.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx

from runai_operator import __version__
from runai_operator.codecs.json import Unreadable
from runai_operator.domain.errors import BridgeError, Unavailable
from runai_operator.domain.model import Json
from runai_operator.runai.aiohttp_transport import AiohttpTransport
from runai_operator.runai.failures import FOREIGN, Operation, code_of, failure
from runai_operator.runai.trust import Trust
from runai_operator.runai.wire import Answer, parse, read_date

ERROR_LIMIT = 64 * 1024
"""Most bytes that are read of an answer that is not a success."""
_INLINE_LIMIT = 256 * 1024
"""A larger body is parsed off the event loop; up to here it takes less than 5 ms."""

CONNECTIONS = 25
"""More than the engine's workers and its poller, so that none waits for a connection (which would count as an outage).
Few connections carry a burst (16 at 20 ms are 800 calls a second)."""
KEEPALIVE = 30.0
"""Seconds, below the 60 s after which common load balancers close an idle connection, so that a POST seldom meets a dead
one."""

_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", f"runai-operator/{__version__}"),
]

_T = TypeVar("_T")


OnCall = Callable[[str, str, float], None]
"""Called after every call with operation, code and seconds: the code is the HTTP status, or `timeout`, `unreachable` or
`reset`."""


def ignore(operation: str, code: str, seconds: float) -> None:
    """Counts nothing."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Each bounds one kind of waiting, `total` the whole call: a server may drip forever."""

    connect: float = 5.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 10.0
    total: float = 60.0
    token: float = 20.0
    """As `total`, for fetching an access token on behalf of a call."""


@dataclass(slots=True)
class _Session:
    """An `httpx.AsyncClient`, and how many calls are on their way through it."""

    http: httpx.AsyncClient
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, and how many bytes of a successful answer to read."""

    operation: Operation
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    content: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    limit: int = ERROR_LIMIT


class Transport:
    """Sends requests to one address and counts them.

    Without redirects and cookies. Answers are requested uncompressed, so that the bound on their size bounds memory.
    When the certificate authorities change, new connections replace the old ones, which go once their calls have ended.
    """

    def __init__(
        self,
        base_url: str,
        *,
        trust: Trust,
        allow_http: bool,
        proxy: str | None,
        timeouts: Timeouts,
        on_call: OnCall,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """Raises `ValueError` for a base URL that cannot be used."""
        self._root = str(_checked(base_url, allow_http=allow_http)).rstrip("/")
        self._trust, self._proxy, self._timeouts, self._on_call = trust, proxy, timeouts, on_call
        self._replacement = transport
        self._session = _Session(self._open())
        self._closed = False

    @property
    def http(self) -> httpx.AsyncClient:
        """What new calls go through."""
        return self._session.http

    async def aclose(self) -> None:
        """Closes the connections; may be called twice."""
        self._closed = True
        await self.http.aclose()

    def _open(self) -> httpx.AsyncClient:
        timeouts = self._timeouts
        network = AiohttpTransport(self._trust.context, proxy=self._proxy, connections=CONNECTIONS, keepalive=KEEPALIVE)
        return httpx.AsyncClient(
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
            ),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
            transport=self._replacement or network,
        )

    @asynccontextmanager
    async def _connections(self) -> AsyncIterator[httpx.AsyncClient]:
        """For the length of one call."""
        renewed = await self._trust.renew()
        if self._closed:
            raise Unavailable("The connection to Run:ai is closed: the operator is stopping.")
        if renewed:
            old, self._session = self._session, _Session(self._open())
            await self._retire(old)
        session = self._session
        session.calls += 1
        try:
            yield session.http
        finally:
            session.calls -= 1
            await self._retire(session)

    async def _retire(self, session: _Session) -> None:
        """Closes connections that nobody uses any more, which takes nothing from a call that just succeeded."""
        if session is not self._session and not session.calls:
            with suppress(*FOREIGN):
                await session.http.aclose()

    async def call(self, request: Request, auth: httpx.Auth | None = None) -> Answer:
        """The answer, whatever its status.

        Raises the error that `failures.failure` returns for an exception, and the errors of `auth`.
        """
        is_token = request.operation is Operation.TOKEN
        problem: BridgeError | None = None
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._timeouts.token if is_token else self._timeouts.total),
                self._connections() as http,
            ):
                answer = await self._receive(http, request, auth)
            code = str(answer.status)
        except FOREIGN as error:
            code, problem = code_of(error), failure(request.operation, error)
        self._on_call(request.operation.value, code, time.monotonic() - started)
        if problem is not None:
            # Raised here, not above: httpx's exceptions hold the request with its token and body.
            raise problem
        return answer

    async def _receive(self, http: httpx.AsyncClient, request: Request, auth: httpx.Auth | None) -> Answer:
        # Not by the client's `build_request`, which merges what never changes with what is not there.
        built = httpx.Request(
            request.method,
            httpx.URL(f"{self._root}{request.path}", **({"params": request.params} if request.params else {})),
            headers=_HEADERS if request.content is None else [*_HEADERS, ("Content-Type", request.content_type)],
            content=request.content,
        )
        response = await http.send(built, auth=auth, stream=True)
        try:
            body = await _read_bounded(response, request.limit if response.is_success else ERROR_LIMIT)
        finally:
            await response.aclose()
        headers = response.headers
        return Answer(
            status=response.status_code,
            body=body,
            content_type=headers.get("Content-Type", ""),
            retry_after=headers.get("Retry-After"),
            date=read_date(headers.get("Date")),
        )


async def read_answer(
    operation: Operation, answer: Answer, read: Callable[[Json], _T], *, parse: Callable[[Answer], Json] = parse
) -> _T:
    """What `read` makes of the answer's JSON; large bodies are parsed in a thread.

    Raises `UnexpectedReply` for one that cannot be understood, `OutcomeUnknown` if it answers a write.
    """
    large = answer.body is not None and len(answer.body) > _INLINE_LIMIT
    problem: BridgeError
    try:
        if large:
            return await asyncio.to_thread(lambda: read(parse(answer)))
        return read(parse(answer))
    except Unreadable as error:
        problem = failure(operation, error)
    raise problem


async def _read_bounded(response: httpx.Response, limit: int) -> bytes | None:
    """None for what is larger, of which no byte is read where the headers say so."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        return None
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _checked(base_url: str, *, allow_http: bool) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL()
    if url.scheme not in ("https", "http") or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("RUNAI_BASE_URL must look like https://runai.example.com, without user, query and fragment.")
    if url.scheme == "http" and not allow_http:
        raise ValueError(
            "RUNAI_BASE_URL is plain http, which sends the secret unencrypted. Use https, or set RUNAI_ALLOW_HTTP=true."
        )
    return url
