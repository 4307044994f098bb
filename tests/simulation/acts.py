"""What people, machines and the two sides do. Each act is a value, reads as a sentence, and does itself to a world."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from fakes.kube import AdmissionRefused, Stored
from fakes.runai import mark_of
from runai_operator.domain.checks import MANIFEST_DEPTH
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import (
    NOT_SUBMITTED,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    OwnerMark,
    RecreatePolicy,
    RerunPolicy,
    SourceRef,
    SourceText,
    Spec,
)
from runai_operator.domain.naming import probe_name
from runai_operator.domain.reasons import Phase
from runai_simulator.rules import Refused
from simulation.troubles import SECRET, Trouble
from simulation.world import NAMESPACE, World

STRANGER = OwnerMark("install-9", "ns", "a", "a-strangers-uid")
DEPTH = MANIFEST_DEPTH - 3
"""Of a manifest: as many levels as may be."""
API_VERSIONS = {"Deployment": "apps/v1", "Job": "batch/v1"}


class Act(Protocol):
    """Does itself to a world; what is impossible there does nothing."""

    def do(self, world: World) -> None: ...


Timed = tuple[float, Act]
"""An act, and when it is done: seconds."""


class Way(StrEnum):
    """What becomes of a workload once it is on its cluster."""

    USUAL = "that runs"
    FAILS = "that fails"
    WAITS = "that stays pending"


STEERING = {
    Way.USUAL: {},
    Way.FAILS: {"simulator.run.ai/end": "Failed"},
    Way.WAITS: {"simulator.run.ai/pending": "true"},
}


def manifest_of(kind: str, text: int, way: Way = Way.USUAL) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": API_VERSIONS[kind], "kind": kind, "spec": {"text": text}}
    if kind == "Deployment":
        made["spec"]["replicas"] = text % 3 + 1
    if STEERING[way]:
        made["metadata"] = {"annotations": STEERING[way]}
    return made


@lru_cache
def deep_manifest() -> dict[str, Any]:
    """Always the same one, since to compare two takes as many levels."""
    spec: dict[str, Any] = {"text": 0}
    for _ in range(DEPTH):
        spec = {"under": spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def find(world: World, name: str) -> Stored | None:
    return world.kube.objects.get((NAMESPACE, name))


def create(world: World, name: str, spec: Spec, status: dict[str, Any] | None = None) -> None:
    """The API server refuses it while the definition is going."""
    if world.kube.crd is not None and not world.kube.crd.deleting:
        world.kube.create(NAMESPACE, name, spec, status=status)


def edit(world: World, stored: Stored, **spec: Any) -> None:
    with contextlib.suppress(AdmissionRefused):
        world.kube.edit(stored, replace(stored.spec, **spec))


@dataclass(frozen=True, slots=True)
class Policies:
    deletion: DeletionPolicy = DeletionPolicy.DELETE
    recreate: RecreatePolicy = RecreatePolicy.NEVER
    rerun: RerunPolicy = RerunPolicy.NEVER
    outside: ExternalDeletionPolicy = ExternalDeletionPolicy.REPORT

    def __str__(self) -> str:
        words = (self.deletion, self.recreate, self.rerun, self.outside)
        return "/".join(words)

    def as_spec(self) -> dict[str, Any]:
        return {
            "deletion_policy": self.deletion,
            "recreate_policy": self.recreate,
            "rerun_policy": self.rerun,
            "external_deletion_policy": self.outside,
        }


@dataclass(frozen=True, slots=True)
class Apply:
    """A new object, or other content for the one that exists."""

    name: str
    kind: str
    text: int
    project: str = "1"
    own_name: str | None = None
    by_name: bool = False
    """The project is named, not given by its id."""
    way: Way = Way.USUAL
    policies: Policies = field(default_factory=Policies)

    def __str__(self) -> str:
        own = f" as {self.own_name}" if self.own_name else ""
        return f"apply {self.name}: {self.kind} {self.text} {self.way}{own} in project {self.project}, {self.policies}"

    def do(self, world: World) -> None:
        manifest = manifest_of(self.kind, self.text, self.way)
        stored = find(world, self.name)
        if stored is None:
            project = (
                {"project_name": world.runai.world.projects[self.project].name}
                if self.by_name
                else {"project_id": self.project}
            )
            spec = Spec(manifest=manifest, name=self.own_name, **project, **self.policies.as_spec())
            create(world, self.name, spec)
        elif not stored.deleting and stored.spec.manifest is not None:
            kind = stored.spec.manifest["kind"]
            edit(world, stored, manifest=manifest_of(kind, self.text, self.way))


@dataclass(frozen=True, slots=True)
class ApplyDry:
    """A new object that is only to be checked, or other content for the one that exists."""

    name: str
    kind: str
    text: int
    project: str = "1"
    own_name: str | None = None
    is_valid: bool = True
    """Run:ai would accept it."""

    def __str__(self) -> str:
        own = f" as {self.own_name}" if self.own_name else ""
        wrong = "" if self.is_valid else ", which Run:ai refuses"
        return f"apply {self.name} as a dry run: {self.kind} {self.text}{own} in project {self.project}{wrong}"

    def do(self, world: World) -> None:
        stored, category = find(world, self.name), None if self.is_valid else "Trian"
        if stored is None:
            manifest, policy = manifest_of(self.kind, self.text), ManagementPolicy.DRY_RUN
            spec = Spec(manifest=manifest, name=self.own_name, project_id=self.project, category=category)
            create(world, self.name, replace(spec, management_policy=policy))
        elif not stored.deleting and stored.spec.manifest is not None:
            edit(world, stored, manifest=manifest_of(stored.spec.manifest["kind"], self.text), category=category)


@dataclass(frozen=True, slots=True)
class SetManagement:
    name: str
    policy: ManagementPolicy
    is_admitted: bool = False
    """By a definition that knows no rule about it."""

    def __str__(self) -> str:
        return f"managementPolicy of {self.name}: {self.policy}{', whatever was submitted' if self.is_admitted else ''}"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None and (self.is_admitted or self._may_become(stored)):
            edit(world, stored, management_policy=self.policy)

    def _may_become(self, stored: Stored) -> bool:
        """The rule of the definition."""
        status = stored.status
        is_new = status.get("observedGeneration") == -1 and "workloadId" not in status
        is_free = self.policy is not ManagementPolicy.DRY_RUN or status.get("submission") == NOT_SUBMITTED
        return is_free or is_new or stored.spec.management_policy is self.policy


@dataclass(frozen=True, slots=True)
class SubmitAs:
    """What was only to be checked is to be submitted, in the same edit under another name."""

    name: str
    own_name: str

    def __str__(self) -> str:
        return f"submit {self.name} as {self.own_name}"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None and not stored.deleting:
            edit(world, stored, management_policy=ManagementPolicy.MANAGE, name=self.own_name)


@dataclass(frozen=True, slots=True)
class ApplyFromSource:
    """A new object whose manifest is in a ConfigMap, which may not exist yet."""

    name: str
    source: str
    kind: str = "ConfigMap"

    def __str__(self) -> str:
        return f"apply {self.name} with its manifest from {self.kind} {self.source}"

    def do(self, world: World) -> None:
        if find(world, self.name) is None:
            ref = SourceRef(self.kind, self.source, "manifest")
            create(world, self.name, Spec(manifest_from=ref, project_id="1"))


@dataclass(frozen=True, slots=True)
class ApplyDeep:
    """A manifest that is nested as deeply as one may be."""

    name: str

    def __str__(self) -> str:
        return f"apply {self.name} with a manifest of some {DEPTH} levels"

    def do(self, world: World) -> None:
        if find(world, self.name) is None:
            create(world, self.name, Spec(manifest=deep_manifest(), project_id="1"))


@dataclass(frozen=True, slots=True)
class MakeLarge:
    """Somebody's tool leaves large annotations behind."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} gets large annotations"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None:
            world.kube.large.add(stored.ref.uid)
            world.kube.touch(stored)


