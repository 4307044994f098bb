"""The kopf shell: runs kopf as a watcher that notifies the engine of changes, and restarts it when it ends.

Admitted here: everything that knows kopf. No decisions, and no calls to the API server except those of kopf, which only
read. kopf keeps no state in the cluster (null storages), posts nothing and has no peers; `kube.watch` stands between it
and the API server. What happens to an object is one synchronous call: `observe(type, meta)`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CoroutineType
from typing import Any, NoReturn

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import GROUP, PLURAL, VERSION, Meta
from runai_operator.domain.requeue import reconnect_after, spread
from runai_operator.kube.auth import USER_AGENT, KubeSession
from runai_operator.kube.watch import IsKnown, WatchedResponse, WatchGuard, WatchState
from runai_operator.kube.wire import meta_from_object
from runai_operator.lean import absent
from runai_operator.selector import Selector
from runai_operator.stopping import stop_on_signals
from runai_operator.text import clip

# kopf would load client libraries only to recognise their objects among its arguments.
with absent("kubernetes", "kubernetes_asyncio", "pykube"):
    import kopf

log = logging.getLogger(__name__)

Observe = Callable[[str | None, Meta], None]
"""Called with each event: ADDED, MODIFIED, DELETED, or None for an object in a list. Returns at once, never raises."""

KOPF_USER_AGENT = f"kopf via {USER_AGENT}"
"""Distinguishes kopf's requests from ours in an audit log."""

CHUNK = 250
"""Objects per list call."""
RELIST_INTERVAL = 2.0
"""Least seconds between two lists of the same collection."""
KOPF_FOLDER = str(Path(kopf.__file__).parent)

