"""The CustomResourceDefinition that this version comes with, and what it refuses, without asking a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runai_operator.domain.schema import Violation, known, violations

FILE = Path(__file__).parents[1] / "crd.json"
"""Written from crds/runaiworkloads.yaml by `make generate`."""

_IMPLICIT = ("apiVersion", "kind", "metadata")
"""Fields of every object, which a schema need not name."""
_ANY_NAME = "a"
_TRANSITION = "oldSelf"
"""Rules with this word compare with the object as it was."""

Rule = Callable[[Mapping[str, Any]], bool]


@cache
def packaged() -> Mapping[str, Any]:
    """The whole CustomResourceDefinition."""
    crd: Mapping[str, Any] = json.loads(FILE.read_text())
    return crd


def schema() -> Mapping[str, Any]:
    """Of the version that is stored."""
    found: Mapping[str, Any] = packaged()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def refusals(value: Mapping[str, Any], *, name: str | None) -> Iterator[Violation]:
    """What the API server would refuse of a new RunaiWorkload of this name: by the schema, and if that takes it, by the rules.
    Without a name nothing is said of names.

    Rules need an interpreter of CEL, the extra `cel`. Where it is missing, those of `domain.checks` say the same.
    """
    root = schema()
    found = list(violations(root, {name: inner for name, inner in value.items() if name not in _IMPLICIT}))
    yield from found
    if not found and (compiled := _interpreter()) is not None:
        seen = known(root, value) | {"metadata": {"name": name or _ANY_NAME}}
        yield from _broken(root, seen, (), compiled)


def _broken(
    part: Mapping[str, Any], value: Any, path: tuple[str, ...], compiled: Callable[[str], Callable[[Any], bool]]
) -> Iterator[Violation]:
    for rule in part.get("x-kubernetes-validations", ()):
        if _TRANSITION not in rule["rule"] and not compiled(rule["rule"])(value):
            yield Violation((*path, *rule.get("fieldPath", "").split(".")[1:]), rule["message"])
    if isinstance(value, dict):
        for name, field in part.get("properties", {}).items():
            if name in value:
                yield from _broken(field, value[name], (*path, name), compiled)


@cache
def _interpreter() -> Callable[[str], Callable[[Any], bool]] | None:
    """Compiles a rule into a function of `self`."""
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    environment = cel.NewEnv(variables={"self": cel.Type.DYN})

    @cache
    def compiled(rule: str) -> Callable[[Any], bool]:
        program = environment.compile(rule, disable_check=True)
        return lambda value: program.eval(data={"self": value}).plain_value() is True

    return compiled
