"""Write the test data of Argo CD's resource_customizations, so that it is what the operator itself produces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from readers import Json
from readers.combinations import (
    GENERATION,
    NEVER,
    PHASES,
    REJECTED,
    RETRIED,
    SYNCS,
    TABLE,
    WAITING,
    Pass,
    item_with,
    row_of,
    settled_status,
)
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import Busy
from runai_operator.domain.model import PAUSED_ANNOTATION, RECONCILE_ANNOTATION
from runai_operator.domain.reasons import Reason

FOLDER = Path(__file__).parents[2] / "deploy" / "argocd" / "resource_customizations" / "bridge.run.ai" / "RunaiWorkload"
HEALTH_DATA = FOLDER / "testdata"
ACTION_DATA = FOLDER / "actions" / "testdata"

IN_SYNC = Result(Verdict.IN_SYNC)
REFUSED_OVER = {
    "FinishedNotRerun": "Completed",
    "ImmutableFieldChanged": "Running",
    "ManagedByOther": "Running",
    "DeletedExternally": "Running",
    "RecreateGivenUp": "Pending",
    "EndedUnseen": "Running",
}
"""The phase over which a refusal comes; the others come before anything is submitted."""
NOT_SEEN = "Waiting for runai-operator to observe the latest change"
ANY_TIME = "0001-01-01T00:00:00Z"
"""What Argo CD's own tests put in the place of a time, before they compare."""


def files() -> dict[Path, str]:
    """All files and what they hold."""
    written = {HEALTH_DATA / f"{name}.yaml": _dump(item) for name, item, _ in _objects()}
    written[FOLDER / "health_test.yaml"] = _dump({"tests": [_health_test(*entry) for entry in _objects()]})
    running, plain = _running(), _running()
    del plain["metadata"]["annotations"]
    for name, item in {
        "running": running,
        "refreshed": _annotated(running, RECONCILE_ANNOTATION, ANY_TIME),
        "paused": _annotated(running, PAUSED_ANNOTATION, "true"),
        "without-annotations": plain,
        "paused-without-other-annotations": _annotated(plain, PAUSED_ANNOTATION, "true"),
    }.items():
        written[ACTION_DATA / f"{name}.yaml"] = _dump(item)
    written[FOLDER / "actions" / "action_test.yaml"] = _dump(_action_tests())
    return written


def _objects() -> Iterator[tuple[str, Json, str]]:
    """Name, object and row of the status table."""
    for name, settled in _passes():
        _, status = settled_status(settled)
        deleting = settled.end.verdict is Verdict.DELETING
        yield name, item_with(status, paused=settled.paused, deleting=deleting), row_of(settled)
    yield "created", item_with(NEVER), "not-seen"
    edited = _running()
    edited["metadata"]["generation"] = GENERATION + 1
    yield "edited", edited, "not-seen"


def _passes() -> Iterator[tuple[str, Pass]]:
    for phase in PHASES:
        yield f"phase-{_kebab(phase or 'none yet')}", Pass(IN_SYNC, phase, "Synced")
    for sync in SYNCS:
        if sync != "Synced":
            yield f"sync-{_kebab(sync or 'none yet')}", Pass(IN_SYNC, None, sync)
    yield "deleted-in-runai", Pass(IN_SYNC, "Running", "Synced", "Deleted")
    for waiting in WAITING:
        end = Result(Verdict.WAITING, waiting, outstanding=True)
        yield _kebab(waiting.condition_reason), Pass(end, submitted=False)
    for refusal in REJECTED:
        phase = REFUSED_OVER.get(refusal.condition_reason)
        end = Result(Verdict.REJECTED, refusal, outstanding=True, not_submitted=phase is None)
        sync = "Synced" if phase else None
        yield f"refused-{_kebab(refusal.condition_reason)}", Pass(end, phase, sync, submitted=phase is not None)
    for error in RETRIED:
        end = Result(Verdict.RETRYING, error, outstanding=True)
        yield f"trouble-{_kebab(error.condition_reason)}", Pass(end, submitted=False)
    lasting = Pass(Result(Verdict.RETRYING, RETRIED[0], outstanding=True), submitted=False, stalled=True)
    yield "lasting-trouble", lasting
    yield "outage-while-running", Pass(IN_SYNC, "Running", "Synced", stale=True)
    paused = Pass(Result(Verdict.PAUSED), "Running", "Synced", paused=True)
    yield "paused", paused
    yield "paused-with-an-edit", replace(paused, end=Result(Verdict.PAUSED, outstanding=True))
    valid = Pass(Result(Verdict.VALID, not_submitted=True), submitted=False)
    yield "dry-run-valid", valid
    yield "paused-dry-run", replace(valid, paused=True)
    gone = Busy("Waiting until Run:ai has deleted the workload.", reason=Reason.DELETING)
    yield "deleting", Pass(Result(Verdict.DELETING, gone), "Running", "Synced")


def _health_test(name: str, item: Json, row: str) -> Json:
    message = (condition(item["status"], "Ready") or {}).get("message")
    if row == "not-seen":
        message = NOT_SEEN
    elif row == "deleting":
        message = f"Pending deletion: {message}"
    health = {"status": TABLE["situations"][row]["argo"], "message": message}
    return {"healthStatus": health, "inputPath": f"testdata/{name}.yaml"}


def _action_tests() -> Json:
    return {
        "discoveryTests": [
            {"inputPath": f"testdata/{name}.yaml", "result": _offered(paused="paused" in name)}
            for name in ("running", "without-annotations", "paused", "paused-without-other-annotations")
        ],
        "actionTests": [
            {
                "action": action,
                "inputPath": f"testdata/{before}.yaml",
                "expectedOutputPath": f"testdata/{after}.yaml",
            }
            for action, before, after in (
                ("refresh", "running", "refreshed"),
                ("pause", "running", "paused"),
                ("pause", "without-annotations", "paused-without-other-annotations"),
                ("resume", "paused", "running"),
                ("resume", "paused-without-other-annotations", "without-annotations"),
                ("resume", "without-annotations", "without-annotations"),
            )
        ],
    }


def _offered(*, paused: bool) -> list[Json]:
    return [
        {
            "name": "refresh",
            "disabled": False,
            "iconClass": "fa fa-fw fa-sync",
            "displayName": "Refresh from Run:ai",
        },
        {"name": "pause", "disabled": paused, "iconClass": "fa fa-fw fa-pause-circle", "displayName": "Pause"},
        {"name": "resume", "disabled": not paused, "iconClass": "fa fa-fw fa-play-circle", "displayName": "Resume"},
    ]


def _running() -> Json:
    _, status = settled_status(Pass(IN_SYNC, "Running", "Synced"))
    return item_with(status)


def _annotated(item: Json, key: str, value: str) -> Json:
    annotations = item["metadata"].get("annotations", {}) | {key: value}
    return item | {"metadata": item["metadata"] | {"annotations": annotations}}


def _kebab(words: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|\s+", "-", words).lower()


class _Plain(yaml.SafeDumper):
    """Without anchors: the files are read by people."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump(value: Json) -> str:
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, width=1000, allow_unicode=True)


if __name__ == "__main__":
    wanted = files()
    for path in FOLDER.rglob("*.yaml"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
