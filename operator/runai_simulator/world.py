"""The state of the control plane and how it moves. Time is an argument: seconds since the epoch.

Nothing runs by itself: a workload's sync and phase are functions of when things happened to it and of now.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runai_simulator.catalogue import CATEGORIES, KINDS, PROJECTS, Kind, Project
from runai_simulator.rules import Refused, check_metadata, check_name, find_kind
from runai_simulator.switches import Switches

Json = dict[str, Any]

SYNC_FAIL = "simulator.run.ai/sync"
"""Manifest annotation: `fail` makes the sync fail."""
END = "simulator.run.ai/end"
"""Manifest annotation: `Failed`, `Completed` or `Running` is how the workload ends up."""
PENDING = "simulator.run.ai/pending"
"""Manifest annotation: `true` leaves it Pending, with a scheduling message."""
STARTING = ("Creating", "Pending", "Initializing")


@dataclass(slots=True)
class Workload:
    """One workload; times in seconds since the epoch."""

    id: str
    v1_id: str
    name: str
    project: Project
    kind: Kind
    version: str
    manifest: Json
    created: float
    submitted: float
    """Of the last POST or PUT."""
    priority: str
    category: str
    preemptibility: str
    mnnvl: str | None = None
    deleted: float | None = None
    """When deletion was asked for."""
    forced: list[tuple[float, str, str]] = field(default_factory=list)
    """Phases set from outside: when, phase, message."""
    desired_phase: str = "Running"

    @property
    def annotations(self) -> Json:
        metadata = self.manifest.get("metadata")
        found = metadata.get("annotations") if isinstance(metadata, dict) else None
        return found if isinstance(found, dict) else {}

    def is_gone(self, now: float, switches: Switches) -> bool:
        return self.deleted is not None and now >= self.deleted + switches.delete_time

    def sync(self, now: float, switches: Switches) -> tuple[str, str | None]:
        """`syncInfo`: status and message."""
        if self.deleted is not None:
            return ("Deleted" if self.is_gone(now, switches) else "Deleting"), None
        age = now - self.submitted
        if age < switches.sync_time:
            return "Queued", None
        if age < 2 * switches.sync_time:
            return "Applying", None
        if self.annotations.get(SYNC_FAIL) == "fail":
            return "Failed", "failed to apply the manifest: admission webhook denied the request"
        return "Synced", None

    def phase(self, now: float, switches: Switches) -> tuple[str, str, float]:
        """Phase, message, and since when."""
        if self.deleted is not None:
            return "Deleting", "", self.deleted
        for since, phase, message in reversed(self.forced):
            if since <= now:
                return phase, message, since
        start = self.created + 2 * switches.sync_time
        if self.annotations.get(SYNC_FAIL) == "fail":
            return "Creating", "", self.created
        for number, phase in enumerate(STARTING):
            end = start + (number + 1) * switches.phase_time
            if now < end or (phase == "Pending" and self.annotations.get(PENDING) == "true"):
                return phase, "", start + number * switches.phase_time if number else self.created
        running = start + len(STARTING) * switches.phase_time
        finish = self.annotations.get(END) or ("Completed" if self.kind.completes else "Running")
        if finish != "Running" and now >= running + switches.run_time:
            message = "the main container ended with code 1" if finish == "Failed" else ""
            return str(finish), message, running + switches.run_time
        return "Running", "", running

    def pods(self) -> int:
        """How many pods the manifest asks for, as far as that is easy to tell."""
        spec = self.manifest.get("spec")
        wanted = spec.get("replicas", spec.get("parallelism", 1)) if isinstance(spec, dict) else 1
        return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < 10_000 else 1

    def gpus(self) -> float:
        """GPUs of all containers that the manifest shows, times pods."""
        return sum(map(_gpu_limit, _containers(self.manifest))) * self.pods()


class World:
    """Everything the control plane knows."""

    def __init__(self, switches: Switches | None = None, *, seed: int | None = None) -> None:
        self.switches = switches or Switches()
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.projects: dict[str, Project] = {project.id: project for project in PROJECTS}
        self.creates: list[tuple[str, str]] = []
        """Project id and name of each POST that took effect, in order."""
        self._workloads: dict[str, Workload] = {}
        self._by_v1_id: dict[str, Workload] = {}
        self._by_name: dict[tuple[str, str], Workload] = {}

    def __iter__(self) -> Iterator[Workload]:
        return iter(self._workloads.values())

    def add_project(self, name: str, cluster_id: str) -> Project:
        project = Project(str(len(self.projects) + 1), name, cluster_id)
        self.projects[project.id] = project
        return project

    def validate(self, metadata: Json, manifest: Json, now: float) -> tuple[str, Project, Kind, str]:
        """Name, project, kind and version of what a POST would create. Raises `Refused`."""
        project = self._project(metadata, manifest)
        name = check_name(metadata.get("name"), prefix=metadata.get("useGivenNameAsPrefix") is True)
        if metadata.get("useGivenNameAsPrefix") is True:
            name = f"{name}-{self.random.getrandbits(20):05x}"
        kind, version = find_kind(manifest, KINDS)
        check_metadata(metadata)
        if self._name_is_taken(project, name, now):
            raise Refused(409, f"workload with name '{name}' already exists in this project")
        return name, project, kind, version

    def create(self, metadata: Json, manifest: Json, now: float) -> Workload:
        """What a POST does. Raises `Refused`."""
        name, project, kind, version = self.validate(metadata, manifest, now)
        category = metadata.get("category") or kind.category
        made_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        workload = Workload(
            id=made_id,
            v1_id=made_id if self.switches.ids_equal else str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            name=name,
            project=project,
            kind=kind,
            version=version,
            manifest=manifest,
            created=now,
            submitted=now,
            priority=metadata.get("priority") or CATEGORIES[category].priority,
            category=category,
            preemptibility=metadata.get("preemptibility") or CATEGORIES[category].preemptibility,
            mnnvl=(metadata.get("configuration") or {}).get("mnnvl"),
        )
        self._workloads[workload.id] = self._by_v1_id[workload.v1_id] = workload
        self._by_name[project.id, name] = workload
        self.creates.append((project.id, name))
        return workload

    def update(self, workload: Workload, metadata: Json, manifest: Json | None, now: float) -> None:
        """What a PUT does; what it does not name stays. Raises `Refused`."""
        self._refuse_while_busy(workload, now)
        check_metadata(metadata)
        if manifest is not None:
            kind, version = find_kind(manifest, KINDS)
            if (kind, version) != (workload.kind, workload.version):
                raise Refused(400, "the kind of a workload cannot be changed")
            workload.manifest = manifest
        workload.priority = metadata.get("priority") or workload.priority
        workload.category = metadata.get("category") or workload.category
        workload.submitted = now

    def delete(self, workload: Workload, now: float) -> None:
        """What a DELETE does; a second one changes nothing. Raises `Refused`."""
        if workload.deleted is None:
            self._refuse_while_busy(workload, now)
            workload.deleted, workload.desired_phase = now, "Deleted"

    def purge(self, workload: Workload) -> None:
        """Forget it for good, as retention does."""
        self._workloads.pop(workload.id, None)
        self._by_v1_id.pop(workload.v1_id, None)
        if self._by_name.get((workload.project.id, workload.name)) is workload:
            del self._by_name[workload.project.id, workload.name]

    def find(self, workload_id: str, now: float) -> Workload | None:
        """By V2 id; a deleted one only where those are shown."""
        workload = self._workloads.get(workload_id)
        if workload and self.switches.deleted_answers_404 and workload.is_gone(now, self.switches):
            return None
        return workload

    def find_v1(self, workload_id: str, now: float) -> Workload | None:
        """By v1 id, once the lists know it."""
        workload = self._by_v1_id.get(workload_id)
        return workload if workload and now >= workload.created + self.switches.list_lag else None

    def listed(self, now: float, *, deleted: bool) -> list[Workload]:
        """What the v1 list shows, as of a moment ago."""
        seen = now - self.switches.list_lag
        if deleted and not self.switches.deleted_list:
            return []
        return [w for w in self if w.created <= seen and w.is_gone(seen, self.switches) is deleted]

    def live(self, now: float) -> list[Workload]:
        return [workload for workload in self if not workload.is_gone(now, self.switches)]

    def _project(self, metadata: Json, manifest: Json) -> Project:
        project_id, cluster_id = metadata.get("projectId"), metadata.get("clusterId")
        if project_id and cluster_id:
            raise Refused(400, "projectId and clusterId are mutually exclusive, provide only one")
        if project_id:
            if str(project_id) not in self.projects:
                raise Refused(403, "insufficient permissions")
            return self.projects[str(project_id)]
        if not cluster_id:
            raise Refused(400, "either projectId or clusterId must be provided")
        namespace = (manifest.get("metadata") or {}).get("namespace")
        for project in self.projects.values():
            if project.cluster_id == cluster_id and namespace in (project.name, project.namespace):
                return project
        raise Refused(403, "insufficient permissions")

    def _name_is_taken(self, project: Project, name: str, now: float) -> bool:
        holder = self._by_name.get((project.id, name))
        if holder is None:
            return False
        if holder.deleted is None:
            return True
        if self.switches.name_free_at_once:
            return False
        return now < holder.deleted + self.switches.delete_time + self.switches.name_blocked_for

    def _refuse_while_busy(self, workload: Workload, now: float) -> None:
        status, _ = workload.sync(now, self.switches)
        if status == "Deleting" or (not self.switches.writes_while_busy and status in ("Queued", "Applying")):
            raise Refused(409, f"the workload is busy: {status}")


def _containers(value: Any, depth: int = 0) -> Iterator[Json]:
    """Every container of every pod template, wherever the kind keeps it."""
    if depth > 12:
        return
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and isinstance(value.get("containers"), list):
        yield from (container for container in value["containers"] if isinstance(container, dict))
    for child in children:
        yield from _containers(child, depth + 1)


def _gpu_limit(container: Json) -> float:
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    try:
        return float(limits["nvidia.com/gpu"]) if isinstance(limits, dict) else 0.0
    except (KeyError, TypeError, ValueError):
        return 0.0
