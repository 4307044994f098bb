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

ERROR_BODIES = {
    "documented": "`code` and `message`, as documented",
    "details": "the same with `details`, which are a list and not a string",
    "message": "`message` alone",
    "errors": "`errors` alone, a list",
    "problem": "`title`, `status` and `detail`, as `application/problem+json`",
    "text": "plain text",
    "page": "HTML",
    "empty": "nothing",
}
"""What each form of an error body holds."""


def error_body(form: str, code: int, message: str) -> tuple[bytes, str]:
    """An error in one of `ERROR_BODIES`, and its content type."""
    documented: Json = {"code": code, "message": message}
    match form:
        case "details":
            return _json(
                documented | {"message": "Bad Request", "details": [{"field": "manifest", "message": message}]}
            )
        case "message":
            return _json({"message": message})
        case "errors":
            return _json({"errors": [{"message": message}]})
        case "problem":
            body, _ = _json({"type": "about:blank", "title": "Refused", "status": code, "detail": message})
            return body, "application/problem+json"
        case "text":
            return message.encode(), "text/plain; charset=utf-8"
        case "page":
            return b"<html><body><h1>%d</h1></body></html>" % code, "text/html"
        case "empty":
            return b"", ""
    return _json(documented)


def _json(body: Json) -> tuple[bytes, str]:
    return json.dumps(body).encode(), "application/json"


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


def answering(handle: Handler, form: Callable[[], str] = lambda: "documented") -> Handler:
    """`handle`, with what it refuses as error bodies of this form, see `ERROR_BODIES`."""

    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except Refused as refused:
            body, content_type = error_body(form(), refused.code, refused.message)
            return Response(body, refused.code, media_type=content_type)

    return answer
