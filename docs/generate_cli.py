# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write cli.md from the commands themselves, so that the page says what `--help` says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from runai_operator.commands.cli import COMMANDS, LazyCommand
from runai_operator.commands.exits import MEANINGS
from runai_operator.commands.frame import PLUGIN, Command

TARGET = Path(__file__).parent / "cli.md"

INTRODUCTION = """\
# The command line

<!-- Written by docs/generate_cli.py from the commands: change those, and run `make generate`. -->

`kubectl rwl` works with RunaiWorkloads where `kubectl` alone is not enough. Install it with Python 3.11 or newer:

```bash
pip install 'runai-operator[cli]'
```

(Nothing has been released yet: in a checkout, `pip install '.[cli]'`.) That puts `kubectl-rwl` on the PATH, where kubectl finds it as a plugin, `kubectl_complete-rwl`, by which kubectl completes it,
and `runai-operator`, which has the same commands and [runs the operator](configuration.md). The extra `cel` adds Google's
interpreter of CEL, with which `validate` also runs the rules of the CustomResourceDefinition as they are written; without it, the
same rules are checked by our own code. It is large, and there is none for Alpine.

How to start: [from a manifest to a RunaiWorkload](wrap.md), [validate in CI](ci.md), [what the commands print](transcripts.md).

Commands that need a cluster use your kubeconfig as kubectl does, and have your rights. Results go to standard output, all else to
standard error. Colours are left out where nobody looks, and with `NO_COLOR`.
"""


def text() -> str:
    """Return the whole page."""
    return "\n".join(
        [INTRODUCTION, *_list(), *_exit_codes(), *(line for entry in COMMANDS for line in _command(entry))]
    )


def _list() -> Iterator[str]:
    for section in dict.fromkeys(entry.section for entry in COMMANDS):
        yield f"**{section}**\n"
        yield from (
            f"- [`{one.name}`](#{one.name}): {_small(one.short_help)}" for one in COMMANDS if one.section == section
        )
        yield ""


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items())
    yield ""


def _command(entry: LazyCommand) -> Iterator[str]:
    command = entry.load()
    assert isinstance(command, Command)  # noqa: S101 - a test says so of every command
    yield f"## {entry.name}\n"
    yield from (paragraph for paragraph in _paragraphs(command.help or ""))
    context = click.Context(command, info_name=f"{PLUGIN} {entry.name}")
    yield f"```text\n{PLUGIN} {entry.name} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    if examples := command.examples:
        yield "```bash"
        yield from (f"# {example.meaning}\n{example.line}" for example in examples)
        yield "```\n"
    yield "| option | meaning |\n|---|---|"
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            yield f"| `{_cell(record[0])}` | {_cell(record[1])} |"
    yield ""


def _paragraphs(help_text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", help_text):
        yield " ".join(paragraph.split()) + "\n"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("  [default", " [default")


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


if __name__ == "__main__":
    TARGET.write_text(f"{text().rstrip()}\n")
