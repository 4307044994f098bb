"""Run one server and never outlive whoever started it: `python supervisor.py COMMAND [ARGUMENT ...]`.

The starter holds the other end of standard input. When that closes, be it on purpose or because the starter was killed,
the server is killed; when the server ends, so does this process, with its exit code. Only the standard library, so that
it starts in milliseconds, and no PR_SET_PDEATHSIG, which macOS lacks and which fires when a mere thread ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main(command: list[str]) -> None:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def follow() -> None:
        os._exit(server.wait() & 0xFF)

    threading.Thread(target=follow, daemon=True).start()
    sys.stdin.buffer.read()
    server.kill()
    server.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
