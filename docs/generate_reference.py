# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write reference/runaiworkload.md from the CRD and the table of status fields, so that the page cannot fall behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runai_operator.domain.status import FIELDS, StatusField

HERE = Path(__file__).parent
CRD = HERE.parent / "crds" / "runaiworkloads.yaml"
TARGET = HERE / "reference" / "runaiworkload.md"

Schema = Mapping[str, Any]

ORIGINS = """\
*List*: the v1 list of workloads, which is asked every few seconds; a change there is shown at once. *V2*: the workload read
by its id, while it is on its way to its cluster and when something needs to be known for certain. What both show comes from
the list once the workload is there. What is forgotten with the workload is cleared before another one is created in its
place."""


def text() -> str:
    """Return the whole page."""
    crd = yaml.safe_load(CRD.read_text())["spec"]
    version = crd["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    names = crd["names"]
    calls = ", ".join(f"`{name}`" for name in (names["plural"], *names["shortNames"], *names["categories"]))
    parts = [
        "<!-- Written by docs/generate_reference.py from crds/runaiworkloads.yaml and the operator's domain/status.py. -->",
        f"# {names['kind']}",
        root["description"],
        f"`apiVersion: {crd['group']}/{version['name']}`; kubectl knows it as {calls}.",
        "`spec`: " + root["properties"]["spec"]["description"],
        "`status`: " + root["properties"]["status"]["description"],
        *_sections("spec", root["properties"]["spec"]),
        *_sections("status", root["properties"]["status"]),
        "## Where the status comes from\n\n" + ORIGINS,
        _table(("Field", "From", "Forgotten with the workload"), map(_origin, FIELDS)),
        "## Rules\n\nWhat the API server refuses, and what it then says.",
        _table(("Where", "Message"), _rules("", root)),
        "## Columns of `kubectl get`\n\nThose marked *wide* come with `-o wide`.",
        _table(("Column", "From", "Meaning"), _columns(version["additionalPrinterColumns"])),
        "## Field selectors\n\nFor `kubectl get --field-selector`, for example `status.phase=Running`.",
        "\n".join(f"- `{field['jsonPath'].removeprefix('.')}`" for field in version["selectableFields"]),
    ]
    return "\n\n".join(parts) + "\n"


def _sections(path: str, schema: Schema) -> Iterator[str]:
    """Yield a heading and a table for an object, then for the objects in it, which its table describes."""
    required = schema.get("required", ())
    fields = schema["properties"].items()
    yield f"## {path}"
    yield _table(
        ("Field", "Type", "Meaning"),
        ((f"`{name}`", _type(field, required=name in required), field["description"]) for name, field in fields),
    )
    for name, field in fields:
        if "properties" in field:
            yield from _sections(f"{path}.{name}", field)
        elif "items" in field:
            yield from _sections(f"{path}.{name}[]", field["items"])


def _origin(field: StatusField) -> tuple[str, ...]:
    readings = {"list": field.row, "V2": field.remote}
    origin = ", ".join(name for name, attribute in readings.items() if attribute is not None)
    return f"`{field.name}`", origin or "the operator", "yes" if field.of_run else "no"


def _type(schema: Schema, *, required: bool) -> str:
    kind = schema["type"]
    if kind == "array":
        kind = f"list of {schema['items']['type']}s"
    elif "additionalProperties" in schema:
        kind = f"map of {schema['additionalProperties']['type']}s"
    facts = [f"{kind} ({schema['format']})" if "format" in schema else kind]
    if "enum" in schema:
        facts.append(" or ".join(f"`{word}`" for word in schema["enum"]))
    if "maxLength" in schema:
        facts.append(f"at most {schema['maxLength']:,} characters")
    if required:
        facts.append("required")
    return ", ".join(facts)


def _rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"`{(path + rule.get('fieldPath', '')).removeprefix('.')}`", rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(f"{path}.{name}", field)


def _columns(columns: list[Schema]) -> Iterator[tuple[str, str, str]]:
    for column in columns:
        wide = ", *wide*" if column.get("priority") else ""
        yield column["name"] + wide, f"`{column['jsonPath']}`", column["description"]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text())
