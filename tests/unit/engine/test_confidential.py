"""A manifest from a Secret: whatever Run:ai says of it, nothing of it gets into status, Events or the log."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.manifest import content_hash
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy, SourceRef, SourceText
from runai_operator.engine.gate import CallClass
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.wire import Answer
from runai_operator.telemetry.logs import JsonFormatter

pytestmark = pytest.mark.looptime

SECRET = "hunter2"
FIELD = "spec.template.spec.containers[0].env[0].value"
QUOTING = f"{FIELD}: Invalid value: {SECRET} ({SECRET!r}, `{SECRET}`)"

STEERED = {
    "a refusal": {"simulator.run.ai/refuse": QUOTING},
    "a failed sync": {"simulator.run.ai/sync": "fail", "simulator.run.ai/message": QUOTING},
    "a failed run": {"simulator.run.ai/end": "Failed", "simulator.run.ai/message": QUOTING},
    "a pending workload": {"simulator.run.ai/pending": "true", "simulator.run.ai/message": QUOTING},
}


@pytest.fixture
async def bench(caplog):
    caplog.set_level(logging.DEBUG, "runai_operator")
    async with Bench().started() as bench:
        yield bench


def submit(bench, annotations, *, kind="Secret", name="w"):
    manifest = RUNS_ON | {"metadata": {"annotations": annotations}}
    bench.kube.sources[name] = SourceText(json.dumps(manifest), "1", uid=f"uid-of-{name}")
    return bench.apply(name, manifest=None, manifest_from=SourceRef(kind, name, "key"))


def shown(bench, caplog):
    """All that anybody can read of it."""
    status = {name: stored.status for (_, name), stored in bench.kube.objects.items()}
    events = [event.message for _, event, _ in bench.kube.events]
    lines = [JsonFormatter().format(record) for record in caplog.records]
    return json.dumps([status, events, lines])


@pytest.mark.parametrize("annotations", STEERED.values(), ids=STEERED)
async def test_what_run_ai_says_of_a_manifest_from_a_secret_is_cut_down_to_the_fields_that_it_names(
    bench, caplog, annotations
):
    stored = submit(bench, annotations)
    await asyncio.sleep(60)

    assert SECRET not in shown(bench, caplog)
    assert FIELD in condition(stored.status, "Ready")["message"]


@pytest.mark.parametrize("kind", [kind for kind in STEERED if kind != "a refusal"])
async def test_nothing_is_shown_of_a_secrets_manifest_that_run_ai_still_holds_when_the_spec_names_another_source(
    bench, caplog, kind
):
    stored = submit(bench, STEERED[kind])
    await asyncio.sleep(60)
    bench.edit(stored, manifest_from=SourceRef("ConfigMap", "is-not-there", "key"))
    await asyncio.sleep(600)

    assert condition(stored.status, "Synced")["status"] == "False"
    assert SECRET not in shown(bench, caplog)


@pytest.mark.parametrize("list_lag", [1.0, 30.0])
@pytest.mark.parametrize("kind", [kind for kind in STEERED if kind != "a refusal"])
async def test_what_run_ai_said_of_a_secrets_manifest_is_not_shown_when_another_one_takes_its_place(
    bench, caplog, kind, list_lag
):
    await bench.start(grace=60)
    stored = submit(bench, STEERED[kind])
    await asyncio.sleep(90)
    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, list_lag=list_lag, sync_time=20)
    bench.edit(stored, manifest=RUNS_ON, manifest_from=None)

    for moment in range(600):
        await asyncio.sleep(0.2)
        assert SECRET not in shown(bench, caplog)
        if moment == 20:
            await bench.start(grace=60)
    await asyncio.sleep(300)
    assert SECRET not in shown(bench, caplog)
    assert condition(stored.status, "Ready")["reason"] == "Running"


@pytest.mark.parametrize("then", ["crash", "outage of writes"])
@pytest.mark.parametrize("kind", [kind for kind in STEERED if kind != "a refusal"])
async def test_a_secrets_manifest_that_was_sent_without_a_record_of_it_is_not_quoted(caplog, kind, then):
    bench = UnevenBench()
    await bench.start(grace=60)
    submit(bench, STEERED[kind], name="s")
    stored = bench.apply("w")
    await asyncio.sleep(90)
    [workload] = [each for each in bench.runai.live() if each.name == "w"]
    bench.edit(stored, manifest=None, manifest_from=SourceRef("Secret", "s", "key"))
    while not bench.called("update"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    bench.kube.edit(stored, replace(stored.spec, manifest=RUNS_ON, manifest_from=None))
    while SECRET not in json.dumps(workload.manifest):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    if then == "crash":
        await bench.stop()
        await asyncio.sleep(40)
        await bench.start(grace=60)
    else:
        bench.troubles["update"] = lambda: Unavailable("503")
        bench.engine.observe("MODIFIED", stored.meta())

    for _ in range(600):
        await asyncio.sleep(0.2)
        assert SECRET not in shown(bench, caplog)
    bench.troubles.clear()
    await asyncio.sleep(300)
    assert SECRET not in shown(bench, caplog)
    assert condition(stored.status, "Ready")["reason"] == "Running"
    await bench.stop()


async def test_an_edit_that_leaves_a_secret_is_sent_although_the_first_attempt_fails():
    bench = UnevenBench()
    await bench.start()
    stored = submit(bench, {})
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.troubles["update"] = lambda: Unavailable("503")
    bench.edit(stored, manifest=RUNS_ON | {"spec": {"replicas": 5}}, manifest_from=None)
    await asyncio.sleep(60)
    bench.troubles.clear()
    await asyncio.sleep(60)

    assert workload.manifest["spec"] == {"replicas": 5}
    assert condition(stored.status, "Synced")["status"] == "True"
    await bench.stop()


@pytest.mark.parametrize("kind", [kind for kind in STEERED if kind != "a refusal"])
async def test_who_observes_what_another_submitted_from_a_secret_is_not_told_what_that_holds(bench, caplog, kind):
    stored = submit(bench, STEERED[kind])
    await asyncio.sleep(60)
    spec = {"management_policy": ManagementPolicy.OBSERVE, "workload_id": stored.status["workloadId"]}
    observer = bench.apply("other", namespace="elsewhere", manifest=None, **spec)
    await asyncio.sleep(600)

    assert observer.status["workloadId"] == stored.status["workloadId"]
    assert SECRET not in shown(bench, caplog)


@pytest.mark.parametrize("kind", [kind for kind in STEERED if kind != "a refusal"])
async def test_an_interrupted_submission_from_a_secret_that_was_edited_since_is_not_quoted(bench, caplog, kind):
    stored = submit(bench, STEERED[kind])
    while not bench.runai.live():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await bench.stop()
    stored.status = {"observedGeneration": -1}
    bench.kube.edit(stored, replace(stored.spec, manifest=RUNS_ON, manifest_from=None))
    await asyncio.sleep(60)
    await bench.start(grace=60)

    for _ in range(600):
        await asyncio.sleep(0.2)
        assert SECRET not in shown(bench, caplog)
    assert condition(stored.status, "Ready")["reason"] == "Running"


@pytest.mark.parametrize("kind", ["a failed run", "a pending workload"])
@pytest.mark.parametrize("then", ["observes it", "adopts it", "has its name"])
@pytest.mark.parametrize("restarted", [True, False])
async def test_nothing_is_shown_of_a_secrets_manifest_to_who_takes_the_workload_over(caplog, kind, then, restarted):
    """Nor while the workload cannot be read: the lists say enough of it."""
    bench = UnevenBench(replace(WORLD, list_lag=30))
    await bench.start(grace=60)
    former = submit(bench, STEERED[kind])
    await asyncio.sleep(120)
    bench.edit(former, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(1)
    bench.delete(former)
    await asyncio.sleep(1)
    [workload] = bench.runai.live()
    named = {} if then == "has its name" else {"workload_id": workload.id}
    if then == "observes it":
        named |= {"management_policy": ManagementPolicy.OBSERVE, "manifest": None}
    bench.apply("w" if then == "has its name" else "other", **named)
    for moment in range(300):
        await asyncio.sleep(0.2)
        assert SECRET not in shown(bench, caplog)
        if moment == 100 and restarted:
            bench.troubles[CallClass.READS] = lambda: Unavailable("503")
            await bench.start(grace=60)
    if then == "observes it":
        bench.runai.world.set_phase(workload, "Degraded", QUOTING, bench.now())
    await asyncio.sleep(300)
    assert SECRET not in shown(bench, caplog)
    bench.troubles.clear()
    await asyncio.sleep(300)
    assert SECRET not in shown(bench, caplog)
    await bench.stop()


@pytest.mark.parametrize("kind", ["a failed run", "a pending workload"])
async def test_an_interrupted_submission_from_a_secret_is_not_quoted_while_it_can_be_neither_changed_nor_read(
    caplog, kind
):
    bench = UnevenBench()
    await bench.start(grace=60)
    stored = submit(bench, STEERED[kind])
    while not bench.runai.live():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await bench.stop()
    stored.status = {"observedGeneration": -1}
    bench.kube.edit(stored, replace(stored.spec, manifest=RUNS_ON, manifest_from=None))
    bench.troubles["update"] = lambda: Unavailable("503")
    await bench.start(grace=60)
    await asyncio.sleep(10)
    assert stored.status["workloadId"] is not None
    bench.troubles[CallClass.READS] = lambda: Unavailable("503")
    await bench.start(grace=60)
    await asyncio.sleep(300)
    assert SECRET not in shown(bench, caplog)
    bench.troubles.clear()
    await asyncio.sleep(300)

    assert SECRET not in shown(bench, caplog)
    assert condition(stored.status, "Ready")["reason"] == "Running"
    await bench.stop()


async def test_what_run_ai_says_of_the_manifest_that_took_the_place_of_a_secrets_is_shown(bench, caplog):
    stored = submit(bench, STEERED["a failed sync"])
    await asyncio.sleep(90)
    steered = {"simulator.run.ai/sync": "fail", "simulator.run.ai/message": "no such node"}
    bench.edit(stored, manifest=RUNS_ON | {"metadata": {"annotations": steered}}, manifest_from=None)
    await asyncio.sleep(60)

    assert "no such node" in condition(stored.status, "Ready")["message"]
    assert SECRET not in shown(bench, caplog)


@pytest.mark.parametrize("annotations", STEERED.values(), ids=STEERED)
async def test_of_any_other_manifest_all_of_it_is_shown(bench, caplog, annotations):
    stored = submit(bench, annotations, kind="ConfigMap")
    await asyncio.sleep(60)

    assert QUOTING in condition(stored.status, "Ready")["message"]


async def test_an_answer_that_stops_all_calls_is_quoted_to_no_other_object(bench, caplog):
    def fail(method, subject):
        del subject
        body = json.dumps({"code": 503, "message": QUOTING}).encode()
        raise failure(Operation.CREATE if method == "POST" else Operation.UPDATE, Answer(503, body, "application/json"))

    bench.runai.allow = fail
    for number in range(3):
        submit(bench, {}, name=f"secret-{number}")
    await asyncio.sleep(10)
    others = [bench.apply(f"other-{number}") for number in range(3)]
    await asyncio.sleep(60)

    assert bench.engine.upstreams.named(None).gate.error("writes") is not None, "the calls are held back"
    assert "503" in shown(bench, caplog)
    assert SECRET not in json.dumps([stored.status for stored in others[1:]])
    assert SECRET not in "".join(line.getMessage() for line in caplog.records if "held back" in line.getMessage())


async def test_a_message_that_was_left_out_is_no_change_at_every_restart(bench):
    submit(bench, STEERED["a failed run"])
    await asyncio.sleep(60)
    writes = bench.kube.writes
    await bench.start()
    await asyncio.sleep(700)

    assert bench.kube.writes == writes


# --- the hash in status


def hash_of(stored):
    return stored.status["submittedHash"].rpartition(".")[0]


def puts(bench):
    return [method for method, _ in bench.runai.writes].count("PUT")


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return set(value) | set().union(*map(strings, value.values()))
    if isinstance(value, list):
        return set().union(*map(strings, value))
    return {str(value)}


async def test_who_may_read_the_object_but_not_the_secret_cannot_try_out_what_the_secret_holds(bench):
    stored = submit(bench, {})
    await asyncio.sleep(60)
    guess = json.loads(bench.kube.sources["w"].text)
    meta = {"namespace": "ns", "name": "w", "uid": stored.ref.uid, "install": "i", "source": "w", "key": "key"}
    known = {*strings(stored.status), *meta.values(), "kube-system", ""}
    keys = [None, *known, *("/".join(pair) for pair in itertools.permutations(known, 2))]

    assert hash_of(stored) not in {content_hash(guess, priority=None, category=None, key=key) for key in keys}
    assert hash_of(stored) == content_hash(guess, priority=None, category=None, key="uid-of-w"), "only by the UID"
    assert "uid-of-w" not in json.dumps(stored.status)


async def test_two_secrets_that_hold_the_same_have_different_hashes(bench):
    """Else somebody could put guesses into a Secret of their own and compare."""
    first, second = submit(bench, {}), submit(bench, {}, name="v")
    await asyncio.sleep(60)

    assert hash_of(first) != hash_of(second)


async def test_a_hash_keyed_as_before_leads_to_no_put_and_is_replaced_so_that_changes_are_noticed(bench):
    stored = submit(bench, {})
    await asyncio.sleep(60)
    right, (_, _, identity) = hash_of(stored), stored.status["submittedHash"].rpartition(".")
    stored.status["submittedHash"] = f"v1:{'0' * 32}.{identity}"
    await bench.start()
    await asyncio.sleep(120)

    assert puts(bench) == 0
    assert hash_of(stored) == right

    changed = RUNS_ON | {"spec": {"replicas": 3}}
    bench.kube.sources["w"] = SourceText(json.dumps(changed), "2", uid="uid-of-w")
    await asyncio.sleep(120)
    assert puts(bench) == 1


async def test_a_secret_that_was_created_anew_is_sent_once(bench):
    stored = submit(bench, {})
    await asyncio.sleep(60)
    held = bench.kube.sources["w"]
    bench.kube.sources["w"] = SourceText(held.text, "9", uid="another-uid")
    await asyncio.sleep(600)

    assert puts(bench) == 1
    assert condition(stored.status, "Ready")["status"] == "True"
