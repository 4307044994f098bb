"""Which RunaiWorkloads a command is about: names, or a selector, in one namespace or in all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.frame import F, cluster_options, names_argument

if TYPE_CHECKING:
    from runai_operator.commands.waiting import Target
    from runai_operator.kube.objects import Cluster


@dataclass(frozen=True, slots=True)
class Selection:
    """What was typed."""

    cluster: ClusterOptions
    names: tuple[str, ...] = ()
    """Without duplicates, in the order given; empty with a selector."""
    selector: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """For a list or a watch of `path`; a single name needs the right to that one alone."""
        if self.selector is not None:
            return {"labelSelector": self.selector} if self.selector else {}
        return {"fieldSelector": f"metadata.name={self.names[0]}"} if len(self.names) == 1 else {}

    def path(self, cluster: Cluster) -> str:
        """Of the collection."""
        return cluster.workloads(everywhere=self.cluster.every_namespace)

    async def read(self, cluster: Cluster, *, may_miss: bool = False) -> AsyncIterator[dict[str, Any]]:
        """The objects, one by one. Raises `Vanished` for a name that is not there, `CommandError` where nothing is
        selected, unless that `may_miss`."""
        from runai_operator.domain.errors import InvalidWorkload  # noqa: PLC0415 - help needs no errors

        for name in self.names:
            yield await cluster.get(cluster.workloads(name))
        if self.selector is not None:
            found = False
            try:
                async for item in cluster.list(self.path(cluster), self.query):
                    found = True
                    yield item
            except InvalidWorkload as error:
                raise CommandError(f"-l {self.selector} cannot be used. {error.message}", ExitCode.USAGE) from None
            if not found and not may_miss:
                raise CommandError(f"No RunaiWorkload {self.place(cluster)} has the labels {self.selector}.")

    async def targets(self, cluster: Cluster, *, may_miss: bool = False) -> list[Target]:
        """Which objects they are, by UID; raises as `read` does, unless those that are not there `may_miss`."""
        from runai_operator.commands.waiting import Target  # noqa: PLC0415 - not for help
        from runai_operator.domain.errors import Vanished  # noqa: PLC0415

        if self.selector is not None:
            return [Target.of(item) async for item in self.read(cluster, may_miss=may_miss)]
        found = []
        for name in self.names:
            try:
                found.append(Target.of(await cluster.get(cluster.workloads(name))))
            except Vanished:
                if not may_miss:
                    raise
                found.append(Target(cluster.namespace, name, None))
        return found

    def place(self, cluster: Cluster) -> str:
        return "of the cluster" if self.cluster.every_namespace else f"in namespace {cluster.namespace}"


def selection_options(function: F) -> F:
    """`NAME...` or `-l`, and the options of the cluster; the function gets them as `chosen`."""

    @wraps(function)
    def with_selection(
        *args: Any, names: tuple[str, ...], selector: str | None, cluster: ClusterOptions, **kwargs: Any
    ) -> Any:
        if bool(names) == bool(selector):
            raise click.UsageError("Give either names or, with -l, labels.")
        if names and cluster.every_namespace:
            raise click.UsageError("A name is of one namespace: give -n, or -l in place of names.")
        return function(*args, chosen=Selection(cluster, tuple(dict.fromkeys(map(_bare, names))), selector), **kwargs)

    decorators: tuple[Callable[[Any], Any], ...] = (
        cluster_options(all_namespaces=True),
        click.option("-l", "--selector", metavar="LABELS", help="Those with these labels, as kubectl takes them."),
        names_argument(required=False),
    )
    decorated: Any = with_selection
    for decorate in decorators:
        decorated = decorate(decorated)
    return decorated  # type: ignore[no-any-return]  # what click makes of it has the same parameters and more


def _bare(name: str) -> str:
    """Also as `-o name` prints it: `runaiworkload.bridge.run.ai/train`, `rwl/train`."""
    kind, slash, bare = name.partition("/")
    return bare if slash and kind.partition(".")[0].lower() in ("runaiworkload", "runaiworkloads", "rwl") else name
