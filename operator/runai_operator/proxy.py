"""Proxy variables, read as Go programs read them: which proxy to use, and for which addresses none.

Pure. A value that cannot be used raises `ValueError` with the rest of a sentence about its variable; that of a proxy is
never repeated, since it may hold a password.
"""

from __future__ import annotations

import ipaddress
import re

PROXY = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^\s/?#@]*@)?"
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:\*?\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_WITH_PORT = re.compile(r"(?P<host>\[[^]]*\]|[^:]*):(?P<port>[0-9]{1,5})")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_url(text: str) -> str:
    """The URL of an HTTP proxy; one without a scheme is `http`."""
    match = PROXY.fullmatch(text)
    if match and (match["scheme"] or "").lower().startswith("socks"):
        raise ValueError("is a SOCKS proxy, which is not supported: give the address of an HTTP proxy")
    if (
        not match
        or (match["scheme"] or "http").lower() not in ("http", "https")
        or (match["ipv6"] is not None and _address(match["ipv6"]) is None)
        or (match["port"] is not None and not 0 < int(match["port"]) < 65536)
    ):
        raise ValueError(
            "must be an address such as http://proxy.example.com:3128, with special characters of a password"
            " percent-encoded"
        )
    return text if match["scheme"] else f"http://{text}"


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether `NO_PROXY` exempts this address. As in Go, this machine itself always is.

    Entries are `*`, a name (which includes what is below it; with a leading `.` or `*.` only that), an IPv4 or IPv6
    address, or a network such as `10.0.0.0/8`; all but a network may end in `:port`.
    """
    address = _address(host)
    if host.lower() == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = [entry for part in no_proxy.split(",") if (entry := part.strip().lower())]
    exempting = [entry for entry in entries if _exempts(entry, host.lower(), address, port)]
    return bool(exempting)


def _exempts(entry: str, host: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        network = _network(entry)
        return address is not None and address in network
    wanted, only = entry, port
    if match := _WITH_PORT.fullmatch(entry):
        wanted, only = match["host"], int(match["port"])
    if wanted.startswith("[") and wanted.endswith("]"):
        wanted = wanted[1:-1]
    if (exempt := _address(wanted)) is not None:
        return exempt == address and only == port
    if not _NAME.fullmatch(wanted):
        raise _wrong(entry)
    below = wanted.removeprefix("*").rstrip(".")
    is_meant = host.endswith(below) if below.startswith(".") else f".{host}".endswith(f".{below}")
    return is_meant and only == port


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    network, slash, length = entry.partition("/")
    try:
        return ipaddress.ip_network(f"{network.removeprefix('[').removesuffix(']')}{slash}{length}", strict=False)
    except ValueError:
        raise _wrong(entry) from None


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _wrong(entry: str) -> ValueError:
    return ValueError(
        f"has {entry[:80]!r}, which is not a name, an address or a network such as .example.com, 10.0.0.1:443, [::1] or"
        " 10.0.0.0/8"
    )
