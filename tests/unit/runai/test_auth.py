"""Tokens: one fetch for everybody, renewed early, replaced once when refused, and never asked for in a hot loop."""

from __future__ import annotations

import asyncio
import base64
import json
from urllib.parse import parse_qs

import httpx
import pytest

from fakes.scripted_runai import UUID, ScriptedRunai, api_error, workload
from runai_operator.domain.errors import AccessDenied, Scope, Throttled, Unavailable, UnexpectedReply
from runai_operator.runai.client import Credentials, RunaiClient

FOUND = httpx.Response(200, json={"workload": workload()})


@pytest.fixture(autouse=True)
def answers(runai: ScriptedRunai):
    runai.answer = FOUND


def refuse(*tokens: str):
    """A Run:ai that does not accept these tokens."""
    return lambda request: (
        api_error(401, "Issuer is not familiar")
        if request.headers["Authorization"].removeprefix("Bearer ") in tokens
        else FOUND
    )


def jwt(**claims) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.signature"


async def test_many_calls_at_once_share_one_token(client: RunaiClient, runai: ScriptedRunai):
    await asyncio.gather(*(client.get(UUID) for _ in range(20)))

    assert runai.tokens_given == 1
    assert runai.tokens_used == ["token-1"] * 20


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("answer", "renewed_after"),
    [
        pytest.param({"access_token": "a", "expires_in": 3600}, 3540, id="a minute before its end"),
        pytest.param({"access_token": "a", "expires_in": "3600"}, 3540, id="a lifetime written as text"),
        pytest.param({"access_token": "a", "expires_in": 100}, 90, id="a tenth of a short life before its end"),
        pytest.param({"accessToken": "a", "expiresIn": 3600}, 3540, id="the spelling of v1"),
        pytest.param({"access_token": jwt(exp=NOW + 1000)}, 940, id="by the claims, where nothing is stated"),
        pytest.param({"access_token": jwt(exp=5000, iat=4000)}, 940, id="by issue and end, whatever our clock says"),
        pytest.param({"access_token": jwt(exp=NOW - 5)}, 270, id="an end in the past is not believed"),
        pytest.param({"access_token": "opaque", "expires_in": None}, 270, id="after five minutes when nobody says"),
        pytest.param({"access_token": "a.!.b"}, 270, id="what only looks like a JWT"),
        pytest.param({"access_token": "a", "expires_in": True}, 270, id="a lifetime that is none"),
        pytest.param({"access_token": "a", "expires_in": -1}, 270, id="a negative lifetime"),
        pytest.param({"access_token": "a", "expires_in": 1e-15}, 27, id="a lifetime that is over before it is used"),
        pytest.param(
            {"access_token": jwt(exp=NOW + 1)}, 27, id="an end that is near, by a clock of ours that is ahead"
        ),
    ],
)
async def test_a_token_is_renewed_early(client, runai: ScriptedRunai, answer, renewed_after):
    runai.token = httpx.Response(200, json=answer)
    start = runai.now

    await client.get(UUID)
    runai.now = start + renewed_after - 1
    await client.get(UUID)
    assert runai.tokens_given == 1

    runai.now = start + renewed_after + 1
    await client.get(UUID)
    assert runai.tokens_given == 2


async def test_a_refused_token_is_replaced_and_the_request_repeated_once(client, runai: ScriptedRunai, submission):
    await client.get(UUID)
    runai.answer = lambda request: (
        api_error(401) if "token-1" in request.headers["Authorization"] else httpx.Response(202, json=workload())
    )

    assert (await client.create(submission)).id == UUID
    assert runai.tokens_used == ["token-1", "token-1", "token-2"]
    assert runai.asked[1].content == runai.asked[2].content != b""


async def test_a_request_refused_twice_is_an_admins_problem(client, runai: ScriptedRunai):
    await client.get(UUID)
    runai.answer = api_error(401, "Issuer is not familiar")

    with pytest.raises(AccessDenied, match="Issuer is not familiar") as denied:
        await client.get(UUID)

    assert denied.value.scope is Scope.CONNECTION
    assert runai.tokens_used[1:] == ["token-1", "token-2"]


async def test_all_who_hold_the_refused_token_share_the_next(client, runai: ScriptedRunai):
    await client.get(UUID)
    runai.answer = refuse("token-1")

    await asyncio.gather(*(client.get(UUID) for _ in range(10)))

    assert runai.tokens_given == 2


async def test_a_late_refusal_of_the_old_token_does_not_cost_the_new_one(client, runai: ScriptedRunai):
    await client.get(UUID)
    runai.answer = refuse("token-1")
    on_its_way, arrives = asyncio.Event(), asyncio.Event()

    async def slow_at_first(request):
        answer = await runai(request)
        if not on_its_way.is_set():
            on_its_way.set()
            await arrives.wait()
        return answer

    client._transport.http._transport = httpx.MockTransport(slow_at_first)
    late = asyncio.create_task(client.get(UUID))
    await on_its_way.wait()
    await client.get(UUID)
    arrives.set()
    await late

    assert runai.tokens_given == 2


