"""Where the end-to-end tests cannot run they say why, and with E2E=1 that is a failure: a gate must not pass unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REASONS = ("no Docker engine answers; kind needs one",)


@pytest.mark.parametrize(
    ("demanded", "code", "word"), [("", 0, "SKIPPED"), ("1", 1, "Failed")], ids=["on their own", "with E2E=1"]
)
def test_without_engines_they_skip_with_a_reason_or_fail(tmp_path, demanded, code, word):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/e2e", "-q", "-p", "no:cacheprovider"],
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
    assert [reason for reason in REASONS if reason not in done.stdout] == []
