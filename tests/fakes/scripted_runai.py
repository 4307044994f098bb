"""A scripted Run:ai behind `httpx.MockTransport`: answers are values, functions or exceptions; time stands still."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import httpx

UUID = "3f6b2c1e-0000-4000-8000-000000000001"


def workload(**metadata) -> dict:
    """A V2 workload as POST, PUT and DELETE answer it."""
    return {
        "metadata": {"id": UUID, "name": "train-a", "projectId": "17", **metadata},
        "desiredPhase": "Running",
        "workloadManifest": {},
        "rawManifest": {},
    }


def api_error(status: int, message: str = "said so", **more) -> httpx.Response:
    """An answer with the API's own error body."""
    return httpx.Response(status, json={"code": status, "message": message, **more})


class ScriptedRunai:
    """Answers tokens by itself and everything else as told; remembers what was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception = httpx.Response(
            202, json=workload()
        )
        self.token: Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception | None = None
        self.asked: list[httpx.Request] = []
        self.tokens_used: list[str] = []
        self.tokens_given = 0
        self.now = 1000.0
        self.wall = 1_800_000_000.0
        self.calls: list[tuple[str, str]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            self.tokens_given += 1
            token = httpx.Response(200, json={"access_token": f"token-{self.tokens_given}", "expires_in": 3600})
            return self._play(self.token or token, request)
        self.asked.append(request)
        self.tokens_used.append(request.headers["Authorization"].removeprefix("Bearer "))
        return self._play(self.answer, request)

    @staticmethod
    def _play(answer, request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return streamed(answer(request) if callable(answer) else answer)

    @property
    def body(self) -> dict:
        """What the last request carried."""
        return json.loads(self.asked[-1].content)


def streamed(response: httpx.Response) -> httpx.Response:
    """A fresh copy whose body is still to be read, as one from a socket; it comes in two pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        half = len(response.content) // 2
        yield response.content[:half]
        yield response.content[half:]

    return httpx.Response(response.status_code, headers=response.headers, content=pieces())
