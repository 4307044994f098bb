"""Proxy variables: what Go programs accept, and clear words for the rest."""

from __future__ import annotations

import pytest

from runai_operator.proxy import bypasses, proxy_url

HOST = "runai.example.com"


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "expected"),
    [
        ("", HOST, 443, False),
        (" , ,", HOST, 443, False),
        ("*", HOST, 443, True),
        ("other.com, *", HOST, 443, True),
        (HOST, HOST, 443, True),
        ("RunAI.Example.COM", HOST, 443, True),
        ("example.com", HOST, 443, True),
        ("example.com", "example.com", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", HOST, 443, True),
        (".example.com", "example.com", 443, False),
        ("*.example.com", HOST, 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com:443", HOST, 443, True),
        ("com", HOST, 443, True),
        ("example.org", HOST, 443, False),
        (f"{HOST}:443", HOST, 443, True),
        (f"{HOST}:8443", HOST, 443, False),
        ("example.com:443", HOST, 443, True),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:443", "10.0.0.1", 443, True),
        ("10.0.0.1:80", "10.0.0.1", 443, False),
        ("10.0.0.1", "10.0.0.10", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.1.2.3/8", "10.9.9.9", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", HOST, 443, False),
        ("fd00::/8", "fd00::17", 443, True),
        ("fd00::/8", "fe80::17", 443, False),
        ("fd00::/8", "10.0.0.1", 443, False),
        ("fd00::17", "fd00::17", 443, True),
        ("FD00:0:0::17", "fd00::17", 443, True),
        ("[fd00::17]", "fd00::17", 443, True),
        ("[fd00::17]:443", "fd00::17", 443, True),
        ("[fd00::17]:80", "fd00::17", 443, False),
        ("localhost,127.0.0.1,[::1],::1,.svc,.cluster.local,169.254.169.254", HOST, 443, False),
        ("", "localhost", 443, True),
        ("", "127.0.0.5", 443, True),
        ("", "::1", 443, True),
    ],
)
def test_an_address_is_exempt_as_it_is_for_go(no_proxy, host, port, expected):
    assert bypasses(no_proxy, host, port) is expected


@pytest.mark.parametrize(
    "entry",
    ["http://example.com", "10.*", "a b.com", "10.0.0.0/33", "fd00::/129", "[::1", ":80", "example.com:http", "a\nb"],
)
def test_an_entry_that_exempts_nothing_is_refused_even_after_one_that_exempts_all(entry):
    with pytest.raises(ValueError, match="is not a name, an address or a network such as"):
        bypasses(f"*,{entry}", HOST, 443)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("https://proxy", "https://proxy"),
        ("HTTP://Proxy:3128/", "HTTP://Proxy:3128/"),
        ("proxy:3128", "http://proxy:3128"),
        ("10.0.0.1", "http://10.0.0.1"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("http://me:s%23cret@proxy:3128", "http://me:s%23cret@proxy:3128"),
        ("me:secret@proxy:3128", "http://me:secret@proxy:3128"),
    ],
)
def test_a_proxy_is_an_address_with_or_without_a_scheme(given, used):
    assert proxy_url(given) == used


@pytest.mark.parametrize(
    "text",
    [
        "http://me:s3cret#@proxy:3128",
        "http://me:s3cret@proxy:3128#",
        "http://me:s3cret@proxy:3128\nX",
        "http://me:s3cret@proxy:3128/path",
        "http://me:s3cret@proxy:3128?x",
        "http://me:s3cret@proxy:0",
        "http://me:s3cret@proxy:99999",
        "http://me:s3cret@[::zz]:3128",
        "ftp://me:s3cret@proxy:3128",
        "http://",
        "socks5://me:s3cret@proxy:1080",
        "SOCKS5H://me:s3cret@proxy:1080",
        "socks4://me:s3cret@proxy",
    ],
)
def test_what_cannot_be_a_proxy_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"HTTP proxy|an address such as") as refused:
        proxy_url(text)

    assert "s3cret" not in str(refused.value)
    assert ("SOCKS" in str(refused.value)) is text.lower().startswith("socks")
