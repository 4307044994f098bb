"""`orphan`: removes objects, and leaves their workloads in Run:ai."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runai_operator.commands.duration import Duration
from runai_operator.commands.frame import Command, Example, output_option
from runai_operator.commands.selection import Selection, selection_options

if TYPE_CHECKING:
    from runai_operator.commands.exits import ExitCode
    from runai_operator.kube.objects import Cluster


@click.command(
    cls=Command,
    short_help="Remove RunaiWorkloads, and leave their workloads in Run:ai.",
    examples=[
        Example("the object goes, the workload runs on", "kubectl rwl orphan train"),
        Example("also what a GitOps tool would make again", "kubectl rwl orphan train --force"),
    ],
)
@selection_options
@click.option("--force", is_flag=True, help="Also objects that Flux, Argo CD, Helm or an owner would make again.")
@click.option(
    "--timeout", type=Duration(), default="1m", show_default=True, help="How long to wait at most; 0 does not wait."
)
@output_option("table", "json", "yaml", "name")
def command(*, chosen: Selection, force: bool, timeout: float, output: str) -> ExitCode:
    """Remove RunaiWorkloads and leave their workloads in Run:ai: deletionPolicy is set to Orphan, together with a pause that
    holds the deletion should somebody put the policy back, then exactly that version of the object is deleted. It also helps
    where a deletion hangs. An object that is applied again under the same name has its workload again.

    Where the operator does not run, the object waits for it, and the exit code is 4; the workload stays all the same. Where
    Run:ai was asked to delete the workload before, it is 1."""
    from runai_operator.commands.orphaning import orphan  # noqa: PLC0415 - not for help
    from runai_operator.commands.progress import Progress  # noqa: PLC0415
    from runai_operator.commands.results import print_results  # noqa: PLC0415
    from runai_operator.commands.waiting import Target, exit_code  # noqa: PLC0415

    progress = Progress()

    async def job(cluster: Cluster) -> ExitCode:
        items = [item async for item in chosen.read(cluster)]
        try:
            standings = await orphan(
                cluster, items, path=chosen.path(cluster), force=force, timeout=timeout, watcher=progress
            )
        finally:
            progress.close()
        print_results(output, list(map(Target.of, items)), standings, met="orphaned")
        return exit_code(standings)

    return chosen.cluster.run(job)
