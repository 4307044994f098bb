"""Whose certificates are accepted for the control plane.

Admitted here: TLS contexts, and when the file of certificate authorities is read again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import httpx

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]
"""What changes with a file: a mounted ConfigMap or Secret is replaced, others are written in place."""


class Trust:
    """The authorities in one file and no others, or the built-in ones."""

    def __init__(self, ca_file: Path | None) -> None:
        """Raises `ValueError` for a file that cannot be used."""
        self._ca_file = ca_file
        self._stamp = _stamp(ca_file)
        try:
            self.context = _context(ca_file)
        except OSError as error:
            raise ValueError(f"RUNAI_CA_FILE cannot be used: {_why(error)}.") from None

    async def renew(self) -> bool:
        """Whether the file has changed, and `context` with it. One that cannot be used changes nothing."""
        stamp = _stamp(self._ca_file)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.context = await asyncio.to_thread(_context, self._ca_file)
        except OSError as error:
            log.warning(
                "kept the old certificate authorities for Run:ai, since the file cannot be used: %s", _why(error)
            )
            return False
        log.info("read the certificate authorities for Run:ai again")
        return True


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    # Python 3.13 requires key identifiers, which curl and Go do not, nor do authorities of one's own always have them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _stamp(path: Path | None) -> _Stamp | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def _why(error: OSError) -> str:
    return "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror or "it cannot be read"
