"""The commands that an installation puts on the PATH, and the same as modules: other people's scripts call them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runai_operator import __version__

BIN = Path(sys.executable).parent
OPERATOR = {"as a command": [BIN / "runai-operator"], "as a module": [sys.executable, "-m", "runai_operator"]}
SIMULATOR = {"as a command": [BIN / "runai-simulator"], "as a module": [sys.executable, "-m", "runai_simulator"]}


def run(command, *arguments):
    return subprocess.run(
        [*command, *arguments], env={"COLUMNS": "200"}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", OPERATOR.values(), ids=OPERATOR)
def test_the_operator_tells_its_version(command):
    done = run(command, "--version")

    assert (done.returncode, done.stdout) == (0, f"runai-operator {__version__}\n")


@pytest.mark.parametrize("command", OPERATOR.values(), ids=OPERATOR)
def test_without_access_to_runai_one_line_says_what_is_missing(command):
    done = run(command, "run")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    for name in ("RUNAI_BASE_URL", "RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET"):
        assert name in done.stderr


@pytest.mark.parametrize("command", SIMULATOR.values(), ids=SIMULATOR)
def test_the_simulator_has_its_options(command):
    done = run(command, "serve", "--help")

    assert done.returncode == 0
    for option in ("--host", "--port", "--tls-cert", "--tls-key"):
        assert f"{option} " in done.stdout
