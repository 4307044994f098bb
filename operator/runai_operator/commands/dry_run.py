"""Asks Run:ai whether it would take a workload, by a POST with `dryRun=true`, and makes sure that this made nothing.

Releases before 2.25 ignore the flag and create. So every dry run goes under a name that nothing else has, the first one asks for
a Job that is suspended, and after each it is looked whether something was made. What was made is deleted if it has our mark, and
nothing else ever is.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.runai_access import client_of, patiently
from runai_operator.domain.errors import BridgeError, InvalidWorkload, OutcomeUnknown, UnexpectedReply
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import Json, OwnerMark, Row, Spec, Submission
from runai_operator.domain.naming import external_name
from runai_operator.engine.projects import Projects
from runai_operator.runai.client import RunaiClient
from runai_operator.settings import RunaiAccess

T = TypeVar("T")

MARKED = "kubectl-rwl"
"""The install id in the mark of a dry run; no operator has it, so none takes what was made for its own."""
PREFIX = "rwl-dry-run"
PATIENCE = (0.0, 1.0, 2.0, 4.0)
"""Seconds between reads of a list that may lag; after the first dry run, which is the proof for all others."""
WHEN_STOPPED = (0.0, 1.0)
"""The same where somebody waits for the end."""
SUSPENDED = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "suspend": True,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}},
    },
}
"""Harmless even where it is created: no pod is made of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A workload to ask about."""

    spec: Spec
    name: str
    """Of the RunaiWorkload."""
    manifest: Json


@dataclass(slots=True)
class Verdicts:
    """Run:ai's answers, in the order of the questions: None where it would take the workload."""

    refusals: list[str | None] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    """Names in Run:ai that are taken already."""
    error: BridgeError | CommandError | None = None
    """Why the questions that are left were not asked."""


def ask(access: RunaiAccess, asked: Sequence[Asked]) -> Verdicts:
    """What is no verdict ends it early: an error of `RunaiClient`, or `CommandError` where a dry run made something. Raises
    `SettingsError`."""

    async def connected() -> Verdicts:
        runai = client_of(access)
        try:
            return await _ask_all(DryRuns(runai), asked)
        finally:
            await runai.aclose()

    return asyncio.run(connected())


async def _ask_all(dry_runs: DryRuns, asked: Sequence[Asked]) -> Verdicts:
    verdicts = Verdicts()
    try:
        for one in asked:
            await _ask(dry_runs, one, verdicts)
    except (BridgeError, CommandError) as error:
        verdicts.error = error
    return verdicts


async def _ask(dry_runs: DryRuns, one: Asked, verdicts: Verdicts) -> None:
    try:
        project_id = await dry_runs.project_of(one.spec)
        verdicts.refusals.append(await dry_runs.refusal(one.spec, one.manifest, project_id))
    except InvalidWorkload as error:
        verdicts.refusals.append(error.message)
        return
    if one.spec.name_prefix is None:
        name = external_name(name=one.name, spec=one.spec, namespace="", install="")
        if await dry_runs.exists(name, project_id):
            verdicts.existing.append(name)


class DryRuns:
    """Dry runs through one connection."""

    def __init__(self, runai: RunaiClient) -> None:
        self._runai, self._projects = runai, Projects(runai, time.monotonic)
        self._token, self._number = secrets.token_hex(4), 0
        self._proven: set[str] = set()
        """Projects in which a dry run is known to make nothing."""
        self._is_stopped = False

    async def project_of(self, spec: Spec) -> str:
        """Its id. Raises `InvalidWorkload` where there is none, or more than one."""
        return await self._call(lambda: self._projects.of(spec))

    async def refusal(self, spec: Spec, manifest: Json, project_id: str) -> str | None:
        """Why Run:ai would not take it; None where it would."""
        if project_id not in self._proven:
            refused = await self._dry_run(Spec(manifest=SUSPENDED), SUSPENDED, project_id, patience=PATIENCE)
            if refused is None:
                self._proven.add(project_id)
        patience = (0.0,) if project_id in self._proven else PATIENCE
        return await self._dry_run(spec, manifest, project_id, patience=patience)

    async def exists(self, name: str, project_id: str) -> bool:
        """Whether a workload of this name is there."""
        return bool(await self._find(name, project_id))

    async def _find(self, name: str, project_id: str) -> tuple[Row, ...]:
        return await self._call(lambda: self._runai.find(name=name, project_id=project_id))

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Waits for as long as Run:ai asks for, unless somebody waits for the end."""
        return await (ask() if self._is_stopped else patiently(ask, only_throttled=True))

    async def _dry_run(self, spec: Spec, manifest: Json, project_id: str, *, patience: Sequence[float]) -> str | None:
        self._number += 1
        name = f"{PREFIX}-{self._token}-{self._number}"
        mark = OwnerMark(MARKED, "", name, self._token)
        metadata = {key: value for key, value in (manifest.get("metadata") or {}).items() if key != "name"}
        submission = Submission(
            name=name,
            project_id=project_id,
            manifest=with_mark(manifest | {"metadata": metadata | {"name": name}}, name=name, mark=mark),
            priority=spec.priority,
            category=spec.category,
            preemptibility=spec.preemptibility,
            mnnvl=spec.mnnvl,
            encoded=spec.manifest is None,
        )
        try:
            return await self._verdict(submission, mark, patience)
        except asyncio.CancelledError:  # Ctrl-C; a second one does not wait
            self._is_stopped = True
            await self._make_sure(submission, mark, None, WHEN_STOPPED)
            raise

    async def _verdict(self, submission: Submission, mark: OwnerMark, patience: Sequence[float]) -> str | None:
        refused, made = None, None
        try:
            made = await self._call(lambda: self._runai.dry_run(submission))
        except InvalidWorkload as error:
            refused = error.message
        except (OutcomeUnknown, UnexpectedReply):
            await self._make_sure(submission, mark, None, PATIENCE)
            raise
        await self._make_sure(submission, mark, made, (0.0,) if refused is not None else patience)
        return refused

    async def _make_sure(self, sent: Submission, mark: OwnerMark, made: str | None, patience: Sequence[float]) -> None:
        """Raises `CommandError` if something was made, or may have been."""
        try:
            if made is not None:
                await self._look_at(made, sent, mark)
            for pause in patience:
                await asyncio.sleep(pause)
                for row in await self._find(sent.name, sent.project_id):
                    await self._look_at(row.id, sent, mark)
        except BridgeError as error:
            raise CommandError(
                f"Whether the dry run has made the workload {sent.name} could not be found out: if it is in Run:ai, delete it"
                f" there. {error.message}",
                ExitCode.NO_ACCESS,
            ) from None

    async def _look_at(self, workload_id: str, sent: Submission, mark: OwnerMark) -> None:
        remote = await self._call(lambda: self._runai.get(workload_id))
        if remote is not None and not remote.gone and remote.name == sent.name:
            raise CommandError(await self._undone(workload_id, sent.name, ours=remote.mark == mark))

    async def _undone(self, workload_id: str, name: str, *, ours: bool) -> str:
        words = f"This Run:ai does not know dry runs (those before 2.25 do not): one has made the workload {name}"
        if not ours:
            return f"{words} ({workload_id}), which does not show our mark: look at it, and delete it in Run:ai."
        try:
            await self._call(lambda: self._runai.delete(workload_id))
        except BridgeError as error:
            return f"{words} ({workload_id}), which could not be deleted: delete it in Run:ai. {error.message}"
        return f"{words}, which was deleted again. Do without --dry-run."
