"""Which part of the operator, or of what it uses, CPU time belongs to: of what `bench.profiled` has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

PARTS = {
    "JSON": ("/json/", "codecs/json.py"),
    "YAML": ("/yaml/", "codecs/yaml.py"),
    "kopf": ("/kopf/", "runai_operator/handlers.py"),
    "TLS": ("/ssl.py", "/asyncio/sslproto.py"),
    "HTTP: httpx": ("/httpx/",),
    "HTTP: aiohttp": ("/aiohttp/", "/yarl/", "/multidict/", "runai/aiohttp_transport.py"),
    "metrics": ("/prometheus_client/", "telemetry/metrics.py"),
    "log": ("/logging/", "telemetry/logs.py"),
    "copies of frozen values": ("/dataclasses.py:replace", "/dataclasses.py:_replace"),
    "kube: requests and answers": ("runai_operator/kube/",),
    "runai: requests and answers": ("runai_operator/runai/",),
    "domain: rules and status": ("runai_operator/domain/",),
    "engine": ("runai_operator/engine/",),
    "asyncio": ("/asyncio/",),
}
"""The innermost frame that is of one of these says whose the time is."""
SERVED = {
    "for Events": "engine/events.py",
    "of the poller": "engine/poller.py",
    "to Run:ai": "runai_operator/runai/client.py",
    "to Kubernetes": "runai_operator/kube/client.py",
}


def by_part(file: Path) -> dict[int, Counter[str]]:
    """How often each part was met, by phase."""
    return _counted(file, part_of)


def by_function(file: Path) -> dict[int, Counter[str]]:
    """How often each function was the innermost one."""
    return _counted(file, lambda stack: _short(stack[0]))


def by_caller(file: Path) -> dict[int, Counter[str]]:
    """How often each function of ours was met with all that it calls."""
    found: dict[int, Counter[str]] = {}
    for many, phase, stack in _samples(file):
        for function in {_short(frame) for frame in stack if "/runai_operator/" in frame}:
            found.setdefault(phase, Counter())[function] += many
    return found


def part_of(stack: list[str]) -> str:
    for frame in stack:
        for part, marks in PARTS.items():
            if any(mark in frame for mark in marks):
                return part + _for_whom(stack) if part.startswith("HTTP") else part
    return "else"


def _for_whom(stack: list[str]) -> str:
    return next((f", {whom}" for whom, mark in SERVED.items() if any(mark in frame for frame in stack)), "")


def _counted(file: Path, key: Callable[[list[str]], str]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = {}
    for many, phase, stack in _samples(file):
        found.setdefault(phase, Counter())[key(stack)] += many
    return found


def _samples(file: Path) -> list[tuple[int, int, list[str]]]:
    samples = []
    for line in file.read_text().splitlines():
        many, phase, stack = line.split(" ", 2)
        samples.append((int(many), int(phase), stack.split(";")))
    return samples


def _short(frame: str) -> str:
    for folder in ("/site-packages/", "/runai_operator/", "/python3"):
        if folder in frame:
            return frame.rsplit(folder, 1)[1]
    return frame
