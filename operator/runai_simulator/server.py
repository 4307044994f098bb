"""The simulator on a real socket: in this thread for the command, in one of its own for tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn

from runai_simulator.app import Simulator


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    made.listen(1024)
    return made


def make_server(simulator: Simulator, *, tls_cert: str | None = None, tls_key: str | None = None) -> uvicorn.Server:
    """A server for `simulator`; give it the socket in `serve(sockets=[...])`."""
    app: Any = simulator.app
    config = uvicorn.Config(
        app,
        http="h11",  # faults reach for its request cycle
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        timeout_graceful_shutdown=1,  # whom a fault never answers would wait for ever
    )
    return uvicorn.Server(config)


class RunningSimulator:
    """A simulator that serves from a thread of its own until the `with` block ends."""

    def __init__(self, simulator: Simulator | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.simulator = simulator or Simulator()
        self._socket = listen(host, port)
        self._server = make_server(self.simulator)
        self._thread = threading.Thread(target=self._serve, name="runai-simulator", daemon=True)

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

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
