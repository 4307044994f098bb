"""Renders a spec into what would be sent: reads the manifest, resolves the project, marks and hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from runai_operator.codecs.yaml import FULL_NODES, QUICK_NODES
from runai_operator.domain import checks
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import BridgeError, CircuitOpen, InvalidWorkload, SourceUnusable, TooLarge
from runai_operator.domain.manifest import Desired
from runai_operator.domain.memory import Source
from runai_operator.domain.model import Gvk, OwnerMark, Project, SourceText, Spec, Submission, Workload
from runai_operator.domain.naming import external_name
from runai_operator.domain.reasons import Reason
from runai_operator.domain.stored_status import StoredStatus
from runai_operator.engine.ports import Kube, Runai

PROJECT_MEMORY = 300.0
"""Seconds for which a resolved project is cached."""
FIRST_MISS_MEMORY, MISS_MEMORY = 5.0, 60.0
"""Seconds for which it is cached that there is no such project: at first, and doubled each time up to this."""

TROUBLE_MEMORY = 0.5
"""Seconds for which a failed question is not asked again: enough for all who wait for a worker to hear of it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    desired: Desired | BridgeError
    """What would be sent, or why there is nothing to send."""
    source: Source | None
    """Where the manifest was looked for, usable or not, and at which version."""
    gvk: Gvk | None = None
    """Of the manifest, also where it cannot be sent."""


_Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Run:ai said to a question about a project: the id or the name."""

    at: float
    """Loop seconds."""
    found: str | BridgeError | None
    lasts: float
    """Seconds for which nobody asks again."""


class Projects:
    """Resolves project names to ids, and ids to names, with one question at a time for each.

    Whoever waits while the question is under way gets its answer, be it an error. What was found is cached for a while, and
    what was not for a moment, which grows: a misspelt name may be in hundreds of specs.
    """

    def __init__(self, runai: Runai, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._runai, self._clock = runai, clock
        self._answers: dict[_Key, _Answer] = {}
        self._asking: dict[_Key, asyncio.Lock] = {}

    async def of(self, spec: Spec, *, anew: bool = False) -> str:
        """The id of the project that the spec names. Raises as `resolve` does."""
        if spec.project_id is not None:
            return spec.project_id
        if spec.project_name is not None:
            return await self.resolve(spec.project_name, spec.cluster_id, anew=anew)
        raise checks.refusal(checks.NO_PROJECT)

    async def resolve(self, name: str, cluster_id: str | None, *, anew: bool = False) -> str:
        """The id of the project. `anew`: somebody asked to try again, so that what was not found is asked for.

        Raises `InvalidWorkload` when there is none or more than one, and what the question raised.
        """

        async def ask() -> str:
            return _only(await self._runai.projects(name=name, cluster_id=cluster_id), name, cluster_id)

        return str(await self._answer(("name", name, cluster_id), ask, anew=anew))

    async def name_of(self, project_id: str, *, anew: bool = False) -> str | None:
        """The name of the project; None when there is none of that id. `anew` as above. Raises what the question raised."""

        async def ask() -> str | None:
            project = await self._runai.project(project_id)
            return project.name if project is not None else None

        return await self._answer(("id", project_id, None), ask, anew=anew)

    async def _answer(self, key: _Key, ask: Callable[[], Awaitable[str | None]], *, anew: bool) -> str | None:
        began = self._clock()
        async with self._asking.setdefault(key, asyncio.Lock()):
            answer = self._answers.get(key)
            if answer is None or not self._holds(answer, began, anew=anew):
                answer = self._answers[key] = await self._ask(ask, answer)
        if isinstance(answer.found, BridgeError):
            raise answer.found.twin()
        return answer.found

    def _holds(self, answer: _Answer, began: float, *, anew: bool) -> bool:
        """Whether it is an answer to a question of `began`."""
        is_doubted = anew and not isinstance(answer.found, str)
        return answer.at > began or (began - answer.at < answer.lasts and not is_doubted)

    async def _ask(self, ask: Callable[[], Awaitable[str | None]], before: _Answer | None) -> _Answer:
        found: str | BridgeError | None
        try:
            found = await ask()
        except BridgeError as error:
            found = error
        if isinstance(found, str):
            lasts = PROJECT_MEMORY
        elif _is_miss(found):
            was_missed = before is not None and _is_miss(before.found)
            lasts = min(MISS_MEMORY, 2 * before.lasts) if before is not None and was_missed else FIRST_MISS_MEMORY
        else:
            lasts = 0.0 if isinstance(found, CircuitOpen) else TROUBLE_MEMORY
        return _Answer(self._clock(), found, lasts)


def _is_miss(found: str | BridgeError | None) -> bool:
    """There is no such project."""
    return found is None or isinstance(found, InvalidWorkload)


def _only(found: tuple[Project, ...], name: str, cluster_id: str | None) -> str:
    where = f" on cluster {cluster_id}" if cluster_id else ""
    if not found:
        raise InvalidWorkload(
            f"Project {name}{where} is not in Run:ai, or the operator's credentials may not see it: correct"
            " spec.projectName, or ask a Run:ai administrator for access.",
            reason=Reason.PROJECT_NOT_FOUND,
        )
    if len(found) > 1:
        raise InvalidWorkload(
            f"Several projects are named {name}{where}: set spec.clusterId, or spec.projectId instead of projectName.",
            reason=Reason.PROJECT_AMBIGUOUS,
        )
    return found[0].id


class Renderer:
    """Renders a spec into a `Desired`."""

    def __init__(self, kube: Kube, install: str, former_installs: tuple[str, ...] = ()) -> None:
        self._kube, self._install = kube, install
        self._installs = (install, *former_installs)

    async def __call__(
        self,
        workload: Workload,
        projects: Projects,
        *,
        large: bool,
        anew: bool = False,
        project_id: str | None = None,
    ) -> Rendered:
        """What would be sent for this workload.

        `anew`: somebody asked to try again what was refused. `project_id`: where an attempt was made that is to be repeated.

        Raises what reading the source raises when whether it can be used is not known and, unless `large`, `TooLarge` for a
        manifest that takes long to read.
        """
        ref, source, held, key = workload.spec.manifest_from, None, None, None
        if ref is not None:
            try:
                held = await self._kube.read_source(workload.ref.namespace, ref)
            except SourceUnusable as error:
                return Rendered(error, Source(ref, error.version))
            source, key = Source(ref, held.version), held.uid if ref.kind == "Secret" else None
        gvk = None
        try:
            place, manifest = await _manifest(workload.spec, held, large=large)
            gvk = checks.gvk_of(manifest, place=place)
            desired = await self._desired(workload, gvk, manifest, projects, key=key, anew=anew, project_id=project_id)
            return Rendered(desired, source, gvk)
        except TooLarge:
            raise
        except BridgeError as error:
            return Rendered(error, source, gvk)

    async def _desired(
        self,
        workload: Workload,
        gvk: Gvk,
        manifest: Any,
        projects: Projects,
        *,
        key: str | None,
        anew: bool,
        project_id: str | None,
    ) -> Desired:
        """`key` is that of the hash."""
        spec, ref = workload.spec, workload.ref
        name = self._name(workload)
        project_id = project_id or await _project(workload, projects, anew=anew)
        mark = OwnerMark(self._install, ref.namespace, ref.name, ref.uid)
        # A Secret's UID is random, and only those who may read the Secret see it: status never shows it. One that is
        # deleted and created again has another, and counts as changed.
        content = manifests.content_hash(manifest, priority=spec.priority, category=spec.category, key=key)
        submission = Submission(
            name=name,
            project_id=project_id,
            manifest=manifests.with_mark(manifest, name=name, mark=mark, content=content),
            priority=spec.priority,
            category=spec.category,
            preemptibility=spec.preemptibility,
            mnnvl=spec.mnnvl,
            encoded=spec.manifest is None,
        )
        return Desired(submission, gvk, content, from_source=spec.manifest_from is not None)

    def _name(self, workload: Workload) -> str:
        """Its name in Run:ai; what was made with the prefix by a former install keeps its name."""
        spec, ref = workload.spec, workload.ref
        names = [
            external_name(name=ref.name, spec=spec, namespace=ref.namespace, install=install)
            for install in self._installs
        ]
        recorded = workload.status.get("workloadName")
        return recorded if recorded in names else names[0]


async def _manifest(spec: Spec, held: SourceText | None, *, large: bool) -> tuple[str, Any]:
    """The field that gives the manifest, and its value; `held` is what its source holds."""
    if spec.manifest is not None:
        return checks.MANIFEST, spec.manifest
    if spec.manifest_yaml is not None:
        return checks.MANIFEST_YAML, await _read(spec.manifest_yaml, checks.MANIFEST_YAML, large=large)
    if held is not None:
        return checks.MANIFEST_FROM, await _read(held.text, checks.MANIFEST_FROM, large=large)
    raise checks.refusal(checks.NO_MANIFEST)


async def _project(workload: Workload, projects: Projects, *, anew: bool) -> str:
    spec, recorded = workload.spec, StoredStatus(workload.status)
    return spec.project_id or recorded.project_named_by(spec) or await projects.of(spec, anew=anew)


async def _read(text: str, place: str, *, large: bool) -> Any:
    if large:
        return await asyncio.to_thread(checks.read_manifest, text, place=place, max_nodes=FULL_NODES)
    return checks.read_manifest(text, place=place, max_nodes=QUICK_NODES)
