"""The command `runai-simulator`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from runai_simulator.app import Simulator
from runai_simulator.server import listen, make_server
from runai_simulator.switches import Switches


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 when stopped by a signal, 2 for arguments that cannot be used."""
    args = _parser().parse_args(argv)
    try:
        simulator = Simulator(Switches().changed(dict(map(_switch, args.switch))), seed=args.seed)
        server = make_server(simulator, tls_cert=args.tls_cert, tls_key=args.tls_key)
        server.config.load()  # the certificate, before anything is promised
        socket = listen(args.host, args.port)
    except (ValueError, OverflowError, OSError) as error:
        print(f"runai-simulator: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 2
    host, port = socket.getsockname()[:2]
    scheme = "https" if args.tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    print(f"runai-simulator listening on {scheme}://{shown}:{port}", flush=True)  # noqa: T201 - scripts read it
    # The server ends in good order and then raises the signal once more, for whoever had it before.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[socket])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runai-simulator", description="A stand-in for the Run:ai control plane, with its state in memory."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve until stopped")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000, help="0 takes a free one; the first line printed shows it")
    serve.add_argument("--tls-cert", help="PEM file; with --tls-key")
    serve.add_argument("--tls-key")
    serve.add_argument("--seed", type=int, help="makes ids and faults with a probability repeatable")
    names = ", ".join(field.name for field in fields(Switches))
    serve.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help=f"one of {names}")
    return parser


def _switch(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise ValueError(f"--switch takes NAME=VALUE, not {text}")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"{name} is true, false or a number") from None
