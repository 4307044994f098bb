"""Access to Run:ai, for the commands that ask it something: options, the environment, or what the operator has."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from runai_operator.commands.cluster import ClusterOptions
    from runai_operator.kube.objects import Cluster
    from runai_operator.runai.client import RunaiClient
    from runai_operator.settings import RunaiAccess

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")
T = TypeVar("T")

AT_ONCE = 8
"""Calls on their way together: enough for ten thousand workloads in minutes, few for a control plane."""

PAUSES = (1.0, 4.0, 15.0)
"""Seconds before each further attempt, where Run:ai does not say how long to wait."""
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class RunaiOptions:
    """What the options say; whatever they do not say is in the environment, under the names that the operator uses."""

    url: str | None = None
    client_id: str | None = None
    secret_file: str | None = None
    as_operator: bool = False
    operator_namespace: str | None = None

    async def settings(self, cluster: Cluster) -> RunaiAccess:
        """Raises `SettingsError`, and with `as_operator` as `credentials_of` does."""
        return self._settings(await self._of_operator(cluster) if self.as_operator else {})

    def settings_by(self, cluster: ClusterOptions) -> RunaiAccess:
        """The same for who has no other need of a cluster, which is reached only with `as_operator`."""
        return cluster.run(self.settings) if self.as_operator else self._settings({})

    async def table(self, cluster: Cluster) -> str | None:
        """The text of the table of access, the operator's with `as_operator`; None: no limits. Raises as `settings` does."""
        if self.as_operator:
            from runai_operator.commands.installs import table_of, the_install  # noqa: PLC0415 - see below

            table = await table_of(cluster, await the_install(cluster, self.operator_namespace))
            if table is not None:
                return table
        return (await self.settings(cluster)).table

    @asynccontextmanager
    async def connect(self, cluster: Cluster) -> AsyncIterator[RunaiClient]:
        """A client, which has asked nothing yet; raises as `settings` does."""
        client = client_of(await self.settings(cluster))
        try:
            yield client
        finally:
            await client.aclose()

    async def _of_operator(self, cluster: Cluster) -> Mapping[str, str]:
        from runai_operator.commands.installs import credentials_of, the_install  # noqa: PLC0415 - only where Run:ai is asked

        return await credentials_of(cluster, await the_install(cluster, self.operator_namespace))

    def _settings(self, of_operator: Mapping[str, str]) -> RunaiAccess:
        from runai_operator.settings import RunaiAccess  # noqa: PLC0415 - see above

        environment: dict[str, str] = dict(os.environ)
        if of_operator:
            own = {"RUNAI_CA_FILE", "RUNAI_CLIENT_SECRET_FILE"}  # of the caller's machine
            environment.pop("RUNAI_CLIENT_SECRET_FILE", None)
            environment |= {name: text for name, text in of_operator.items() if name not in own}
        options = {
            "RUNAI_BASE_URL": self.url,
            "RUNAI_CLIENT_ID": self.client_id,
            "RUNAI_CLIENT_SECRET_FILE": self.secret_file,
        }
        if self.secret_file:
            environment.pop("RUNAI_CLIENT_SECRET", None)
        given = {name: value for name, value in options.items() if value}
        return RunaiAccess.from_environment(environment | given)


def client_of(access: RunaiAccess) -> RunaiClient:
    """Raises `SettingsError` for what only shows when it is put to use."""
    from runai_operator.runai.client import Credentials, RunaiClient  # noqa: PLC0415 - only where Run:ai is asked
    from runai_operator.settings import SettingsError  # noqa: PLC0415

    try:
        return RunaiClient(
            base_url=access.base_url,
            credentials=Credentials(
                access.client_id, secret=access.client_secret, secret_file=access.client_secret_file
            ),
            ca_file=access.ca_file,
            allow_http=access.base_url.startswith("http://"),
            proxy=access.proxy,
        )
    except ValueError as error:
        raise SettingsError([str(error)]) from None


def runai_options() -> Callable[[F], F]:
    """`--runai-url`, `--client-id`, `--client-secret-file`, `--as-operator`; the function gets them as `runai`."""

    def decorate(function: F) -> F:
        @wraps(function)
        def with_runai(
            *args: Any,
            runai_url: str | None,
            client_id: str | None,
            client_secret_file: str | None,
            as_operator: bool,
            operator_namespace: str | None,
            **kwargs: Any,
        ) -> Any:
            chosen = RunaiOptions(runai_url, client_id, client_secret_file, as_operator, operator_namespace)
            return function(*args, runai=chosen, **kwargs)

        options = [
            click.option("--runai-url", metavar="URL", help="Address of Run:ai, in place of RUNAI_BASE_URL."),
            click.option("--client-id", metavar="ID", help="In place of RUNAI_CLIENT_ID."),
            click.option(
                "--client-secret-file",
                metavar="FILE",
                help="Holds the client secret, in place of RUNAI_CLIENT_SECRET and RUNAI_CLIENT_SECRET_FILE.",
            ),
            click.option(
                "--as-operator",
                is_flag=True,
                help="Ask Run:ai with the operator's own settings and Secret, if you may read them.",
            ),
            click.option(
                "--operator-namespace",
                metavar="NAME",
                help="Where the operator is, if there are several or you may not look.",
            ),
        ]
        decorated: Any = with_runai
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]  # what click makes of it has the same parameters and more

    return decorate


async def patiently(ask: Callable[[], Awaitable[T]], *, only_throttled: bool = False) -> T:
    """The answer, also of a Run:ai that throttles, or is busy or stumbles now and then (unless `only_throttled`); only for what
    changes nothing, or has not when it fails so."""
    import asyncio  # noqa: PLC0415 - costs as much as the whole frame

    from runai_operator.domain.errors import Busy, Throttled, Unavailable  # noqa: PLC0415

    for pause in PAUSES:
        try:
            return await ask()
        except Throttled as error:
            await asyncio.sleep(min(error.after or pause, LONGEST_PAUSE))
        except (Busy, Unavailable):
            if only_throttled:
                raise
            await asyncio.sleep(pause)
    return await ask()


async def at_once(
    items: Sequence[S], job: Callable[[S], Awaitable[T]], done: Callable[[int], None], *, limit: int = AT_ONCE
) -> list[T]:
    """What the job makes of each item, in their order; `limit` run together, and `done` gets how many have ended.

    The first exception ends all and is raised.
    """
    import asyncio  # noqa: PLC0415 - see above

    results: dict[int, T] = {}
    waiting = iter(enumerate(items))

    async def work() -> None:
        for number, item in waiting:
            results[number] = await job(item)
            done(len(results))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [results[number] for number in range(len(items))]
