"""The simulator on a real socket: in this thread for the command, in one of its own for tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn

from runai_simulator.app import Simulator
from runai_simulator.faults import App, Receive, Scope, Send

PATIENCE = 1.0
"""Seconds for which requests under way may still be answered at the end."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError, which names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None
    made.listen(1024)
    return made


class Server(uvicorn.Server):
    """Ends in good order once `should_exit` is set, before it serves as well; signals are left to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise each signal once more at the end, in the midst of whatever runs then."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Requests may end for a second; whom a fault never answers would wait for ever."""
        cut = asyncio.get_running_loop().call_later(PATIENCE, self._cut)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()


def make_server(app: App, *, tls_cert: str | None = None, tls_key: str | None = None) -> Server:
    """A server for a simulator's `app`; give it the socket in `serve(sockets=[...])`."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # cut at the end: uvicorn would call it a failure of ours
            await app(scope, receive, send)

    serving: Any = served
    config = uvicorn.Config(
        serving,
        http="h11",  # faults reach for its request cycle
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )
    return Server(config)


class RunningSimulator:
    """Serves from a thread of its own until the `with` block ends: `simulator`, which may be exchanged meanwhile."""

    def __init__(self, simulator: Simulator | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.simulator = simulator or Simulator()
        self._socket = listen(host, port)
        self._server = make_server(self._app)
        self._thread = threading.Thread(target=self._serve, name="runai-simulator", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.simulator.app(scope, receive, send)

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
