"""Bearer tokens: what two token endpoints issue, and every other one asks for."""

from __future__ import annotations

import base64
import json
import secrets
import urllib.parse
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runai_simulator.answers import answering, no_route
from runai_simulator.intake import read_object
from runai_simulator.rules import Refused
from runai_simulator.world import World

Json = dict[str, Any]

REFUSED_SECRET = "wrong"  # noqa: S105 - the one that is never accepted
GRANTS_V1 = ("client_credentials", "app_token")


class Tokens:
    """Those that were issued. They end by the caller's clock, however wrong the control plane's own is."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self._world, self._clock = world, clock
        self._ends: dict[str, float] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/api/v2/token", answering(self._v2), methods=["POST"]),
            Route("/api/v1/token", answering(self._v1), methods=["POST"]),
        ]

    def accept(self, authorization: str) -> bool:
        """Whether the header carries a token that holds."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._ends.get(token, 0) > self._clock()

    def revoke(self) -> None:
        """All of them."""
        self._ends.clear()

    def _issue(self, expiry_field: str) -> tuple[str, Json]:
        """A token, and what the answer says of its expiry."""
        switches, now = self._world.switches, self._clock()
        issued = int(now + switches.clock_skew)
        claims = {"iat": issued, "exp": issued + int(switches.token_lifetime), "jti": secrets.token_hex(8)}
        token = f"{_base64url({'alg': 'none', 'typ': 'JWT'})}.{_base64url(claims)}.simulated"
        self._ends[token] = now + switches.token_lifetime
        return token, {expiry_field: int(switches.token_lifetime)} if switches.token_expiry_told else {}

    async def _v2(self, request: Request) -> Response:
        if not self._world.switches.token_v2:
            return no_route()
        form = dict(urllib.parse.parse_qsl((await request.body()).decode(errors="replace")))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not _is_client(form.get("client_id"), form.get("client_secret")):
            return JSONResponse({"error": "invalid_client", "error_description": "unknown client"}, 401)
        token, expiry = self._issue("expires_in")
        return JSONResponse({"access_token": token, "token_type": "Bearer", **expiry})

    async def _v1(self, request: Request) -> Response:
        if not self._world.switches.token_v1:
            return no_route()
        body = read_object(await request.body())
        if body.get("grantType") not in GRANTS_V1:
            raise Refused(400, "unsupported grant type")
        client = body.get("clientID") or body.get("clientId") or body.get("AppId")
        if not _is_client(client, body.get("clientSecret") or body.get("AppSecret")):
            raise Refused(400, "invalid client")
        token, expiry = self._issue("expiresIn")
        return JSONResponse({"accessToken": token, **expiry})


def _is_client(client: object, secret: object) -> bool:
    return bool(client) and bool(secret) and secret != REFUSED_SECRET


def _base64url(part: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
