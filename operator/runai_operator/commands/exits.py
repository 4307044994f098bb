"""How a command ends: the exit codes that scripts rely on, and the error that carries one."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Part of the contract: a code is added, and never changes its meaning."""

    OK = 0
    """Done, and nothing was found wrong."""
    FAILED = 1
    """What was looked at is not as it should be, or what was asked for failed."""
    USAGE = 2
    """Wrong options, arguments or settings, or a file that cannot be read."""
    NO_ACCESS = 3
    """Kubernetes or Run:ai cannot be reached, refuses, or does not know RunaiWorkloads."""
    TIMEOUT = 4
    """Time was up first."""
    DEFECT = 70
    """An unexpected error, which is a defect of this program."""
    HUNG_UP = 129
    """SIGHUP."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read the output has stopped reading."""
    TERMINATED = 143
    """SIGTERM."""


MEANINGS = {
    ExitCode.OK: "done, and nothing was found wrong",
    ExitCode.FAILED: "what was looked at is not as it should be, or what was asked for failed",
    ExitCode.USAGE: "wrong options, arguments or settings, or a file that cannot be read",
    ExitCode.NO_ACCESS: "Kubernetes or Run:ai cannot be reached, refuses, or does not know RunaiWorkloads",
    ExitCode.TIMEOUT: "time was up first",
    ExitCode.DEFECT: "an unexpected error, which is a defect of this program",
    ExitCode.HUNG_UP: "the terminal was closed (SIGHUP)",
    ExitCode.INTERRUPTED: "Ctrl-C",
    ExitCode.BROKEN_PIPE: "whoever read the output has stopped reading",
    ExitCode.TERMINATED: "stopped from outside (SIGTERM)",
}
"""For the help and the documentation."""


class CommandError(Exception):
    """Ends a command with one sentence on standard error."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        """`message`: what is wrong, where, and what to do; on one line."""
        super().__init__(message)
        self.message, self.code = message, code
