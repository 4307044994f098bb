"""`python -m repeat COUNT`: runs `make test` again and again, every other time beside a busy core.

`PYTEST_ARGS` in the environment is for each run, as it is where `make test` is called.
Tells each test that ever failed, how often, and where the output is. The exit code is 0 if every run passed, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

SPIN = "while True: pass"


def main() -> int:
    parser = argparse.ArgumentParser(prog="repeat", description=__doc__)
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="repeated-tests-"))
    failures: Counter[str] = Counter()
    for number in range(1, given.count + 1):
        busy = number % 2 == 0
        began = time.monotonic()
        with busy_core() if busy else contextlib.nullcontext():
            failed = one_run(os.environ.get("PYTEST_ARGS", ""), folder / f"{number}.xml", folder / f"{number}.log")
        failures.update(failed)
        beside = " beside a busy core" if busy else ""
        verdict = f"{len(failed)} failed, see {folder / f'{number}.log'}" if failed else "passed"
        print(f"run {number} of {given.count}{beside}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    for name, count in failures.most_common():
        print(f"failed {count} of {given.count} times: {name}")
    return 1 if failures else 0


def one_run(pytest_args: str, report: Path, log: Path) -> list[str]:
    """The tests that failed."""
    command = [
        "make",
        "--no-print-directory",
        "test",
        f"PYTEST_ARGS={pytest_args} --junitxml={shlex.quote(str(report))}",
    ]
    with log.open("wb") as output:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    failed = []
    if report.exists():
        failed = [
            f"{case.get('classname')}::{case.get('name')}"
            for case in ET.parse(report).iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None
        ]
    if code and not failed:
        failed = [f"the run itself, with exit code {code}"]
    return sorted(set(failed))


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Somebody else takes a core, as long as the block lasts."""
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinning:
        try:
            yield
        finally:
            spinning.kill()


if __name__ == "__main__":
    sys.exit(main())
