"""How many pods and GPUs a manifest asks for, as far as the simulator knows the kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Group = tuple[int, Json]
"""Pods that are alike: how many, and what holds their containers."""
GPU = "nvidia.com/gpu"
MOST = 10_000
"""Counts above are taken for typing errors."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the platform would ask the scheduler for."""

    pods: int
    gpus: float
    parallelism: int | None = None
    completions: int | None = None
    images: tuple[str, ...] = ()


def shape_of(manifest: Json) -> Shape:
    """Never fails: what cannot be understood counts as one pod without GPUs."""
    groups = list(_groups(str(manifest.get("kind")), _map(manifest.get("spec"))))
    containers = [(count, container) for count, spec in groups for container in _containers(spec)]
    spec = _map(manifest.get("spec"))
    is_job = manifest.get("kind") == "Job"
    return Shape(
        pods=sum(count for count, _ in groups),
        gpus=sum(count * _gpus(container) for count, container in containers),
        parallelism=_count(spec.get("parallelism")) if is_job else None,
        completions=_count(spec.get("completions")) if is_job else None,
        images=tuple(dict.fromkeys(str(c["image"]) for _, c in containers if c.get("image"))),
    )


def is_suspended(manifest: Json) -> bool:
    """Whether the kind's own switch holds it back (`Job`, `JobSet`, `RayJob`, Kubeflow's jobs)."""
    spec = _map(manifest.get("spec"))
    return True in (spec.get("suspend"), _map(spec.get("runPolicy")).get("suspend"))


def _groups(kind: str, spec: Json) -> Iterator[Group]:
    read = _READERS.get(kind)
    if read is not None:
        return read(spec)
    replicated = [_map(value) for key, value in spec.items() if key.endswith("ReplicaSpecs")]
    return _roles(replicated) if replicated else _plain(spec)


def _plain(spec: Json) -> Iterator[Group]:
    yield _count(spec.get("replicas", spec.get("parallelism"))), _template(spec)


def _roles(replicated: list[Json]) -> Iterator[Group]:
    """Kubeflow's jobs: replicas by role."""
    for roles in replicated:
        for role in map(_map, roles.values()):
            yield _count(role.get("replicas")), _template(role)


def _pod(spec: Json) -> Iterator[Group]:
    yield 1, spec


def _job_set(spec: Json) -> Iterator[Group]:
    for job in _list(spec.get("replicatedJobs")):
        inner = _map(_map(job.get("template")).get("spec"))
        yield _count(job.get("replicas")) * _count(inner.get("parallelism")), _template(inner)


def _ray(spec: Json) -> Iterator[Group]:
    cluster = _map(spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec)
    yield 1, _template(_map(cluster.get("headGroupSpec")))
    for group in _list(cluster.get("workerGroupSpecs")):
        yield _count(group.get("replicas")), _template(group)


def _leader_workers(spec: Json) -> Iterator[Group]:
    template = _map(spec.get("leaderWorkerTemplate"))
    worker = _map(_map(template.get("workerTemplate")).get("spec"))
    leader = _map(_map(template.get("leaderTemplate")).get("spec")) or worker
    replicas, size = _count(spec.get("replicas")), max(_count(template.get("size")), 1)
    yield replicas, leader
    yield replicas * (size - 1), worker


def _nim_service(spec: Json) -> Iterator[Group]:
    yield _count(spec.get("replicas")), {"containers": [{"resources": spec.get("resources")}]}


def _inference_service(spec: Json) -> Iterator[Group]:
    predictor = _map(spec.get("predictor"))
    yield _count(predictor.get("minReplicas")), predictor


_READERS: dict[str, Callable[[Json], Iterator[Group]]] = {
    "InferenceService": _inference_service,
    "JobSet": _job_set,
    "LeaderWorkerSet": _leader_workers,
    "NIMService": _nim_service,
    "Pod": _pod,
    "RayCluster": _ray,
    "RayJob": _ray,
    "RayService": _ray,
}
"""The kinds that keep their pods elsewhere than most."""


def _template(holder: Json) -> Json:
    return _map(_map(holder.get("template")).get("spec"))


def _containers(spec: Json) -> Iterator[Json]:
    yield from _list(spec.get("containers"))
    if isinstance(spec.get("model"), dict):  # KServe keeps the resources of its one container there
        yield spec["model"]


def _gpus(container: Json) -> float:
    limits = _map(_map(container.get("resources")).get("limits"))
    try:
        return max(float(limits.get(GPU, 0)), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _count(value: object) -> int:
    """A number of replicas; absent or not understood is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else 1


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
