"""`make demo`: what it prints is what the README shows, and what it leaves running can be used."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from controlplane import Client, locate
from stack import Process, Workloads

ROOT = Path(__file__).parents[2]
HANG_GUARD = 240.0
DIFFERS = {
    r"\(\d+\.\d s\)$|in \d+ s\.$": "(some time)",
    r"\d+s$": "(an age)",
    r"^ *\d+(?= +(GET|LIST|writes by|MiB) )": "(a number)",
    r" +": " ",
}
"""What is another in each run; all else is compared, counts of POST, PUT and DELETE with it."""


def what_stays(lines: list[str]) -> list[str]:
    for pattern, word in DIFFERS.items():
        lines = [re.sub(pattern, word, line) for line in lines]
    return [line for line in lines if line]


@pytest.fixture
def bare_machine(tmp_path):
    """An environment with the two servers and nothing else: neither kubectl nor Go."""
    (tmp_path / "servers").mkdir()
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / "servers" / name).symlink_to(locate(name))
    empty = str(tmp_path / "empty")
    return {"KUBEBUILDER_ASSETS": str(tmp_path / "servers"), "XDG_CACHE_HOME": empty, "PATH": empty}


def test_the_demo_prints_what_the_readme_shows_and_is_kept_on_request(bare_machine, tmp_path):
    shown = re.search(
        r"<!-- transcript: make demo -->\n+```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    command = [sys.executable, "-m", "demo"]
    env = {**bare_machine, "KEEP": "1", "PYTHONPATH": str(ROOT / "tests")}
    with Process(command, env=env, log=tmp_path / "demo.log") as demo:
        try:
            demo.wait_until("invitation", lambda: "/_admin" in demo.output(), timeout=HANG_GUARD)
            kubeconfig = re.search(r"export KUBECONFIG=(\S+)", demo.output())
            with Client(Path(kubeconfig[1])) as client:
                left = Workloads(client, "team-a").all()
        finally:
            demo.child.send_signal(signal.SIGINT)
            code = demo.wait()
    printed = demo.output().partition("\nEverything goes on running")[0]

    assert code == 0
    assert what_stays(printed.splitlines()) == what_stays(shown[1].splitlines())
    assert len(left) == 12
