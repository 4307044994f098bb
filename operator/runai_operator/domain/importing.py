"""Which workloads that run in Run:ai a RunaiWorkload may take over as they are, and what it then says.

Taken over means adopted (`spec.workloadId`): the operator sends one PUT with the same content and its mark, and nothing runs
again. So whatever a PUT might start again, or is somebody else's, is left alone. What the operator checks on top, when it
adopts, is in `adopt`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runai_operator.domain.checks import examine, examine_size
from runai_operator.domain.manifest import normalised
from runai_operator.domain.model import GROUP, KIND, VERSION, Json, ManagementPolicy, OwnerMark, Project, Remote, Row
from runai_operator.domain.naming import NAME, NAME_LIMIT

_ENDED = {"Completed": "it has completed", "Failed": "it has failed, and a change could run it again"}
_ENDING = frozenset({"Deleting", "Terminating"})


@dataclass(frozen=True, slots=True)
class Owners:
    """The RunaiWorkloads of the cluster, as far as they can be seen."""

    by_workload: Mapping[str, str]
    """`namespace/name` by the id of the workload in Run:ai that is, or is to become, the object's."""
    by_uid: Mapping[str, str]
    """`namespace/name` by UID."""
    complete: bool
    """Whether all namespaces were looked into."""
    installs: frozenset[str]
    """Ids of the operators of this cluster, former ones included."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with one workload: either what keeps it from being taken over, or the object that takes it over."""

    row: Row
    kind: str | None = None
    obstacle: str | None = None
    """The end of a sentence."""
    item: Json | None = None


def obstacle_to_reading(row: Row, owners: Owners) -> str | None:
    """What the row alone says, so that nothing more has to be read."""
    if owner := owners.by_workload.get(row.id):
        return f"RunaiWorkload {owner} has it"
    if row.phase in _ENDED:
        return _ENDED[row.phase]
    if row.is_deleted or row.phase in _ENDING:
        return "it is being deleted"
    return None


def choose(
    row: Row,
    found: tuple[Remote, Json] | None,
    owners: Owners,
    *,
    name: str,
    project: Project,
    narrow: bool,
    observe: bool,
) -> Choice:
    """`found`: the workload and its manifest as V2 shows them; `name`: of the object; `narrow`: whether other clusters have a
    project of that name, so that the object has to say which is meant."""
    if found is None:
        return Choice(
            row, obstacle="the Workloads V2 API does not show it: what was made by another API of Run:ai stays there"
        )
    remote, manifest = found
    kind = remote.gvk.kind if remote.gvk else None
    if obstacle := _obstacle(remote, manifest, owners, observe=observe):
        return Choice(row, kind, obstacle)
    item = (
        observing(remote, name=name)
        if observe
        else adopting(remote, manifest, name=name, project=project, narrow=narrow)
    )
    findings = [finding.message for finding in examine(item["spec"], name=name).findings]
    if problems := [*findings, *(message for _, message in examine_size(item))]:
        return Choice(row, kind, f"a RunaiWorkload cannot hold it: {problems[0]}")
    return Choice(row, kind, item=item)


def _obstacle(remote: Remote, manifest: Json, owners: Owners, *, observe: bool) -> str | None:
    if owner := owners.by_workload.get(remote.id):
        return f"RunaiWorkload {owner} has it"
    if remote.gone or remote.being_deleted or remote.may_be_gone:
        return "it is being deleted"
    if remote.mark is not None and (obstacle := _owner(remote.mark, owners)):
        return obstacle
    if not observe and not manifest:
        return "Run:ai does not show its manifest: write a RunaiWorkload with spec.workloadId and the manifest yourself"
    return None


def _owner(mark: OwnerMark, owners: Owners) -> str | None:
    """Its mark keeps a workload from being taken over, unless the object that it names is known to be gone."""
    if not mark.namespace:
        return "a dry run has left it behind: delete it in Run:ai, unless it goes by itself"
    named = f"RunaiWorkload {mark.namespace}/{mark.name}"
    if owner := owners.by_uid.get(mark.uid):
        return f"RunaiWorkload {owner} has it"
    if mark.install not in owners.installs:
        return (
            f"{named} of another install has it. If this is what the operator of this cluster is called, or was once"
            f" (OPERATOR_FORMER_INSTALL_IDS), give --install-id {mark.install}"
        )
    if not owners.complete:
        return f"{named} may have it, and you may not look whether that object still exists"
    return None


def adopting(remote: Remote, manifest: Json, *, name: str, project: Project, narrow: bool) -> Json:
    """The object that adopts the workload with the content that it has. Priority and category are said, since the PUT sends
    both; preemptibility and name, so that a later recreation makes the same again."""
    spec: Json = {"projectName": project.name}
    if narrow and project.cluster_id:
        spec["clusterId"] = project.cluster_id
    spec["workloadId"] = remote.id
    if remote.name != name and len(remote.name) <= NAME_LIMIT and NAME.fullmatch(remote.name):
        spec["name"] = remote.name
    given = {"priority": remote.priority, "category": remote.category, "preemptibility": remote.preemptibility}
    spec |= {field: value for field, value in given.items() if value is not None}
    spec["manifest"] = cleaned(manifest)
    return _object(name, spec)


def observing(remote: Remote, *, name: str) -> Json:
    """The object that only shows the workload."""
    return _object(name, {"managementPolicy": str(ManagementPolicy.OBSERVE), "workloadId": remote.id})


def cleaned(manifest: Json) -> Json:
    """The manifest as a person would write it: without what a server wrote, others' tracking, and owner marks. None of that
    is ever sent."""
    clean = normalised(manifest)
    clean["metadata"].pop("generateName", None)  # the workload has its name
    metadata = clean.pop("metadata")
    first = {field: clean.pop(field) for field in ("apiVersion", "kind") if field in clean}
    return first | ({"metadata": metadata} if metadata else {}) | clean


def object_name(workload: str, workload_id: str, taken: Collection[str]) -> str:
    """A name for the object, valid and none of `taken`: that of the workload if it can be, so that people find it."""
    made = "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in workload.lower())
    made = made.strip("-")[:NAME_LIMIT].rstrip("-") or "workload"
    short = workload_id.replace("-", "")
    for suffix in ("", short[:8], short):
        name = f"{made[: NAME_LIMIT - len(suffix) - 1].rstrip('-')}-{suffix}" if suffix else made
        if name not in taken:
            return name
    raise AssertionError("an id is of one workload")


def _object(name: str, spec: Json) -> Json:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": name}, "spec": spec}
