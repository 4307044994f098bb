"""Ports that are given out once."""

from __future__ import annotations

import itertools
import random
import socket

LOOPBACK = "127.0.0.1"
_RANGE = range(10_000, 32_000)
"""Below the ports that kernels give out by themselves: one that is free now stays free until its user binds it, also
while a server is down, however many tests run beside this one."""
_candidates = itertools.cycle(_RANGE)
next(itertools.islice(_candidates, random.SystemRandom().randrange(len(_RANGE)), None))


def free_port() -> int:
    """A port of loopback that nobody listens on, and that this process has not been given before."""
    for port in itertools.islice(_candidates, len(_RANGE)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
