"""Five hundred at once, kills at random moments, one answer in ten lost: five hundred workloads, then none."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crash.worlds import WORLDS
from stack import manifest_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

MANY = 500
KILLS = 8
RUNS_ON = manifest_of("Deployment")


@pytest.mark.parametrize("world", WORLDS)
def test_a_burst_with_kills_and_lost_answers(world, stage):
    one = stage(**WORLDS[world])
    rng = random.Random(20261124)
    one.runai.fault(kind="lost-answer", method="POST", path="/api/v2/workloads", probability=0.1)
    names = [f"w{number}" for number in range(MANY)]
    operator = one.operator()
    with ThreadPoolExecutor(8) as pool:
        applying = [pool.submit(one.workloads.apply, name, manifest=RUNS_ON) for name in names]
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.2, 1.0))
            operator.kill()
            operator = one.operator()
        for future in applying:
            future.result()
    began = time.monotonic()
    one.wait("all ids", lambda: sum(bool(item["status"].get("workloadId")) for item in one.workloads.all()) == MANY)
    print(f"{MANY} ids {time.monotonic() - began:.1f} s after the last kill")
    live = one.runai.live()

    assert len(live) == MANY
    assert one.runai.effective_creates() == MANY
    assert {item["status"]["workloadId"] for item in one.workloads.all()} == {entry["id"] for entry in live}

    one.runai.heal()
    one.runai.fault(kind="lost-answer", method="DELETE", path="/api/v2/workloads", probability=0.1)
    with ThreadPoolExecutor(8) as pool:
        deleting = [pool.submit(one.workloads.delete, name) for name in names]
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.2, 1.0))
            operator.kill()
            operator = one.operator()
        for future in deleting:
            future.result()
    began = time.monotonic()
    one.wait("all gone", lambda: not one.workloads.all())
    print(f"{MANY} gone {time.monotonic() - began:.1f} s after the last kill")

    assert one.runai.live() == []
