"""What the pod takes, as its control group counts it: with nothing to do, with 200 workloads and with 2,000."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.cluster import FIGURES, until
from node.installing import INSTALL
from stack import manifest_of

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(1800)]

SIZES = (0, 200, 2000)
REST_SECONDS = 15
LIMIT = 512
"""MB: what chart and kustomization give."""


def test_what_it_takes(cluster, install, workloads):
    install(f"{INSTALL.rstrip()} --set operator.deltaInterval=5s --set operator.deleteRate=100000")
    lines = ["workloads  all ready after  memory (RSS / working set)  CPU since  CPU at rest"]
    for before, size in zip((0, *SIZES), SIZES, strict=False):
        begun, started = cluster.usage()["cpu"], time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: workloads.apply(f"w-{n}", manifest=manifest_of("Deployment")), range(before, size)))
        until("all of them", lambda: not unready(workloads), timeout=900)
        took = time.monotonic() - started
        busy = cluster.usage()["cpu"]
        time.sleep(REST_SECONDS)
        usage = cluster.usage()
        at_rest = (usage["cpu"] - busy) / REST_SECONDS
        lines.append(
            f"{size:9}  {took:13.0f} s  {usage['rss']:9.0f} MB / {usage['working set']:.0f} MB"
            f"  {busy - begun:15.1f} s  {at_rest:9.1%}"
        )
    FIGURES.append("\n".join(lines))
    started = time.monotonic()
    cluster.sh("kubectl delete runaiworkloads --all --wait=false >/dev/null")
    until("end of all", lambda: not workloads.all(), timeout=600)
    FIGURES.append(f"{SIZES[-1]} workloads deleted within {time.monotonic() - started:.0f} s")

    assert usage["working set"] < LIMIT
    assert cluster.pod()["status"]["containerStatuses"][0]["restartCount"] == 0


def unready(workloads) -> list[str]:
    return [item["metadata"]["name"] for item in workloads.all() if item.get("status", {}).get("ready") != "True"]