@dataclass(frozen=True, slots=True)
class Flood:
    """One project is asked for a lot at once, in objects of its own."""

    count: int
    text: int
    project: str | None = "2"
    """None: one that does not exist."""
    kind: str = "Deployment"

    def __str__(self) -> str:
        where = f"project {self.project}" if self.project is not None else "a misspelt project"
        return f"apply {self.count} objects with content {self.text} in {where}"

    def do(self, world: World) -> None:
        world.flooded_until = world.now() + 120.0
        where = (
            {"project_id": self.project} if self.project is not None else {"project_name": f"project-on-{self.text}"}
        )
        for number in range(self.count):
            name, manifest = f"many-{number}", manifest_of(self.kind, self.text)
            if (stored := find(world, name)) is None:
                create(world, name, Spec(manifest=manifest, **where))
            elif not stored.deleting:
                edit(world, stored, manifest=manifest)


@dataclass(frozen=True, slots=True)
class EndFlood:
    """All objects of a flood are deleted."""

    def __str__(self) -> str:
        return "delete all that were applied at once"

    def do(self, world: World) -> None:
        for stored in [each for each in world.kube.objects.values() if each.ref.name.startswith("many-")]:
            world.flooded_until = world.now() + 120.0
            world.kube.delete(stored)


@dataclass(frozen=True, slots=True)
class WriteSource:
    source: str
    text: int | None
    """None deletes it."""

    def __str__(self) -> str:
        return f"delete ConfigMap {self.source}" if self.text is None else f"ConfigMap {self.source} holds {self.text}"

    def do(self, world: World) -> None:
        if self.text is None:
            world.kube.sources.pop(self.source, None)
            return
        yaml = f"apiVersion: apps/v1\nkind: Deployment\nspec: {{password: {SECRET}, text: {self.text}}}\n"
        world.kube.sources[self.source] = SourceText(yaml, str(next(world.kube._versions)), f"uid-of-{self.source}")


