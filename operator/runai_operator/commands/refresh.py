"""`refresh`: has the operator read Run:ai at once."""

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
    short_help="Have the operator read Run:ai at once, and wait until it has.",
    examples=[
        Example("one workload", "kubectl rwl refresh train"),
        Example("only ask for it", "kubectl rwl refresh train --timeout 0"),
    ],
)
@selection_options
@click.option(
    "--timeout", type=Duration(), default="1m", show_default=True, help="How long to wait at most; 0 does not wait."
)
@output_option("table", "json", "yaml", "name")
def command(*, chosen: Selection, timeout: float, output: str) -> ExitCode:
    """Have the operator read Run:ai for RunaiWorkloads and try again what it has given up, by the annotation
    bridge.run.ai/reconcile-requested-at, and wait until status acknowledges that. It does so once Run:ai has answered: the
    exit code is 4 where it has not in time, and what stands in the way is said."""
    from runai_operator.commands.progress import Progress  # noqa: PLC0415 - not for help
    from runai_operator.commands.results import print_results  # noqa: PLC0415
    from runai_operator.commands.steering import refresh  # noqa: PLC0415
    from runai_operator.commands.waiting import Target, exit_code  # noqa: PLC0415

    progress = Progress()

    async def job(cluster: Cluster) -> ExitCode:
        items = [item async for item in chosen.read(cluster)]
        try:
            standings = await refresh(cluster, items, path=chosen.path(cluster), timeout=timeout, watcher=progress)
        finally:
            progress.close()
        print_results(output, list(map(Target.of, items)), standings, met="refreshed")
        return exit_code(standings)

    return chosen.cluster.run(job)
