"""One form for every message that a condition may show: a sentence with a capital letter and a full stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from kubernetes.config import ConfigException

from builders import a_remote, a_row, a_state, a_workload, submitted_status
from readers.combinations import NOW, cases
from runai_operator.codecs.json import Unreadable
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import InvalidWorkload, OutcomeUnknown, Unavailable
from runai_operator.domain.memory import Requests
from runai_operator.domain.model import Project, SourceRef, SourceText, Spec
from runai_operator.domain.reasons import ConditionType, Phase, Reason
from runai_operator.domain.status import build_status
from runai_operator.engine.projects import Projects
from runai_operator.engine.render import Renderer
from runai_operator.kube import failures as kube_failures
from runai_operator.kube.wire import Answer as KubeAnswer
from runai_operator.kube.wire import source_text, workload_from_object
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.wire import Answer

SAID = ("the quota is used up", "The quota is used up.", "nothing is left. ", "")
"""What the other side may say, in forms of its own."""


def is_sentence(message: str) -> bool:
    """One that was clipped ends with an ellipsis."""
    return message[:1].isupper() and message.endswith((".", "…")) and not message.endswith("..")


def misfits(messages: Iterator[str]) -> set[str]:
    found = set(messages)
    assert found
    return {message for message in found if not is_sentence(message)}


@pytest.mark.parametrize("message", ["", "waiting.", "Waiting", "Waiting..", "4 pods wait."])
def test_what_is_no_sentence(message):
    assert not is_sentence(message)


def of_the_words() -> Iterator[str]:
    for reason in Reason:
        yield from (reason.meaning, reason.remedy)
        if reason.hint:
            yield reason.hint
    for kind in ConditionType:
        yield from (kind.meaning, kind.when_false, kind.when_absent)
    yield from (phase.meaning for phase in Phase)


def of_every_status() -> Iterator[str]:
    yield from (entry["message"] for case in cases() if case.written for entry in case.item["status"]["conditions"])


def of_what_runai_says() -> Iterator[str]:
    for said, phase, sync in product(SAID, Phase, ("Synced", "Failed")):
        s = a_state(
            a_workload(status=submitted_status()),
            remote=a_remote(sync_status=sync, sync_message=said),
            row=a_row(phase=phase.value, phase_message=said),
        )
        status = build_status(s, Result(Verdict.IN_SYNC), now=NOW)
        yield from (entry["message"] for entry in status["conditions"])


def of_runai_failures() -> Iterator[str]:
    for operation, status, said in product(Operation, range(204, 600), SAID):
        body = {"code": status, "message": said}
        yield failure(operation, Answer(status, json.dumps(body).encode(), "application/json")).message
    exceptions = (httpx.ConnectError("no route"), httpx.ReadTimeout(""), httpx.InvalidURL("?"), Unreadable("no JSON"))
    yield from (failure(operation, error).message for operation, error in product(Operation, exceptions))


def of_kubernetes_failures() -> Iterator[str]:
    call = kube_failures.Call("get", "configmaps", "team-a", "manifests")
    for status, said, details in product(range(400, 600), SAID, ({}, {"name": "manifests"})):
        body = {"kind": "Status", "message": said, "details": details}
        yield kube_failures.failure(call, KubeAnswer(status, json.dumps(body).encode())).message
    yield kube_failures.failure(call, KubeAnswer(500, b'{"kind": "Status", "message": "request is too large"}')).message
    exceptions = (TimeoutError(), aiohttp.ClientError(), OSError(111, "refused"), Unreadable("no JSON"))
    yield from (kube_failures.failure(call, error).message for error in exceptions)
    yield kube_failures.failure(call, ConfigException("no configuration")).message


@dataclass
class Surroundings:
    """What a spec meets on the way: so many projects of the name, and a source that holds this."""

    count: int = 1
    held: dict[str, Any] = field(default_factory=lambda: {"metadata": {"resourceVersion": "1"}})

    async def projects(self, **_: Any) -> tuple[Project, ...]:
        return tuple(Project(str(number), "team-a", None) for number in range(self.count))

    async def read_source(self, _: str, source: SourceRef) -> SourceText:
        return source_text(self.held, source)

    async def refuse(self, spec: Spec) -> str:
        workload = replace(a_workload(), spec=spec)
        refused = (await Renderer(self.read_source, "i")(workload, Projects(self, lambda: 0.0).of, large=False)).desired
        assert isinstance(refused, InvalidWorkload)
        return refused.message


def of_refused_specs() -> Iterator[str]:
    job = {"apiVersion": "batch/v1", "kind": "Job"}
    source = {kind: Spec(manifest_from=SourceRef(kind, "m", "k"), project_id="1") for kind in ("ConfigMap", "Secret")}
    latin = {"metadata": {"resourceVersion": "1"}, "data": {"k": "/w=="}}
    for spec, around in (
        (Spec(), Surroundings()),
        (Spec(manifest=job), Surroundings()),
        (Spec(manifest={}, project_id="1"), Surroundings()),
        (Spec(manifest=job, name="X", project_id="1"), Surroundings()),
        (Spec(manifest_yaml="[1, 2", project_id="1"), Surroundings()),
        (Spec(manifest=job, project_name="team-a"), Surroundings(count=0)),
        (Spec(manifest=job, project_name="team-a"), Surroundings(count=2)),
        (source["ConfigMap"], Surroundings()),
        (source["Secret"], Surroundings(held=latin)),
    ):
        yield asyncio.run(around.refuse(spec))
    metadata = {"namespace": "team-a", "name": "train", "uid": "uid-1", "resourceVersion": "7"}
    yield workload_from_object({"metadata": metadata, "spec": {"manifest": "text", "name": 1}}).spec_error or ""


@pytest.mark.parametrize(
    "messages",
    [
        of_refused_specs,
        of_the_words,
        of_every_status,
        of_what_runai_says,
        of_runai_failures,
        of_kubernetes_failures,
    ],
)
def test_every_message_is_a_sentence(messages):
    assert misfits(messages()) == set()


# --- what to do

STATUS_PAGE = (Path(__file__).parents[2] / "docs" / "status.md").read_text()


def test_every_hint_names_a_section_of_the_page_on_status():
    for reason in Reason:
        if reason.hint:
            assert reason.hint.endswith(f" (docs/status.md#{reason.anchor}).")
            assert f'<a id="{reason.anchor}"></a>' in STATUS_PAGE


@pytest.mark.parametrize(
    ("end", "row", "advice"),
    [
        pytest.param(
            Result(Verdict.REJECTED, InvalidWorkload("Run:ai refused the workload: no such kind."), outstanding=True),
            None,
            "An edit is tried at once (docs/status.md#invalidspec).",
            id="refused",
        ),
        pytest.param(
            Result(Verdict.IN_SYNC),
            a_row(phase="Failed", phase_message="CUDA out of memory"),
            "an edit of the manifest is sent (docs/status.md#failed).",
            id="failed",
        ),
        pytest.param(
            Result(Verdict.RETRYING, OutcomeUnknown("No answer came back."), outstanding=True),
            None,
            "The operator finds out before it sends anything again (docs/status.md#outcomeunknown).",
            id="in doubt",
        ),
        pytest.param(
            Result(Verdict.DELETING, Unavailable("Run:ai did not answer the request to read the workload.")),
            None,
            "removes this object at once (docs/status.md#deleting).",
            id="being deleted",
        ),
    ],
)
def test_a_message_of_somebody_else_is_followed_by_what_to_do(end, row, advice):
    s = a_state(a_workload(status=submitted_status()), remote=a_remote(), row=row)
    status = build_status(s, end, now=NOW)
    again = build_status(replace(s, workload=replace(s.workload, status=status)), end, now=NOW)

    ready = next(entry for entry in status["conditions"] if entry["type"] == "Ready")
    assert ready["message"].endswith(advice)
    assert again["conditions"] == status["conditions"], "once is enough"


def test_what_is_stalled_by_its_timer_says_it_once():
    error = Unavailable("Run:ai cannot be reached.")
    s = a_state(a_workload(status=submitted_status()))
    first = build_status(s, Result(Verdict.RETRYING, error, outstanding=True), now=NOW)
    stalls = replace(s, workload=replace(s.workload, status=first), requests=Requests(restate=True))
    second = build_status(stalls, Result(Verdict.RETRYING, stalls.trouble, outstanding=True), now=NOW, stalled=True)

    assert {entry["message"] for entry in first["conditions"]} == {entry["message"] for entry in second["conditions"]}
