"""What became of several objects, as commands print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from runai_operator.commands.output import Cell, print_report, print_table
from runai_operator.commands.waiting import Standing, State, Target
from runai_operator.domain.model import GROUP, KIND
from runai_operator.kube.objects import Key

_COLOURS = {State.MET: "green", State.FAILED: "red", State.WAITING: "yellow"}


def print_results(
    output: str, targets: Sequence[Target], standings: Mapping[Key, Standing], *, met: str, waiting: str = "waiting"
) -> None:
    """`met`, `waiting`: the words for these states. `-o name` prints those that met their goal."""
    words = {State.MET: met, State.FAILED: "failed", State.WAITING: waiting}
    rows = [(target, standings[target.key]) for target in targets]
    if output == "name":
        for target, standing in rows:
            if standing.state is State.MET:
                click.echo(f"{KIND.lower()}.{GROUP}/{target.name}")
    elif output != "table":
        print_report(
            output,
            {
                "items": [
                    {
                        "namespace": target.namespace,
                        "name": target.name,
                        "result": words[standing.state],
                        "reason": standing.reason,
                        "message": standing.words,
                    }
                    for target, standing in rows
                ]
            },
        )
    else:
        several = len({target.namespace for target in targets}) > 1
        print_table(
            [*(["namespace"] if several else []), "name", "result", "reason", "message"],
            [
                [
                    *([target.namespace] if several else []),
                    target.name,
                    Cell(words[standing.state], _COLOURS[standing.state]),
                    standing.reason,
                    standing.words,
                ]
                for target, standing in rows
            ],
        )
