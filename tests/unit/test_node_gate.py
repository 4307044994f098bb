"""Where no pods can run the tests of the node say why, and with E2E=1 that is a failure: a gate must not pass unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from node import prepare

ROOT = Path(__file__).parents[2]
REASON = "no pods can run here (no Docker engine answers; kind needs one): make test-node makes a node of its own"


@pytest.mark.parametrize(
    ("demanded", "code", "word"), [("", 0, "SKIPPED"), ("1", 1, "Failed")], ids=["on their own", "with E2E=1"]
)
def test_without_engines_they_skip_with_a_reason_or_fail(tmp_path, demanded, code, word):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/node", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "E2E": demanded},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == code, done.stdout
    assert " passed" not in done.stdout
    assert word in done.stdout
    assert REASON in done.stdout


@pytest.mark.parametrize(
    ("system", "uid", "words"),
    [("Darwin", 0, "this is Darwin"), ("Linux", 1000, "this is not root")],
)
def test_where_no_node_can_run_one_sentence_says_why(monkeypatch, system, uid, words):
    monkeypatch.setattr(prepare.platform, "system", lambda: system)
    monkeypatch.setattr(prepare.os, "geteuid", lambda: uid)

    with pytest.raises(prepare.NotHere) as caught:
        prepare.check()

    assert str(caught.value).endswith(words)
    assert "\n" not in str(caught.value)


def test_without_namespaces_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(prepare.platform, "system", lambda: "Linux")
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 0)
    monkeypatch.setattr(prepare.shutil, "which", lambda *_, **__: None)

    with pytest.raises(prepare.NotHere, match="namespaces are refused here"):
        prepare.check()


def test_no_service_of_the_machine_starts_while_packages_are_installed(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(prepare, "POLICY", policy)
    with prepare._no_service_starts():
        code = subprocess.run([policy, "containerd", "start"], check=False).returncode

    assert code == 101
    assert not policy.exists()


def test_what_somebody_has_decided_about_services_stays(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    monkeypatch.setattr(prepare, "POLICY", policy)
    with prepare._no_service_starts():
        assert policy.read_text() == "theirs"

    assert policy.read_text() == "theirs"
