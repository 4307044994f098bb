"""The command `runai-operator`, and `python -m runai_operator`: listens for a stop before it imports what takes long."""

from __future__ import annotations

import sys

from runai_operator.stopping import StopSignals


def main() -> int:
    """As `main.main`, with the arguments of the process."""
    signals = StopSignals()
    from runai_operator.main import main as command  # noqa: PLC0415 - see above

    return command(signals=signals)


if __name__ == "__main__":
    sys.exit(main())
