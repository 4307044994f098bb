"""`make demo`: what it prints is what the README shows, and what it leaves running can be used."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from controlplane import Client, locate
from stack import Process, Workloads

ROOT = Path(__file__).parents[2]
HANG_GUARD = 240.0
DIFFERS = {
    r"\(\d+\.\d s\)$|in \d+ s\.$": "(some time)",
    r"\d+s$": "(an age)",
    r"^ *\d+(?= +(GET|LIST|writes by|Events|MiB) )": "(a number)",
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
    printed, _, kept = demo.output().partition("\nEverything goes on running")

    assert code == 0
    assert what_stays(printed.splitlines()) == what_stays(shown[1].splitlines())
    assert len(left) == 12
    assert "There is no kubectl here" in kept
    assert "There is no kube-controller-manager here" in kept


@pytest.fixture
def full_machine():
    """Where `make binaries` was run."""
    if any(locate(name) is None for name in ("kubectl", "kube-controller-manager")):
        pytest.skip("not all programs are here: make binaries")
    return {"PYTHONPATH": str(ROOT / "tests"), "KEEP": "1"}


def test_what_is_kept_can_be_used_as_printed_and_ends_on_sigterm_with_all_that_was_started(full_machine, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {**full_machine, "TMPDIR": str(temporary)}
    with Process([sys.executable, "-m", "demo"], env=env, log=tmp_path / "demo.log") as demo:
        demo.wait_until("invitation", lambda: "/_admin" in demo.output(), timeout=HANG_GUARD)
        kept = demo.output().partition("\nEverything goes on running")[2]
        started = psutil.Process(demo.child.pid).children(recursive=True)
        lines = "\n".join(re.findall(r"^  (export .*|kubectl .*)$", kept, re.MULTILINE))
        listed = bash(lines)
        metrics, log = re.findall(r"metrics are at (http\S+), its log is (\S+)\.\n", kept)[0]
        shown = httpx.get(metrics, trust_env=False).text
        logged = Path(log).read_text()
        bash(f"{lines}\nkubectl delete namespace team-a --timeout=100s")
        demo.child.send_signal(signal.SIGTERM)
        code = demo.wait()
    _, alive = psutil.wait_procs(started, timeout=30)

    assert "chat-server" in listed
    assert "runai_operator_workloads" in shown
    assert '"Created"' in logged
    assert code == 128 + signal.SIGTERM
    assert len(started) >= 4, "two servers, the simulator and the operator at least"
    assert alive == []
    assert list(temporary.iterdir()) == []


def bash(script: str) -> str:
    done = subprocess.run(["bash", "-c", f"set -e\n{script}"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_ends_on_sigterm_at_once_while_it_still_starts_things(full_machine, tmp_path):
    with Process([sys.executable, "-m", "demo"], env=full_machine, log=tmp_path / "demo.log") as demo:
        demo.wait_until("the operator", lambda: "The operator" in demo.output(), timeout=HANG_GUARD)
        started = psutil.Process(demo.child.pid).children(recursive=True)
        demo.child.send_signal(signal.SIGTERM)
        code = demo.wait()
    _, alive = psutil.wait_procs(started, timeout=30)

    assert code == 128 + signal.SIGTERM
    assert started
    assert alive == []
