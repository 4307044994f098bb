"""`orphans`: what stayed in Run:ai although its RunaiWorkload is gone, with the rights of whoever calls.

The operator's own form of it, `orphans.py`, is for its pod, and needs no extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.output import print_report, print_table, say
from runai_operator.commands.runai_access import RunaiOptions, runai_options

if TYPE_CHECKING:
    from runai_operator.commands.cleaning import Cleaned
    from runai_operator.commands.record import Leftover
    from runai_operator.kube.objects import Cluster


@click.command(
    cls=Command,
    short_help="List, delete or forget workloads that stayed in Run:ai although their object is gone.",
    examples=[
        Example("what is on record", "kubectl rwl orphans"),
        Example("delete all in Run:ai that are still ours", "kubectl rwl orphans delete --all"),
        Example("the same with the operator's own access to Run:ai", "kubectl rwl orphans delete --all --as-operator"),
        Example("take one off the record", "kubectl rwl orphans forget team-a/train -n runai-operator"),
    ],
)
@click.argument("action", type=click.Choice(["list", "delete", "forget"]), default="list")
@click.argument("which", nargs=-1, metavar="[UID|NAMESPACE/NAME]...")
@click.option("--all", "everything", is_flag=True, help="In place of naming them: all on record.")
@output_option("table", "json", "yaml", "name")
@runai_options()
@cluster_options()
def command(
    *,
    action: str,
    which: tuple[str, ...],
    everything: bool,
    output: str,
    runai: RunaiOptions,
    cluster: ClusterOptions,
) -> ExitCode:
    """List workloads that stayed in Run:ai although their RunaiWorkload had to be released; delete them there where they are
    still ours; or only take them off the record, whatever is in Run:ai.

    The record is a ConfigMap in the operator's namespace, which -n names; without it, it is looked for in every namespace.
    Only delete asks Run:ai: with what the options say, else the environment under the names that the operator uses
    (RUNAI_BASE_URL, RUNAI_CLIENT_ID, RUNAI_CLIENT_SECRET or RUNAI_CLIENT_SECRET_FILE), or with --as-operator as the operator
    does. The table of access is that of RUNAI_ACCESS_FILE, or the operator's likewise. What is gone there leaves the record:
    delete again to see that. The exit code is 1 if anything was kept; -o name prints the others."""
    if action == "list" and (which or everything):
        raise click.UsageError("list names all of them: it takes neither names nor --all.")
    if action != "list" and bool(which) == everything:
        raise click.UsageError(f"Say which to {action}: their UIDs, NAMESPACE/NAME, or --all.")

    if action != "delete" and runai != RunaiOptions():
        raise click.UsageError(f"{action} does not ask Run:ai, so it takes no access to it.")
    # The operator is where its record is.
    asked = replace(runai, operator_namespace=runai.operator_namespace or cluster.namespace)

    async def job(connected: Cluster) -> ExitCode:
        from runai_operator.commands import record  # noqa: PLC0415 - not for help

        books = await record.find(connected, cluster.namespace)
        entries = record.chosen([entry for book in books for entry in await book.entries()], which)
        if action == "list":
            _show(output, entries)
            return ExitCode.OK
        done: list[tuple[Leftover, Cleaned]] = []
        doing = record.forget(entries) if action == "forget" else record.delete(entries, connected, asked)
        try:
            async with aclosing(doing):
                async for cleaned in doing:
                    done.append((entries[len(done)], cleaned))
        finally:
            _report(output, done, entries)
        return ExitCode.FAILED if any(cleaned.kept for _, cleaned in done) else ExitCode.OK

    return cluster.run(job)


def _show(output: str, entries: Sequence[Leftover]) -> None:
    """What is on record."""
    if output == "name":
        for entry in entries:
            click.echo(entry.uid)
    elif output != "table":
        print_report(output, {"items": [entry.report() for entry in entries]})
    elif not entries:
        say("Nothing is on record.")
    else:
        titles = ["uid", "object", "project", "workload", "id", "since", "reason", "record"]
        print_table(titles, [entry.row() for entry in entries])


def _report(output: str, done: Sequence[tuple[Leftover, Cleaned]], entries: Sequence[Leftover]) -> None:
    """What was done, also where it ended early; `-o name` prints what was not kept."""
    if not entries:
        _show(output, entries)
        return
    if output == "name":
        for entry, cleaned in done:
            if not cleaned.kept:
                click.echo(entry.uid)
    elif output != "table":
        print_report(output, {"items": [entry.report() | {"result": str(cleaned)} for entry, cleaned in done]})
    elif done:
        print_table(["uid", "object", "result"], [(entry.uid, entry.owner, str(cleaned)) for entry, cleaned in done])
    if 0 < len(done) < len(entries):
        say(
            f"It ended after {len(done)} of {len(entries)}, and the next may have been begun: give it again for the others."
        )