SERVED_INTERVAL = 2.0
"""Seconds between two checks whether the resource is served."""
STEADY = 60.0
"""Seconds after which a run counts as good, and the next pause is short again."""
DEAF = 60.0
"""Seconds without a request, before the first list, after which kopf is restarted: then it has found nothing to watch
(the resource was served too late for its scan)."""
CHECK_INTERVAL = 5.0
"""Seconds between two checks whether kopf still makes requests."""
SILENT = 400.0
"""Like `DEAF`, once kopf watches: every watch is reopened after 290 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Keeps kopf watching RunaiWorkloads, and `state` up to date."""

    session: KubeSession
    state: WatchState
    observe: Observe
    is_known: IsKnown
    """Of a list, what is known does not get to `observe`."""
    served: Callable[[], Awaitable[bool]]
    """Whether the API server serves the resource; may raise a `BridgeError`."""
    namespaces: Sequence[str] = ()
    """No namespaces means the whole cluster."""
    selector: Selector | None = None
    """None: all objects there."""

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until `stop` is set; returns within a second of it.

        Waits while the resource is not served, and again when its CustomResourceDefinition vanishes. SIGTERM and SIGINT
        set `stop`: kopf replaces their handlers, so they are set again.
        """
        # At INFO it logs every event, and at DEBUG whole objects.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        # Logs each of its endless attempts in a namespace where it may not watch; `WatchState` logs it once.
        logging.getLogger("kopf._cogs.clients.watching").addFilter(_is_no_refusal)
        # Warns at every stop that it does not call the handlers for one, of which there are none.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._keep_watching(stop), name="watch")
            await stop.wait()
            watching.cancel()

    async def _keep_watching(self, stop: asyncio.Event) -> NoReturn:
        failures, said = 0, ""
        while True:
            begun = time.monotonic()
            try:
                if await self.served():
                    labels = f" with the labels {self.selector}" if self.selector is not None else ""
                    place = ", ".join(self.namespaces) or "the whole cluster"
                    log.info("watching RunaiWorkloads%s in %s", labels, place)
                    reason, failed = await self._run_kopf(stop)
                    said = ""
                else:
                    reason, failed = "the CustomResourceDefinition is not installed", False
            except BridgeError as error:
                reason, failed = error.message, True
            if reason != said:
                log.warning("not watching: %s", reason)
                said = reason
            failures = failures + 1 if failed and time.monotonic() - begun < STEADY else int(failed)
            pause = reconnect_after(failures, _jitter()) if failed else spread(SERVED_INTERVAL, _jitter())
            await asyncio.sleep(pause)

    async def _run_kopf(self, stop: asyncio.Event) -> tuple[str, bool]:
        """One run of kopf, until it cannot go on; returns why, and whether that was a failure."""
        self.state.sign()
        guard = WatchGuard(self.state, self.session.server, self.session.echoes, self.selector, is_known=self.is_known)
        identity: Any = USER_AGENT  # kopf would look up the user's name, and a numeric user in a container has none
        tasks = await kopf.spawn_tasks(
            registry=self._registry(guard),
            identity=identity,
            clusterwide=not self.namespaces,
            namespaces=self.namespaces,
            standalone=True,
        )
        stop_on_signals(stop)
        # Not `kopf.run_tasks`, which waits for every task that was started meanwhile, and cancels it at the end.
        over = asyncio.create_task(guard.over.wait())
        ended, silent = False, False
        try:
            while not ended and not silent:
                ended = bool(
                    (await asyncio.wait([*tasks, over], timeout=CHECK_INTERVAL, return_when=FIRST_COMPLETED))[0]
                )
                silent = self.state.silent_seconds() > (SILENT if guard.requests else DEAF)
        finally:
            results = await _cancel([*tasks, over])
            await _cancel(_left_by_kopf())
            self.state.stopped()
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            return f"kopf ended: {clip(repr(errors[0]), 300)}", True
        if guard.over.is_set():
            return guard.reason, False
        return "kopf ended" if ended else "kopf no longer makes requests", True

    def _registry(self, guard: WatchGuard) -> kopf.OperatorRegistry:
        """All handlers. None of them patches, so kopf has nothing to write."""
        registry = kopf.OperatorRegistry()
        logins = LoginPace()

        @kopf.on.startup(registry=registry)
        async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
            configure(settings)

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            await asyncio.sleep(logins.next_pause(time.monotonic()))
            lent = self.session.lend(user_agent=KOPF_USER_AGENT, middlewares=[guard], response_class=WatchedResponse)
            return kopf.AiohttpSession(aiohttp_session=lent, server=self.session.server)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def observed(event: kopf.RawEvent, **_: Any) -> None:
            self.state.sign()
            self.observe(event["type"], meta_from_object(event["object"]["metadata"]))

        return registry


def configure(settings: kopf.OperatorSettings) -> None:
    """Reduces kopf to a watcher. The reasons were measured on a running kopf."""
    settings.scanning.disabled = True  # needs no right on namespaces and CustomResourceDefinitions
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDiffBase([])
    settings.persistence.progress_storage = kopf.MultiProgressStorage([])
    settings.persistence.finalizer = "-"  # not a valid finalizer; kopf would remove its own wherever it finds it
    settings.persistence.consistency_timeout = 0
    settings.process.ultimate_exiting_timeout = None  # it would kill the process ten minutes after a restart of kopf
    settings.queueing.idle_timeout = 0.2  # how long kopf holds the last event of each object
    settings.queueing.exit_timeout = 0.2
    settings.watching.chunk_size = CHUNK
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 310
    settings.watching.reconnect_backoff = RELIST_INTERVAL  # between lists; `WatchGuard` paces the watches
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = Backoffs()


class Backoffs(Iterable[float]):
    """Endless, so that no outage ends kopf, and jittered."""

    def __iter__(self) -> Iterator[float]:
        return (reconnect_after(failures, _jitter()) for failures in itertools.count(1))


class LoginPace:
    """Pauses before the logins of one run of kopf: a refused token must not make it loop."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._quick = 0

    def next_pause(self, now: float) -> float:
        """Seconds to wait: none for the first login and one long after, growing for those in quick succession."""
        self._quick = self._quick + 1 if now - self._last < STEADY else 0
        pause = reconnect_after(self._quick, _jitter()) if self._quick else 0.0
        self._last = now + pause
        return pause


class NoDiffBase(kopf.MultiDiffBaseStorage):
    """No storages, and so nothing to compare; the base class would copy every object."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return "APIForbiddenError" not in record.getMessage()


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> list[Any]:
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def _left_by_kopf() -> list[asyncio.Task[Any]]:
    """Tasks of kopf that its main tasks did not end: those of a scan in progress would go on for ever."""
    return [task for task in asyncio.all_tasks() if _runs_code_of(task, KOPF_FOLDER)]


def _runs_code_of(task: asyncio.Task[Any], folder: str) -> bool:
    coroutine = task.get_coro()
    return isinstance(coroutine, CoroutineType) and coroutine.cr_code.co_filename.startswith(folder)


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads load, hides nothing
