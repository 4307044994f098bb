"""What one call to Run:ai costs in CPU, transport by transport.

    python -m bench.calls [--calls 2000] [--rounds 5] [--bytes 4096]

Every measurement is a process of its own, which makes calls over real sockets to a server that knows only their form, sixteen at
a time; over HTTP/2 to hypercorn, without TLS there as well. What counts is the CPU time of that process, per call; the transports take turns, and of several rounds the median is
shown, with the least and the most.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
import hypercorn.asyncio
from hypercorn.config import Config
from rich.console import Console
from rich.table import Table

from bench.machine import described
from bench.manifests import manifest_of
from controlplane.ports import free_port
from fakes.scripted_runai import UUID, workload
from runai_operator.domain.model import Submission
from runai_operator.runai import transport
from runai_operator.runai.client import Credentials, RunaiClient
from runai_operator.runai.transport import CONNECTIONS

PARALLEL = 16
WARM_UP = 200
Call = Callable[[], Awaitable[object]]
console = Console(highlight=False)


def submission_of(size: int) -> Submission:
    return Submission(name="train-a", project_id="17", manifest=manifest_of(size))


# --- the server


class Answering(asyncio.Protocol):
    """HTTP/1.1, as little of it as clients need: every request is answered with a token that is a workload too."""

    def __init__(self, answer: bytes) -> None:
        self._answer, self._received = answer, bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            _, _, length = head.partition(b"content-length:")
            whole = end + 4 + int(length.split(b"\r\n")[0] or 0)
            if len(self._received) < whole:
                return
            del self._received[:whole]
            assert self._transport is not None
            self._transport.write(self._answer)


async def serve(size: int) -> None:
    """Prints its ports, that of HTTP/2 last, and serves until it is killed."""
    shown = {"rawManifest": manifest_of(size), "workloadManifest": manifest_of(size)}
    body = json.dumps(workload() | shown | {"access_token": "t" * 1000, "expires_in": 3600}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    server = await asyncio.get_running_loop().create_server(lambda: Answering(head.encode() + body), "127.0.0.1", 0)
    port = free_port()
    config = Config.from_mapping(bind=[f"127.0.0.1:{port}"], errorlog=None)
    http2 = asyncio.create_task(hypercorn.asyncio.serve(partial(answer_over_http2, body), config))
    await asyncio.to_thread(wait_until_open, port)
    print(server.sockets[0].getsockname()[1], port, flush=True)
    await http2


async def answer_over_http2(body: bytes, scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that answers so whatever it is asked, over nothing else."""
    if scope["type"] == "lifespan":
        return
    assert scope["http_version"] == "2", scope["http_version"]
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


# --- the clients

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Authorization": "Bearer " + "t" * 1000}


async def operator(
    stack: AsyncExitStack,
    url: str,
    submission: Submission,
    *,
    transport: Callable[[], httpx.AsyncBaseTransport | None],
) -> dict[str, Call]:
    client = RunaiClient(base_url=url, credentials=Credentials("a", secret="b"), allow_http=True, transport=transport())
    stack.push_async_callback(client.aclose)
    return {"POST": partial(client.create, submission), "GET": partial(client.get, UUID)}


async def httpx_alone(
    stack: AsyncExitStack, url: str, submission: Submission, *, transport: Callable[[], httpx.AsyncBaseTransport]
) -> dict[str, Call]:
    http = await stack.enter_async_context(httpx.AsyncClient(transport=transport(), base_url=url, headers=HEADERS))
    content, kind = json.dumps(submission.manifest).encode(), {"Content-Type": "application/json"}
    return {
        "POST": lambda: http.post("/api/v2/workloads", content=content, headers=kind),
        "GET": lambda: http.get(f"/api/v2/workloads/{UUID}"),
    }


