"""Access tokens: fetched once for all calls, renewed early, dropped when Run:ai refuses them.

Admitted here: the OAuth2 client credentials flow and where the secret comes from.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import httpx

from runai_operator.codecs.json import Unreadable
from runai_operator.domain.errors import AccessDenied, BridgeError, Scope
from runai_operator.domain.model import Json
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.transport import read_answer
from runai_operator.runai.wire import Answer, number, read_jwt
from runai_operator.text import one_line

log = logging.getLogger(__name__)

_UNSTATED_LIFETIME = 300.0
"""Seconds a token is used when neither the answer nor the token says how long it lives."""
_EARLY = 60.0
"""Seconds before its expiry at which a token is renewed; a tenth of its lifetime if that is less."""
_SHORTEST_LIFETIME = 30.0
"""Seconds that a token is used at least, whatever is said of it: one that ends sooner is refused, and replaced then."""
_SHARED_FAILURE = 1.0
"""Seconds without another attempt after a token could not be fetched."""
_NEVER_ACCEPTED = 30.0
"""Seconds in which a fresh token that Run:ai refuses from the start is not replaced: the next would fare no better."""
_V1_MEMORY = 3600.0
"""Seconds until `/api/v2/token` is tried again where it did not exist."""
_SECRET_LIMIT = 64 * 1024
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A Run:ai service account: its secret itself, or the file that holds it."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    secret_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("Set exactly one of RUNAI_CLIENT_SECRET and RUNAI_CLIENT_SECRET_FILE.")

    @property
    def settings(self) -> str:
        """The variables that they come from, for a sentence; a path that could be read is no secret set by mistake."""
        if self.secret_file is None:
            return "RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET"
        return f"RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET_FILE={one_line(str(self.secret_file))}"

    def read_secret(self) -> str:
        """The secret as it is now: the file is read for every token, so that a rotation needs no restart.

        Raises `AccessDenied` when the file cannot be read.
        """
        if self.secret_file is None:
            return self.secret or ""
        try:
            with self.secret_file.open("rb") as file:
                secret = file.read(_SECRET_LIMIT).decode().strip()
        except (OSError, UnicodeDecodeError):
            secret = ""
        if not secret:
            raise AccessDenied(
                f"RUNAI_CLIENT_SECRET_FILE names {one_line(str(self.secret_file))}, which is missing, empty or not readable"
                " as text. Check the Secret that it comes from.",
                scope=Scope.CONNECTION,
            )
        return secret


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token and its times on the injected clock."""

    value: str = field(repr=False)
    fetched_at: float
    renew_at: float
    expires_at: float


class Exchange(Protocol):
    """Sends a request to a token endpoint, without authentication."""

    async def __call__(self, path: str, content: bytes, content_type: str) -> Answer: ...


