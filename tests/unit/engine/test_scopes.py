"""Several watched namespaces in virtual time: what happens to one does not concern the others."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, Bench, reason
from runai_operator.domain.errors import AccessDenied
from runai_operator.domain.model import Spec

pytestmark = pytest.mark.looptime

HOUR = 3600
TWO = {**RUNS_ON, "spec": {"replicas": 2}}


@pytest.fixture
async def bench():
    made = Bench()
    made.kube.scopes = ("a", "b")
    yield made
    await made.stop()
    assert made.observer.bugs == 0


def made_in(bench, namespace, name="w"):
    return bench.kube.create(namespace, name, Spec(manifest=RUNS_ON, project_id="1", name=f"{namespace}-{name}"))


async def test_a_namespace_that_is_forbidden_at_the_start_keeps_no_other_from_starting(bench):
    """Its RoleBinding is gone, or it is itself; the operator used to wait for it for ever."""
    stored, hidden = made_in(bench, "b"), made_in(bench, "a")
    bench.kube.forbidden_namespaces.add("a")
    await bench.start()
    await asyncio.sleep(30)
    assert (reason(stored), reason(hidden)) == ("Running", None)

    bench.kube.forbidden_namespaces.clear()
    await asyncio.sleep(700)
    assert reason(hidden) == "Running"


async def test_where_no_namespace_can_be_listed_the_start_waits(bench):
    bench.kube.forbidden_namespaces.update("ab")
    with pytest.raises(AccessDenied):
        await bench.start()


async def test_the_safety_net_holds_for_the_other_namespaces(bench):
    """What vanishes without an event is forgotten, but not where nothing could be listed."""
    gone, hidden = made_in(bench, "b", "gone"), made_in(bench, "a")
    await bench.start()
    await asyncio.sleep(30)
    bench.kube.forbidden_namespaces.add("a")
    bench.kube.lose(gone)
    missed = made_in(bench, "b", "missed")
    await asyncio.sleep(1500)

    assert reason(missed) == "Running"
    known = {entry.uid for entry in bench.engine.inventory}
    assert known == {missed.ref.uid, hidden.ref.uid}


async def test_a_forbidden_namespace_is_logged_once_for_each_change_and_costs_little(bench, caplog):
    caplog.set_level(logging.INFO, "runai_operator.engine.engine")
    many = [made_in(bench, "a", f"w{number}") for number in range(20)]
    made_in(bench, "b")
    await bench.start()
    await asyncio.sleep(60)
    bench.kube.forbidden_namespaces.add("a")
    for stored in many:
        bench.kube.edit(stored, replace(stored.spec, manifest=TWO))
        bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(2 * HOUR)
    bench.kube.forbidden_namespaces.clear()
    await asyncio.sleep(700)

    said = [record.getMessage() for record in caplog.records if record.name == "runai_operator.engine.engine"]
    assert said.count("RunaiWorkloads in a are forbidden.") == 1
    assert said.count("RunaiWorkloads in a can be listed again") == 1
    assert sum(message.startswith("could not reconcile") for message in said) <= 20 * 8
    assert {workload.manifest["spec"]["replicas"] for workload in bench.runai.live()} == {1, 2}
    assert {reason(stored) for stored in bench.kube.objects.values()} == {"Running"}
