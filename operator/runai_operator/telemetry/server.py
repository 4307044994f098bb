"""The HTTP side of telemetry: `/healthz`, `/readyz` and `/metrics`, in plain text and without authentication."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from runai_operator.telemetry.health import Check
from runai_operator.telemetry.logs import redact
from runai_operator.text import escaped

Checks = Callable[[], Sequence[Check]]

_SHUTDOWN_SECONDS = 0.2
"""Answers take milliseconds; a client that has not read its own by then must not hold up the exit."""


class TelemetryServer:
    """Serves probes and metrics.

    The checks run on every request and must not block. `?verbose` lists them all; a failing probe always does.
    `measure` is called before metrics are read, to set those that would otherwise be old; nor may it block.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        healthy: Checks,
        ready: Checks,
        measure: Callable[[], None],
        host: str | None,
        port: int,
    ) -> None:
        """`host` None: every address of the machine. `port` 0: any free port, see `port`."""
        self._host = host
        self._port = port
        app = web.Application()
        app.router.add_get("/healthz", _probe("healthz", healthy))
        app.router.add_get("/readyz", _probe("readyz", ready))
        app.router.add_get("/metrics", _metrics(registry, measure))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def start(self) -> None:
        """Listens from now on; raises OSError when the address is not available."""
        await self._runner.setup()
        site: web.BaseSite
        if self._host is None:
            site = web.SockSite(self._runner, _socket_on_every_address(self._port))
        else:
            site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()

    async def stop(self) -> None:
        """Closes everything; may be called at any time, also twice."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port in use, once started."""
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _socket_on_every_address(port: int) -> socket.socket:
    """One socket for IPv4 and IPv6: left to itself, asyncio opens two, each with a free port of its own for port 0."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _probe(name: str, checks: Checks) -> Callable[[web.Request], Awaitable[web.Response]]:
    """200 when all checks pass, else 503."""

    async def answer(request: web.Request) -> web.Response:
        results = checks()
        passed = all(check.ok for check in results)
        if passed and "verbose" not in request.query:
            body = "ok\n"
        else:
            verdict = "passed" if passed else "failed"
            body = "".join(map(_line, results)) + f"{name} check {verdict}\n"
        return web.Response(text=body, status=200 if passed else 503, headers={"Cache-Control": "no-store"})

    return answer


def _metrics(registry: CollectorRegistry, measure: Callable[[], None]) -> Handler:
    answer = make_aiohttp_handler(registry)

    async def measured(request: web.Request) -> web.StreamResponse:
        measure()
        return await answer(request)

    return measured


def _line(check: Check) -> str:
    mark, verdict = ("+", "ok") if check.ok else ("-", "failed")
    detail = f": {escaped(redact(check.detail))}" if check.detail else ""
    return f"[{mark}]{check.name} {verdict}{detail}\n"