@dataclass(frozen=True, slots=True)
class BreakSource:
    source: str
    broken: bool

    def __str__(self) -> str:
        return f"the API server {'answers 500 for' if self.broken else 'shows again'} ConfigMap {self.source}"

    def do(self, world: World) -> None:
        (world.kube.broken_sources.add if self.broken else world.kube.broken_sources.discard)(self.source)


@dataclass(frozen=True, slots=True)
class ApplyAdopting:
    """A new object that names what runs in Run:ai already."""

    name: str
    which: int
    kind: str = "Deployment"
    observe: bool = False
    policies: Policies = field(default_factory=Policies)
    unmarked: bool = False
    """One of those that nobody has marked, if there are any."""
    called: str | None = None
    """The one of this name, rather."""

    def __str__(self) -> str:
        verb = "observe" if self.observe else "adopt"
        which = f"number {self.which}" if self.called is None else self.called
        return f"apply {self.name}: {verb} workload {which} as a {self.kind}, {self.policies}"

    def do(self, world: World) -> None:
        there = [workload for workload in world.runai.live() if workload.deleted is None]
        if self.unmarked:
            there = [workload for workload in there if mark_of(workload) is None] or there
        if self.called is not None:
            there = [workload for workload in there if workload.name == self.called]
        if not there or find(world, self.name) is not None:
            return
        chosen = there[self.which % len(there)]
        world.say(f"    that is {chosen.id} ({chosen.name} in project {chosen.project.id})")
        policy = ManagementPolicy.OBSERVE if self.observe else ManagementPolicy.MANAGE
        spec = Spec(manifest=manifest_of(self.kind, 7), project_id="1", workload_id=chosen.id, management_policy=policy)
        create(world, self.name, replace(spec, **self.policies.as_spec()))


@dataclass(frozen=True, slots=True)
class SetPolicies:
    name: str
    policies: Policies

    def __str__(self) -> str:
        return f"policies of {self.name}: {self.policies}"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None:
            edit(world, stored, **self.policies.as_spec())


@dataclass(frozen=True, slots=True)
class MoveIt:
    """An immutable field changes, where admission lets it."""

    name: str
    project: str

    def __str__(self) -> str:
        return f"move {self.name} to project {self.project}"

    def do(self, world: World) -> None:
        stored = find(world, self.name)
        if stored is not None and stored.spec.project_id is not None:
            edit(world, stored, project_id=self.project)


@dataclass(frozen=True, slots=True)
class DeleteIt:
    name: str
    then_apply: Apply | None = None
    """As a tool that replaces does, once the object has gone."""

    def __str__(self) -> str:
        return f"delete {self.name}" + (f", and then {self.then_apply}" if self.then_apply else "")

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is None:
            return
        if (follows := self.then_apply) is not None:
            world.kube.once_gone[stored.ref.uid] = lambda: follows.do(world)
        world.kube.delete(stored)


@dataclass(frozen=True, slots=True)
class Restore:
    """The object comes back from a backup under another UID."""

    name: str
    with_status: bool

    def __str__(self) -> str:
        return f"restore {self.name} from a backup, {'with' if self.with_status else 'without'} status"

    def do(self, world: World) -> None:
        stored = find(world, self.name)
        if stored is not None and not stored.deleting:
            world.by_hand.add(stored.ref.uid)
            world.kube.lose(stored)
            status = dict(stored.status) if self.with_status and "ownerUid" in stored.status else None
            create(world, self.name, stored.spec, status)


@dataclass(frozen=True, slots=True)
class TakeFinalizer:
    """Somebody who lost patience."""

    name: str

    def __str__(self) -> str:
        return f"take the finalizer off {self.name} by hand"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None and stored.finalizers:
            world.by_hand.add(stored.ref.uid)
            world.kube.replace(stored)


