"""Renders a spec into what would be sent: reads the manifest, resolves the project, marks and hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from runai_operator.codecs.yaml import FULL_NODES, QUICK_NODES
from runai_operator.domain import checks
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import BridgeError, SourceUnusable, TooLarge
from runai_operator.domain.manifest import Desired
from runai_operator.domain.memory import Source
from runai_operator.domain.model import Gvk, OwnerMark, SourceRef, SourceText, Spec, Submission, Workload
from runai_operator.domain.naming import external_name
from runai_operator.domain.stored_status import StoredStatus

QUICK_TEXT = 256 * 1024
"""Characters of a source that are rendered beside others, as many as of an object: what is larger takes several times its size
in memory until it is submitted, and may be 1 MiB, so it is done one at a time."""


@dataclass(frozen=True, slots=True)
class Rendered:
    desired: Desired | BridgeError
    """What would be sent, or why there is nothing to send."""
    source: Source | None
    """Where the manifest was looked for, usable or not, and at which version."""
    gvk: Gvk | None = None
    """Of the manifest, also where it cannot be sent."""


class Renderer:
    """Renders a spec into a `Desired`."""

    def __init__(
        self,
        read_source: Callable[[str, SourceRef], Awaitable[SourceText]],
        install: str,
        former_installs: tuple[str, ...] = (),
    ) -> None:
        """`read_source` as `ports.Kube` has it."""
        self._read_source, self._install = read_source, install
        self._installs = (install, *former_installs)

    async def __call__(
        self,
        workload: Workload,
        project_of: Callable[[Spec], Awaitable[str]],
        *,
        large: bool,
        project_id: str | None = None,
    ) -> Rendered:
        """What would be sent for this workload.

        `project_of` finds the id of the project that a spec names. `project_id`: where an attempt was made that is to be
        repeated.

        Raises what reading the source raises when whether it can be used is not known and, unless `large`, `TooLarge` for a
        manifest that takes long to read.
        """
        ref, source, held, key = workload.spec.manifest_from, None, None, None
        if ref is not None:
            try:
                held = await self._read_source(workload.ref.namespace, ref)
            except SourceUnusable as error:
                return Rendered(error, Source(ref, error.version, lack=error.without_quotes()))
            source, key = Source(ref, held.version), held.uid if ref.kind == "Secret" else None
            if len(held.text) > QUICK_TEXT and not large:
                raise TooLarge(f"The source of the manifest has more than {QUICK_TEXT // 1024} KiB.")
        gvk = None
        try:
            place, manifest = await _manifest(workload.spec, held, large=large)
            gvk = checks.gvk_of(manifest, place=place)
            desired = await self._desired(
                workload, gvk, manifest, project_of, key=key, project_id=project_id, small=not large
            )
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
        project_of: Callable[[Spec], Awaitable[str]],
        *,
        key: str | None,
        project_id: str | None,
        small: bool,
    ) -> Desired:
        """`key` is that of the hash."""
        spec, ref = workload.spec, workload.ref
        name = self._name(workload)
        project_id = project_id or await _project(workload, project_of)
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
            small=small,
        )
        return Desired(submission, gvk, content)

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


async def _project(workload: Workload, project_of: Callable[[Spec], Awaitable[str]]) -> str:
    spec, recorded = workload.spec, StoredStatus(workload.status)
    return spec.project_id or recorded.project_named_by(spec) or await project_of(spec)


async def _read(text: str, place: str, *, large: bool) -> Any:
    if large:
        return await asyncio.to_thread(checks.read_manifest, text, place=place, max_nodes=FULL_NODES)
    return checks.read_manifest(text, place=place, max_nodes=QUICK_NODES)
