"""SIGKILL before and after every call of a port, on every path; then a restart, and one workload."""

from __future__ import annotations

import pytest

from crash.paths import NAME, PATHS, PROBE
from crash.report import Row
from crash.worlds import WORLDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_killed_at_every_await(path, world, stage, report, tmp_path):
    points = trace(path, stage(**WORLDS[world]), tmp_path / "trace")

    assert len(points) >= 4, "a path without calls proves nothing"

    struck = 0
    for point in [f"{call}:{side}" for call in points for side in ("before", "after")]:
        row = interrupted(path, world, stage(**WORLDS[world]), point)
        report(row)
        struck += row.struck

        assert row.live == path.live, row
        assert row.creates <= path.creates, row

    assert struck >= len(points), "most points were never reached"


@pytest.mark.parametrize("world", WORLDS)
def test_killed_at_every_await_of_a_probe_that_a_run_ai_without_dry_runs_carries_out(world, stage, report, tmp_path):
    switches = WORLDS[world] | {"dry_run": False}
    points = trace(PROBE, stage(**switches), tmp_path / "trace")
    struck = 0
    for point in [f"{call}:{side}" for call in dict.fromkeys(points) for side in ("before", "after")]:
        row = interrupted(PROBE, world, stage(**switches), point)
        report(row)
        struck += row.struck

        assert row.live == 0, row
        assert row.creates <= PROBE.creates, row

    assert struck >= 4, "most points were never reached"


def trace(path, stage, file) -> list[str]:
    """The calls of the path when nothing interrupts it."""
    prepare(path, stage)
    operator = stage.operator(**path.env, CRASH_TRACE=str(file))
    path.act(stage.workloads, stage.runai)
    stage.wait(path.name, lambda: path.done(stage.workloads))
    operator.kill()
    stage.close()
    return file.read_text().split()


def prepare(path, stage) -> None:
    operator = stage.operator()
    path.prepare(stage.workloads, stage.runai)
    operator.kill()


def interrupted(path, world, stage, point: str) -> Row:
    prepare(path, stage)
    doomed = stage.operator(**path.env, CRASH_AT=point)
    path.act(stage.workloads, stage.runai)
    stage.wait("dead or done", lambda: not doomed.alive or path.done(stage.workloads))
    struck = not doomed.alive
    doomed.kill()
    said = len(doomed.output())  # all of a stage log to one file
    healthy = stage.operator(**path.env)
    seconds = stage.wait(f"{path.name} after {point}", lambda: path.done(stage.workloads))
    stage.wait(path.last_words, lambda: path.last_words in healthy.output()[said:])
    if not path.live:
        stage.wait("nothing is left", lambda: not stage.runai.live())
    creates, live = stage.runai.effective_creates(), len(stage.runai.live())
    row = Row("kill", path.name, world, point, struck, creates, live, seconds)
    assert len(stage.orphans()) == path.orphans, row
    item = stage.workloads.find(NAME)
    if item is not None and path.live:
        assert [entry["id"] for entry in stage.runai.live()] == [item["status"]["workloadId"]]
        assert stage.runai.live()[0]["owner"]["uid"] == item["metadata"]["uid"]
    healthy.kill()
    stage.close()
    return row