async def aiohttp_alone(stack: AsyncExitStack, url: str, submission: Submission) -> dict[str, Call]:
    session = await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS))
    content, kind = json.dumps(submission.manifest).encode(), {"Content-Type": "application/json"}

    async def call(method: str, path: str, **more: object) -> None:
        async with session.request(method, f"{url}{path}", **more) as answer:
            await answer.read()

    return {
        "POST": partial(call, "POST", "/api/v2/workloads", data=content, headers=kind),
        "GET": partial(call, "GET", f"/api/v2/workloads/{UUID}"),
    }


def at_once() -> httpx.MockTransport:
    """What httpx costs without any transport."""
    return httpx.MockTransport(lambda request: httpx.Response(200, content=b"{}"))


def httpcore() -> httpx.AsyncBaseTransport:
    """What httpx does by itself, with as many connections as we allow."""
    return httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    )


def http2() -> httpx.AsyncBaseTransport:
    """Over one connection, which the sixteen share."""
    return httpx.AsyncHTTPTransport(http1=False, http2=True)


def our_own() -> httpx.AsyncBaseTransport:
    context = httpx.create_ssl_context()
    return transport.AiohttpTransport(context, proxy=None, connections=CONNECTIONS, keepalive=transport.KEEPALIVE)


foreign = partial(httpx_aiohttp.AiohttpTransport, trust_env=False)

OVER_HTTP2 = "  with HTTP/2"
Client = Callable[[AsyncExitStack, str, Submission], Awaitable[dict[str, Call]]]
CLIENTS: dict[str, Client] = {
    "the operator's client": partial(operator, transport=lambda: None),
    "  over httpx-aiohttp": partial(operator, transport=foreign),
    "  over httpcore and anyio": partial(operator, transport=httpcore),
    "httpx over our transport": partial(httpx_alone, transport=our_own),
    "httpx over httpx-aiohttp": partial(httpx_alone, transport=foreign),
    "httpx over httpcore and anyio": partial(httpx_alone, transport=httpcore),
    OVER_HTTP2: partial(httpx_alone, transport=http2),
    "httpx over nothing": partial(httpx_alone, transport=at_once),
    "aiohttp": aiohttp_alone,
}


async def measure(client: str, url: str, calls: int, size: int) -> dict[str, float]:
    """Microseconds of CPU for a call, by method."""
    spent = {}
    async with AsyncExitStack() as stack:
        for method, call in (await CLIENTS[client](stack, url, submission_of(size))).items():
            await repeat(call, WARM_UP)
            before = time.process_time()
            await repeat(call, calls)
            spent[method] = (time.process_time() - before) / calls * 1e6
    return spent


async def repeat(call: Call, times: int) -> None:
    left = iter(range(times))

    async def some() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(some() for _ in range(PARALLEL)))


# --- the parent


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=4096, help="of a manifest")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.bytes))
    elif given.client:
        print(json.dumps(asyncio.run(measure(given.client, given.url, given.calls, given.bytes))))
    else:
        compare(given.calls, given.rounds, given.bytes)
    return 0


def compare(calls: int, rounds: int, size: int) -> None:
    this = [sys.executable, "-m", "bench.calls", "--bytes", str(size)]
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    with subprocess.Popen([*this, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port, http2_port = server.stdout.readline().split()
            for _ in range(rounds):
                for name, results in spent.items():
                    url = f"http://127.0.0.1:{http2_port if name == OVER_HTTP2 else port}"
                    command = [*this, "--client", name, "--url", url, "--calls", str(calls)]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    results.append(json.loads(done.stdout))
        finally:
            server.kill()
    console.print(described(f"python -m bench.calls --calls {calls} --rounds {rounds} --bytes {size}"))
    table = Table(f"CPU of a call at {size} bytes", "POST", "GET", box=None)
    for name, results in spent.items():
        table.add_row(name, *(shown([result[method] for result in results]) for method in ("POST", "GET")))
    console.print(table)


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} µs ({min(values):.0f}-{max(values):.0f})"


if __name__ == "__main__":
    sys.exit(main())
