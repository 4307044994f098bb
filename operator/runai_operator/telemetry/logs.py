"""The log: one line per record, as JSON or as text, with credentials scrubbed.

A log call about an object passes `extra={"namespace": ..., "object": ..., "uid": ...}`; `object` is shown as `name`,
which logging keeps for itself. Extras that are not strings, numbers or booleans are left out: they could be bodies.
"""

from __future__ import annotations

import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Any, TextIO

from runai_operator.text import clip, escaped

MESSAGE_LIMIT = 4096
EXTRA_LIMIT = 1024
EXCEPTION_LIMIT = 16 * 1024
"""Longest parts of a record, in characters. The middle of a longer traceback is left out."""

_SCAN_LIMIT = 256 * 1024
"""What lies beyond is cut off unread."""

QUIET_LOGGERS = ("kopf", "httpx", "httpcore", "aiohttp.access", "asyncio", "kubernetes", "urllib3")
"""Libraries that log requests or, at debug level, whole bodies: they log nothing below a warning."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_RENAMED = {"object": "name"}

_CREDENTIAL = (
    r"(?:client[_-]?secret|(?:access|refresh|id|bearer)[_-]?token|api[_-]?key|password|passwd|(?:proxy-)?authorization)"
)
_CREDENTIAL_EXTRA = re.compile(rf".*{_CREDENTIAL}|token|secret", re.IGNORECASE)
_BARE = r"[^\s,;&}\"']+"
_SECRETS = (
    (re.compile(r"\b(bearer)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*"), "***"),
    (
        re.compile(
            rf"({_CREDENTIAL}\\?[\"']?\s*[:=]\s*)(?:\\?\"[^\"]*\"|\\?'[^']*'|(?:(?:bearer|basic)\s+)?{_BARE})",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"(://)[^/\s:@]*:[^/\s@]+@"), r"\1***@"),
)
_SUSPECT = re.compile(r"[\s:=]|eyJ")
"""What each of them needs: names and ids, most of what is logged, have none of it."""


def configure(log_format: str, level: str, *, stream: TextIO | None = None) -> None:
    """Sends everything to `stream` (standard error by default) in `log_format`, `json` or `text`.

    `level` (`debug`, `info`, `warning`, `error`) is that of our own loggers. Libraries start at warning whatever it
    is: at debug level several of them log whole bodies. Raises KeyError for an unknown format or level.
    """
    wanted = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(stream)
    handler.setFormatter({"json": JsonFormatter, "text": TextFormatter}[log_format]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(wanted, logging.WARNING))
    logging.getLogger("runai_operator").setLevel(wanted)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(wanted, logging.WARNING))
    logging.captureWarnings(capture=True)


def redact(text: str) -> str:
    """`text` without bearer tokens, JWTs, values of credentials and passwords in addresses.

    A second line of defence: nothing of the kind should get as far as a log call.
    """
    if _SUSPECT.search(text) is None:
        return text
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _Formatter(logging.Formatter):
    """The parts of a record, scrubbed and bounded."""

    def message(self, record: logging.LogRecord) -> str:
        return _scrubbed(record.getMessage(), MESSAGE_LIMIT)

    def time(self, record: logging.LogRecord) -> str:
        """RFC 3339, UTC, milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def extras(self, record: logging.LogRecord) -> dict[str, Any]:
        """Our own, and the reference to the object that kopf's loggers attach."""
        own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        named = own.pop("k8s_ref", {}) | {_RENAMED.get(key, key): value for key, value in own.items()}
        return {
            key: "***" if _CREDENTIAL_EXTRA.fullmatch(key) else _plain(value)
            for key, value in named.items()
            if isinstance(value, str | int | float)
        }

    def exception(self, record: logging.LogRecord) -> str:
        """The traceback and, where asked for, the stack; empty without."""
        parts = [self.formatException(record.exc_info) if record.exc_info else "", record.stack_info or ""]
        return _without_middle(redact("\n".join(part for part in parts if part)), EXCEPTION_LIMIT)


class JsonFormatter(_Formatter):
    """One JSON object per line: ts, level, logger, message, the extras, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        exception = self.exception(record)
        return json.dumps(self.extras(record) | line | ({"exception": exception} if exception else {}))


class TextFormatter(_Formatter):
    """For people: time, level, logger, message, extras as key=value. Only a traceback takes further, indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {key}={_word(value)}" for key, value in self.extras(record).items())
        line = f"{self.time(record)} {record.levelname:<7} {record.name}: {escaped(self.message(record))}{extras}"
        traceback = self.exception(record).splitlines()
        return "\n".join([line, *(f"    | {escaped(part)}" for part in traceback)])


def _plain(value: str | float) -> str | int | float:
    """A value that JSON can hold: not-a-number and infinity become words."""
    if isinstance(value, str):
        return _scrubbed(value, EXTRA_LIMIT)
    return value if math.isfinite(value) else str(value)


def _word(value: str | float) -> str:
    """A value in a text line: quoted when it holds anything that would end the word."""
    text = escaped(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r"[\s\"=]", text) else text


def _scrubbed(text: str, limit: int) -> str:
    """Scrubbed before it is clipped: half a token would no longer be recognised."""
    return clip(redact(text[:_SCAN_LIMIT]), limit)


def _without_middle(text: str, limit: int) -> str:
    """The start of a traceback says where it came from and the end what happened."""
    if len(text) <= limit:
        return text
    head = limit // 4
    return f"{text[:head]}\n…\n{text[head - limit :]}"
