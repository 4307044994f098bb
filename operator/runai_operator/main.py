"""The composition root: settings to clients to engine to watch. The only place where things are wired together."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from random import SystemRandom, random
from socket import gethostname
from typing import Any

from runai_operator import __version__
from runai_operator.commands import orphans
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access, parse_access
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import DEFAULT_CONNECTION
from runai_operator.domain.requeue import LONGEST_PASS, Limits, retry_start_after
from runai_operator.engine.engine import Engine
from runai_operator.engine.ports import EngineSettings
from runai_operator.handlers import Watcher
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.client import KubeClient
from runai_operator.kube.watch import WatchState
from runai_operator.runai.auth import Credentials
from runai_operator.runai.client import RunaiClient
from runai_operator.settings import (
    Environment,
    KubeAccess,
    Logging,
    RunaiAccess,
    Settings,
    SettingsError,
    unknown_variables,
)
from runai_operator.stopping import StopSignals
from runai_operator.telemetry.health import Check, LoopPulse, progress
from runai_operator.telemetry.logs import configure
from runai_operator.telemetry.metrics import Metrics
from runai_operator.telemetry.server import TelemetryServer

log = logging.getLogger(__name__)

WORKER_PATIENCE = LONGEST_PASS
"""Seconds in which no pass begins or ends although there is work, after which the process counts as stuck."""


def main(argv: Sequence[str] | None = None, *, signals: StopSignals | None = None) -> int:
    """Exit code: 0 after SIGTERM or SIGINT, 2 for bad configuration, 1 for anything else. `signals` has listened for a stop
    so far, if anybody did."""
    given = _parser().parse_args(argv)
    signals = signals or StopSignals()
    commands = {"run": lambda: run_operator(signals), "orphans": lambda: tend_orphans(given)}
    try:
        return commands[given.command]()
    except SettingsError as error:
        print(f"runai-operator: {error}", file=sys.stderr)  # noqa: T201 - there is no log before there are settings
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runai-operator", description="Bridges RunaiWorkload custom resources to the Run:ai Workloads V2 API."
    )
    parser.add_argument("--version", action="version", version=f"runai-operator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the operator; it is configured by environment variables")
    orphans.add_arguments(
        commands.add_parser("orphans", help=orphans.HELP, description=orphans.DESCRIPTION),
    )
    return parser


def run_operator(signals: StopSignals) -> int:
    """Runs until SIGTERM or SIGINT. Raises `SettingsError`."""
    settings = Settings.from_environment()
    access = _access(settings.runai)
    configure(settings.logging.log_format, settings.logging.log_level)
    for sentence in unknown_variables():
        log.warning("%s", sentence)
    code = _run(lambda: Operator(settings, signals, access).run())
    if code == 0:
        log.info("stopped")
    return code


def _access(runai: RunaiAccess) -> Access:
    if runai.table is None:
        return Access()
    try:
        return parse_access(runai.table)
    except ValueError as error:
        raise SettingsError([f"RUNAI_ACCESS_FILE {error}"]) from None


def tend_orphans(given: argparse.Namespace) -> int:
    """Needs access to Run:ai only for what uses it. Raises `SettingsError`."""
    environment = Environment()
    access, logs = KubeAccess.read(environment), Logging.read(environment)
    runai_access = RunaiAccess.read(environment) if given.delete else None
    environment.check()
    allowed = _access(runai_access) if runai_access is not None else Access()
    configure(logs.log_format, logs.log_level)

    async def tend() -> int:
        async with AsyncExitStack() as stack:
            session = KubeSession(access.kubeconfig)
            stack.push_async_callback(session.close)
            await session.open()
            record = KubeClient(
                session,
                namespaces=access.namespaces,
                records_namespace=access.records_namespace or session.namespace,
            )
            cleaner = None
            if runai_access is not None:
                runai = _runai_client(runai_access, Metrics(__version__))
                stack.push_async_callback(runai.aclose)
                cleaner = Cleaner(record, runai, access=allowed)
            return await orphans.tend(record, cleaner, forget=given.forget)

    return _run(tend)


def _run(job: Callable[[], Coroutine[Any, Any, int | None]]) -> int:
    """Exit code: that of the job, if it has one."""
    try:
        return asyncio.run(job()) or 0
    except SettingsError:
        raise
    except BridgeError as error:
        log.error("%s", error.message)  # noqa: TRY400 - the message says it all
        return 1
    except Exception:
        log.exception("ended by an unexpected error")
        return 1


def _why(error: OSError) -> str:
    """The operating system's words alone; those of a name that is not known have no number of their own."""
    number = error.errno or 0
    return (os.strerror(number) if number > 0 else error.strerror or "unusable").lower()


def _runai_client(access: RunaiAccess, metrics: Metrics) -> RunaiClient:
    return RunaiClient(
        base_url=access.base_url,
        credentials=Credentials(access.client_id, secret=access.client_secret, secret_file=access.client_secret_file),
        ca_file=access.ca_file,
        allow_http=access.base_url.startswith("http://"),
        proxy=access.proxy,
        on_call=metrics.runai_call(DEFAULT_CONNECTION),
    )