class RunaiAuth(httpx.Auth):
    """Puts the token on every request, and repeats one that was answered 401 with a new token, once.

    That is safe for writes too: 401 means that nothing was done. Errors of fetching the token (`AccessDenied`,
    `Unavailable`, `Throttled`, `UnexpectedReply`) are raised before the request is sent, or sent again.

    `clock` counts seconds and never goes back; `wall` is seconds since 1970, for tokens that state only when they expire.
    """

    def __init__(
        self,
        credentials: Credentials,
        exchange: Exchange,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._credentials = credentials
        self._exchange = exchange
        self._clock = clock
        self._wall = wall
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._accepted: Token | None = None
        self._failure: BridgeError | None = None
        self._failed_at = 0.0
        self._v1_since: float | None = None
        self._last_secret: str | None = None

    @property
    def settings(self) -> str:
        """Where to look when Run:ai refuses the credentials."""
        return self._credentials.settings

    async def ready(self) -> None:
        """Returns when there is a token to use; raises the errors of getting one."""
        await self._current()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._current()
        response = yield _signed(request, token)
        if response.status_code == 401 and self._drop(token):
            await _discard(response)
            token = await self._current()
            response = yield _signed(request, token)
        if response.status_code < 500 and response.status_code != 401:
            self._accepted = token

    async def _current(self) -> Token:
        """A token to use now. Only one caller fetches; the others wait for it, or go on while the old one lasts."""
        token = self._token
        if token and (self._clock() < token.renew_at or (self._lock.locked() and self._clock() < token.expires_at)):
            return token
        async with self._lock:
            if self._token and self._clock() < self._token.renew_at:
                return self._token
            return await self._renewed()

    async def _renewed(self) -> Token:
        """Fetches, or raises the last failure again for a moment; a token that has not expired bridges the gap."""
        if self._failure is None or self._clock() >= self._failed_at + _SHARED_FAILURE:
            try:
                self._token = await self._fetch()
            except BridgeError as error:
                self._failure, self._failed_at = copy(error), self._clock()
            else:
                self._failure = None
        if self._token and self._clock() < self._token.expires_at:
            return self._token
        assert self._failure is not None  # noqa: S101 - there is either a token or the reason why not
        raise copy(self._failure)

    def _drop(self, refused: Token) -> bool:
        """Forgets exactly the token that was refused; False when fetching another one is pointless for now."""
        if self._token is not refused:
            return True
        if self._accepted is not refused and self._clock() < refused.fetched_at + _NEVER_ACCEPTED:
            return False
        self._token = None
        return True

    def _secret(self) -> str:
        """The current secret; once its file is gone, the last one: deletions in progress can then end."""
        try:
            self._last_secret = self._credentials.read_secret()
        except AccessDenied as error:
            if self._last_secret is None:
                raise
            log.warning("kept the last client secret: %s", error.message)
        return self._last_secret

    async def _fetch(self) -> Token:
        secret = self._secret()
        answer = await self._ask(secret)
        if answer.status not in (200, 201):
            raise failure(Operation.TOKEN, answer, credentials=self.settings)
        return await read_answer(Operation.TOKEN, answer, self._read_token)

    async def _ask(self, secret: str) -> Answer:
        """`/api/v2/token`, or `/api/v1/token` for releases before 2.24; which one exists is remembered."""
        v1_first = self._v1_since is not None and self._clock() < self._v1_since + _V1_MEMORY
        answer = await self._ask_version(1 if v1_first else 2, secret)
        if answer.status not in (404, 405):
            return answer
        answer = await self._ask_version(2 if v1_first else 1, secret)
        if answer.status not in (404, 405):
            self._v1_since = None if v1_first else self._clock()
        return answer

    async def _ask_version(self, version: int, secret: str) -> Answer:
        client_id = self._credentials.client_id
        if version == 2:
            form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
            return await self._exchange("/api/v2/token", urlencode(form).encode(), "application/x-www-form-urlencoded")
        grant = {"grantType": "client_credentials", "clientID": client_id, "clientSecret": secret}
        return await self._exchange("/api/v1/token", json.dumps(grant).encode(), "application/json")

    def _read_token(self, body: Json) -> Token:
        value = body.get("access_token") or body.get("accessToken")
        if not isinstance(value, str) or not _HEADER_SAFE.fullmatch(value):
            raise Unreadable("no access token")
        stated = number(body.get("expires_in", body.get("expiresIn")))
        lifetime = max(stated if stated and stated > 0 else self._lifetime_by_claims(value), _SHORTEST_LIFETIME)
        now = self._clock()
        return Token(value, now, now + lifetime - min(_EARLY, lifetime / 10), now + lifetime)

    def _lifetime_by_claims(self, token: str) -> float:
        """From the JWT's `exp`; measured from `iat` where it is stated, so that a wrong clock here does no harm."""
        claims = read_jwt(token)
        end, start = number(claims.get("exp")), number(claims.get("iat"))
        if end is None:
            return _UNSTATED_LIFETIME
        lifetime = end - (self._wall() if start is None else start)
        return lifetime if lifetime > 0 else _UNSTATED_LIFETIME


def _signed(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value}"
    return request


async def _discard(response: httpx.Response) -> None:
    """Throws an answer's body away: httpx would read it to the end, however long, before it repeats the request."""
    if isinstance(response.stream, httpx.AsyncByteStream):
        await response.stream.aclose()
    response.stream = httpx.ByteStream(b"")
