# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write what the chart holds twice: copies of the CRDs and of the license, the reference of the values, their defaults and bounds, and
annotations for Artifact Hub.

The values are described by the comments of values.yaml; README.md and values.schema.json take them from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runai_operator.proxy import PROXY
from runai_operator.settings import BASE_URL, VARIABLES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHART = HERE / "runai-operator"
TYPES = HERE / "kubernetes-types.json"
"""Written by tests/installation/kubernetes_types.py."""
EXAMPLES = ROOT / "deploy" / "examples"
SHOWN_EXAMPLES = ("job", "pytorchjob", "raycluster", "deployment", "nimservice", "adopt")
"""Short ones of several kinds: the annotation goes into the Secret of every release."""

PLATFORMS = ["linux/amd64", "linux/arm64"]
TABLE = re.compile(
    r"(?<=<!-- values, written by ../generate.py from values.yaml -->\n).*(?=<!-- /values -->)", re.DOTALL
)


@dataclass(frozen=True)
class Value:
    """One value that has a description: `path` leads to it, `default` is what values.yaml sets."""

    path: tuple[str, ...]
    default: Any
    description: str


def values() -> list[Value]:
    """All described values, in the order of values.yaml."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml is not a mapping")
    return list(_described((), root, yaml.safe_load(text), text.splitlines()))


def _described(path: tuple[str, ...], node: yaml.MappingNode, defaults: Any, lines: list[str]) -> Iterator[Value]:
    for key, child in node.value:
        inner = (*path, key.value)
        comment = _comment_above(lines, key.start_mark.line)
        if comment.startswith("-- "):
            yield Value(inner, defaults[key.value], comment.removeprefix("-- "))
        elif isinstance(child, yaml.MappingNode) and child.value:
            yield from _described(inner, child, defaults[key.value], lines)
        else:
            raise ValueError(f"values.yaml: {'.'.join(inner)} has no comment that begins with '# --'")


def _comment_above(lines: list[str], number: int) -> str:
    start = number
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return " ".join(line.strip().removeprefix("#").strip() for line in lines[start:number])


def table() -> str:
    """The reference of the values as a Markdown table."""
    rows = [
        f"| `{'.'.join(value.path)}` | `{json.dumps(value.default)}` | {_escaped(value.description)} |\n"
        for value in values()
    ]
    return "\n| Value | Default | Meaning |\n|---|---|---|\n" + "".join(rows) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def schema() -> str:
    """The schema, with the descriptions that editors show, and with Kubernetes' types, one a line, among its definitions."""
    written = json.loads((CHART / "values.schema.json").read_text())
    types = json.loads(TYPES.read_text())["types"]
    own = {name: one for name, one in written["definitions"].items() if name[0].islower()}
    written["definitions"] = own | dict.fromkeys(types, "written below")
    for value in values():
        node = written
        for name in value.path:
            node = node.get("properties", {}).get(name, {})
        node["description"] = value.description
        if node.get("type") == "integer" and value.path in bounds():
            node["minimum"], node["maximum"] = map(int, bounds()[value.path])
    text = json.dumps(written, indent=2)
    for name, one in types.items():
        text = text.replace(f'"{name}": "written below"', f'"{name}": {json.dumps(one)}')
    return text + "\n"


def defaults() -> str:
    """What each value counts as that is null: its default, and a map with a description of its own as empty."""
    tree: dict[str, Any] = {}
    for value in values():
        folder = tree
        for name in value.path[:-1]:
            folder = folder.setdefault(name, {})
        folder[value.path[-1]] = {} if isinstance(value.default, dict) else value.default
    return "# Written by ../../generate.py from values.yaml.\n" + _dump(tree)


def bounds() -> dict[tuple[str, ...], tuple[str, str]]:
    """The lowest and the highest that the operator takes for a value; `OPERATOR_DELTA_INTERVAL` is `operator.deltaInterval`."""
    found = {}
    for variable in VARIABLES:
        if variable.bounds:
            section, first, *others = variable.name.lower().split("_")
            found[section, first + "".join(word.capitalize() for word in others)] = variable.bounds
    return found


def accepted() -> str:
    """What the operator accepts and a schema cannot say, for the templates to check before a pod is replaced."""
    durations = {path[-1]: {"low": low, "high": high} for path, (low, high) in bounds().items() if not low.isdecimal()}
    addresses = {"baseUrl": f"(?i)^(?:{BASE_URL.pattern})$", "proxy": f"(?i)^(?:{PROXY.pattern})$"}
    head = "# Written by ../../generate.py from the operator's settings.\n"
    return head + _dump({"durations": durations, "addresses": addresses})


def chart() -> str:
    """Chart.yaml: its head as it is, with the annotations written anew."""
    head, _, _ = (CHART / "Chart.yaml").read_text().partition("annotations:\n")
    facts = yaml.safe_load(head)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())["image"]
    image = f"{defaults['registry']}/{defaults['repository']}:{facts['appVersion']}"
    examples = [yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()) for name in SHOWN_EXAMPLES]
    annotations = {
        "category": "ai-machine-learning",
        "license": "Apache-2.0",
        "operator": "true",
        "operatorCapabilities": "Seamless Upgrades",
        "images": _dump([{"name": "runai-operator", "image": image, "platforms": PLATFORMS}]),
        "links": _dump([{"name": "Documentation", "url": f"{facts['home']}/tree/v{facts['version']}/docs"}]),
        "changes": _dump([{"kind": "added", "description": "First release"}]),
        "crds": _dump([_summary(path) for path in _crds()]),
        "crdsExamples": _dump(examples),
    }
    return f"{head}annotations:\n" + "".join(
        f"  artifacthub.io/{key}: {_scalar(value)}" for key, value in annotations.items()
    )


class _Plain(yaml.SafeDumper):
    """Writes again what occurs twice: who reads an example does not know anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as its base has it
        return True


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, width=1000)


def _scalar(text: str) -> str:
    if "\n" not in text:
        return json.dumps(text) + "\n"
    return "|\n" + "".join(f"    {line}\n" for line in text.splitlines())


def _summary(path: Path) -> dict[str, str]:
    """What Artifact Hub shows of a CRD."""
    crd = yaml.safe_load(path.read_text())
    version = crd["spec"]["versions"][0]
    return {
        "kind": crd["spec"]["names"]["kind"],
        "version": version["name"],
        "name": crd["metadata"]["name"],
        "displayName": "Run:ai workload",
        "description": version["schema"]["openAPIV3Schema"]["description"].split(". ")[0],
    }


def _crds() -> list[Path]:
    return sorted(path for path in (ROOT / "crds").glob("*.yaml") if path.name != "kustomization.yaml")


def files() -> dict[Path, str]:
    """All files and what they hold."""
    readme = CHART / "README.md"
    copies = {CHART / "files" / "crds" / path.name: path.read_text() for path in _crds()}
    copies[CHART / "LICENSE"] = (ROOT / "LICENSE").read_text()
    return copies | {
        CHART / "Chart.yaml": chart(),
        CHART / "values.schema.json": schema(),
        CHART / "files" / "defaults.yaml": defaults(),
        CHART / "files" / "accepted.yaml": accepted(),
        readme: TABLE.sub(lambda _: table(), readme.read_text()),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
