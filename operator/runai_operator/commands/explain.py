"""`explain`: everything that a person wants to know of a RunaiWorkload that does not do what it should, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runai_operator.commands.frame import Command, Example, output_option
from runai_operator.commands.output import print_json, print_yaml
from runai_operator.commands.selection import Selection, selection_options
from runai_operator.text import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from runai_operator.kube.objects import Cluster

EVENTS_SHOWN = 10
"""The latest ones; `-o json` has all."""

_COLOURS = {"True": "green", "False": "yellow", "Unknown": "magenta"}
_TITLES = {
    "asked": "Asked for",
    "sent": "Sent to Run:ai",
    "shown": "Run:ai shows",
}
_WORDS = {
    "nameInRunai": "name in Run:ai",
    "managementPolicy": "management policy",
    "onDeletion": "on deletion",
    "appliedBy": "applied by",
    "createdAt": "created",
    "deletedAt": "deletion asked for",
    "workloadId": "workload id",
    "workloadName": "name",
    "lastEditAt": "last edit",
    "phaseMessage": "of the phase",
    "desiredPhase": "desired phase",
    "syncMessage": "of the sync",
    "runningPods": "pods running",
    "requestedPods": "pods asked for",
    "allocatedGpus": "GPUs allocated",
    "completedAt": "completed",
}


@click.command(
    cls=Command,
    short_help="Explain the state of workloads: asked, sent, shown, waited for, and what to do.",
    examples=[
        Example("one workload", "kubectl rwl explain train"),
        Example("all that belong together, for a program", "kubectl rwl explain -l app=train -o json"),
    ],
)
@selection_options
@output_option("table", "json", "yaml")
def command(*, chosen: Selection, output: str) -> None:
    """Explain the state of RunaiWorkloads, a page each: what was asked for, what was sent to Run:ai, what Run:ai shows, what
    the conditions mean and since when, what it waits for, and what to do next, with a link into the documentation for each
    reason. Only Kubernetes is asked."""
    from datetime import UTC, datetime  # noqa: PLC0415 - not for help

    now = datetime.now(UTC)

    async def ask(cluster: Cluster) -> list[dict[str, Any]]:
        return [await _explained(cluster, item, now) async for item in chosen.read(cluster)]

    reports = chosen.cluster.run(ask)
    if output == "json":
        print_json(reports[0] if len(chosen.names) == 1 else {"items": reports})
    elif output == "yaml":
        print_yaml(*reports)
    else:
        for number, report in enumerate(reports):
            if number:
                click.echo()
            _print(report, now)


async def _explained(cluster: Cluster, item: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    from runai_operator.commands.explaining import explain  # noqa: PLC0415 - not for help
    from runai_operator.domain.errors import BridgeError  # noqa: PLC0415

    metadata, events, untold = item["metadata"], [], ""
    path = f"/apis/events.k8s.io/v1/namespaces/{metadata['namespace']}/events"
    try:
        events = [event async for event in cluster.list(path, {"fieldSelector": f"regarding.uid={metadata['uid']}"})]
    except BridgeError as error:
        untold = error.message
    report = explain(item, events, now=now)
    return report | {"eventsUnknown": untold} if untold else report


def _print(report: Mapping[str, Any], now: datetime) -> None:
    operator = report["operator"]
    click.secho(f"{report['namespace']}/{report['name']}", bold=True)
    _line(report["summary"])
    if why := operator.get("runaiUnknown"):
        _line(f"Why that is not known: {why}")
    if "observedGeneration" in operator:
        _line(f"The operator has seen generation {operator['observedGeneration']} of {operator['generation']}.")
    for section, title in _TITLES.items():
        if facts := report.get(section):
            _title(title)
            width = max(len(_WORDS.get(name, name)) for name in facts)
            for name, value in facts.items():
                _line(f"{_WORDS.get(name, name):{width}}   {_fact(name, value, now)}")
    _print_conditions(report, now)
    _print_events(report, now)
    if waits := report.get("waitsFor"):
        _title("It waits for")
        _line(waits)
    _title("What to do")
    for step in report["next"]:
        _line(step)
    for link in report.get("links", {}).values():
        click.secho(f"  {link}", fg="blue")


def _print_conditions(report: Mapping[str, Any], now: datetime) -> None:
    if not report.get("conditions"):
        return
    _title("Conditions")
    for entry in report["conditions"]:
        kind, status, reason = (escaped(str(entry.get(part))) for part in ("type", "status", "reason"))
        coloured = click.style(status, fg=_COLOURS.get(status))
        click.echo(f"  {kind} is {coloured} for {_age(entry.get('since'), now)}: {reason}")
        _line(entry["meaning"], indent=4)
        if entry["message"] != entry["meaning"]:
            _line(entry["message"], indent=4)


def _print_events(report: Mapping[str, Any], now: datetime) -> None:
    events = report.get("events", [])
    if not events and "eventsUnknown" not in report:
        return
    _title("Events")
    if "eventsUnknown" in report:
        _line(report["eventsUnknown"])
    if len(events) > EVENTS_SHOWN:
        _line(f"({len(events) - EVENTS_SHOWN} earlier ones are left out)")
    for event in events[-EVENTS_SHOWN:]:
        _line(f"{_age(event['time'], now):>6} ago  {event.get('reason')}: {event.get('note')}")


def _fact(name: str, value: Any, now: datetime) -> str:
    if name == "paused":
        return "yes"
    if name.endswith("At"):
        return f"{value} ({_age(value, now)} ago)"
    return str(value)


def _age(time: object, now: datetime) -> str:
    from runai_operator.commands.view import age, moment  # noqa: PLC0415 - not for help

    return age(moment(time), now)


def _title(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _line(text: str, *, indent: int = 2) -> None:
    """Nothing of an object can start a new line or move the cursor."""
    click.echo(" " * indent + escaped(text))