@dataclass(frozen=True, slots=True)
class Pause:
    name: str
    paused: bool

    def __str__(self) -> str:
        return f"{'pause' if self.paused else 'resume'} {self.name}"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None:
            world.kube.touch(stored, paused=self.paused)


@dataclass(frozen=True, slots=True)
class Ask:
    name: str

    def __str__(self) -> str:
        return f"ask for a reconcile of {self.name}"

    def do(self, world: World) -> None:
        if (stored := find(world, self.name)) is not None:
            world.kube.touch(stored, token=f"t{world.now()}")


@dataclass(frozen=True, slots=True)
class StrangersWorkload:
    """Somebody submits to Run:ai by other means."""

    name: str
    project: str
    kind: str
    marked: bool
    """By another install."""

    def __str__(self) -> str:
        return (
            f"a stranger's {self.kind} {self.name} appears in project {self.project}{', marked' if self.marked else ''}"
        )

    def do(self, world: World) -> None:
        manifest = manifest_of(self.kind, 99)
        if self.marked:
            manifest = with_mark(manifest, name=self.name, mark=STRANGER)
        with contextlib.suppress(Refused):
            world.runai.world.create({"name": self.name, "projectId": self.project}, manifest, world.now())


@dataclass(frozen=True, slots=True)
class StrangersProbe:
    """Somebody's workload has the name with which the operator finds out whether there are dry runs."""

    project: str
    marked: bool
    """By another install."""

    def __str__(self) -> str:
        return f"a stranger's workload has the name of the probe in project {self.project}"

    def do(self, world: World) -> None:
        name = probe_name(world.setup.install, self.project)
        StrangersWorkload(name, self.project, "Job", self.marked).do(world)


@dataclass(frozen=True, slots=True)
class ChangeRunai:
    """Into a release that knows dry runs, or one that ignores the flag, and creates."""

    knows_dry_runs: bool

    def __str__(self) -> str:
        return f"Run:ai is {'upgraded' if self.knows_dry_runs else 'rolled back'}: it {'knows' if self.knows_dry_runs else 'ignores'} dryRun"

    def do(self, world: World) -> None:
        world.runai.world.switch({"dry_run": self.knows_dry_runs}, world.now())


@dataclass(frozen=True, slots=True)
class Crowd:
    """Much that is not ours, in the same lists."""

    size: int

    def __str__(self) -> str:
        return f"strangers submit {self.size} workloads"

    def do(self, world: World) -> None:
        for number in range(self.size):
            with contextlib.suppress(Refused):
                metadata = {"name": f"crowd-{number}", "projectId": "1"}
                world.runai.world.create(metadata, manifest_of("Deployment", 98), world.now())


@dataclass(frozen=True, slots=True)
class DeleteOutside:
    which: int
    purge: bool = False
    """No list shows it afterwards."""
    of: str | None = None
    """The workload of this object, rather."""

    def __str__(self) -> str:
        called = f"the workload of {self.of}" if self.of else f"workload number {self.which}"
        return f"{called} is {'purged' if self.purge else 'deleted'} in Run:ai"

    def do(self, world: World) -> None:
        there = [workload for workload in world.runai.live() if workload.deleted is None]
        if self.of is not None:
            stored = find(world, self.of)
            held = stored.status.get("workloadId") if stored is not None else None
            there = [
                workload for workload in there if held in (workload.id, None) and (held or workload.name == self.of)
            ]
        if not there:
            return
        chosen = there[self.which % len(there)]
        world.say(f"    that is {chosen.id} ({chosen.name} in project {chosen.project.id})")
        if self.purge:
            world.runai.world.purge(chosen)
            return
        with contextlib.suppress(Refused):
            world.runai.world.delete(chosen, world.now())


@dataclass(frozen=True, slots=True)
class StopOutside:
    which: int
    resume: bool

    def __str__(self) -> str:
        return f"workload number {self.which} is {'resumed' if self.resume else 'stopped'} in Run:ai"

    def do(self, world: World) -> None:
        now, standing = world.now(), [workload for workload in world.runai.live() if workload.deleted is None]
        there = [workload for workload in standing if workload.phase(now)[0] not in (Phase.COMPLETED, Phase.FAILED)]
        if there:
            chosen, runai = there[self.which % len(there)], world.runai.world
            with contextlib.suppress(Refused):
                (runai.resume if self.resume else runai.stop)(chosen, world.now())


