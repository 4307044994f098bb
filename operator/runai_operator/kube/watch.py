"""What stands between kopf and the API server: metadata only, reads only, and guards where kopf would end or spin.

Admitted here: what has to be known about kopf's requests and about the API server's answers to them. kopf itself is not
imported; the shell puts `WatchGuard` into the session that it lends to kopf, and `WatchedResponse` reads the answers.

Of a list, kopf gets what the engine does not know yet: at the start that is next to nothing, since the engine has read its
own list before, and each object would go all the way through kopf, and be remembered by it, for nothing.

Each guard prevents a failure of kopf 1.45 that was observed:

- It parses all of every object, so that one that is nested deeply enough ends it: it gets only metadata, without what
  is nested deeply (`managedFields` may be) and without the annotations of others.
- It reads a page of a list whatever its size: one that is too large is asked for again with fewer objects.
- It cannot read a list whose `items` are null, which is how an empty metadata list comes.
- A 404 (the CustomResourceDefinition is gone) and an HTTP 410 on a watch end it: the request is held, and `over` makes
  the shell start over.
- A 410 on a continue token ends it: turned into a broken answer, it makes kopf list again.
- It reopens a closed watch at once, thousands of times a second: at most one watch a second is let through.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
from yarl import URL

from runai_operator.codecs.json import Unreadable
from runai_operator.kube.echoes import Echoes
from runai_operator.kube.pages import PAGE_LIMIT, SKIPPED, PageSize, read_page_start, read_start
from runai_operator.kube.wire import METADATA, METADATA_DEPTH, METADATA_LIST, collection_path, decode_metadata
from runai_operator.selector import Selector
from runai_operator.text import clip

log = logging.getLogger(__name__)

PAGE = 250
"""Objects of a page where kopf sets no limit."""
INLINE_LIMIT = 256 * 1024
"""Bytes that are parsed on the event loop; more than this would hold up others for milliseconds."""
LEAN_LIMIT = 16 * 1024
"""Bytes of an event from which annotations are worth dropping: kopf keeps events for a while."""
WATCH_INTERVAL = 1.0
"""Least seconds between two watches of the same collection."""


IsKnown = Callable[[str, str], bool]
"""Whether an object, by its UID, is known at this resource version."""


def _nothing_is_known(uid: str, resource_version: str) -> bool:
    del uid, resource_version
    return False


class WatchState:
    """The state of the watches; written by the guard and the shell, read by probes and the engine."""

    def __init__(self, namespaces: Sequence[str] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        self._open = dict.fromkeys(map(collection_path, namespaces or (None,)), False)
        self._names = dict(zip(self._open, namespaces or ("the whole cluster",), strict=True))
        self._refused: set[str] = set()
        self._clock = clock
        self._last_sign = clock()
        self.listed = 0
        """How many lists were read in full so far. It grows at the start, and whenever a watch has lost its place: then
        objects may have vanished unseen. Events of the last page may still be on their way."""

    @property
    def established(self) -> bool:
        """Every collection that we may watch was listed, and its watch is open or being reopened after it ended."""
        allowed = [is_open for collection, is_open in self._open.items() if collection not in self._refused]
        return bool(allowed) and all(allowed)

    @property
    def forbidden(self) -> list[str]:
        """The names of the collections that we may not watch: namespaces that are gone, or where a right is missing."""
        return [self._names[collection] for collection in self._open if collection in self._refused]

    def silent_seconds(self) -> float:
        """Since the last sign of life: a request, an answer, an event or a bookmark (one a minute at least)."""
        return self._clock() - self._last_sign

    def knows(self, path: str) -> bool:
        """Whether this is the path of a watched collection."""
        return path in self._open

    def sign(self) -> None:
        self._last_sign = self._clock()

    def opened(self, collection: str, *, listed: bool) -> None:
        self._open[collection] = True
        self.listed += listed
        if collection in self._refused:
            self._refused.discard(collection)
            log.info("may watch RunaiWorkloads in %s again", self._names[collection])

    def refused(self, collection: str) -> None:
        """HTTP 403. The others go on, and this one is tried again."""
        self.lost(collection)
        if collection not in self._refused:
            self._refused.add(collection)
            log.warning(
                "may not watch RunaiWorkloads in %s: is the namespace gone, or a RoleBinding?", self._names[collection]
            )

    def lost(self, collection: str) -> None:
        self._open[collection] = False

    def stopped(self) -> None:
        """There is no watch any more."""
        self._open = dict.fromkeys(self._open, False)


class WatchGuard:
    """Client middleware for one run of kopf: when that run cannot go on, `over` is set and `reason` says why."""

    def __init__(
        self,
        state: WatchState,
        server: str,
        echoes: Echoes,
        selector: Selector | None = None,
        *,
        is_known: IsKnown = _nothing_is_known,
    ) -> None:
        self._state, self._echoes, self._selector, self._is_known = state, echoes, selector, is_known
        self._base = URL(server).path.rstrip("/")
        self._listed: set[str] = set()
        self._next_watch: dict[str, float] = {}
        self._sizes: dict[str, PageSize] = {}
        self.over = asyncio.Event()
        self.reason = ""
        self.requests = 0
        """For our collections, failed ones too."""

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.method != "GET":
            raise RuntimeError(f"kopf must only read, but tried to {request.method} {request.url.path}.")
        self._state.sign()
        collection = request.url.path.removeprefix(self._base)
        if not self._state.knows(collection):
            return await handler(request)
        self.requests += 1
        if self._selector is not None:
            request.url = request.url.update_query(labelSelector=str(self._selector))
        try:
            if request.url.query.get("watch") == "true":
                response = await self._watch(collection, request, handler)
            else:
                response = await self._list(collection, request, handler)
        except (aiohttp.ClientError, OSError):
            self._state.lost(collection)
            raise
        self._state.sign()
        return response

    async def _list(
        self, collection: str, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        self._listed.discard(collection)
        request.headers["Accept"] = METADATA_LIST
        response = await self._page(collection, request, handler)
        if response.status == 404:
            await self._end(collection, response, "the CustomResourceDefinition is gone")
        if response.status == 410:
            response.release()
            raise aiohttp.ClientPayloadError("the continue token of the list has expired")
        if isinstance(response, WatchedResponse):
            response.is_known = self._is_known
        if response.status == 200:
            self._listed.add(collection)  # kopf only watches once it has read the list to its end
        else:
            self._failed(collection, response)
        return response

    def _failed(self, collection: str, response: aiohttp.ClientResponse) -> None:
        (self._state.refused if response.status == 403 else self._state.lost)(collection)

    async def _page(
        self, collection: str, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """With as many objects as fit, at most as many as kopf asks for."""
        size = self._sizes.setdefault(collection, PageSize(int(request.url.query.get("limit", "0")) or PAGE))
        while True:
            request.url = request.url.update_query(limit=str(size.limit))
            response = await handler(request)
            if response.status != 200 or not isinstance(response, WatchedResponse):
                return response
            page, complete = await response.read_page(PAGE_LIMIT)
            if complete:
                size.restore(len(page))
                return response
            if not size.shrink(page):
                log.warning(SKIPPED, response.leave_out())
                return response

    async def _watch(
        self, collection: str, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_watch.get(collection, 0.0) - loop.time())
        self._next_watch[collection] = loop.time() + WATCH_INTERVAL
        request.headers["Accept"] = METADATA
        response = await handler(request)
        if response.status == 404:
            await self._end(collection, response, "the CustomResourceDefinition is gone")
        if response.status == 410:
            await self._end(collection, response, "the watch has lost its place")
        if response.status == 200:
            self._state.opened(collection, listed=collection in self._listed)
            self._listed.discard(collection)
            # Only this attribute lets us read along; kopf uses its `iter_chunked`, aiohttp the rest, passed on.
            response.content = WatchedStream(response.content, self._state.sign, self._echoes)  # type: ignore[assignment]
        else:
            self._failed(collection, response)
        return response

    async def _end(self, collection: str, response: aiohttp.ClientResponse, reason: str) -> None:
        """Holds the request, so that kopf does not fail and fill the log, until the shell has stopped it."""
        response.release()
        self._state.lost(collection)
        self.reason = reason
        self.over.set()
        await asyncio.Event().wait()


class WatchedStream:
    """The body of a watch, line by line as it arrives, without what is nested too deeply for kopf, and without the echoes of
    our own writes."""

    def __init__(self, stream: aiohttp.StreamReader, sign: Callable[[], None], echoes: Echoes) -> None:
        self._stream, self._sign, self._echoes = stream, sign, echoes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines, in chunks of any size."""
        rest = b""
        async for chunk in self._stream.iter_chunked(size):
            self._sign()
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            if news := [line for line in lines if not self._echoes.is_one(line)]:
                yield b"".join(map(_readable, news))


