"""Flux's health expressions, in Google's CEL (fluxcd/pkg, runtime/cel/status_evaluator.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from readers import Json

ORDER = {"inProgress": "InProgress", "failed": "Failed", "current": "Current"}
"""The expressions in the order in which Flux tries them, and what each means when it is true."""


class Flux:
    """One entry of `healthCheckExprs`."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        fields = dict.fromkeys(("apiVersion", "kind", "metadata", "spec", "status"), cel.Type.DYN)
        # Flux parses without type checks, and with optional types.
        environment = cel.NewEnv(variables=fields, extensions=[ext_optional.ExtOptional()])
        self._programs = {
            name: environment.compile(expressions[name], disable_check=True) for name in ORDER if name in expressions
        }

    def status_of(self, item: Json) -> str:
        """`InProgress`, `Failed` or `Current`; `Unknown` where an expression fails or is neither true nor false."""
        observed = (item.get("status") or {}).get("observedGeneration")
        if observed is not None and observed != item["metadata"]["generation"]:
            return "InProgress"
        data: dict[str, Any] = {key: item[key] for key in ("metadata", "status") if key in item}
        for name, program in self._programs.items():
            answer = program.eval(data=data).plain_value()
            if not isinstance(answer, bool):
                return "Unknown"
            if answer:
                return ORDER[name]
        return "InProgress"
