"""The shapes of answers: pages, documented errors, and what a server says that does not know the route."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from runai_simulator.listing import Row
from runai_simulator.rules import Refused

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


def error(code: int, message: str) -> JSONResponse:
    """The documented error body."""
    return JSONResponse({"code": code, "message": message}, code)


def no_route(code: int = 404) -> PlainTextResponse:
    """What a router answers that does not know the path (404) or its method (405): no error body of the API."""
    return PlainTextResponse("Not Found" if code == 404 else "Method Not Allowed", code)


def page(name: str, items: list[Json], following: int | None) -> JSONResponse:
    """One page under its name, and the offset of the next."""
    return JSONResponse({name: items} | ({} if following is None else {"next": following}))


def rows_page(name: str, rows: Iterable[Row], following: int | None) -> Response:
    """The same of rows that are written already."""
    end = b"" if following is None else b',"next":%d' % following
    body = b"{%b:[%b]%b}" % (json.dumps(name).encode(), b",".join(row.json for row in rows), end)
    return Response(body, media_type="application/json")


def answering(handle: Handler) -> Handler:
    """`handle`, with what it refuses as error bodies."""

    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except Refused as refused:
            return error(refused.code, refused.message)

    return answer
