"""The telemetry server, asked over real sockets."""

import asyncio
import socket
import time

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runai_operator.telemetry.health import Check, LoopPulse, progress
from runai_operator.telemetry.metrics import Metrics
from runai_operator.telemetry.server import TelemetryServer

HANG_GUARD = 30


class World:
    """What the checks say; a test changes it."""

    def __init__(self):
        self.healthy = [Check("event-loop", ok=True)]
        self.ready = [Check("watch", ok=True), Check("first-list", ok=True, detail="12 objects")]
        self.metrics = Metrics("1.2.3")
        self.watching = True

    def server(self, host="127.0.0.1", port=0):
        return TelemetryServer(
            self.metrics.registry,
            healthy=lambda: self.healthy,
            ready=lambda: self.ready,
            measure=lambda: self.metrics.watch(self.watching),
            host=host,
            port=port,
        )


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def ask(world):
    """A function that sends one request to a running server and returns status, text and headers."""
    async with world.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

        async def ask(path, method="GET", **headers):
            async with session.request(method, path, headers=headers) as response:
                return response.status, await response.text(), response.headers

        yield ask


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_says_ok_while_all_checks_are_fine(ask, path):
    status, text, headers = await ask(path)

    assert (status, text) == (200, "ok\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"


async def test_verbose_lists_every_check(ask):
    assert (await ask("/readyz?verbose"))[:2] == (
        200,
        "[+]watch ok\n[+]first-list ok: 12 objects\nreadyz check passed\n",
    )
    assert (await ask("/healthz?verbose"))[:2] == (200, "[+]event-loop ok\nhealthz check passed\n")


async def test_one_failing_check_fails_its_own_probe_only_and_is_named(ask, world):
    world.ready = [Check("watch", ok=False, detail="not established"), Check("first-list", ok=True)]

    assert (await ask("/readyz"))[:2] == (
        503,
        "[-]watch failed: not established\n[+]first-list ok\nreadyz check failed\n",
    )
    assert (await ask("/healthz"))[0] == 200

    world.ready = [Check("watch", ok=True)]
    assert (await ask("/readyz"))[0] == 200


async def test_a_detail_stays_on_its_line_and_gives_no_credential_away(ask, world):
    world.ready = [Check("watch", ok=False, detail="first\nsecond password=hunter2")]

    assert "[-]watch failed: first\\nsecond password=***\n" in (await ask("/readyz"))[1]


async def test_workers_that_starve_fail_the_liveness_probe(ask, world):
    """The loop still serves the probe, and yet nothing moves."""
    silent = 5.0
    now = 0.0
    pulse = LoopPulse(world.metrics.loop_lag, clock=lambda: now)
    world.healthy = [pulse.check(), progress("workers", silent)]
    assert (await ask("/healthz"))[0] == 200

    now, silent = 31.0, 45.0
    world.healthy = [pulse.check(), progress("workers", silent)]

    assert (await ask("/healthz"))[:2] == (
        503,
        "[-]event-loop failed: no progress for 31 s\n[-]workers failed: no progress for 45 s\nhealthz check failed\n",
    )


async def test_head_gets_the_status_without_a_body(ask, world):
    assert (await ask("/healthz", "HEAD"))[:2] == (200, "")
    assert (await ask("/metrics", "HEAD"))[:2] == (200, "")
    world.healthy = [Check("event-loop", ok=False)]
    assert (await ask("/healthz", "HEAD"))[:2] == (503, "")


async def test_metrics_are_prometheus_text_unless_openmetrics_is_asked_for(ask, world):
    world.metrics.queue_depth("user", 7)
    openmetrics = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"

    status, text, headers = await ask("/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    plain = {sample.name: sample.value for family in parse_text(text) for sample in family.samples}
    assert plain["runai_operator_workqueue_depth"] == 7

    status, text, headers = await ask("/metrics", Accept=openmetrics)
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    opened = {sample.name: sample.value for family in parse_openmetrics(text) for sample in family.samples}
    assert opened["runai_operator_workqueue_depth"] == 7


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name[]=runai_operator_watch_established"])
async def test_metrics_are_those_of_the_moment_in_which_they_are_read(ask, world, path):
    assert "\nrunai_operator_watch_established 1.0\n" in (await ask(path))[1]

    world.watching = False
    assert "\nrunai_operator_watch_established 0.0\n" in (await ask(path))[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 404, id="the root is not served"),
        pytest.param("GET", "/healthz/x", 404, id="nor is anything below a probe"),
        pytest.param("GET", "/metrics/", 404, id="nor a path with a slash too many"),
        pytest.param("POST", "/healthz", 405, id="a probe is not written to"),
        pytest.param("DELETE", "/metrics", 405, id="nor are the metrics"),
    ],
)
async def test_nothing_else_is_served(ask, method, path, status):
    assert (await ask(path, method))[0] == status


def has_ipv6_loopback():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_it_listens_on_ipv6(world):
    if not has_ipv6_loopback():
        pytest.skip("this machine has no IPv6 loopback")

    async with (
        world.server("::1") as server,
        aiohttp.ClientSession() as session,
        session.get(f"http://[::1]:{server.port}/healthz") as response,
    ):
        assert response.status == 200


async def test_without_a_host_it_listens_on_every_address_at_one_port(world):
    async with (
        world.server(None) as server,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}/healthz") as over_ipv4,
    ):
        assert over_ipv4.status == 200
        if has_ipv6_loopback():
            async with session.get(f"http://[::1]:{server.port}/healthz") as over_ipv6:
                assert over_ipv6.status == 200


async def test_a_taken_port_is_an_error_at_start(world):
    async with world.server() as first:
        second = world.server(port=first.port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        await second.stop()


async def test_it_stops_at_once_although_clients_stay_connected(world):
    """One client idles on a kept-alive connection, one has sent half a request."""
    server = world.server()
    await server.start()
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
    idle_writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in await asyncio.wait_for(idle_reader.readline(), HANG_GUARD)
    _, half_writer = await asyncio.open_connection("127.0.0.1", server.port)
    half_writer.write(b"GET /healthz HTTP/1.1\r\nHo")
    await half_writer.drain()

    started = time.monotonic()
    await asyncio.wait_for(server.stop(), HANG_GUARD)

    assert time.monotonic() - started < 10, "the exit after SIGTERM has a budget of 2 s"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server_port(idle_writer))
    await server.stop()
    idle_writer.close()
    half_writer.close()


async def test_it_stops_at_once_although_a_client_does_not_read_its_answers(world):
    """The answer in progress blocks on a full connection, and hundreds more were asked for."""
    answered = 0

    def ready():
        nonlocal answered
        answered += 1
        return [Check("watch", ok=False, detail="x" * 64 * 1024)]

    server = TelemetryServer(world.metrics.registry, healthy=list, ready=ready, measure=list, host="127.0.0.1", port=0)
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    before = -1
    async with asyncio.timeout(HANG_GUARD):
        while answered == 0 or answered != before:
            before = answered
            await asyncio.sleep(0.2)
    assert answered < 1000, "the connection took everything, so nothing was blocked"

    started = time.monotonic()
    await asyncio.wait_for(server.stop(), HANG_GUARD)

    assert time.monotonic() - started < 10, "the exit after SIGTERM has a budget of 2 s"
    writer.close()


def server_port(writer):
    return writer.get_extra_info("peername")[1]
