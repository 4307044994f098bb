"""`wait`: until workloads are ready, completed or deleted, or will never be."""

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
    short_help="Wait until workloads are ready, completed or deleted, or have failed.",
    examples=[
        Example("until it runs or has completed", "kubectl rwl wait train"),
        Example("until all of a group have completed", "kubectl rwl wait -l app=train --for completed --timeout 12h"),
        Example("until it is gone, in Run:ai too", "kubectl rwl wait train --for deleted --timeout 10m"),
    ],
)
@selection_options
@click.option(
    "--for",
    "goal",
    type=click.Choice(["ready", "completed", "deleted"]),
    default="ready",
    show_default=True,
    help="What to wait for; ready: it runs, has completed or is stopped.",
)
@click.option("--timeout", type=Duration(), default="30m", show_default=True, help="How long at most; 0 looks once.")
@click.option("--keep-going", is_flag=True, help="When one has failed, wait for the others all the same.")
@output_option("table", "json", "yaml", "name")
def command(*, chosen: Selection, goal: str, timeout: float, keep_going: bool, output: str) -> ExitCode:
    """Wait until RunaiWorkloads are ready, completed or deleted, and end as soon as one will not come to it by itself: when it
    is Stalled (failed, rejected, paused with changes to send) or, unless that is waited for, deleted. A status that the
    operator wrote about an earlier generation of the spec does not count.

    The exit code is 0 when all have come to it, 1 when one has failed, and 4 when time was up. How they get on goes to
    standard error."""
    from runai_operator.commands.progress import Progress  # noqa: PLC0415 - not for help
    from runai_operator.commands.results import print_results  # noqa: PLC0415
    from runai_operator.commands.waiting import Goal, exit_code, towards, wait  # noqa: PLC0415

    progress = Progress()

    async def job(cluster: Cluster) -> ExitCode:
        targets = await chosen.targets(cluster, may_miss=goal == Goal.DELETED)
        try:
            standings = await wait(
                cluster,
                targets,
                towards(Goal(goal)),
                path=chosen.path(cluster),
                timeout=timeout,
                watcher=progress,
                keep_going=keep_going,
            )
        finally:
            progress.close()
        print_results(output, targets, standings, met=goal)
        return exit_code(standings)

    return chosen.cluster.run(job)
