"""`runai-operator run`, with fail points in the ports: the process kills itself there.

`CRASH_AT=create#1:after` is the first `create` after its effect (`before`: before it is sent). `CRASH_TRACE` names a file
that gets a line for each call of a port. Lists of the poller and the first list are no part of any path and not counted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runai_operator import main as composition
from runai_operator.kube.client import KubeClient
from runai_operator.runai.client import RunaiClient

KUBE = ("read", "write_finalizers", "write_status", "read_source", "read_crd", "record_orphan")
RUNAI = ("create", "dry_run", "get", "update", "delete", "projects", "rows")

calls: Counter[str] = Counter()


def die_at(point: str) -> None:
    if os.environ.get("CRASH_AT") == point:
        os.kill(os.getpid(), signal.SIGKILL)


def failing(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method with a fail point before and after."""

    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if name == "rows" and args[0].name is None:
            return await method(self, *args, **kwargs)
        calls[name] += 1
        point = f"{name}#{calls[name]}"
        if trace := os.environ.get("CRASH_TRACE"):
            with Path(trace).open("a") as file:  # noqa: ASYNC230 - a line, and only when tracing
                file.write(f"{point}\n")
        die_at(f"{point}:before")
        try:
            return await method(self, *args, **kwargs)
        finally:
            die_at(f"{point}:after")

    return call


def with_fail_points(base: type, names: tuple[str, ...]) -> type:
    return type(base.__name__, (base,), {name: failing(name, getattr(base, name)) for name in names})


if __name__ == "__main__":
    composition.KubeClient = with_fail_points(KubeClient, KUBE)  # type: ignore[misc]
    composition.RunaiClient = with_fail_points(RunaiClient, RUNAI)  # type: ignore[misc]
    sys.exit(composition.main(["run"]))
