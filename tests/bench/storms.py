"""What an outage costs, and who pays: calls to Run:ai, reads and writes at Kubernetes, and how long a bystander waits; and
what one life costs, from the apply to the last finalizer, when all is well.

    python -m bench.storms [--only TEXT]

The whole engine in virtual time, between the two fakes, so the figures are the same on every machine; prints a table in
Markdown. To measure another revision, check it out elsewhere and run this file with that revision's `operator` and `tests`
as `PYTHONPATH`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import looptime

from fakes.bench import RUNS_ON, WORLD, Bench
from fakes.kube import Stored
from runai_operator.domain.errors import KubernetesUnavailable
from runai_operator.domain.model import Ref
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.wire import Answer

RUNAI_TAKES, KUBERNETES_TAKES = 0.02, 0.005
"""Seconds for each call."""
WARM_UP = 120.0
WATCHED = 600.0
"""Seconds in which calls are counted, from the beginning of the trouble."""
DEADLINE = 30.0
"""A change that is shown later than that counts as not shown in time."""
POSTS, PUTS, DELETES = ("create",), ("update",), ("delete",)
READS = ("get", "row")
STATUS, FINALIZERS = "write_status", "write_finalizers"
EVENTS = "record_event"
JSON = "application/json"
Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one storm: how often each call was made, and what the bystander's changes took."""

    runai: Counter[str]
    kubernetes: Counter[str]
    delays: list[float]
    minutes: float

    def row(self, name: str) -> str:
        """In Markdown; calls a minute."""
        reads = self.kubernetes["read"]
        writes = self.kubernetes[STATUS] + self.kubernetes[FINALIZERS]
        most = ", ".join(f"{method} {self._a_minute(count)}" for method, count in self.runai.most_common(3))
        cells = [self._a_minute(self.runai.total()), most, self._a_minute(reads), self._a_minute(writes)]
        cells += [self._a_minute(self.kubernetes[EVENTS]), self._delay]
        return f"| {name} | {' | '.join(cells)} |"

    def _a_minute(self, count: int) -> str:
        figure = count / self.minutes
        return f"{figure:,.0f}" if figure >= 10 or figure == 0 else f"{figure:.1f}"

    @property
    def _delay(self) -> str:
        late = sum(delay >= DEADLINE for delay in self.delays)
        if late:
            return f"{late} of {len(self.delays)} not within {DEADLINE:.0f} s"
        return f"{max(self.delays):.1f} s" if self.delays else "-"


HEADER = (
    "| | calls to Run:ai | most of them | reads at Kubernetes | writes | Events | bystander, at worst |\n"
    "|---|---|---|---|---|---|---|"
)


LIVES_HEADER = (
    "| a life | POST, PUT, DELETE | other calls | reads at Kubernetes | writes of status | of finalizers | Events |\n"
    "|---|---|---|---|---|---|---|"
)


