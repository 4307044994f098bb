"""`import`: workloads that already run in Run:ai become RunaiWorkloads, which adopt them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.output import print_objects, print_table, say
from runai_operator.commands.runai_access import AT_ONCE, RunaiOptions, at_once, patiently, runai_options

if TYPE_CHECKING:
    from runai_operator.domain.errors import BridgeError
    from runai_operator.domain.importing import Choice, Owners
    from runai_operator.domain.model import Json, Project, Remote, Row, UnreadRow
    from runai_operator.kube.objects import Cluster
    from runai_operator.runai.client import RunaiClient

SAY_EVERY = 100
"""Progress is shown each time so many are done, and not at all for fewer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say."""

    project: str
    cluster_id: str | None
    kinds: tuple[str, ...]
    name: str
    observe: bool
    installs: tuple[str, ...]

    def covers(self, row: Row | UnreadRow) -> bool:
        return row.name is None or fnmatchcase(row.name, self.name)

    def covers_kind(self, kind: str | None) -> bool:
        return not self.kinds or kind is None or kind.lower() in {one.lower() for one in self.kinds}


@click.command(
    cls=Command,
    short_help="Turn workloads that already run in Run:ai into RunaiWorkloads.",
    examples=[
        Example("show the RunaiWorkloads that would take over a project", "kubectl rwl import --project team-a"),
        Example("create them", "kubectl rwl import --project team-a -n team-a --apply"),
        Example(
            "only some, into a file", "kubectl rwl import --project team-a --kind Job --name 'train-*' > taken.yaml"
        ),
        Example("only watch them", "kubectl rwl import --project team-a --observe --apply"),
        Example("with the operator's own access to Run:ai", "kubectl rwl import --project team-a --as-operator"),
    ],
)
@click.option("--project", required=True, metavar="NAME", help="Run:ai project that the workloads are in.")
@click.option(
    "--cluster-id", metavar="UUID", help="Which project is meant, where several clusters have one of that name."
)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only workloads of this kind; may be repeated.")
@click.option("--name", default="*", metavar="PATTERN", help="Only workloads whose name matches, such as 'train-*'.")
@click.option(
    "--observe", is_flag=True, help="Make them read-only (managementPolicy: Observe): Run:ai is never written to."
)
@click.option("--apply", is_flag=True, help="Create the RunaiWorkloads after showing them.")
@click.option(
    "--dry-run",
    type=click.Choice(["server"]),
    help="Ask Kubernetes whether it would accept them, and create none.",
)
@click.option(
    "--install-id",
    "installs",
    multiple=True,
    metavar="ID",
    help="An id of this cluster's operator (OPERATOR_INSTALL_ID), where it cannot be read.",
)
@output_option("yaml", "json", "name", "table")
@runai_options()
@cluster_options()
def command(
    *,
    project: str,
    cluster_id: str | None,
    kinds: tuple[str, ...],
    name: str,
    observe: bool,
    apply: bool,
    dry_run: str | None,
    installs: tuple[str, ...],
    output: str,
    runai: RunaiOptions,
    cluster: ClusterOptions,
) -> ExitCode:
    """Turn workloads that already run in Run:ai into RunaiWorkloads that adopt them. Nothing runs again: the operator sends each
    workload its own content once more, with its mark, and manages it from then on: deleting such a RunaiWorkload deletes the
    workload.

    Without --apply the RunaiWorkloads are only printed, for a file or a repository. What has ended, is being deleted or belongs
    to another RunaiWorkload is left out, and listed on standard error. So is what Run:ai shows in a form that cannot be read; the
    others are taken over all the same, and the exit code is 1."""
    wish = Wish(project, cluster_id, kinds, name, observe, installs)
    return cluster.run(lambda connected: _import(connected, runai, wish, output, apply=apply, dry_run=bool(dry_run)))


async def _import(
    cluster: Cluster, runai: RunaiOptions, wish: Wish, output: str, *, apply: bool, dry_run: bool
) -> ExitCode:
    async with runai.connect(cluster) as client:
        project, narrow = await _project(client, wish)
        owners, taken = await _owners(cluster, wish, runai.operator_namespace)
        choices, unread = await _choices(client, wish, project, owners, taken, narrow=narrow)
    for one in unread:
        say(f"{one} This workload is left out.")
    for choice in choices:
        if choice.obstacle:
            say(f"{choice.row.name} ({choice.row.id}) is left out: {choice.obstacle}.")
    items = [(choice, choice.item) for choice in choices if choice.item is not None]
    for _, item in items:
        item["metadata"] = {"name": item["metadata"]["name"], "namespace": cluster.namespace}
    _show(output, items)
    left_out = len(unread) + sum(choice.obstacle is not None for choice in choices)
    said = f"{len(items)} of {len(choices) + len(unread)} workloads in project {project.name} can be taken over, {left_out} are left out"
    if not (apply or dry_run):
        say(f"{said}. Nothing was changed: --apply creates these RunaiWorkloads in namespace {cluster.namespace}.")
        return ExitCode.FAILED if unread else ExitCode.OK
    say(f"{said}.")
    code = await _create(cluster, [item for _, item in items], dry_run=dry_run)
    return ExitCode.FAILED if unread else code


def _show(output: str, items: Sequence[tuple[Choice, Mapping[str, Any]]]) -> None:
    if output != "table":
        print_objects(output, [item for _, item in items])
    elif items:
        rows = [
            [choice.row.name, choice.kind, choice.row.phase, choice.row.id, item["metadata"]["name"]]
            for choice, item in items
        ]
        print_table(["workload", "kind", "phase", "id", "runaiworkload"], rows)


async def _project(client: RunaiClient, wish: Wish) -> tuple[Project, bool]:
    """The project, and whether its name alone would not say which."""
    visible = await client.projects(name=None, cluster_id=None)
    named = [project for project in visible if project.name == wish.project]
    found = [project for project in named if wish.cluster_id in (None, project.cluster_id)]
    if len(found) == 1:
        return found[0], len(named) > 1
    if found:
        clusters = ", ".join(sorted(str(project.cluster_id) for project in found))
        raise CommandError(
            f"There are {len(found)} projects called {wish.project}: choose by --cluster-id one of {clusters}.",
            ExitCode.USAGE,
        )
    nearest = difflib.get_close_matches(wish.project, [project.name for project in visible], n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else "Correct --project, or have the client given a role in it."
    on = f" on cluster {wish.cluster_id}" if wish.cluster_id else ""
    raise CommandError(f"Run:ai shows no project {wish.project}{on}. {hint}", ExitCode.USAGE)


async def _owners(cluster: Cluster, wish: Wish, namespace: str | None) -> tuple[Owners, set[str]]:
    """Who owns what, and the names that are taken in the namespace. `namespace`: of the operator, if it is known."""
    from runai_operator.domain.errors import AccessDenied  # noqa: PLC0415 - help needs none of it
    from runai_operator.domain.importing import Owners  # noqa: PLC0415

    complete, seen = True, []
    try:
        seen = [_owned(item) async for item in cluster.list(cluster.workloads(everywhere=True))]
    except AccessDenied:
        complete = False
        seen = [_owned(item) async for item in cluster.list(cluster.workloads())]
        say(
            f"You may not list RunaiWorkloads outside of namespace {cluster.namespace}: what is marked as theirs is left out."
        )
    owners = Owners(
        by_workload={workload_id: where for where, _, ids in seen for workload_id in ids},
        by_uid={uid: where for where, uid, _ in seen},
        complete=complete,
        installs=frozenset(wish.installs) | await _installs(cluster, namespace),
    )
    prefix = f"{cluster.namespace}/"
    return owners, {where.removeprefix(prefix) for where, _, _ in seen if where.startswith(prefix)}


def _owned(item: Mapping[str, Any]) -> tuple[str, str, set[str]]:
    """Its place, its UID, and the ids of the workloads that are its own, or are to be."""
    metadata = item["metadata"]
    named = {(item.get(part) or {}).get("workloadId") for part in ("spec", "status")}
    return f"{metadata['namespace']}/{metadata['name']}", metadata["uid"], {one for one in named if one}


async def _installs(cluster: Cluster, namespace: str | None) -> frozenset[str]:
    """The ids of this cluster's operators, as far as they can be read."""
    from runai_operator.commands.installs import environment_of, find_installs  # noqa: PLC0415 - see above
    from runai_operator.domain.errors import AccessDenied, Vanished  # noqa: PLC0415

    found: set[str] = set()
    with suppress(AccessDenied, Vanished):
        for install in await find_installs(cluster, namespace):
            environment = await environment_of(cluster, install)
            found |= set(environment.get("OPERATOR_FORMER_INSTALL_IDS", "").split(","))
            found.add(environment.get("OPERATOR_INSTALL_ID", ""))
    with suppress(AccessDenied, Vanished):
        found.add((await cluster.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"])
    return frozenset(one.strip() for one in found if one.strip())


async def _choices(
    client: RunaiClient, wish: Wish, project: Project, owners: Owners, taken: set[str], *, narrow: bool
) -> tuple[list[Choice], list[str]]:
    """One for each workload that is wished for, the oldest first; and a sentence for each that cannot be read."""
    from runai_operator.domain.importing import Choice, choose, object_name, obstacle_to_reading  # noqa: PLC0415 - see above

    listed, unlisted = await patiently(lambda: client.in_project(project.id))
    rows = [row for row in listed if wish.covers(row)]
    unread = [
        f"{one.name or 'A workload without a name'} ({one.id or 'no id'}): Run:ai lists it in a form that cannot be read."
        for one in unlisted
        if wish.covers(one)
    ]
    obstacles = {row.id: obstacle_to_reading(row, owners) for row in rows}
    reads = [row for row in rows if obstacles[row.id] is None]
    read = await at_once(reads, _Reader(client), _progress("Read", len(reads)))
    found = dict(zip([row.id for row in reads], read, strict=True))
    choices = []
    for row in rows:
        if obstacle := obstacles[row.id]:
            choices.append(Choice(row, obstacle=obstacle))
            continue
        submitted = found[row.id]
        if isinstance(submitted, Exception):
            unread.append(f"{row.name} ({row.id}): {submitted.message}")
            continue
        name = object_name(row.name, row.id, taken)
        choice = choose(row, submitted, owners, name=name, project=project, narrow=narrow, observe=wish.observe)
        if wish.covers_kind(choice.kind):
            choices.append(choice)
            taken |= {name} if choice.item is not None else set()
    return choices, unread


class _Reader:
    """Reads what was submitted, or returns why it cannot be read where that may be for the one workload alone."""

    def __init__(self, client: RunaiClient) -> None:
        self._client, self._failed_in_a_row = client, 0

    async def __call__(self, row: Row) -> tuple[Remote, Json] | BridgeError | None:
        from runai_operator.domain.errors import Busy, Unavailable, UnexpectedReply  # noqa: PLC0415 - see above

        try:
            found = await patiently(lambda: self._client.submitted(row.id))
        except UnexpectedReply as error:
            return error
        except (Busy, Unavailable) as error:
            self._failed_in_a_row += 1
            if self._failed_in_a_row > AT_ONCE:
                raise  # as many as are asked together, and one more: it is Run:ai
            return error
        self._failed_in_a_row = 0
        return found


async def _create(cluster: Cluster, items: Sequence[Mapping[str, Any]], *, dry_run: bool) -> ExitCode:
    """Creates them, and reports what was refused; rights that are missing end it at once. However it ends, it is said how far it
    came."""
    from runai_operator.domain.errors import InvalidWorkload, StaleObject  # noqa: PLC0415 - see above

    query = {"dryRun": "All"} if dry_run else None
    made, refusals = 0, list[str]()

    async def create(item: Mapping[str, Any]) -> None:
        nonlocal made
        try:
            await cluster.call("POST", cluster.workloads(), query=query, body=item)
        except (InvalidWorkload, StaleObject) as error:
            refusals.append(f"{item['metadata']['name']} was not created: {error.message}")
        else:
            made += 1

    verb = "Checked" if dry_run else "Created"
    try:
        await at_once(items, create, _progress(verb, len(items)))
    finally:
        for refusal in refusals:
            say(refusal)
        is_early = made + len(refusals) < len(items)
        others = " It ended early: import again for the others." if is_early else ""
        if made or not is_early:
            say(
                f"Kubernetes would accept {made} of {len(items)} RunaiWorkloads in namespace {cluster.namespace}; none was created."
                if dry_run
                else f"Created {made} of {len(items)} RunaiWorkloads in namespace {cluster.namespace}.{others}"
            )
    return ExitCode.FAILED if refusals else ExitCode.OK


def _progress(verb: str, total: int) -> Callable[[int], None]:
    def report(done: int) -> None:
        if done % SAY_EVERY == 0 and total > SAY_EVERY:
            say(f"{verb} {done} of {total}.")

    return report