async def test_when_nothing_is_accepted_the_token_endpoint_is_left_in_peace(client, runai: ScriptedRunai):
    """A storm of 401 costs one token per half minute, not one per call."""
    runai.answer = api_error(401)

    for _ in range(50):
        for _ in range(4):
            with pytest.raises(AccessDenied):
                await client.get(UUID)
        runai.now += 1

    assert runai.tokens_given == 2


async def test_the_body_of_a_refusal_is_not_read(client, runai: ScriptedRunai):
    """httpx reads it to the end before it repeats a request; this one is long."""
    await client.get(UUID)
    sent = 0

    async def long():
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 65_536

    async def answer(request):
        token = await runai(request)
        if "token-1" in request.headers.get("Authorization", ""):
            return httpx.Response(401, content=long())
        return token

    client._transport.http._transport = httpx.MockTransport(answer)
    assert await client.get(UUID) is not None
    assert sent <= 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), AccessDenied),
        (httpx.Response(503), Unavailable),
        (httpx.Response(429, headers={"Retry-After": "9"}), Throttled),
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.Response(200, text="<html>"), UnexpectedReply),
        (httpx.Response(200, json={"access_token": "two\r\nlines"}), UnexpectedReply),
        (httpx.Response(200, json={"access_token": ""}), UnexpectedReply),
        (httpx.Response(200, json={"access_token": "ü"}), UnexpectedReply),
        (httpx.Response(200, content=b'{"access_token": "' + b"a" * 70_000 + b'"}'), UnexpectedReply),
    ],
    ids=["refused", "unavailable", "throttled", "unreachable", "HTML", "line break", "empty", "not ASCII", "too large"],
)
async def test_waiters_share_one_failure_for_a_moment(client, runai: ScriptedRunai, answer, kind):
    runai.token = answer

    failures = await asyncio.gather(*(client.get(UUID) for _ in range(10)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [kind] * 10
    assert len({id(failure) for failure in failures}) == 10, "a shared instance would collect everybody's traceback"
    assert runai.tokens_given == 1
    if kind is Throttled:
        assert {failure.after for failure in failures} == {9.0}

    runai.now += 1.1
    runai.token = None
    await client.get(UUID)
    assert runai.tokens_given == 2


async def test_a_token_that_has_not_ended_bridges_an_outage_of_the_token_endpoint(client, runai: ScriptedRunai):
    await client.get(UUID)
    runai.token = httpx.Response(503)

    runai.now += 3550
    await client.get(UUID)
    assert runai.tokens_used == ["token-1", "token-1"]

    runai.now += 51
    with pytest.raises(Unavailable):
        await client.get(UUID)


class Gate:
    """A token endpoint that answers only when the test opens it."""

    def __init__(self, runai: ScriptedRunai) -> None:
        self.asked = asyncio.Semaphore(0)
        self.opened = asyncio.Event()
        self.runai = runai

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            self.asked.release()
            await self.opened.wait()
        return await self.runai(request)


async def test_while_one_renews_the_others_go_on_with_the_old_token(client, runai: ScriptedRunai):
    await client.get(UUID)
    gate = Gate(runai)
    client._transport.http._transport = httpx.MockTransport(gate)
    runai.now += 3550

    renewing = asyncio.create_task(client.get(UUID))
    await gate.asked.acquire()
    await client.get(UUID)
    gate.opened.set()
    await renewing

    assert runai.tokens_used == ["token-1", "token-1", "token-2"]


async def test_who_waits_takes_over_when_the_one_who_fetches_is_cancelled(client, runai: ScriptedRunai):
    gate = Gate(runai)
    client._transport.http._transport = httpx.MockTransport(gate)

    first = asyncio.create_task(client.get(UUID))
    await gate.asked.acquire()
    second = asyncio.create_task(client.get(UUID))
    await asyncio.sleep(0)
    first.cancel()
    gate.opened.set()

    assert await second is not None
    with pytest.raises(asyncio.CancelledError):
        await first


class Routes:
    """A Run:ai with some of the token endpoints."""

    def __init__(self, runai: ScriptedRunai, *present: str) -> None:
        self.runai = runai
        self.present = set(present)
        self.missing = 404
        self.asked: list[str] = []
        self.bodies: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/token"):
            self.asked.append(path.split("/")[2])
            self.bodies.append(request.content.decode())
            if self.asked[-1] not in self.present:
                return httpx.Response(self.missing, content=_nothing())
        return await self.runai(request)


async def _nothing():
    yield b""


@pytest.fixture
def routes(client, runai: ScriptedRunai) -> Routes:
    routes = Routes(runai, "v1", "v2")
    client._transport.http._transport = httpx.MockTransport(routes)
    return routes


async def renew(client, runai: ScriptedRunai, after: float = 3600) -> None:
    runai.now += after
    await client.get(UUID)


async def test_v2_is_asked_with_a_form(client, routes: Routes, runai: ScriptedRunai):
    client._auth._credentials = Credentials("operator", secret="p&ss=wörd +%")
    await client.get(UUID)

    assert routes.asked == ["v2"]
    assert parse_qs(routes.bodies[0], strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": ["operator"],
        "client_secret": ["p&ss=wörd +%"],
    }


@pytest.mark.parametrize("missing", [404, 405])
async def test_an_older_release_is_asked_through_v1_and_remembered_for_an_hour(client, routes: Routes, runai, missing):
    routes.present, routes.missing = {"v1"}, missing
    runai.token = httpx.Response(200, json={"accessToken": "a", "expiresIn": 1200})

    await client.get(UUID)
    assert routes.asked == ["v2", "v1"]
    assert json.loads(routes.bodies[1]) == {
        "grantType": "client_credentials",
        "clientID": "operator",
        "clientSecret": "s3cret",
    }

    await renew(client, runai, 1200)
    await renew(client, runai, 1200)
    assert routes.asked[2:] == ["v1", "v1"]

    await renew(client, runai, 1200)
    assert routes.asked[4:] == ["v2", "v1"]


async def test_an_upgrade_that_drops_v1_is_noticed_at_once(client, routes: Routes, runai):
    routes.present = {"v1"}
    await client.get(UUID)

    routes.present = {"v2"}
    await renew(client, runai, 3550)
    assert routes.asked[2:] == ["v1", "v2"]

    await renew(client, runai, 3550)
    assert routes.asked[4:] == ["v2"]


async def test_without_any_token_endpoint_the_base_url_is_suspected(client, routes: Routes):
    routes.present = set()

    with pytest.raises(UnexpectedReply, match="RUNAI_BASE_URL") as raised:
        await client.get(UUID)
    assert raised.value.scope is Scope.CONNECTION


async def test_a_rotated_secret_is_used_without_a_restart(client, routes: Routes, runai, tmp_path):
    file = tmp_path / "secret"
    file.write_text("first\n")
    client._auth._credentials = Credentials("operator", secret_file=file)

    await client.get(UUID)
    file.write_text("other\n")  # same size, perhaps the same mtime
    await renew(client, runai)

    assert [parse_qs(body)["client_secret"] for body in routes.bodies] == [["first"], ["other"]]


async def test_once_the_secret_file_is_gone_the_last_secret_is_used(client, routes: Routes, runai, tmp_path, caplog):
    """Its Secret may be deleted while deletions are under way."""
    file = tmp_path / "secret"
    file.write_text("first\n")
    client._auth._credentials = Credentials("operator", secret_file=file)

    await client.get(UUID)
    file.unlink()
    await renew(client, runai)

    assert [parse_qs(body)["client_secret"] for body in routes.bodies] == [["first"], ["first"]]
    assert "RUNAI_CLIENT_SECRET_FILE" in caplog.text
    assert "first" not in caplog.text


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"], ids=["missing", "empty", "blank", "binary"])
async def test_a_secret_file_that_says_nothing_is_named(client, runai: ScriptedRunai, tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    client._auth._credentials = Credentials("operator", secret_file=file)

    with pytest.raises(AccessDenied, match="RUNAI_CLIENT_SECRET_FILE") as denied:
        await client.get(UUID)
    assert denied.value.scope is Scope.CONNECTION
    assert runai.tokens_given == 0


@pytest.mark.parametrize("both", [True, False])
def test_credentials_need_exactly_one_secret(both, tmp_path):
    with pytest.raises(ValueError, match="exactly one"):
        Credentials("operator", secret="x" if both else None, secret_file=tmp_path if both else None)


@pytest.mark.parametrize("at_the_token", [True, False], ids=["the token endpoint", "the API"])
@pytest.mark.parametrize("in_a_file", [True, False], ids=["in a file", "in a variable"])
async def test_refused_credentials_are_told_by_the_variables_that_are_set(
    client, runai: ScriptedRunai, tmp_path, at_the_token, in_a_file
):
    file = tmp_path / "secret"
    file.write_text("s3cret")
    client._auth._credentials = (
        Credentials("operator", secret_file=file) if in_a_file else Credentials("operator", secret="s3cret")
    )
    refused = api_error(401, "Issuer is not familiar")
    if at_the_token:
        runai.token = refused
    else:
        runai.answer = refused

    with pytest.raises(AccessDenied) as denied:
        await client.get(UUID)

    secret = f"RUNAI_CLIENT_SECRET_FILE={file}" if in_a_file else "RUNAI_CLIENT_SECRET"
    assert denied.value.message.endswith(f" Check RUNAI_CLIENT_ID and {secret}.")
    assert "s3cret" not in denied.value.message


def test_credentials_do_not_show_their_secret():
    assert "s3cret" not in f"{Credentials('operator', secret='s3cret')!r}"
