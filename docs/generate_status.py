# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write status.md: the words from the operator's own enums, the situations from status.yaml.

The tests hold the operator, and the programs that read its status, to both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runai_operator.domain.reasons import ConditionType, Group, Reason

HERE = Path(__file__).parent
SOURCE = HERE / "status.yaml"
TARGET = HERE / "status.md"

INTRODUCTION = """\
<!-- Written by docs/generate_status.py from docs/status.yaml and operator/runai_operator/domain/reasons.py. -->
# Status

`kubectl get runaiworkloads` shows the short form, `kubectl describe` the conditions with their messages. All fields are
in [reference/runaiworkload.md](reference/runaiworkload.md#status).

## Conditions
"""

AFTER_CONDITIONS = """\
`Reconciling` and `Stalled` are never both there, and neither is beside `Ready=True`. A condition speaks of the spec whose
generation is in its `observedGeneration`, and `status.observedGeneration` says the same for the whole status. The
transition time changes with the condition's status only.

## What it means to the programs that wait

They all read the same conditions. Helm 4 and Flux do it by kstatus, Flux also with the
[expressions](../deploy/flux/health-check-exprs.yaml) of ours, Argo CD with
[our script](../deploy/argocd/resource_customizations/bridge.run.ai/RunaiWorkload/health.lua); `kubectl wait` is the
[two-way wait](kubectl.md). When several rows apply, the first of these counts: being deleted, not yet seen, rejected,
retrying with something to send, paused with something to send, completed, failed on the way to the cluster, on the way
to the cluster, the phase.
"""

FRESHNESS = """\
## How fresh it is

The operator never vouches for what nobody knows:
"""

CLOSING = """\
## Traps

- A *Suspended* resource holds an Argo CD sync that has several waves, and a *Degraded* one fails it
  ([argocd.md](argocd.md#waves-and-health)).
- `kubectl wait --for=condition=Ready` alone never ends on a failure ([kubectl.md](kubectl.md)).
- `helm install --wait` fails on a *Failed* resource only when no other one of the chart is on its way any more.
- Flux's own expressions know nothing of deletion; ours do ([flux.md](flux.md)).

## Reasons

A reason is one word for programs; the message beside it is for you and may change. Each has an anchor here, its word in
lower case: `status.md#nametaken`.
"""

Entry = Mapping[str, Any]


def text() -> str:
    """Return the whole page."""
    data = yaml.safe_load(SOURCE.read_text())
    parts = [
        INTRODUCTION,
        _table(("Condition", "True", "False", "Absent"), map(_condition, ConditionType)),
        AFTER_CONDITIONS,
        _table(
            ("Situation", "Ready", "Reconciling", "Stalled", "kstatus, Helm, Flux", "Argo CD", "`kubectl wait`"),
            map(_situation, data["situations"].values()),
        ),
        FRESHNESS,
        "\n".join(f"- {entry['promise']}" for entry in data["freshness"]),
        CLOSING,
        *(part for group in Group for part in _group(group)),
    ]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _condition(kind: ConditionType) -> tuple[str, ...]:
    return f"`{kind}`", kind.meaning, kind.when_false, kind.when_absent


def _situation(row: Entry) -> tuple[str, ...]:
    ready = f"{row['ready']}, `{row['reason']}`" if "reason" in row else row["ready"]
    kstatus = row["kstatus"] if row["flux"] == row["kstatus"] else f"{row['kstatus']} (Flux's CEL: {row['flux']})"
    return row["what"], ready, row["reconciling"], row["stalled"], kstatus, row["argo"], row["kubectl"]


def _group(group: Group) -> Iterator[str]:
    """Yield a heading and a table. Each reason has an anchor, for messages and other pages to point to."""
    yield f"### {group.heading}\n\n{group.where}"
    reasons = [reason for reason in Reason if reason.group is group]
    yield _table(
        ("Reason", "Meaning", "What to do"),
        ((f'<a id="{reason.anchor}"></a>`{reason}`', reason.meaning, reason.remedy) for reason in reasons),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    TARGET.write_text(text())
