"""The client over real sockets: servers that vanish, stall, lie or flood, TLS and proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlplane.certificates import Authority
from fakes.scripted_runai import UUID, workload
from runai_operator.domain.errors import BridgeError, OutcomeUnknown, PageTooLarge, Unavailable, UnexpectedReply
from runai_operator.domain.model import RowQuery, Submission
from runai_operator.engine.engine import WORKERS
from runai_operator.main import _runai_client
from runai_operator.runai import wire
from runai_operator.runai.client import Credentials, RunaiClient, Timeouts
from runai_operator.runai.transport import CONNECTIONS
from runai_operator.settings import RunaiAccess
from runai_operator.telemetry.metrics import Metrics

Behaviour = Callable[["Peer"], Awaitable[None]]

SUBMISSION = Submission("train-a", "17", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train-a"}})
IMPATIENT = Timeouts(read=0.3, total=0.6, token=0.6)
"""Where a test waits for the timeout, and nowhere else: on a busy machine anything may take that long."""


class Peer:
    """The server's end of one request."""

    def __init__(self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head, self.body, self.reader, self.writer = head, body, reader, writer

    @property
    def target(self) -> str:
        return self.head.split(b" ")[1].decode()

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: int, value, *headers: str) -> None:
        body = json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} x", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
        await self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def reset(self) -> None:
        """RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """An HTTP/1.1 server that answers tokens properly and everything else as `behave` does."""

    def __init__(self) -> None:
        self.behave: Behaviour = _accept
        self.behave_at_token: Behaviour = _token
        self.seen: list[str] = []
        self._news = asyncio.Condition()
        self.connections = 0
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cuts off whoever is still connected: some behaviours would go on for ever."""
        assert self._server
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def has_seen(self, requests: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.seen) >= requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.current_task())
        try:
            await self._converse(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                wants = int(lengths[0].split(b":")[1]) if lengths else 0
                peer = Peer(head, b"", reader, writer)
                async with self._news:
                    self.seen.append(peer.target)
                    self._news.notify_all()
                is_token = peer.target.endswith("/token")
                if is_token or self.behave not in (_refuse_early, _deaf):
                    peer.body = await reader.readexactly(wants)
                await (self.behave_at_token if is_token else self.behave)(peer)


async def _token(peer: Peer) -> None:
    await peer.reply(200, {"access_token": "t", "expires_in": 3600})


async def _accept(peer: Peer) -> None:
    await peer.reply(202 if peer.head[:3] != b"GET" else 200, workload())


async def _refuse_early(peer: Peer) -> None:
    """413 without reading the body, then the connection goes."""
    await peer.reply(413, {"code": 413, "message": "too large"}, "Connection: close")
    peer.writer.close()


async def _deaf(peer: Peer) -> None:
    """Takes no byte of the body."""
    await asyncio.Event().wait()


async def _close(peer: Peer) -> None:
    peer.writer.close()


async def _reset(peer: Peer) -> None:
    peer.reset()


async def _half(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    peer.writer.close()


async def _half_headers(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Ty")
    peer.writer.close()


async def _broken_chunks(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}")


async def _silent(peer: Peer) -> None:
    await peer.reader.read()  # until the client gives up


async def _dripping(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n")
    while not peer.writer.is_closing():
        await peer.raw(b" ")
        await asyncio.sleep(0.05)


async def _dripping_headers(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\n")
    while not peer.writer.is_closing():
        await peer.raw(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def _banner(peer: Peer) -> None:
    await peer.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
    peer.writer.close()


async def _huge_headers(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nX: " + b"a" * 1_000_000)


async def _garbage(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Length: 6\r\n\r\n<html>")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@contextlib.asynccontextmanager
async def connected(base_url: str, **settings) -> AsyncIterator[RunaiClient]:
    client = RunaiClient(base_url=base_url, credentials=Credentials("a", secret="b"), **settings)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[RunaiClient]:
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True) as client:
        yield client


async def create_in_the_end(client: RunaiClient) -> str:
    """The id of a workload made by a client that may be too impatient for the machine."""
    while True:
        with contextlib.suppress(OutcomeUnknown, Unavailable):
            return (await client.create(SUBMISSION)).id


FAULTS = [
    (_close, Unavailable),
    (_reset, Unavailable),
    (_half, Unavailable),
    (_half_headers, Unavailable),
    (_broken_chunks, Unavailable),
    (_silent, Unavailable),
    (_dripping, Unavailable),
    (_dripping_headers, Unavailable),
    (_banner, Unavailable),
    (_huge_headers, Unavailable),
    (_garbage, UnexpectedReply),
]
ENDLESS = (_silent, _dripping, _dripping_headers)


def patience(fault: Behaviour) -> Timeouts:
    return IMPATIENT if fault in ENDLESS else Timeouts()


@pytest.mark.parametrize(("fault", "on_read"), FAULTS, ids=lambda value: value.__name__.strip("_"))
async def test_a_lost_answer_leaves_writes_in_doubt_but_not_reads(server: Server, fault, on_read):
    url = f"http://127.0.0.1:{server.port}"
    async with connected(url, allow_http=True, timeouts=patience(fault)) as client:
        await create_in_the_end(client)  # so that there is a token
        server.behave = fault

        for call, expected in (
            (lambda: client.create(SUBMISSION), OutcomeUnknown),
            (lambda: client.delete(UUID), OutcomeUnknown),
            (lambda: client.rows(RowQuery()), on_read),
        ):
            with pytest.raises(BridgeError) as raised:
                await call()
            assert type(raised.value) is expected
            assert raised.value.__context__ is None

        server.behave = _accept
        assert await create_in_the_end(client) == UUID, "the client works on afterwards"


async def _announces_much(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n")


async def _sends_much(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 202 x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(10):
            await peer.raw(b"100000\r\n" + b"x" * 2**20 + b"\r\n")


@pytest.mark.parametrize("behave", [_announces_much, _sends_much])
async def test_an_answer_that_is_too_large_is_not_waited_for(server: Server, client: RunaiClient, behave):
    """Ten MiB: announced and never sent, and sent without being announced or ended."""
    server.behave = behave
    with pytest.raises(OutcomeUnknown):
        await client.create(SUBMISSION)
    with pytest.raises(PageTooLarge):
        await client.rows(RowQuery())


@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=lambda value: value.__name__.strip("_"))
async def test_a_lost_token_leaves_nothing_in_doubt(server: Server, fault, kind):
    server.behave_at_token = fault
    timeouts = dataclasses.replace(patience(fault), total=0.2)  # which is not what bounds the token

    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True, timeouts=timeouts) as client:
        with pytest.raises(BridgeError) as raised:
            await client.create(SUBMISSION)

    assert type(raised.value) is kind
    assert server.seen == ["/api/v2/token"]


async def test_a_refused_connection_is_unavailable_even_for_writes(server: Server):
    await server.stop()
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True) as client:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.create(SUBMISSION)


async def test_an_unknown_host_is_unavailable():
    async with connected("https://runai.invalid") as client:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.create(SUBMISSION)


async def test_a_full_pool_is_unavailable(server: Server):
    """All connections are taken by answers that do not come: the next write was surely not sent."""
    server.behave = _silent
    timeouts = Timeouts(pool=0.2)
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True, timeouts=timeouts) as client:
        waiting = [asyncio.create_task(client.get(UUID)) for _ in range(CONNECTIONS)]
        await server.has_seen(CONNECTIONS + 1)
        with pytest.raises(Unavailable, match="waited too long"):
            await client.create(SUBMISSION)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        server.behave = _accept
        assert (await client.create(SUBMISSION)).id == UUID, "cancelled calls gave their connections back"


async def test_a_slow_server_is_not_out_of_reach_for_all_workers_and_both_polls_at_once(server: Server):
    """A call that waits for a connection counts as an outage: there must be one for each."""
    slow = WORKERS + len(("delta", "sweep"))
    go_on = asyncio.Event()

    async def hesitate(peer: Peer) -> None:
        await go_on.wait()
        await _accept(peer)

    server.behave = hesitate
    url = f"http://127.0.0.1:{server.port}"
    async with connected(url, allow_http=True, timeouts=Timeouts(pool=0.2)) as client, asyncio.timeout(30):
        calls = [asyncio.create_task(client.create(SUBMISSION)) for _ in range(slow)]
        await server.has_seen(1 + slow)
        go_on.set()

        assert {remote.id for remote in await asyncio.gather(*calls)} == {UUID}


async def test_a_burst_shares_few_connections(server: Server):
    """With the product's own patience: on a busy machine 200 calls take longer than one that tests a timeout."""
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True) as client:
        await asyncio.gather(*(client.create(SUBMISSION) for _ in range(200)))

    assert server.connections <= CONNECTIONS + 1


async def test_a_connection_closed_while_idle_fails_no_call(server: Server, client: RunaiClient):
    """A POST on it would be in doubt; it is noticed before anything is sent."""

    async def accept_and_close(peer: Peer) -> None:
        await _accept(peer)
        peer.writer.close()

    server.behave = accept_and_close
    for _ in range(20):
        assert (await client.create(SUBMISSION)).id == UUID
        await asyncio.sleep(0.01)


class ClosingLater:
    """A server in a thread: it answers on one connection until it is told to close it, then on others."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to_close = threading.Event()
        self._first, self._others = (threading.Thread(target=each, daemon=True) for each in (self._one, self._other))
        self._first.start()

    def close_first(self) -> None:
        """When it returns, the other end could know."""
        self._to_close.set()
        self._first.join()
        self._others.start()

    def stop(self) -> None:
        self._listener.close()

    def _one(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._answer(connection)
            self._answer(connection)
            self._to_close.wait()

    def _other(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._answer(connection)

    @staticmethod
    def _answer(connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        if length := re.search(rb"content-length: (\d+)", head.lower()):
            connection.recv(int(length[1]), socket.MSG_WAITALL)
        body = json.dumps({"access_token": "t", "expires_in": 3600, **workload()}).encode()
        connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def test_a_connection_closed_while_the_event_loop_was_busy_fails_no_call():
    """Nothing has told the event loop yet when the next call begins."""
    server = ClosingLater()
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True) as client:
        assert (await client.get(UUID)).id == UUID
        server.close_first()  # without giving way to the event loop

        assert await client.delete(UUID)
    server.stop()


async def test_no_call_is_repeated_behind_our_back(server: Server, client: RunaiClient):
    """Whatever HTTP says of methods that may be: the answer to a DELETE tells whether there was something to delete."""
    for call in (
        lambda: client.get(UUID),
        lambda: client.update(UUID, SUBMISSION),
        lambda: client.delete(UUID),
        lambda: client.create(SUBMISSION),
    ):
        server.behave = _accept
        await client.get(UUID)  # so that the connection has been used before
        for fault in (_close, _reset):
            server.behave, before = fault, len(server.seen)
            with pytest.raises(BridgeError):
                await call()
            assert len(server.seen) == before + 1


async def test_a_body_that_is_not_taken_is_given_up_in_time(server: Server):
    server.behave = _deaf
    outcomes: list[tuple[str, str]] = []
    async with connected(
        f"http://127.0.0.1:{server.port}",
        allow_http=True,
        timeouts=Timeouts(write=0.3),
        on_call=lambda operation, code, seconds: outcomes.append((operation, code)),
    ) as client:
        with pytest.raises(OutcomeUnknown):
            await client.create(Submission("train-a", "17", {"kind": "Job", "data": "x" * 16_000_000}))

    assert outcomes[-1] == ("create", "timeout")


async def test_the_address_is_sent_as_it_was_written(server: Server, client: RunaiClient):
    async def no_rows(peer: Peer) -> None:
        await peer.reply(200, {"workloads": []})

    server.behave = no_rows
    await client.rows(RowQuery(changed_since=datetime(2026, 1, 15, 10, tzinfo=UTC), name="train-a"))

    assert server.seen[-1].endswith("filterBy=phaseUpdatedAt%3E%3D2026-01-15T10%3A00%3A00.000Z%2Cname%3D%3Dtrain-a")


async def test_a_header_as_long_as_those_of_identity_providers_is_taken(server: Server, client: RunaiClient):
    async def talkative(peer: Peer) -> None:
        await peer.reply(202, workload(), f"Set-Cookie: session={'x' * 30_000}")

    server.behave = talkative
    assert (await client.create(SUBMISSION)).id == UUID


async def test_a_refusal_during_a_large_upload_is_mapped(server: Server, client: RunaiClient):
    """The server answers 413 and closes without reading; whatever the client notices first, nothing was created."""
    server.behave = _refuse_early
    large = Submission("train-a", "17", {"kind": "Job", "data": "x" * 8_000_000})

    with pytest.raises(BridgeError) as raised:
        await client.create(large)

    assert type(raised.value).__name__ in ("InvalidWorkload", "OutcomeUnknown")


async def test_closing_the_client_ends_open_calls_with_a_bridge_error(server: Server):
    server.behave = _silent
    async with connected(f"http://127.0.0.1:{server.port}", allow_http=True) as client:
        write, read = asyncio.create_task(client.create(SUBMISSION)), asyncio.create_task(client.get(UUID))
        await server.has_seen(3)
        await client.aclose()
        outcomes = await asyncio.wait_for(asyncio.gather(write, read, return_exceptions=True), timeout=20)

    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, Unavailable]


class Tls:
    """A throw-away authority and the server side of its certificates."""

    def __init__(self, directory: Path, **authority: bool) -> None:
        self.authority = Authority(**authority)
        directory.mkdir(exist_ok=True)
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(self.authority.pair.certificate_pem)
        self._directory = directory

    def server(self, host: str) -> ssl.SSLContext:
        certificate, key = self.authority.server(host).write(self._directory, "server")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


@contextlib.asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[Server]:
    server = Server()
    server.tls = context
    await server.start()
    yield server
    await server.stop()


async def test_a_configured_private_ca_is_trusted(tls: Tls):
    async with tls_server(tls.server("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with connected(url, ca_file=tls.ca_file) as client:
            assert (await client.create(SUBMISSION)).id == UUID

        async with connected(url) as client:
            with pytest.raises(Unavailable, match="RUNAI_CA_FILE"):
                await client.create(SUBMISSION)


@pytest.fixture
def as_strict_as_python_3_13(monkeypatch) -> None:
    made = ssl.create_default_context

    def strict(*args, **kwargs) -> ssl.SSLContext:
        context = made(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@pytest.mark.usefixtures("as_strict_as_python_3_13")
async def test_an_authority_without_key_identifiers_is_trusted_as_by_curl_and_go(tmp_path: Path):
    tls = Tls(tmp_path, key_identifiers=False)
    async with (
        tls_server(tls.server("127.0.0.1")) as server,
        connected(f"https://127.0.0.1:{server.port}", ca_file=tls.ca_file) as client,
    ):
        assert (await client.create(SUBMISSION)).id == UUID


@contextlib.asynccontextmanager
async def rotating(directory: Path) -> AsyncIterator[tuple[Server, Tls, Tls, RunaiClient]]:
    """A server, its authority, the next one, and a client that has made a call and was cut off."""
    old, new = Tls(directory), Tls(directory / "new")
    async with tls_server(old.server("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with connected(url, ca_file=old.ca_file) as client:
            await client.create(SUBMISSION)
            yield server, old, new, client


async def move(server: Server, tls: Tls) -> None:
    """The server begins anew at its port, with a certificate of another authority."""
    port = server.port
    await server.stop()
    server.tls = tls.server("127.0.0.1")
    await server.start(port)


async def test_a_rotated_ca_file_is_read_again(tmp_path: Path):
    async with rotating(tmp_path) as (server, old, new, client):
        await move(server, new)
        with pytest.raises(Unavailable, match="RUNAI_CA_FILE must hold"):
            await client.create(SUBMISSION)

        old.ca_file.write_bytes(new.ca_file.read_bytes())
        assert (await client.create(SUBMISSION)).id == UUID


async def test_a_ca_file_that_is_broken_or_gone_leaves_the_old_authorities_and_is_told_once(tmp_path: Path, caplog):
    async with rotating(tmp_path) as (server, old, new, client):
        old.ca_file.write_text("half a certif")
        await move(server, old)
        for _ in range(3):
            assert (await client.create(SUBMISSION)).id == UUID
        assert [record.levelname for record in caplog.records if "kept the old" in record.message] == ["WARNING"]

        old.ca_file.unlink()
        for _ in range(3):
            assert (await client.create(SUBMISSION)).id == UUID
        assert len([record for record in caplog.records if "kept the old" in record.message]) == 2

        await move(server, new)
        old.ca_file.write_bytes(new.ca_file.read_bytes())
        assert (await client.create(SUBMISSION)).id == UUID


async def test_a_call_on_its_way_survives_a_rotation(tmp_path: Path):
    async with rotating(tmp_path) as (server, old, new, client):
        go_on = asyncio.Event()

        async def hesitate(peer: Peer) -> None:
            await go_on.wait()
            await _accept(peer)

        server.behave = hesitate
        before = client._transport.http
        slow = asyncio.create_task(client.create(SUBMISSION))
        await server.has_seen(3)
        old.ca_file.write_bytes(old.ca_file.read_bytes() + new.ca_file.read_bytes())
        server.behave = _accept
        assert (await client.create(SUBMISSION)).id == UUID
        assert not before.is_closed
        go_on.set()

        assert (await slow).id == UUID
        assert before.is_closed, "with its last call"


async def test_a_certificate_for_another_host_is_refused(tls: Tls):
    async with (
        tls_server(tls.server("127.0.0.2")) as server,
        connected(f"https://127.0.0.1:{server.port}", ca_file=tls.ca_file) as client,
    ):
        with pytest.raises(Unavailable, match="certificate"):
            await client.create(SUBMISSION)
    assert server.seen == []


async def test_a_tls_alert_after_the_handshake_is_mapped(tls: Tls):
    """TLS 1.3 refuses a missing client certificate only on the first read, as an `ssl.SSLError` that httpx lets by."""
    context = tls.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    async with (
        tls_server(context) as server,
        connected(f"https://127.0.0.1:{server.port}", ca_file=tls.ca_file) as client,
    ):
        with pytest.raises(Unavailable):
            await client.create(SUBMISSION)


async def test_plain_http_on_a_tls_port_is_mapped(server: Server):
    timeouts = Timeouts(connect=0.3)
    async with connected(f"https://127.0.0.1:{server.port}", timeouts=timeouts) as client:
        with pytest.raises(Unavailable):
            await client.create(SUBMISSION)


def as_configured(**environment: str) -> RunaiClient:
    """The client that `run` would make of this environment."""
    credentials = {"RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "b", "RUNAI_ALLOW_HTTP": "true"}
    return _runai_client(RunaiAccess.from_environment(credentials | environment), Metrics("0"))


async def test_the_usual_proxy_variables_are_honoured(server: Server):
    proxy = f"http://127.0.0.1:{server.port}"
    client = as_configured(RUNAI_BASE_URL="http://runai.invalid", HTTP_PROXY=proxy, NO_PROXY="10.0.0.0/8,[::1],.svc")
    async with contextlib.aclosing(client):
        assert (await client.create(SUBMISSION)).id == UUID

    assert server.seen == ["http://runai.invalid/api/v2/token", "http://runai.invalid/api/v2/workloads"]


@pytest.mark.parametrize("url", ["http://runai.invalid", "https://runai.invalid"])
async def test_the_password_in_the_address_of_a_proxy_is_for_the_proxy(server: Server, url):
    """Decoded, and encoded as UTF-8; a request that is tunnelled goes without."""
    heads: list[bytes] = []

    async def note(peer: Peer) -> None:
        heads.append(peer.head)
        await peer.reply(407, {})

    server.behave = server.behave_at_token = note
    client = as_configured(
        RUNAI_BASE_URL=url,
        **{f"{url.partition(':')[0].upper()}_PROXY": f"http://me:p%40ss%E2%82%AC@127.0.0.1:{server.port}"},
    )
    async with contextlib.aclosing(client):
        with pytest.raises((Unavailable, UnexpectedReply)):
            await client.create(SUBMISSION)

    expected = base64.b64encode("me:p@ss€".encode())
    assert b"\r\nProxy-Authorization: Basic " + expected in heads[0]


@pytest.mark.parametrize("no_proxy", ["*.invalid", "runai.invalid:80", "*", "fd00::/8,.invalid"])
async def test_what_no_proxy_exempts_is_never_sent_to_the_proxy(server: Server, no_proxy):
    proxy = f"http://127.0.0.1:{server.port}"
    client = as_configured(RUNAI_BASE_URL="http://runai.invalid", HTTP_PROXY=proxy, NO_PROXY=no_proxy)
    async with contextlib.aclosing(client):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.create(SUBMISSION)

    assert server.seen == []


async def test_a_network_in_no_proxy_is_reached_directly(server: Server):
    url = f"http://127.0.0.1:{server.port}"
    client = as_configured(RUNAI_BASE_URL=url, HTTP_PROXY="http://127.0.0.1:1", NO_PROXY="127.0.0.0/8")
    async with contextlib.aclosing(client):
        assert (await client.create(SUBMISSION)).id == UUID


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_the_tunnel_leaves_nothing_in_doubt(server: Server, status):
    async def refuse(peer: Peer) -> None:
        await peer.reply(status, {})

    server.behave = refuse
    async with connected("https://runai.invalid", proxy=f"http://127.0.0.1:{server.port}") as client:
        with pytest.raises(Unavailable):
            await client.create(SUBMISSION)

    assert server.seen == ["runai.invalid:443"]


@pytest.mark.parametrize("encoded", [False, True], ids=["as an object", "encoded"])
def test_the_vendors_models_read_what_we_send(encoded):
    """Every field arrives in runapy's models under its name; `configuration` is newer than they are."""
    create_request = pytest.importorskip("runai.models.workload_v2_create_request").WorkloadV2CreateRequest
    update_request = pytest.importorskip("runai.models.workload_v2_update_request").WorkloadV2UpdateRequest
    submission = dataclasses.replace(
        SUBMISSION, priority="low", category="Train", preemptibility="preemptible", encoded=encoded
    )

    for write, model in ((wire.create_body, create_request), (wire.update_body, update_request)):
        written = json.loads(write(submission))
        read = model.from_dict(written).to_dict()
        read["metadata"].pop("useGivenNameAsPrefix", None)

        assert read == written
