"""What the programs of the package start with: each decides what is to be imported, and imports nothing else.

`runai-operator` (also `python -m runai_operator`) runs the operator, which listens for a stop before it imports what takes
long, and has the commands for people; `kubectl-rwl` has these alone, and `kubectl_complete-rwl` completes them for kubectl.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

OF_THE_OPERATOR = ("run", "orphans")
"""They need no extra."""
ORPHANS_OPTIONS = ("--delete", "--forget", "-h", "--help")
"""Of the operator's own `orphans`, for its pod; with anything else, that of the commands for people is meant."""
NO_EXTRA = "the commands for people need more: pip install 'runai-operator[cli]'"


def main() -> int:
    """The program `runai-operator`: as `main.main`, with the arguments of the process, or as `commands.cli.main`."""
    if _is_of_the_operator(sys.argv[1:]):
        from runai_operator.stopping import StopSignals  # noqa: PLC0415 - see above

        signals = StopSignals()
        from runai_operator.main import main as command  # noqa: PLC0415 - see above

        return command(signals=signals)
    return _people("runai-operator", "runai-operator")


def _is_of_the_operator(arguments: Sequence[str]) -> bool:
    if not arguments or arguments[0] not in OF_THE_OPERATOR:
        return False
    return arguments[0] == "run" or all(word in ORPHANS_OPTIONS for word in arguments[1:2])


def plugin() -> int:
    """The program `kubectl-rwl`, which kubectl finds on the PATH for `kubectl rwl`."""
    return _people("kubectl rwl", "kubectl-rwl")


def complete() -> int:
    """The program `kubectl_complete-rwl`, which kubectl asks what could come next."""
    try:
        from runai_operator.commands import cli  # noqa: PLC0415 - see above

        return cli.complete_for_kubectl()
    except (ImportError, KeyboardInterrupt):
        return 1


def _people(program: str, executable: str) -> int:
    try:
        try:
            from runai_operator.commands import cli  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            if str(error.name).startswith("runai_operator"):
                raise
            sys.stderr.write(f"{program}: {NO_EXTRA}\n")
            return 2
        if instruction := os.environ.get("_RUNAI_OPERATOR_COMPLETE"):
            return cli.answer_shell(executable, instruction)
        return cli.main(program=program)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
