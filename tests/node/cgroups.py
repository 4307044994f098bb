"""The control groups that the node's pods live in: one of our own below the root, and gone afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

GROUP = "runai-operator-node"
ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids", "systemd")
GONE_SECONDS = 10


@contextlib.contextmanager
def group() -> Iterator[None]:
    """Make the group, of the first version of control groups or of the second; remove it with all below."""
    _remove()
    _make()
    try:
        yield
    finally:
        _remove()


def _make() -> None:
    if (ROOT / "cgroup.controllers").exists():
        (ROOT / GROUP).mkdir()
        return
    for name in CONTROLLERS:
        if (ROOT / name).exists():
            (ROOT / name / GROUP).mkdir()
    for file in ("cpuset.cpus", "cpuset.mems"):
        (ROOT / "cpuset" / GROUP / file).write_text((ROOT / "cpuset" / file).read_text())


def _remove() -> None:
    deadline = time.monotonic() + GONE_SECONDS  # a group is busy until the last of its processes is reaped
    while (left := _left()) and time.monotonic() < deadline:
        for folder in left:
            with contextlib.suppress(OSError):
                folder.rmdir()
        time.sleep(0.05)


def _left() -> list[Path]:
    """The deepest first."""
    found = [folder for top in (ROOT, *ROOT.glob("*/")) if (top / GROUP).is_dir() for folder in _below(top / GROUP)]
    return sorted(found, key=lambda folder: -len(folder.parts))


def _below(folder: Path) -> Iterator[Path]:
    yield folder
    for inner in folder.rglob("*"):
        if inner.is_dir():
            yield inner
