"""The command line for people, `kubectl rwl` and `runai-operator`: which commands there are, and how each one ends.

A command's module is imported when the command is called, since a shell that completes, and a person who asks for help,
wait for what is imported. This is the one place where exceptions become a sentence and an exit code.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from runai_operator import __version__
from runai_operator.commands.exits import MEANINGS, CommandError, ExitCode
from runai_operator.commands.signals import as_ctrl_c
from runai_operator.text import one_line


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command as the list of commands shows it, without importing it."""

    name: str
    short_help: str
    section: str

    def load(self) -> click.Command:
        """The `command` of its module."""
        module = MODULES.get(self.name, self.name.replace("-", "_"))
        loaded: click.Command = import_module(f"runai_operator.commands.{module}").command
        return loaded


BEFORE, TAKE_OVER = "Before you submit", "Workloads that already run"
LIFE, LEAVE = "See and steer workloads", "To leave"
HELP, ABOUT, OPERATOR = "When something is wrong", "About this program", "The operator itself"

COMMANDS = (
    LazyCommand("wrap", "Turn any manifests into RunaiWorkloads.", BEFORE),
    LazyCommand("validate", "Find out what is wrong with RunaiWorkloads before they are submitted.", BEFORE),
    LazyCommand("import", "Turn workloads that already run in Run:ai into RunaiWorkloads.", TAKE_OVER),
    LazyCommand("explain", "Explain the state of workloads: asked, sent, shown, waited for, and what to do.", LIFE),
    LazyCommand("wait", "Wait until workloads are ready, completed or deleted, or have failed.", LIFE),
    LazyCommand("refresh", "Have the operator read Run:ai at once, and wait until it has.", LIFE),
    LazyCommand("pause", "Stop all writes to Run:ai for workloads, until they are resumed.", LIFE),
    LazyCommand("resume", "Take a pause back: what waits is sent to Run:ai.", LIFE),
    LazyCommand("orphan", "Remove RunaiWorkloads, and leave their workloads in Run:ai.", LIFE),
    LazyCommand(
        "orphans", "List, delete or forget workloads that stayed in Run:ai although their object is gone.", LIFE
    ),
    LazyCommand("export", "Turn RunaiWorkloads back into plain manifests or commands of Run:ai.", LEAVE),
    LazyCommand("doctor", "Find out what is wrong with an installation, and what to do.", HELP),
    LazyCommand("completion", "Print what a shell needs to complete commands, options and names.", ABOUT),
    LazyCommand("version", "Show the versions of this program, the operator and the CRD.", ABOUT),
)
"""In the order in which they are listed; the sections come in the order of their first command."""

OF_THE_OPERATOR = {
    "run": "Run the operator; it is configured by environment variables.",
}
"""What `runai-operator` does without any of this; `__main__` knows."""

MODULES: dict[str, str] = {"import": "importing", "orphans": "left_behind"}
"""Commands whose modules cannot have their names."""


class CommandLine(click.Group):
    """All commands, each imported when it is called."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [entry.name for entry in COMMANDS]

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return next((entry.load() for entry in COMMANDS if entry.name == name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = [entry.name for entry in COMMANDS]
        if args[0] in known or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        nearest = difflib.get_close_matches(args[0], known, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise click.UsageError(f"There is no command {args[0]}.{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(entry.section for entry in COMMANDS):
            with formatter.section(section):
                formatter.write_dl([(one.name, one.short_help) for one in COMMANDS if one.section == section])
        if ctx.info_name == "runai-operator":
            with formatter.section(OPERATOR):
                formatter.write_dl(list(OF_THE_OPERATOR.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
        formatter.write_paragraph()
        formatter.write_text(f"{ctx.info_name} COMMAND --help shows options and examples of a command.")


def command_line() -> CommandLine:
    """The group; `main` runs it."""
    return CommandLine(
        help="Work with RunaiWorkloads: NVIDIA Run:ai workloads as objects of Kubernetes.",
        params=[_version_option()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=True,
    )


def main(arguments: Sequence[str] | None = None, *, program: str = "kubectl rwl") -> int:
    """Runs a command and returns its exit code; whatever happens, no exception leaves this function."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    with as_ctrl_c() as signals:
        try:
            code = _run(given, program)
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_output()
            return ExitCode.BROKEN_PIPE
        except (KeyboardInterrupt, EOFError, click.Abort):
            return ExitCode(128 + signals[0]) if signals else ExitCode.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last place where it could be caught
            sentence, ending = _told(error)
            return _end(program, sentence, ending)
    return int(code or ExitCode.OK)


def _open_closed_streams() -> None:
    """Python has no streams where its caller has closed them (`>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - until the end


def _run(given: list[str], program: str) -> int | None:
    """Without click's own `main`, which has its own idea of a broken pipe and of Ctrl-C."""
    line = command_line()
    try:
        with line.make_context(program, given, color=_colour()) as context:
            code: int | None = line.invoke(context)
            return code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE


def complete_for_kubectl(arguments: Sequence[str] | None = None) -> int:
    """Answers kubectl's wish for completions; says nothing where there are none."""
    from runai_operator.commands.completion import complete_for_kubectl as answer  # noqa: PLC0415 - only for this

    return answer(command_line(), sys.argv[1:] if arguments is None else arguments)


def answer_shell(program: str, instruction: str) -> int:
    """Answers the wish of a script that `completion` has printed."""
    from runai_operator.commands.completion import answer_shell as answer  # noqa: PLC0415 - only for this

    return answer(command_line(), program, instruction)


def _told(error: Exception) -> tuple[str, ExitCode]:
    """What to say of an error, and how to end."""
    match error:
        case CommandError():
            return error.message, error.code
        case click.UsageError():
            message, path = error.format_message(), f" See {error.ctx.command_path} --help." if error.ctx else ""
            return f"{message}{'' if message.endswith(('.', '?')) else '.'}{path}", ExitCode.USAGE
        case click.ClickException():
            return error.format_message(), ExitCode.USAGE
        case OSError() if error.strerror:
            where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            return f"{where}{error.strerror}.", ExitCode.USAGE if where else ExitCode.FAILED
    return _told_of_ours(error) or (_defect(error), ExitCode.DEFECT)


def _told_of_ours(error: Exception) -> tuple[str, ExitCode] | None:
    """Errors of the layers below, which a command that needs neither has not imported."""
    from runai_operator.domain import errors  # noqa: PLC0415 - only where something went wrong
    from runai_operator.settings import SettingsError  # noqa: PLC0415

    match error:
        case SettingsError():
            return str(error), ExitCode.USAGE
        case errors.AccessDenied() | errors.KubernetesUnavailable() | errors.Unavailable() | errors.Throttled():
            return error.message, ExitCode.NO_ACCESS
        case errors.BridgeError():
            return error.message, ExitCode.FAILED
    return None


def _defect(error: Exception) -> str:
    """Where, not what: the texts of unexpected errors may quote anything."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    return f"ended by an unexpected error ({where}, version {__version__}). Please report what you typed and this line."


def _end(program: str, sentence: str, code: ExitCode) -> ExitCode:
    try:
        sys.stderr.write(f"{program}: {one_line(sentence)}\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        _drop_output()
    return code


def _drop_output() -> None:
    """Nobody reads it any more; Python would complain when it flushes at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _colour() -> bool | None:
    """False: never; None: where a person looks. https://no-color.org"""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def _version_option() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"{ctx.find_root().info_name} {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version and exit."
    )
