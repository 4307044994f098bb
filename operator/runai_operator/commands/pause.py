"""`pause`: nothing more is written to Run:ai for some workloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runai_operator.commands.frame import Command, Example, output_option
from runai_operator.commands.selection import Selection, selection_options

if TYPE_CHECKING:
    from runai_operator.commands.exits import ExitCode
    from runai_operator.kube.objects import Cluster


@click.command(
    cls=Command,
    short_help="Stop all writes to Run:ai for workloads, until they are resumed.",
    examples=[
        Example("before a change by hand in Run:ai", "kubectl rwl pause train"),
        Example("all of a team, in every namespace", "kubectl rwl pause -A -l team=blue"),
    ],
)
@selection_options
@output_option("table", "json", "yaml", "name")
def command(*, chosen: Selection, output: str) -> ExitCode:
    """Stop all writes to Run:ai for RunaiWorkloads, by the annotation bridge.run.ai/paused. What runs goes on, status is still
    kept up to date, and edits and deletions wait until `resume`. Pausing twice changes nothing."""
    from runai_operator.commands.results import print_results  # noqa: PLC0415 - not for help
    from runai_operator.commands.steering import pause  # noqa: PLC0415
    from runai_operator.commands.waiting import Target, exit_code  # noqa: PLC0415

    async def job(cluster: Cluster) -> ExitCode:
        items = [item async for item in chosen.read(cluster)]
        standings = await pause(cluster, items)
        print_results(output, list(map(Target.of, items)), standings, met="paused")
        return exit_code(standings)

    return chosen.cluster.run(job)
