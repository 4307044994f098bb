"""On what, and with what, something was measured: a figure without that is worth nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[2]
LIBRARIES = ("kopf", "aiohttp", "httpx", "kubernetes")


def described(command: str) -> str:
    """A few lines: command, revision, machine, versions."""
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return "\n".join(
        (
            f"{command}, at {revision or 'an unknown revision'}",
            (
                f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()};"
                f" load {load}"
            ),
            f"Python {platform.python_version()}, {libraries}",
        )
    )