class Operator:
    """Everything that `run` needs, wired together."""

    def __init__(self, settings: Settings, signals: StopSignals, access: Access) -> None:
        self._settings, self._signals, self._access = settings, signals, access
        self._metrics = Metrics(__version__)
        self._watch = WatchState(settings.kube.namespaces)
        self._engine: Engine | None = None
        self._kube: KubeClient | None = None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        self._signals.hand_on_to(stop)
        listen, access = self._settings.operation.listen, self._settings.kube
        pulse = LoopPulse(self._metrics.loop_lag)
        session = KubeSession(access.kubeconfig, watches=len(access.namespaces) or 1)
        server = TelemetryServer(
            self._metrics.registry,
            healthy=lambda: self._healthy(pulse),
            ready=self._ready,
            measure=self._measure,
            host=listen.host,
            port=listen.port,
        )
        try:
            async with AsyncExitStack() as stack:
                try:
                    await stack.enter_async_context(server)
                except OSError as error:
                    raise SettingsError(
                        [f"OPERATOR_LISTEN is {listen}, where nothing can listen: {_why(error)}"]
                    ) from None
                await _until(stop, self._bridge(session, stop), pulse.run())
        finally:
            await session.close()
            self._signals.ignore()

    async def _bridge(self, session: KubeSession, stop: asyncio.Event) -> None:
        """From the first word with the API server to the end."""
        settings, access = self._settings.operation, self._settings.kube
        await session.open()
        kube = self._kube = KubeClient(
            session,
            namespaces=access.namespaces,
            selector=access.selector,
            records_namespace=access.records_namespace or session.namespace,
            instance=gethostname(),
        )
        install = settings.install_id or await _patiently(lambda: kube.namespace_uid("kube-system"))
        engine = Engine(
            kube=kube,
            connections={DEFAULT_CONNECTION: _runai_client(self._settings.runai, self._metrics)},
            observer=self._metrics,
            settings=EngineSettings(
                install=install,
                former_installs=settings.former_install_ids,
                delta_interval=settings.delta_interval,
                sweep_interval=settings.sweep_interval,
                limits=Limits(
                    grace=settings.grace_period,
                    stalled_after=settings.stalled_after,
                    stale_after=settings.stale_after,
                    release_after=settings.release_after,
                ),
                delete_rate=settings.delete_rate,
                access=self._access,
                events=settings.events,
                serves_all=access.selector is None,
            ),
            now=lambda: datetime.now(UTC),
            random=SystemRandom(),
        )
        async with aclosing(engine):
            log.info(
                "runai-operator %s bridges to %s as install %s", __version__, self._settings.runai.base_url, install
            )
            await _patiently(lambda: _served(kube))
            await _patiently(engine.load)
            self._engine = engine
            watcher = Watcher(
                session=session,
                state=self._watch,
                observe=engine.observe,
                is_known=engine.knows,
                served=kube.resource_served,
                namespaces=access.namespaces,
                selector=access.selector,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(engine.run())
                group.create_task(watcher.run(stop))

    def _healthy(self, pulse: LoopPulse) -> list[Check]:
        silent = self._engine.silent_for() if self._engine else 0.0
        return [pulse.check(), progress("workers", silent, limit=WORKER_PATIENCE)]

    def _ready(self) -> list[Check]:
        return [
            Check("first-list", self._engine is not None, "" if self._engine else "RunaiWorkloads were not listed yet"),
            Check("watch", self._watch.established, self._watch_detail()),
        ]

    def _watch_detail(self) -> str:
        if self._watch.forbidden:
            return f"forbidden in {', '.join(self._watch.forbidden)}"
        return "" if self._watch.established else "no watch on RunaiWorkloads"

    def _measure(self) -> None:
        self._metrics.watch(self._watch.established, len(self._watch.forbidden))
        self._metrics.tasks(len(asyncio.all_tasks()))
        if self._kube is not None:
            self._metrics.skipped(self._kube.skipped)
        if self._engine is not None:
            self._engine.report()


async def _served(kube: KubeClient) -> None:
    """Returns once the API server serves RunaiWorkloads."""
    said = False
    while not await kube.resource_served():
        if not said:
            log.warning("waiting for the CustomResourceDefinition runaiworkloads.bridge.run.ai: install it from crds/")
            said = True
        await asyncio.sleep(1)


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer, however long it takes until the API server gives one."""
    failures = 0
    while True:
        try:
            return await ask()
        except BridgeError as error:
            failures += 1
            log.warning("%s", error.message)
            await asyncio.sleep(retry_start_after(failures, random()))  # noqa: S311 - spreads load, hides nothing


async def _until(stop: asyncio.Event, *jobs: Coroutine[Any, Any, None]) -> None:
    """Runs the jobs until `stop` is set; an error in one of them ends all and is raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
