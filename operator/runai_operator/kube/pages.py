"""Pages of lists, bounded in bytes: annotations may fill 256 KiB of each object, and client-side apply does that.

A page that is too large is asked for again with at most half the limit, down to one object, which is then left out. Whoever
may create objects can so neither exhaust the operator's memory nor keep it from starting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from runai_operator.codecs.json import Unreadable, decode_json

PAGE_LIMIT = 8 * 1024 * 1024
"""Bytes of one page. An object has at most some 2 MiB, whatever etcd holds of it."""

SKIPPED = "skipped RunaiWorkload %s: it alone is larger than a page of a list may be"

_METADATA = re.compile(rb'"metadata"\s*:\s*(\{[^{}]*\})')
_CONTENT = re.compile(rb'"(?:items|rows)"\s*:')
_UID = b'"uid":'
_FIELD = rb'"%b"\s*:\s*"([^"\\]{1,253})"'


class PageSize:
    """How many objects to ask for at once."""

    def __init__(self, most: int) -> None:
        self.limit = self._most = most

    def shrink(self, start: bytes) -> bool:
        """After a page that was too large, of which this is the start: to as many as are in it, but to half at most, and
        to one at least. False if it was a single object."""
        if self.limit == 1:
            return False
        self.limit = max(1, min(self.limit // 2, start.count(_UID)))
        return True

    def restore(self, length: int) -> None:
        """For a page of so many bytes: after small ones the next may be larger again."""
        if length * 4 <= PAGE_LIMIT:
            self.limit = min(self._most, self.limit * 2)


@dataclass(frozen=True, slots=True)
class PageStart:
    """What the beginning of a page says: the list's own metadata, and the first object."""

    metadata: Mapping[str, Any]
    first: str
    """Namespace and name, as far as they can be read."""


def read_page_start(start: bytes) -> PageStart:
    """From the first bytes of a page, in which the API server puts them; raises `Unreadable`."""
    content = _CONTENT.search(start)
    found = _METADATA.search(start, 0, content.start()) if content else None
    if content is None or found is None:
        raise Unreadable("it is too large, and does not begin as a list does")
    named = [re.compile(_FIELD % field).search(start, content.end()) for field in (b"namespace", b"name")]
    return PageStart(decode_json(found[1]), "/".join(match[1].decode(errors="replace") for match in named if match))


async def read_start(stream: aiohttp.StreamReader, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of a body, and whether that is all."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True
