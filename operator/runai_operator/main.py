"""The composition root: settings to clients to engine to watch. The only place where things are wired together."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any

from runai_operator import __version__
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import DEFAULT_CONNECTION
from runai_operator.domain.state import Limits
from runai_operator.engine.engine import Engine, EngineSettings
from runai_operator.engine.orphans import Cleaner
from runai_operator.handlers import Watcher, backoff, stop_on_signals
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.client import KubeClient
from runai_operator.kube.watch import WatchState
from runai_operator.runai.auth import Credentials
from runai_operator.runai.client import RunaiClient
from runai_operator.settings import Settings, SettingsError, unknown_variables
from runai_operator.telemetry.health import Check, LoopPulse, progress
from runai_operator.telemetry.logs import configure
from runai_operator.telemetry.metrics import Metrics
from runai_operator.telemetry.server import TelemetryServer

log = logging.getLogger(__name__)

WORKER_PATIENCE = 180.0
"""Seconds in which no pass begins or ends although there is work, after which the process counts as stuck; a pass makes
a few calls of at most a minute each."""
RETRY = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 after SIGTERM or SIGINT, 2 for bad configuration, 1 for anything else."""
    parser = argparse.ArgumentParser(
        prog="runai-operator", description="Bridges RunaiWorkload custom resources to the Run:ai Workloads V2 API."
    )
    parser.add_argument("--version", action="version", version=f"runai-operator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the operator; it is configured by environment variables")
    orphans = commands.add_parser(
        "orphans",
        help="list workloads that stayed in Run:ai although their RunaiWorkload had to be released",
        description="Lists workloads that stayed in Run:ai although their RunaiWorkload had to be released, because"
        " Run:ai could not be used for longer than OPERATOR_RELEASE_AFTER. Configured as `run` is.",
    )
    orphans.add_argument(
        "--delete",
        action="store_true",
        help="delete in Run:ai those that are still ours; settled ones leave the record",
    )
    orphans.add_argument("--forget", metavar="UID", nargs="+", default=[], help="only take these out of the record")
    given = parser.parse_args(argv)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(f"runai-operator: {error}", file=sys.stderr)  # noqa: T201 - there is no log before there are settings
        return 2
    configure(settings.log_format, settings.log_level)
    if given.command == "orphans":
        return _run(lambda: tend_orphans(settings, delete=given.delete, forget=given.forget))
    return run_operator(settings)


def run_operator(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT."""
    for sentence in unknown_variables(os.environ):
        log.warning("%s", sentence)
    code = _run(lambda: Operator(settings).run())
    if code == 0:
        log.info("stopped")
    return code


def _run(job: Callable[[], Coroutine[Any, Any, None]]) -> int:
    try:
        asyncio.run(job())
    except BridgeError as error:
        log.error("%s", error.message)  # noqa: TRY400 - the message says it all
        return 1
    except Exception:
        log.exception("ended by an unexpected error")
        return 1
    return 0


async def tend_orphans(settings: Settings, *, delete: bool, forget: Sequence[str]) -> None:
    """Print the record of orphans, and clean or shorten it as asked. Raises the domain's errors."""
    session = KubeSession(settings.kubeconfig)
    runai = _runai_client(settings, Metrics(__version__))
    try:
        await session.open()
        kube = KubeClient(session, records_namespace=settings.records_namespace or session.namespace)
        for uid in forget:
            await kube.forget_orphan(uid)
        cleaner = Cleaner(kube, runai)
        known = await kube.orphans()
        for uid, orphan in sorted(known.items()):
            if orphan is None:
                print(f"{uid}  unreadable entry: take it out with --forget {uid}")  # noqa: T201
                continue
            owner, project = orphan.mark, orphan.project_name or orphan.project_id or "-"
            released = orphan.released.isoformat() if orphan.released else "-"
            line = f"{uid}  {owner.namespace}/{owner.name}  project={project}  name={orphan.name}"
            print(f"{line}  id={orphan.workload_id or 'unknown'}  since={released}  ({orphan.why})")  # noqa: T201
            if delete:
                print(f"  {await cleaner.clean(orphan)}")  # noqa: T201
        if not known:
            print("no orphans on record")  # noqa: T201
    finally:
        await runai.aclose()
        await session.close()


def _runai_client(settings: Settings, metrics: Metrics) -> RunaiClient:
    return RunaiClient(
        base_url=settings.base_url,
        credentials=Credentials(
            settings.client_id, secret=settings.client_secret, secret_file=settings.client_secret_file
        ),
        ca_file=settings.ca_file,
        allow_http=settings.base_url.startswith("http://"),
        on_call=metrics.runai_call("default"),
    )


class Operator:
    """Everything that `run` needs, wired together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics(__version__)
        self._watch = WatchState(settings.namespaces)
        self._engine: Engine | None = None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        stop_on_signals(stop)
        settings = self._settings
        pulse = LoopPulse(self._metrics.loop_lag)
        session = KubeSession(settings.kubeconfig, watches=len(settings.namespaces) or 1)
        runai = _runai_client(settings, self._metrics)
        server = TelemetryServer(
            self._metrics.registry,
            healthy=lambda: self._healthy(pulse),
            ready=self._ready,
            measure=self._measure,
            host=settings.listen.host,
            port=settings.listen.port,
        )
        try:
            async with server:
                await _until(stop, self._bridge(session, runai, stop), pulse.run())
        finally:
            await runai.aclose()
            await session.close()

    async def _bridge(self, session: KubeSession, runai: RunaiClient, stop: asyncio.Event) -> None:
        """Everything that needs the API server, from the first call to the end."""
        settings = self._settings
        await session.open()
        kube = KubeClient(
            session, namespaces=settings.namespaces, records_namespace=settings.records_namespace or session.namespace
        )
        install = settings.install_id or await _patiently(lambda: kube.namespace_uid("kube-system"))
        engine = Engine(
            kube=kube,
            connections={DEFAULT_CONNECTION: runai},
            observer=self._metrics,
            settings=EngineSettings(
                install=install,
                delta_interval=settings.delta_interval,
                sweep_interval=settings.sweep_interval,
                limits=Limits(
                    grace=settings.grace_period,
                    stalled_after=settings.stalled_after,
                    release_after=settings.release_after,
                ),
                delete_rate=settings.delete_rate,
            ),
            now=lambda: datetime.now(UTC),
            random=SystemRandom(),
        )
        log.info("runai-operator %s bridges to %s as install %s", __version__, settings.base_url, install)
        await _patiently(lambda: _served(kube))
        await _patiently(engine.load)
        self._engine = engine
        watcher = Watcher(
            session=session,
            state=self._watch,
            observe=engine.observe,
            served=kube.resource_served,
            namespaces=settings.namespaces,
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
            Check("watch", self._watch.established, "" if self._watch.established else "no watch on RunaiWorkloads"),
        ]

    def _measure(self) -> None:
        self._metrics.watch(self._watch.established)
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
            await asyncio.sleep(min(RETRY, backoff(failures)))


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
