"""The state of the control plane and how it moves. Time is an argument: seconds since the epoch.

Nothing runs by itself. What happens to a workload writes its timelines, the past as it was and the future as it is
planned; its sync and its phase are what they say for now. The next event replaces what is still to come.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runai_simulator.catalogue import CATEGORIES, CLUSTERS, KINDS, PROJECTS, Kind, Project
from runai_simulator.pods import Shape, is_suspended, shape_of
from runai_simulator.rules import (
    SUFFIX,
    Refused,
    annotations_of,
    check_metadata,
    check_name,
    find_kind,
    read_steering,
)
from runai_simulator.steering import Steering
from runai_simulator.switches import Switches

Json = dict[str, Any]

STARTING = ("Creating", "Pending", "Initializing")
FINISHED = ("Completed", "Failed")
SYNC_FAILURE = "failed to apply the manifest: admission webhook denied the request"
RUN_FAILURE = "the main container ended with code 1"


class Step(NamedTuple):
    """From a moment on, until the next step."""

    since: float
    word: str
    message: str = ""


@dataclass(slots=True)
class Timeline:
    """Steps in the order of time; several at the same moment count as the last of them."""

    steps: list[Step] = field(default_factory=list)

    def at(self, now: float) -> Step:
        """The step that holds now; before the first one, that."""
        return next((step for step in reversed(self.steps) if step.since <= now), self.steps[0])

    def until(self, now: float) -> list[Step]:
        return [step for step in self.steps if step.since <= now]

    def go_on(self, now: float, steps: Iterable[Step]) -> None:
        """From `now` on these steps, instead of what was planned."""
        self.steps = [step for step in self.steps if step.since < now or step is self.steps[0]]
        self.steps.extend(steps)


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
    priority: str
    category: str
    preemptibility: str
    steering: Steering
    shape: Shape
    updated: float = 0.0
    """Of the last change by anybody."""
    deleted: float | None = None
    """When deletion was asked for."""
    gone: float = math.inf
    """When it is deleted, as far as that is known."""
    synced: float = math.inf
    """When it first reaches its cluster, as far as that is known."""
    desired_phase: str = "Running"
    syncs: Timeline = field(default_factory=Timeline)
    phases: Timeline = field(default_factory=Timeline)

    @property
    def annotations(self) -> Json:
        return annotations_of(self.manifest)

    def is_gone(self, now: float) -> bool:
        return now >= self.gone

    def sync(self, now: float) -> tuple[str, str | None]:
        """`syncInfo`: status and message."""
        step = self.syncs.at(now)
        return step.word, step.message or None

    def phase(self, now: float) -> tuple[str, str, float]:
        """Phase, message, and since when."""
        step = self.phases.at(now)
        return step.word, step.message, step.since

    def completed(self, now: float) -> float | None:
        """When it completed or failed, unless it runs again."""
        past = [step for step in self.phases.until(now) if step.word != "Deleting"]
        return past[-1].since if past and past[-1].word in FINISHED else None

    def moments(self) -> Iterator[float]:
        """When what the lists show of it changes by itself."""
        yield self.created
        yield self.gone
        for step in self.phases.steps:
            yield step.since


class World:
    """Everything the control plane knows."""

    def __init__(self, switches: Switches | None = None, *, seed: int | None = None) -> None:
        self.switches = switches or Switches()
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.clusters = dict(CLUSTERS)
        self.projects: dict[str, Project] = {project.id: project for project in PROJECTS}
        self.kinds = dict(KINDS)
        self.hidden: set[str] = set()
        """Ids of the projects outside of the caller's scope."""
        self.creates: list[tuple[str, str]] = []
        """Project id and name of each POST that took effect, in order."""
        self.on_change: Callable[[Workload], None] = lambda _: None
        """Called with every workload that the lists may show differently, now or at its `moments`."""
        self._workloads: dict[str, Workload] = {}
        self._by_v1_id: dict[str, Workload] = {}
        self._by_name: dict[tuple[str, str], Workload] = {}
        self._waiting: dict[str, bool] = {}
        """Ids of what has yet to reach the clusters, and whether its content was edited."""

    def __iter__(self) -> Iterator[Workload]:
        return iter(self._workloads.values())

    # --- the tenant

    def add_project(self, name: str, cluster_id: str) -> Project:
        """Raises `ValueError` for an unknown cluster."""
        if cluster_id not in self.clusters:
            raise ValueError(f"no cluster has the id {cluster_id}")
        project = Project(str(len(self.projects) + 1), name, cluster_id)
        self.projects[project.id] = project
        return project

    def hide_project(self, project: Project, *, hidden: bool) -> None:
        """Take a project out of the caller's scope, or back into it."""
        (self.hidden.add if hidden else self.hidden.discard)(project.id)

    def register(self, kind: Kind) -> None:
        """A workload type, new or changed; workloads that there are keep theirs."""
        self.kinds[kind.group, kind.name] = kind

    def visible_projects(self) -> list[Project]:
        return [project for project in self.projects.values() if project.id not in self.hidden]

    def find_project(self, project_id: str) -> Project | None:
        """By id. Raises `Refused` for one outside of the scope."""
        self._check_scope(project_id)
        return None if project_id in self.hidden else self.projects.get(project_id)

    def switch(self, values: dict[str, Any], now: float) -> None:
        """Change switches; what is under way keeps its pace. Raises `ValueError`."""
        self.switches = self.switches.changed(values)
        if self.switches.cluster_connected:
            waiting, self._waiting = self._waiting, {}
            for workload_id, is_edited in waiting.items():
                self._tell_cluster(self._workloads[workload_id], now, is_edited=is_edited)

    # --- what the API does

    def validate(self, metadata: Json, manifest: Json, now: float) -> tuple[str, Project, Kind, str]:
        """Name, project, kind and version of what a POST would create. Raises `Refused`."""
        project = self._project(metadata, manifest)
        is_prefix = metadata.get("useGivenNameAsPrefix") is True
        name = check_name(metadata.get("name"), prefix=is_prefix)
        if is_prefix:
            name = f"{name}-{self.random.getrandbits(20):0{SUFFIX - 1}x}"
        kind, version = find_kind(manifest, self.kinds, project.cluster_id)
        read_steering(manifest)
        check_metadata(metadata)
        if self._name_is_taken(project, name, now):
            names_it = self.switches.conflict_names_workload
            specific = f"workload with name '{name}' already exists in this project"
            raise Refused(409, specific if names_it else "Resource with this name already exists")
        return name, project, kind, version

    def create(self, metadata: Json, manifest: Json, now: float) -> Workload:
        """What a POST does. Raises `Refused`."""
        workload = self._made(metadata, manifest, now, created=now)
        self.creates.append((workload.project.id, workload.name))
        self._tell_cluster(workload, now)
        return workload

    def _made(self, metadata: Json, manifest: Json, now: float, *, created: float) -> Workload:
        name, project, kind, version = self.validate(metadata, manifest, now)
        category = metadata.get("category") or kind.category
        made_id = self._new_id()
        workload = Workload(
            id=made_id,
            v1_id=made_id if self.switches.ids_equal else self._new_id(),
            name=name,
            project=project,
            kind=kind,
            version=version,
            manifest=manifest,
            created=created,
            updated=created,
            priority=metadata.get("priority") or CATEGORIES[category].priority,
            category=category,
            preemptibility=metadata.get("preemptibility") or CATEGORIES[category].preemptibility,
            steering=read_steering(manifest),
            shape=shape_of(manifest),
            phases=Timeline([Step(created, "Creating")]),
        )
        self._workloads[workload.id] = self._by_v1_id[workload.v1_id] = workload
        self._by_name[project.id, name] = workload
        return workload

    def update(self, workload: Workload, metadata: Json, manifest: Json | None, now: float) -> None:
        """What a PUT does; what it does not name stays, unless switched. Raises `Refused`."""
        switches = self.switches
        if workload.deleted is not None:
            if switches.put_while_deleting:
                return
            raise Refused(409, "the workload is busy: Deleting")
        self._refuse_while_busy(workload, now)
        check_metadata(metadata)
        if manifest is None and not switches.put_keeps_manifest:
            raise Refused(400, "a manifest must be provided")
        is_edited = manifest is not None and self._take_manifest(workload, manifest)
        kept = (workload.priority, workload.category) if switches.put_keeps_metadata else (None, None)
        workload.category = metadata.get("category") or kept[1] or workload.kind.category
        workload.priority = metadata.get("priority") or kept[0] or CATEGORIES[workload.category].priority
        workload.updated = now
        self._tell_cluster(workload, now, is_edited=is_edited)

    def delete(self, workload: Workload, now: float) -> None:
        """What a DELETE does; a second one changes nothing. Raises `Refused`."""
        if workload.deleted is not None:
            if not self.switches.second_delete:
                raise Refused(404, "The requested workload was not found")
            return
        self._refuse_while_busy(workload, now)
        workload.deleted = workload.updated = now
        workload.desired_phase = "Deleted"
        if not (self.switches.deleted_keeps_phase and workload.phase(now)[0] in FINISHED):
            workload.phases.go_on(now, [Step(now, "Deleting")])
        self._tell_cluster(workload, now)

    # --- what people and the platform do behind the caller's back

    def add(self, metadata: Json, manifest: Json, phase: str, now: float, *, age: float) -> Workload:
        """One that is there already: submitted `age` seconds ago, synced, and in that phase ever since. Raises `Refused`."""
        created = now - age
        workload = self._made(metadata, manifest, now, created=created)
        workload.synced = created
        workload.syncs.go_on(created, [Step(created, "Synced")])
        workload.phases.go_on(created, [Step(created, phase)])
        self.on_change(workload)
        return workload

    def set_phase(self, workload: Workload, phase: str, message: str, now: float) -> None:
        """It stays so until the next event."""
        if workload.deleted is None:
            workload.phases.go_on(now, [Step(now, phase, message)])
            self.on_change(workload)

    def set_sync(self, workload: Workload, status: str, message: str, now: float) -> None:
        """It stays so until the next event."""
        workload.syncs.go_on(now, [Step(now, status, message)])

    def stop(self, workload: Workload, now: float) -> None:
        if workload.deleted is None:
            workload.desired_phase, workload.updated = "Stopped", now
            then = now + self.switches.phase_time
            workload.phases.go_on(now, [Step(now, "Stopping"), Step(then, "Stopped")])
            self.on_change(workload)

    def resume(self, workload: Workload, now: float) -> None:
        if workload.deleted is None:
            workload.desired_phase, workload.updated = "Running", now
            then = now + self.switches.phase_time
            workload.phases.go_on(now, [Step(now, "Resuming"), *self._running(workload, then)])
            self.on_change(workload)

    def edit(self, workload: Workload, metadata: Json, manifest: Json | None, now: float) -> None:
        """Somebody else's change: what it does not name stays. Raises `Refused`."""
        check_metadata(metadata)
        is_edited = manifest is not None and self._take_manifest(workload, manifest)
        workload.priority = metadata.get("priority") or workload.priority
        workload.category = metadata.get("category") or workload.category
        workload.updated = now
        if is_edited and workload.deleted is None:
            self._tell_cluster(workload, now, is_edited=True)
        else:
            self.on_change(workload)

    def purge(self, workload: Workload) -> None:
        """Forget it for good, as retention does."""
        self._workloads.pop(workload.id, None)
        self._by_v1_id.pop(workload.v1_id, None)
        self._waiting.pop(workload.id, None)
        if self._by_name.get((workload.project.id, workload.name)) is workload:
            del self._by_name[workload.project.id, workload.name]
        self.on_change(workload)

    # --- reading

    def get(self, workload_id: str) -> Workload | None:
        """By V2 id, whatever the API shows of it."""
        return self._workloads.get(workload_id)

    def find(self, workload_id: str, now: float) -> Workload | None:
        """By V2 id; a deleted one only where those are shown. Raises `Refused` for one outside of the scope."""
        workload = self._workloads.get(workload_id)
        if workload is None or self.is_forgotten(workload, now):
            return None
        self._check_scope(workload.project.id)
        hidden = workload.project.id in self.hidden or (self.switches.deleted_answers_404 and workload.is_gone(now))
        return None if hidden else workload

    def find_v1(self, workload_id: str, now: float) -> Workload | None:
        """By v1 id, once the lists know it. Raises `Refused` for one outside of the scope."""
        workload = self._by_v1_id.get(workload_id)
        seen = now - self.switches.list_lag
        if workload is None or seen < workload.created or self.is_forgotten(workload, seen):
            return None
        self._check_scope(workload.project.id)
        hidden = workload.project.id in self.hidden or (workload.is_gone(seen) and not self.switches.deleted_list)
        return None if hidden else workload

    def knows(self, workload: Workload) -> bool:
        """Whether it was not purged."""
        return workload.id in self._workloads

    def is_forgotten(self, workload: Workload, now: float) -> bool:
        return now >= workload.gone + self.switches.retention

    def listed(self, now: float, *, deleted: bool) -> list[Workload]:
        """What the v1 list shows, as of a moment ago."""
        seen = now - self.switches.list_lag
        if deleted and not self.switches.deleted_list:
            return []
        return [
            workload
            for workload in self
            if workload.created <= seen
            and workload.is_gone(seen) is deleted
            and workload.project.id not in self.hidden
            and not self.is_forgotten(workload, seen)
        ]

    def live(self, now: float) -> list[Workload]:
        return [workload for workload in self if not workload.is_gone(now)]

    # --- how it moves

    def _tell_cluster(self, workload: Workload, now: float, *, is_edited: bool = False) -> None:
        """Write the timelines that follow from what the control plane now wants."""
        if workload.deleted is not None:
            self._plan_end(workload, now)
        else:
            self._plan_sync(workload, now, is_edited=is_edited)
        self.on_change(workload)

    def _plan_end(self, workload: Workload, now: float) -> None:
        steered = workload.steering.delete_time
        takes = self.switches.delete_time if steered is None else steered
        if not self.switches.cluster_connected:
            self._waiting[workload.id] = False
            takes = math.inf
        workload.gone = now + takes
        workload.syncs.go_on(now, [Step(now, "Deleting"), Step(workload.gone, "Deleted")])

    def _plan_sync(self, workload: Workload, now: float, *, is_edited: bool) -> None:
        takes = self.switches.sync_time
        if not self.switches.cluster_connected:
            self._waiting[workload.id] = self._waiting.get(workload.id, False) or is_edited
        if not self.switches.cluster_connected or workload.steering.sync == "hold":
            self._never_synced(workload, now, [Step(now, "Queued")])
            return
        done = now + 2 * takes
        steps = [Step(now, "Queued"), Step(now + takes, "Applying")]
        if workload.steering.sync == "fail":
            steps.append(Step(done, "Failed", workload.steering.message or SYNC_FAILURE))
            if not self.switches.sync_failure_recovers:
                self._never_synced(workload, now, steps)
                return
            steps += [Step(done + takes, "Queued"), Step(done + 2 * takes, "Applying")]
            done += 3 * takes
        workload.syncs.go_on(now, [*steps, Step(done, "Synced")])
        self._plan_phases(workload, now, done, is_edited=is_edited)

    def _never_synced(self, workload: Workload, now: float, steps: list[Step]) -> None:
        """A sync that does not come to its end; pods that were to start with an earlier one do not."""
        workload.syncs.go_on(now, steps)
        if workload.synced > now:
            workload.synced = math.inf
            workload.phases.go_on(now, [])

    def _plan_phases(self, workload: Workload, now: float, synced: float, *, is_edited: bool) -> None:
        """What the pods do once the cluster has it."""
        if workload.synced > now:  # the cluster never had it before
            workload.synced = synced
            workload.phases.go_on(now, self._starting(workload, synced))
        elif is_edited and (steps := self._after_edit(workload, workload.phases.at(synced).word, synced)) is not None:
            workload.phases.go_on(synced, steps)

    def _after_edit(self, workload: Workload, phase: str, now: float) -> list[Step] | None:
        """The phases that follow from changed content; None changes nothing."""
        pace, switches = self.switches.phase_time, self.switches
        if phase in FINISHED:
            reruns = switches.put_reruns_failed if phase == "Failed" else switches.put_reruns_completed
            return [Step(now, "Creating"), *self._starting(workload, now)] if reruns else None
        if workload.steering.phases:
            return self._steered(workload, now)
        if is_suspended(workload.manifest):
            return None if phase == "Stopped" else [Step(now, "Stopping"), Step(now + pace, "Stopped")]
        if phase == "Stopped" and workload.desired_phase == "Running":
            return [Step(now, "Resuming"), *self._running(workload, now + pace)]
        if phase == "Running":
            is_just_so = workload.phases.at(now).since == now  # that step is replaced, too
            return self._running(workload, now)[0 if is_just_so else 1 :]
        return self._starting(workload, now) if phase in STARTING else None

    def _starting(self, workload: Workload, start: float) -> list[Step]:
        """The phases of pods that start now; Creating is there already."""
        steering, pace = workload.steering, self.switches.phase_time
        if steering.phases:
            return self._steered(workload, start)
        if is_suspended(workload.manifest):
            return [Step(start + pace, "Stopped")]
        pending = Step(start + pace, "Pending")
        if steering.pending:
            return [pending]
        return [pending, Step(start + 2 * pace, "Initializing"), *self._running(workload, start + 3 * pace)]

    def _running(self, workload: Workload, start: float) -> list[Step]:
        finish = workload.steering.end or ("Completed" if workload.kind.completes else "Running")
        if finish == "Running":
            return [Step(start, "Running", workload.steering.message)]
        message = workload.steering.message or (RUN_FAILURE if finish == "Failed" else "")
        return [Step(start, "Running"), Step(start + self.switches.run_time, finish, message)]

    def _steered(self, workload: Workload, start: float) -> list[Step]:
        steps = []
        for phase, seconds in workload.steering.phases:
            steps.append(Step(start, phase))
            start += self.switches.phase_time if seconds is None else seconds
        steps[-1] = steps[-1]._replace(message=workload.steering.message)
        return steps

    def _take_manifest(self, workload: Workload, manifest: Json) -> bool:
        """Whether its content changed, or its steering. Raises `Refused`."""
        kind, version = find_kind(manifest, self.kinds, workload.project.cluster_id)
        if (kind.group, kind.name, version) != (workload.kind.group, workload.kind.name, workload.version):
            raise Refused(400, "the kind of a workload cannot be changed")
        steering = read_steering(manifest)
        is_edited = steering != workload.steering or _content(manifest) != _content(workload.manifest)
        workload.manifest, workload.steering, workload.shape = manifest, steering, shape_of(manifest)
        return is_edited

    # --- rules that need the state

    def _project(self, metadata: Json, manifest: Json) -> Project:
        project_id, cluster_id = metadata.get("projectId"), metadata.get("clusterId")
        if project_id and cluster_id:
            raise Refused(400, "projectId and clusterId are mutually exclusive, provide only one")
        if project_id:
            found = self.projects.get(str(project_id))
            if found is None and not self.switches.unknown_project_403:
                raise Refused(400, f"project {project_id} was not found")
            if found is None or found.id in self.hidden:
                raise Refused(403, "insufficient permissions")
            return found
        if not cluster_id:
            raise Refused(400, "either projectId or clusterId must be provided")
        in_manifest = manifest.get("metadata")
        namespace = in_manifest.get("namespace") if isinstance(in_manifest, dict) else None
        for project in self.visible_projects():
            if project.cluster_id == cluster_id and namespace in (project.name, project.namespace):
                return project
        raise Refused(403, "insufficient permissions")

    def _name_is_taken(self, project: Project, name: str, now: float) -> bool:
        holder = self._by_name.get((project.id, name))
        if holder is None:
            return False
        if holder.deleted is None:
            return not (self.switches.failed_sync_frees_name and holder.sync(now)[0] == "Failed")
        if self.switches.name_free_at_once:
            return False
        return now < holder.gone + self.switches.name_blocked_for

    def _refuse_while_busy(self, workload: Workload, now: float) -> None:
        status, _ = workload.sync(now)
        if not self.switches.writes_while_busy and status in ("Queued", "Applying"):
            raise Refused(409, f"the workload is busy: {status}")

    def _check_scope(self, project_id: str) -> None:
        if project_id in self.hidden and not self.switches.hidden_answers_404:
            raise Refused(403, "insufficient permissions")

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def _content(manifest: Json) -> str:
    """What reaches the cluster, without the metadata."""
    return json.dumps({key: value for key, value in manifest.items() if key != "metadata"}, sort_keys=True)
