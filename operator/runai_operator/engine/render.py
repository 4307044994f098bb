"""Renders a spec into what would be sent: reads the manifest, resolves the project, marks and hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runai_operator.codecs.yaml import FULL_NODES, QUICK_NODES
from runai_operator.domain import checks
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.memory import Source
from runai_operator.domain.model import OwnerMark, Project, Spec, Submission, Workload
from runai_operator.domain.naming import external_name
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import Desired, StoredStatus
from runai_operator.engine.ports import Kube, Runai

PROJECT_MEMORY = 300.0
"""Seconds for which a resolved project is cached."""


@dataclass(frozen=True, slots=True)
class Rendered:
    desired: Desired
    source: Source | None
    """Where the manifest was read and at which version."""


class Projects:
    """Resolves project names to ids, which are cached for a while; a name that was not found is asked for each time."""

    def __init__(self, runai: Runai, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._runai, self._clock = runai, clock
        self._known: dict[tuple[str, str | None], tuple[str, float]] = {}
        self._asking: dict[tuple[str, str | None], asyncio.Lock] = {}

    async def resolve(self, name: str, cluster_id: str | None) -> str:
        """The id of the project. Raises `InvalidWorkload` when there is none or more than one."""
        key = (name, cluster_id)
        async with self._asking.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known is None or self._clock() - known[1] > PROJECT_MEMORY:
                known = self._known[key] = (
                    _only(await self._runai.projects(name=name, cluster_id=cluster_id), name, cluster_id),
                    self._clock(),
                )
        return known[0]


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

    def __init__(self, kube: Kube, install: str) -> None:
        self._kube, self._install = kube, install

    async def __call__(self, workload: Workload, projects: Projects, *, large: bool) -> Rendered:
        """What would be sent for this workload.

        Raises `InvalidWorkload`, the errors of the look-ups, and, unless `large`, `TooLarge` for a manifest that takes
        long to read.
        """
        spec, ref = workload.spec, workload.ref
        place, manifest, source = await self._manifest(spec, ref.namespace, large=large)
        gvk = checks.gvk_of(manifest, place=place)
        name = external_name(name=ref.name, spec=spec, namespace=ref.namespace, install=self._install)
        if spec.project_id is not None:
            project_id = spec.project_id
        elif (recorded := _recorded_project(workload)) is not None:
            project_id = recorded
        elif spec.project_name is not None:
            project_id = await projects.resolve(spec.project_name, spec.cluster_id)
        else:
            raise checks.refusal(checks.NO_PROJECT)
        mark = OwnerMark(self._install, ref.namespace, ref.name, ref.uid)
        secret = source is not None and source.ref.kind == "Secret"
        content = manifests.content_hash(
            manifest, priority=spec.priority, category=spec.category, key=self._install if secret else None
        )
        submission = Submission(
            name=name,
            project_id=project_id,
            manifest=manifests.with_mark(manifest, name=name, mark=mark),
            priority=spec.priority,
            category=spec.category,
            preemptibility=spec.preemptibility,
            mnnvl=spec.mnnvl,
            encoded=spec.manifest is None,
        )
        desired = Desired(submission, gvk, content, from_source=source is not None)
        return Rendered(desired, source)

    async def _manifest(self, spec: Spec, namespace: str, *, large: bool) -> tuple[str, Any, Source | None]:
        """The field that gives the manifest, its value, and for another object's text which one at which version."""
        if spec.manifest is not None:
            return checks.MANIFEST, spec.manifest, None
        if spec.manifest_yaml is not None:
            return checks.MANIFEST_YAML, await _read(spec.manifest_yaml, checks.MANIFEST_YAML, large=large), None
        if spec.manifest_from is not None:
            source = await self._kube.read_source(namespace, spec.manifest_from)
            manifest = await _read(source.text, checks.MANIFEST_FROM, large=large)
            return checks.MANIFEST_FROM, manifest, Source(spec.manifest_from, source.version)
        raise checks.refusal(checks.NO_MANIFEST)


def _recorded_project(workload: Workload) -> str | None:
    """The id of the project that the workload was submitted to, if it is still the one that the spec names."""
    spec, recorded = workload.spec, StoredStatus.of(workload)
    is_same = spec.project_name == recorded.project_name and spec.cluster_id in (None, recorded.cluster_id)
    return recorded.project_id if recorded.submitted_hash and is_same else None


async def _read(text: str, place: str, *, large: bool) -> Any:
    if large:
        return await asyncio.to_thread(checks.read_manifest, text, place=place, max_nodes=FULL_NODES)
    return checks.read_manifest(text, place=place, max_nodes=QUICK_NODES)