class WatchedResponse(aiohttp.ClientResponse):
    """An answer whose JSON kopf can always read."""

    _page: bytes | None = None
    is_known: IsKnown = staticmethod(_nothing_is_known)
    """What of a list is left out."""

    async def read_page(self, limit: int) -> tuple[bytes, bool]:
        """The body, and whether that is all of it: of more than `limit` bytes only the start is read."""
        self._page, complete = await read_start(self.content, limit)
        if not complete:
            self.close()
        return self._page, complete

    def leave_out(self) -> str:
        """Makes an empty page of one whose start was read; returns the name of its first object."""
        try:
            start = read_page_start(self._page or b"")
        except Unreadable as error:
            raise _unusable(error) from None
        self._page = json.dumps({"metadata": start.metadata, "items": []}).encode()
        return start.first

    async def json(self, **options: Any) -> Any:
        """Like aiohttp's, but a success may hold what `json.loads` cannot read, and an empty list is never null.

        Raises `ClientPayloadError` for what is not JSON; kopf then lists again.
        """
        if self.status != 200:
            return await super().json(**options)
        body = await self.read() if self._page is None else self._page
        self._page = None
        try:
            if len(body) > INLINE_LIMIT:
                value = await asyncio.to_thread(decode_metadata, body, lean=True)
            else:
                value = decode_metadata(body, lean=True)
        except Unreadable as error:
            raise _unusable(error) from None
        if isinstance(value, dict) and "items" in value:
            value["items"] = [item for item in value["items"] or () if not self._shows_known(item)]
        return value

    def _shows_known(self, item: Any) -> bool:
        match item:
            case {"metadata": {"uid": str(uid), "resourceVersion": str(version)}}:
                return self.is_known(uid, version)
        return False


def _unusable(error: Unreadable) -> aiohttp.ClientPayloadError:
    return aiohttp.ClientPayloadError(f"the answer cannot be used: {error}")


def _readable(line: bytes) -> bytes:
    """The line, with its end; nothing if it cannot be read at all, which no API server writes."""
    if line.count(b"{") + line.count(b"[") > METADATA_DEPTH or len(line) > LEAN_LIMIT:
        try:
            line = json.dumps(decode_metadata(line, lean=True)).encode()
        except Unreadable as error:
            log.warning("dropped an event that cannot be read: %s", clip(str(error), 200))
            return b""
    return line + b"\n" if line else b""
