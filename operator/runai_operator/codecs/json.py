"""Reading JSON that other people wrote: what cannot be read is an answer, never a crash."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

MAX_DEPTH = 500
"""Deepest nesting we take: half of what Python's own readers and writers can recurse through."""


class Unreadable(ValueError):
    """The text is not JSON as we take it; the message says why in a few words and never quotes it."""


class TooDeep(Unreadable):
    """It is nested too deeply, and may be JSON for all we know; see `cut`."""


_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}]', re.DOTALL)
_COLON = re.compile(rb"\s*+:")


def decode_json(
    data: bytes, *, max_depth: int = MAX_DEPTH, object_hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """The value of a JSON text in UTF-8, objects replaced by what `object_hook` makes of them; raises only `Unreadable`
    (`TooDeep` for nesting).

    Stricter than `json.loads`: no nesting beyond `max_depth`, no NaN or infinite numbers, no UTF-16. Escaped halves of
    surrogate pairs, which JSON allows and UTF-8 cannot hold, become question marks.
    """
    try:
        value = json.loads(data.decode(), object_hook=object_hook, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at character {error.pos}") from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("a number has too many digits") from None
    if data.count(b"[") + data.count(b"{") > max_depth and is_deeper(value, max_depth):
        raise _too_deep(max_depth)
    return _without_lone_surrogates(value) if b"\\ud" in data or b"\\uD" in data else value


def cut(data: bytes, *paths: str) -> bytes:
    """The JSON text with null in place of every object or list at one of `paths`, whatever is inside it.

    For texts that cannot be decoded as they are. A path is keys joined by dots, with `*` for the items of a list, such
    as `items.*.metadata.managedFields`. What is not JSON comes back as something that is not JSON either.
    """
    wanted = {tuple(path.encode().split(b".")) for path in paths}
    longest = max(map(len, wanted), default=0)
    way: list[bytes] = []  # for each open container: the key we are at, `*` in a list
    pieces: list[bytes] = []
    copied = 0
    begin: tuple[int, int] | None = None  # depth and place of the container that is being cut
    for token in _TOKEN.finditer(data):
        mark = token.group()
        if mark in (b"{", b"["):
            if begin is None and len(way) <= longest and tuple(way) in wanted:
                begin = len(way), token.start()
            way.append(b"*" if mark == b"[" else b"")
        elif mark in (b"}", b"]"):
            del way[-1:]
            if begin is not None and begin[0] == len(way):
                pieces += [data[copied : begin[1]], b"null"]
                copied, begin = token.end(), None
        elif begin is None and way and way[-1] != b"*" and _COLON.match(data, token.end()):
            way[-1] = mark[1:-1]
    return b"".join([*pieces, data[copied:]])


def is_deeper(value: Any, limit: int) -> bool:
    """Whether containers are nested beyond `limit`; goes level by level, since recursion is what we guard against."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        children = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for siblings in children for child in siblings if isinstance(child, dict | list)]
        if not level:
            return False
    return bool(level)


def _without_lone_surrogates(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return value


def _too_deep(max_depth: int) -> TooDeep:
    return TooDeep(f"nested deeper than {max_depth} levels")


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Unreadable("a number is too large")
    return number
