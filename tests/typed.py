"""A command as a person types it: a process of its own, with its exit code and what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Done:
    """How it ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line on standard error, without the program's name; fails where there is more."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0].partition(": ")[2]


def rwl(
    *arguments: object, stdin: str = "", kubeconfig: Path | None = None, cwd: Path | None = None, **env: str
) -> Done:
    """Run `kubectl rwl`, away from whatever the machine has for a kubeconfig; fails if it shows a traceback."""
    home = {"HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig or ""), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    done = subprocess.run(
        [BIN / "kubectl-rwl", *map(str, arguments)],
        input=stdin,
        env=home | env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
