"""What commands print: tables as kubectl has them, JSON, YAML and names; colours only where a person looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from runai_operator.text import escaped

GAP = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """Text in a colour of click; what it says must be clear without the colour."""

    text: str
    colour: str | None = None


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Titles in capitals, columns as wide as needed; a row holds cells or anything that has a text. None is shown as `-`."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(title), *(len(row[at].text) for row in cells)]) for at, title in enumerate(titles)]
    for row in [[Cell(title.upper()) for title in titles], *cells]:
        last = len(row) - 1
        click.echo(
            "".join(
                click.style(cell.text, fg=cell.colour)
                + ("" if at == last else " " * (widths[at] - len(cell.text) + GAP))
                for at, cell in enumerate(row)
            ).rstrip()
        )


def print_json(value: Any) -> None:
    """Indented by four, as kubectl does."""
    click.echo(json.dumps(value, indent=4, ensure_ascii=False))


def print_yaml(*documents: Any) -> None:
    """Keys in the order given; several documents are separated by `---`."""
    from runai_operator.codecs.yaml import dump_yaml  # noqa: PLC0415 - costs more than a whole help text

    click.echo("---\n".join(dump_yaml(document) for document in documents), nl=False)


def print_objects(output: str, objects: Sequence[Mapping[str, Any]], *, single: bool = False) -> None:
    """Objects of the Kubernetes API as `json` (a List, unless it is a `single` one), `yaml` or `name`."""
    match output:
        case "json":
            print_json(objects[0] if single else {"apiVersion": "v1", "kind": "List", "items": list(objects)})
        case "yaml":
            print_yaml(*objects)
        case _:
            for item in objects:
                click.echo(name_of(item))


def print_report(output: str, report: Mapping[str, Any]) -> None:
    """Something that is no object, as `json` or `yaml`."""
    if output == "json":
        print_json(report)
    else:
        print_yaml(report)


def name_of(item: Mapping[str, Any]) -> str:
    """As `-o name` of kubectl has it: `runaiworkload.bridge.run.ai/train`."""
    group, slash, _ = str(item.get("apiVersion", "")).rpartition("/")
    kind, metadata = str(item.get("kind", "")).lower(), item.get("metadata")
    name = metadata.get("name") or metadata.get("generateName") or "" if isinstance(metadata, Mapping) else ""
    return f"{kind}.{group}/{name}" if slash else f"{kind}/{name}"


def say(sentence: str) -> None:
    """To standard error, for the person: progress and remarks. Standard output is for results."""
    click.echo(escaped(sentence), err=True)


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return Cell(escaped(value.text), value.colour)
    return Cell("-" if value is None or value == "" else escaped(str(value)))
