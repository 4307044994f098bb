"""Durations as options, as kubectl takes them."""

from __future__ import annotations

from typing import Any

import click


class Duration(click.ParamType[float]):
    """`90s`, `30m` or `1h30m`, as seconds; `0` is none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from runai_operator.settings import parse_duration  # noqa: PLC0415 - not for help

        if isinstance(value, float):
            return value
        try:
            return 0.0 if value == "0" else parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}.".replace("500ms, 5s or 1m30s", "90s, 30m or 1h30m"), param, ctx)
