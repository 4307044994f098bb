"""A command as a person types it, with its exit code and what it wrote."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from runai_operator.commands import cli

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
    """Run `kubectl rwl`, away from whatever the machine has for a kubeconfig; fails if it shows a traceback.

    With a kubeconfig as a process of its own. Without one in this process, with an environment, a folder and streams of its own:
    to start one takes most of what such a command takes.
    """
    home = {"HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig or ""), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    run = _here if kubeconfig is None else _as_a_process
    done = run([str(argument) for argument in arguments], stdin, home | env, cwd)
    assert "Traceback" not in done.err, done.err
    return done


def _as_a_process(arguments: list[str], stdin: str, env: dict[str, str], cwd: Path | None) -> Done:
    done = subprocess.run(
        [BIN / "kubectl-rwl", *arguments],
        input=stdin,
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _here(arguments: list[str], stdin: str, env: dict[str, str], cwd: Path | None) -> Done:
    """Not for what speaks TLS to a cluster: how its connections end is left to the end of the process."""
    out, err = _stream(), _stream()
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "stdin", _stream(stdin)),
        contextlib.chdir(cwd or "."),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = cli.main(arguments)
    return Done(code, _text(out), _text(err))


def _stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