@dataclass(frozen=True, slots=True)
class EndIt:
    """The workload of an object comes to its end."""

    name: str
    phase: str
    message: str = ""

    def __str__(self) -> str:
        return f"the workload of {self.name} ends: {self.phase} {self.message}".rstrip()

    def do(self, world: World) -> None:
        stored = find(world, self.name)
        workload = world.runai.world.get(stored.status.get("workloadId", "")) if stored is not None else None
        if workload is not None and workload.phase(world.now())[0] == "Running":
            world.runai.world.set_phase(workload, self.phase, self.message, world.now())


@dataclass(frozen=True, slots=True)
class Begin:
    trouble: Trouble
    seconds: float

    def __str__(self) -> str:
        return f"for {self.seconds:.0f} s: {self.trouble}"

    def do(self, world: World) -> None:
        world.begin(self.trouble, self.seconds)


@dataclass(frozen=True, slots=True)
class HideProject:
    project: str
    hidden: bool

    def __str__(self) -> str:
        return f"the service account {'loses' if self.hidden else 'regains'} project {self.project}"

    def do(self, world: World) -> None:
        runai = world.runai.world
        runai.hide_project(runai.projects[self.project], hidden=self.hidden)
        world.hidden_at = world.now()


@dataclass(frozen=True, slots=True)
class Disconnect:
    connected: bool

    def __str__(self) -> str:
        return f"the clusters are {'connected' if self.connected else 'disconnected'}"

    def do(self, world: World) -> None:
        world.runai.world.switch({"cluster_connected": self.connected}, world.now())


@dataclass(frozen=True, slots=True)
class CutWatch:
    cut: bool

    def __str__(self) -> str:
        return f"the watch is {'cut' if self.cut else 'back'}"

    def do(self, world: World) -> None:
        (world.kube.cut if self.cut else world.kube.mend)()


@dataclass(frozen=True, slots=True)
class DeleteDefinition:
    """The CustomResourceDefinition, by accident; every object goes along."""

    def __str__(self) -> str:
        return "the CustomResourceDefinition is deleted"

    def do(self, world: World) -> None:
        if world.kube.crd is not None and not world.kube.crd.deleting:
            world.definition_goes_at = world.now()
            world.kube.delete_crd()


@dataclass(frozen=True, slots=True)
class Reinstall:
    """With another install id, or other rights; `down`: seconds until the next process."""

    down: float
    install: str | None = None
    knows_former: bool = True
    limited: bool | None = None

    def __str__(self) -> str:
        return "the operator is installed in another way"

    def do(self, world: World) -> None:
        setup = world.setup
        if self.limited is not None:
            setup = replace(setup, limited=self.limited)
        if self.install is not None:
            former = tuple(sorted({*world.installs} - {self.install})) if self.knows_former else ()
            setup = replace(setup, install=self.install, former=former)
        world.install_as(setup, self.down)


@dataclass(frozen=True, slots=True)
class Kill:
    """The operator dies some calls from now."""

    calls: int

    def __str__(self) -> str:
        return f"the operator is to be killed at its call number {self.calls} from now"

    def do(self, world: World) -> None:
        if world.process is not None:
            world.process.dies_in = self.calls


@dataclass(frozen=True, slots=True)
class KillAt:
    """The operator dies at its next call of this name."""

    call: str
    is_after: bool = True
    """After the effect, and before the answer."""

    def __str__(self) -> str:
        return f"the operator is to be killed {'after' if self.is_after else 'before'} its next {self.call}"

    def do(self, world: World) -> None:
        if world.process is not None:
            world.process.dies_at = (self.call, self.is_after)


@dataclass(frozen=True, slots=True)
class Wait:
    """What is wrong goes on until then."""

    def __str__(self) -> str:
        return "nothing has happened for a while"

    def do(self, world: World) -> None:
        del world


@dataclass(frozen=True, slots=True)
class Upon:
    """Something happens as soon as the next call of this name has taken effect, and before its answer comes."""

    call: str
    then: Act

    def __str__(self) -> str:
        return f"upon the next {self.call}: {self.then}"

    def do(self, world: World) -> None:
        world.upon[self.call] = lambda: self.then.do(world)


@dataclass(frozen=True, slots=True)
class Overlap:
    """As in a rollout without a leader, or while a node is cut off."""

    seconds: float

    def __str__(self) -> str:
        return f"two operators run for {self.seconds:.0f} s"

    def do(self, world: World) -> None:
        world.overlap(self.seconds)


@dataclass(frozen=True, slots=True)
class Restart:
    """An ordinary one, as in a rollout; `down`: seconds until the next process."""

    down: float

    def __str__(self) -> str:
        return f"the operator is away for {self.down:.0f} s"

    def do(self, world: World) -> None:
        world.roll_out(self.down)