class Noted:
    """Stands before a port: each call takes its time, is counted, and fails as told."""

    def __init__(
        self, port: Any, counts: Counter[str], seconds: float, troubles: dict[str, Callable[..., Any]]
    ) -> None:
        """`troubles` by the name of a method: a function of the call's arguments that gives an error or None."""
        self._port, self._counts, self._seconds, self._troubles = port, counts, seconds, troubles

    async def aclose(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._counts[name] += 1
            await asyncio.sleep(self._seconds)
            if (trouble := self._troubles.get(name)) is not None and (error := trouble(*args)) is not None:
                raise error
            return await found(*args, **kwargs)

        return call


class Storm:
    """An engine, a bystander with a running workload in another project, and what they meet."""

    def __init__(self, **world: Any) -> None:
        self.runai_calls, self.kubernetes_calls = Counter[str](), Counter[str]()
        self.troubles: dict[str, Callable[..., Any]] = {}
        self.kube_troubles: dict[str, Callable[..., Any]] = {}
        self.bench = Bench(replace(WORLD, **world))
        runai, kube = self.bench.connections, self.bench.kube_access
        self.bench.connections = lambda chance: {  # type: ignore[method-assign]
            name: Noted(port, self.runai_calls, RUNAI_TAKES, self.troubles) for name, port in runai(chance).items()
        }
        self.bench.kube_access = lambda chance: Noted(  # type: ignore[method-assign]
            kube(chance), self.kubernetes_calls, KUBERNETES_TAKES, self.kube_troubles
        )

    async def start(self) -> Stored:
        """Gives the bystander."""
        await self.bench.start()
        made: Stored = self.bench.apply("bystander", project_id="2")
        await asyncio.sleep(WARM_UP)
        return made

    async def running(self, count: int) -> list[Stored]:
        made = [self.bench.apply(f"w{number}") for number in range(count)]
        await asyncio.sleep(WARM_UP + count * 0.1)  # the syncs are read ten a second
        return made

    def fails(self, status: int, *methods: str, only: str | None = None, **answer: Any) -> None:
        """Run:ai answers so; `only`: what is submitted to that project."""
        operations = {
            "create": Operation.CREATE,
            "update": Operation.UPDATE,
            "delete": Operation.DELETE,
            "get": Operation.GET,
            "row": Operation.GET,
        }
        body = f'{{"code": {status}, "message": "told to"}}'.encode()
        for method in methods:

            def trouble(*args: Any, method: str = method) -> Exception | None:
                if only is not None and getattr(args[-1], "project_id", None) != only:
                    return None
                return failure(operations[method], Answer(status, body, JSON, **answer))

            self.troubles[method] = trouble

    async def watch(self, bystander: Stored) -> Figures:
        """Counts for a while, in which the bystander's phase changes now and then."""
        self.runai_calls.clear()
        self.kubernetes_calls.clear()
        began, delays = self.bench.loop.time(), list[float]()
        while self.bench.loop.time() - began < WATCHED - DEADLINE:
            delays.append(await self._shown_after(("Degraded", "Running")[len(delays) % 2], bystander))
            await asyncio.sleep(20)
        await asyncio.sleep(began + WATCHED - self.bench.loop.time())
        return self.figures(WATCHED, delays)

    def figures(self, seconds: float, delays: list[float]) -> Figures:
        return Figures(Counter(self.runai_calls), Counter(self.kubernetes_calls), delays, seconds / 60)

    async def _shown_after(self, phase: str, stored: Stored) -> float:
        [workload] = [each for each in self.bench.runai.live() if each.name == stored.ref.name]
        self.bench.runai.world.set_phase(workload, phase, "", self.bench.now())
        began = self.bench.loop.time()
        while stored.status.get("phase") != phase and self.bench.loop.time() - began < DEADLINE:  # noqa: ASYNC110
            await asyncio.sleep(0.25)
        return self.bench.loop.time() - began


async def at_rest(storm: Storm, count: int) -> Figures:
    await storm.bench.start()
    await storm.running(count)
    await asyncio.sleep(WATCHED)
    storm.runai_calls.clear()
    storm.kubernetes_calls.clear()
    await asyncio.sleep(WATCHED)
    return storm.figures(WATCHED, [])


async def posts_fail(storm: Storm, status: int, *, only: str | None = None, **answer: Any) -> Figures:
    bystander = await storm.start()
    storm.fails(status, *POSTS, only=only, **answer)
    for number in range(100):
        storm.bench.apply(f"w{number}")
    return await storm.watch(bystander)


async def v2_down(storm: Storm) -> Figures:
    bystander = await storm.start()
    made = await storm.running(200)
    storm.fails(503, *POSTS, *PUTS, *DELETES, *READS)
    for each in made:
        storm.bench.edit(each, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    return await storm.watch(bystander)


async def kubernetes_fails(storm: Storm) -> Figures:
    """Writes, for all but the bystander: so does a webhook that is down."""
    bystander = await storm.start()
    made = await storm.running(1000)

    def trouble(ref: Ref, *_: Any) -> Exception | None:
        return KubernetesUnavailable("HTTP 500") if ref.name != bystander.ref.name else None

    storm.kube_troubles |= {STATUS: trouble, FINALIZERS: trouble}
    for each in made:
        storm.bench.edit(each, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    return await storm.watch(bystander)


async def many_new(storm: Storm) -> Figures:
    bystander = await storm.start()
    for number in range(3000):
        storm.bench.apply(f"w{number}")
    return await storm.watch(bystander)


async def deletions_never_end(storm: Storm) -> Figures:
    bystander = await storm.start()
    made = await storm.running(90)
    world = storm.bench.runai.world
    world.switches = storm.bench.runai.switches = replace(world.switches, cluster_connected=False)
    for each in made:
        storm.bench.delete(each)
    return await storm.watch(bystander)


STORMS: list[tuple[str, Callable[[Storm], Awaitable[Figures]]]] = [
    ("at rest, no workload", lambda storm: at_rest(storm, 0)),
    ("at rest, 1 workload", lambda storm: at_rest(storm, 1)),
    ("at rest, 500", lambda storm: at_rest(storm, 500)),
    ("at rest, 5,000", lambda storm: at_rest(storm, 5000)),
    ("100 new ones, POST answers 503", lambda storm: posts_fail(storm, 503)),
    ("the same, 403 in one project", lambda storm: posts_fail(storm, 403, only="1")),
    ("the same, 429, `Retry-After: 3600`", lambda storm: posts_fail(storm, 429, retry_after="3600")),
    ("the same, 429 without `Retry-After`", lambda storm: posts_fail(storm, 429)),
    ("V2 answers 503, lists work, 200 edits", v2_down),
    ("Kubernetes answers writes with 500, 1,000 edits", kubernetes_fails),
    ("3,000 new ones of one project", many_new),
    ("90 deletions that never end", deletions_never_end),
]


# --- lives


async def edited(storm: Storm, made: list[Stored]) -> None:
    for each in made:
        storm.bench.edit(each, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    await asyncio.sleep(WARM_UP)


async def unchanged(_: Storm, __: list[Stored]) -> None:
    """It only runs."""


@dataclass(frozen=True, slots=True)
class Life:
    name: str
    count: int = 1
    manifest: dict[str, Any] = field(default_factory=lambda: RUNS_ON)
    refused_first: bool = False
    event: Callable[[Storm, list[Stored]], Awaitable[None]] = unchanged

    async def row(self, storm: Storm) -> str:
        """In Markdown; all figures for each of the objects."""
        await storm.bench.start()
        await asyncio.sleep(WARM_UP)
        storm.runai_calls.clear()
        storm.kubernetes_calls.clear()
        if self.refused_first:
            storm.fails(400, *POSTS)
        made = [storm.bench.apply(f"w{number}", manifest=self.manifest) for number in range(self.count)]
        await asyncio.sleep(WARM_UP)
        if self.refused_first:
            storm.troubles.clear()
            for each in made:
                storm.bench.edit(each, manifest={**self.manifest, "metadata": {"labels": {"mended": "yes"}}})
            await asyncio.sleep(WARM_UP)
        await self.event(storm, made)
        for each in made:
            storm.bench.delete(each)
        await asyncio.sleep(WARM_UP)
        runai, kubernetes = storm.runai_calls, storm.kubernetes_calls
        changes = [runai[method] for method in (*POSTS, *PUTS, *DELETES)]
        others = runai.total() - sum(changes) - runai["rows"]
        figures = [others, kubernetes["read"], kubernetes[STATUS], kubernetes[FINALIZERS], kubernetes[EVENTS]]
        cells = [", ".join(self._each(count) for count in changes), *map(self._each, figures)]
        return f"| {self.name} | {' | '.join(cells)} |"

    def _each(self, count: int) -> str:
        return f"{count / self.count:.3g}"


JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never"}}}}
LIVES = [
    Life("created, runs, deleted"),
    Life("created, runs, edited, runs, deleted", event=edited),
    Life("created, completes, deleted", manifest=JOB),
    Life("refused, corrected, runs, deleted", refused_first=True),
    Life("100 at once: created, run, edited, run, deleted", count=100, event=edited),
]


async def measured(storm: Callable[[Storm], Awaitable[Measured]]) -> Measured:
    made = Storm()
    try:
        return await storm(made)
    finally:
        await made.bench.stop()


def rows(wanted: str) -> Iterator[str]:
    yield HEADER
    for name, storm in STORMS:
        if wanted in name:
            with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0, noop_cycles=0)) as runner:
                yield runner.run(measured(storm)).row(name)
    yield f"\n{LIVES_HEADER}"
    for life in LIVES:
        if wanted in life.name:
            with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0, noop_cycles=0)) as runner:
                yield runner.run(measured(life.row))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="what the storms to measure have in their names")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with suppress(BrokenPipeError):
        for row in rows(given.only):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
