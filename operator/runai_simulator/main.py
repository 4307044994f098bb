"""The command `runai-simulator`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from types import TracebackType
from typing import Any, Protocol, Self

from runai_simulator.switches import Switches


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 after SIGTERM or SIGINT, at any moment, 2 for arguments that cannot be used, or without the extra."""
    with Signals() as signals:
        return _serve(_parser().parse_args(argv), signals)


class Stoppable(Protocol):
    """The simulator's server; its module takes most of the start to import."""

    should_exit: bool


class Signals:
    """SIGTERM and SIGINT while the command runs: they are noted, and the server ends in good order.

    Nothing is raised where they happen to arrive: an exception between two steps leaves the one before undone.
    """

    def __init__(self) -> None:
        self.told_to_stop = False
        self._server: Stoppable | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # The process is ending, and one who asks twice must not spoil its exit code.
            signal.signal(number, signal.SIG_IGN if self.told_to_stop else handler)

    def stop(self, server: Stoppable) -> None:
        """Makes a signal stop this server, also one that came before."""
        self._server = server
        if self.told_to_stop:
            server.should_exit = True

    def _hear(self, *_: object) -> None:
        self.told_to_stop = True
        if self._server is not None:
            self._server.should_exit = True


def _serve(args: argparse.Namespace, signals: Signals) -> int:
    try:
        # Most of the start: a stop must be heard by then.
        from runai_simulator.app import Simulator  # noqa: PLC0415
        from runai_simulator.server import listen, make_server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        print(f"runai-simulator: {missing} is missing: pip install 'runai-operator[simulator]'", file=sys.stderr)  # noqa: T201
        return 2
    try:
        simulator = Simulator(Switches().changed(dict(map(_switch, args.switch))), seed=args.seed)
        server = make_server(simulator.app, tls_cert=args.tls_cert, tls_key=args.tls_key)
        server.config.load()  # the certificate, before anything is promised
        socket = listen(args.host, args.port)
    except (ValueError, OverflowError, OSError) as error:
        print(f"runai-simulator: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 2
    signals.stop(server)
    if signals.told_to_stop:
        return 0
    host, port = socket.getsockname()[:2]
    scheme = "https" if args.tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    print(f"runai-simulator listening on {scheme}://{shown}:{port}", flush=True)  # noqa: T201 - scripts read it
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
