"""httpx's requests over aiohttp's connections, which cost a fraction of the CPU of those that httpx brings along.

Admitted here: aiohttp, and what its exceptions are for httpx. They must not say less than they prove, nor more: what
failed before anything was sent is `ConnectError`, `ConnectTimeout`, `PoolTimeout` or `ProxyError`, and nothing else is.
"""

from __future__ import annotations

import asyncio
import base64
import io
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

_LONGEST_HEADER = 64 * 1024
"""Bytes; proxies and identity providers add long ones."""
_AT_ONCE = 48 * 1024
"""Bytes that are handed over without waiting: connections hold back 64 KiB before anybody has to wait for them."""
_UNTIL_SEEN = 2
"""How often the event loop goes round until it has noticed which idle connections the other end has closed."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most `connections` at a time to one address, kept for `keepalive` seconds; `proxy` may hold a password."""

    def __init__(self, context: ssl.SSLContext, *, proxy: str | None, connections: int, keepalive: float) -> None:
        self._context, self._keepalive = context, keepalive
        through = URL(proxy) if proxy else None
        self._proxy = through and through.with_user(None)
        self._proxy_headers = _proxy_authorization(through)
        self._free = asyncio.Semaphore(connections)
        self._opened: aiohttp.ClientSession | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions["timeout"]
        await self._wait_for_turn(limits["pool"])
        try:
            response = await self._send(request, limits)
        except BaseException:
            self._free.release()
            raise
        return httpx.Response(
            status_code=response.status,
            headers=response.raw_headers,
            stream=_Body(response, self._free.release),
            request=request,
        )

    async def _wait_for_turn(self, limit: float) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        try:
            async with asyncio.timeout(limit):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time") from None

    async def aclose(self) -> None:
        self._closed = True
        if self._opened is not None:
            await self._opened.close()

    async def _send(self, request: httpx.Request, limits: dict[str, float]) -> aiohttp.ClientResponse:
        for _ in range(_UNTIL_SEEN):
            await asyncio.sleep(0)
        if self._closed:
            raise httpx.ConnectError("the connections are closed")
        content, headers = request.content, request.headers.multi_items()
        if request.url.scheme == "http":  # otherwise they go with the CONNECT
            headers.extend(self._proxy_headers.items())
        with _errors_of_httpx():
            return await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                data=_Content(content, limits["write"]) if len(content) > _AT_ONCE else content or None,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=limits["connect"], sock_read=limits["read"]),
            )

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Opened by the first request, since it belongs to an event loop."""
        if self._opened is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keepalive, ssl=self._context)
            self._opened = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
                middlewares=(_only_once,),
            )
        return self._opened


def _proxy_authorization(proxy: URL | None) -> dict[str, str]:
    if proxy is None or proxy.user is None:
        return {}
    pair = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


async def _only_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp repeats a GET, PUT or DELETE whose connection ended, unless the error is none of its own: whether one is
    repeated is the engine's decision."""
    with _errors_of_httpx():
        return await send(request)


class _Content(aiohttp.BytesIOPayload):
    """What is sent within `limit` seconds, piece by piece."""

    def __init__(self, content: bytes, limit: float) -> None:
        super().__init__(io.BytesIO(content))
        self._limit = limit

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        async with asyncio.timeout(self._limit):
            await super().write_with_length(writer, content_length)


class _Body(httpx.AsyncByteStream):
    """What comes back. Closed before its end, it takes its connection along."""

    def __init__(self, response: aiohttp.ClientResponse, on_close: Callable[[], None]) -> None:
        self._response, self._on_close = response, on_close
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._response.close()
            self._on_close()


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        raise _of_httpx(error) from error


def _of_httpx(error: Exception) -> httpx.TransportError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time")
        case aiohttp.ClientHttpProxyError():
            return httpx.ProxyError(f"{error.status} {error.message}")
        case aiohttp.ClientProxyConnectionError():
            return httpx.ProxyError(_why(error.os_error))
        case aiohttp.ClientConnectorCertificateError():
            return httpx.ConnectError(_why(error.certificate_error))
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(_why(error.os_error))
        case TimeoutError():
            return httpx.ReadTimeout("no answer in time")
        case _:
            return httpx.RemoteProtocolError(type(error).__name__)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
