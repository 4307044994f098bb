"""`resume`: takes a pause back."""

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
    short_help="Take a pause back: what waits is sent to Run:ai.",
    examples=[
        Example("one workload", "kubectl rwl resume train"),
        Example("all of a team, in every namespace", "kubectl rwl resume -A -l team=blue"),
    ],
)
@selection_options
@output_option("table", "json", "yaml", "name")
def command(*, chosen: Selection, output: str) -> ExitCode:
    """Remove the annotation bridge.run.ai/paused from RunaiWorkloads: edits and deletions that waited are sent to Run:ai. Where
    a GitOps tool has set the annotation, it says so, since that would set it again."""
    from runai_operator.commands.results import print_results  # noqa: PLC0415 - not for help
    from runai_operator.commands.steering import resume  # noqa: PLC0415
    from runai_operator.commands.waiting import Target, exit_code  # noqa: PLC0415

    async def job(cluster: Cluster) -> ExitCode:
        items = [item async for item in chosen.read(cluster)]
        standings = await resume(cluster, items)
        print_results(output, list(map(Target.of, items)), standings, met="resumed")
        return exit_code(standings)

    return chosen.cluster.run(job)
