"""What a tenant has: projects, clusters, registered kinds, priorities and categories."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

TENANT_ID = 1001
DEPARTMENT_ID = "2"
DEPARTMENT_NAME = "default"
NAMESPACE = uuid.UUID("6a1b5f4e-0d6c-4a3e-9d3f-5f3f0d2b7a10")
EPOCH = "2026-01-01T00:00:00Z"


def stable_id(name: str) -> str:
    """The same UUID for the same name, in every run."""
    return str(uuid.uuid5(NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class Project:
    """A project lives in one cluster; its name is unique there."""

    id: str
    name: str
    cluster_id: str

    @property
    def namespace(self) -> str:
        return f"runai-{self.name}"


CLUSTERS = {stable_id("cluster-a"): "cluster-a", stable_id("cluster-b"): "cluster-b"}
CLUSTER_A, CLUSTER_B = CLUSTERS

PROJECTS = (
    Project("1", "team-a", CLUSTER_A),
    Project("2", "team-b", CLUSTER_A),
    Project("3", "team-c", CLUSTER_B),
    Project("4", "shared", CLUSTER_A),
    Project("5", "shared", CLUSTER_B),
)

PRIORITIES = {
    "very-low": 25, "low": 40, "medium-low": 65, "medium": 80, "medium-high": 90, "high": 125, "very-high": 150,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Category:
    """What a workload gets that does not ask."""

    priority: str
    preemptibility: str


CATEGORIES = {
    "Build": Category("high", "non-preemptible"),
    "Train": Category("low", "preemptible"),
    "Deploy": Category("very-high", "non-preemptible"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered workload type; the core group is empty."""

    name: str
    group: str
    versions: tuple[str, ...]
    category: str
    completes: bool
    phase: str = "Ready"
    """In all clusters; anything but Ready refuses workloads."""


def _kinds(category: str, completes: bool, **kinds: str) -> list[Kind]:
    made = []
    for name, api in kinds.items():
        group, _, versions = api.rpartition("/")
        made.append(Kind(name, group, tuple(versions.split("|")), category, completes))
    return made


KINDS = {
    (kind.group, kind.name): kind
    for kind in [
        *_kinds("Build", True, Job="batch/v1", TaskRun="tekton.dev/v1"),
        *_kinds("Build", False, DevWorkspace="workspace.devfile.io/v1alpha2", Notebook="kubeflow.org/v1"),
        *_kinds(
            "Train", True,
            AMLJob="amlarc.azureml.com/v1alpha1", JAXJob="kubeflow.org/v1", JobSet="jobset.x-k8s.io/v1alpha2",
            MPIJob="kubeflow.org/v1|v2beta1", PyTorchJob="kubeflow.org/v1", RayJob="ray.io/v1", TFJob="kubeflow.org/v1",
            XGBoostJob="kubeflow.org/v1",
        ),
        *_kinds("Train", False, RayCluster="ray.io/v1", VirtualMachineInstance="kubevirt.io/v1"),
        *_kinds("Deploy", True, PipelineRun="tekton.dev/v1", Workflow="argoproj.io/v1alpha1", Pod="/v1"),
        *_kinds(
            "Deploy", False,
            CronJob="batch/v1", Deployment="apps/v1", DynamoGraphDeployment="nvidia.com/v1alpha1",
            InferenceService="serving.kserve.io/v1beta1", LeaderWorkerSet="leaderworkerset.x-k8s.io/v1",
            NIMCache="apps.nvidia.com/v1alpha1", NIMService="apps.nvidia.com/v1alpha1", RayService="ray.io/v1",
            ReplicaSet="apps/v1", ScheduledWorkflow="kubeflow.org/v1beta1",
            SeldonDeployment="machinelearning.seldon.io/v1", Service="serving.knative.dev/v1", StatefulSet="apps/v1",
        ),
    ]
}  # fmt: skip
