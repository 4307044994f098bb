# ruff: noqa: INP001  a script beside what it reads, not a package
"""Writes the CustomResourceDefinition as JSON into the package, where `kubectl rwl validate` reads it: `make generate`."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    text = (REPOSITORY / "crds" / "runaiworkloads.yaml").read_text()
    crd = json.dumps(yaml.safe_load(text), indent=1, ensure_ascii=False)
    (REPOSITORY / "operator" / "runai_operator" / "crd.json").write_text(f"{crd}\n")


if __name__ == "__main__":
    main()
