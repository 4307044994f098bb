"""Access to the caller's cluster, for the commands that need one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from runai_operator.commands.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

T = TypeVar("T")

IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
COMPLETION_SECONDS = 3.0
"""A person who has pressed Tab waits no longer than this."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What the options say, before anything is loaded or asked."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    """None: that of the context."""
    every_namespace: bool = False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Cluster]:
        """The cluster, with `namespace` resolved. Raises `CommandError` without a kubeconfig, else as `Cluster` does."""
        # Half a second of imports, for those who need them.
        from runai_operator.kube.auth import KubeSession  # noqa: PLC0415
        from runai_operator.kube.objects import Cluster  # noqa: PLC0415

        session = KubeSession(self._kubeconfig(), context=self.context)
        try:
            await session.open()
            yield Cluster(session, namespace=self.namespace or session.namespace)
        finally:
            await session.close()

    def run(self, job: Callable[[Cluster], Awaitable[T]]) -> T:
        """What the job returns, in an event loop of its own."""

        import asyncio  # noqa: PLC0415 - costs as much as the whole frame

        async def connected() -> T:
            async with self.connect() as cluster:
                return await job(cluster)

        return asyncio.run(connected())

    def _kubeconfig(self) -> str | None:
        """As kubectl looks for it; None: in-cluster."""
        if self.kubeconfig:
            if not Path(self.kubeconfig).is_file():
                raise CommandError(f"There is no kubeconfig {self.kubeconfig}. Correct --kubeconfig.", ExitCode.USAGE)
            return self.kubeconfig
        if given := os.environ.get("KUBECONFIG"):
            if not any(Path(path).is_file() for path in given.split(os.pathsep) if path):
                raise CommandError(
                    f"KUBECONFIG is {given}, which names no file. Correct it, or give --kubeconfig.", ExitCode.USAGE
                )
            return given
        default = Path.home() / ".kube" / "config"
        if default.is_file():
            return str(default)
        if self.context or not IN_CLUSTER.is_file():
            raise CommandError(
                f"There is no kubeconfig: neither --kubeconfig nor KUBECONFIG is given, and {default} does not exist.",
                ExitCode.USAGE,
            )
        return None


def complete_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of RunaiWorkloads that begin so; none where the cluster does not answer soon."""
    return [name for name in _names(_options_of(ctx), "") if name.startswith(incomplete)]


def complete_namespaces(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Namespaces that begin so, likewise."""
    return [name for name in _names(_options_of(ctx), "/api/v1/namespaces") if name.startswith(incomplete)]


def _options_of(ctx: click.Context) -> ClusterOptions:
    given = ctx.params
    return ClusterOptions(given.get("kubeconfig"), given.get("context"), given.get("namespace"))


def _names(options: ClusterOptions, path: str) -> list[str]:
    import asyncio  # noqa: PLC0415 - see above

    async def ask(cluster: Cluster) -> list[str]:
        async with asyncio.timeout(COMPLETION_SECONDS):
            return [meta["metadata"]["name"] async for meta in cluster.metadata(path or cluster.workloads())]

    try:
        return sorted(options.run(ask))
    except Exception:  # noqa: BLE001 - a shell that completes has no place for an error
        return []
