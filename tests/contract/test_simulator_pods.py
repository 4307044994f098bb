"""How many pods and GPUs the simulator takes a manifest to ask for."""

from __future__ import annotations

import pytest

from runai_simulator.pods import Shape, shape_of


def containers(gpus, image="a"):
    return {"containers": [{"image": image, "resources": {"limits": {"nvidia.com/gpu": gpus}}}]}


def template(gpus, image="a"):
    return {"template": {"spec": containers(gpus, image)}}


@pytest.mark.parametrize(
    ("kind", "spec", "shape"),
    [
        ("Pod", containers(2), Shape(1, 2, images=("a",))),
        ("Job", {"parallelism": 3, "completions": 6, **template("1")}, Shape(3, 3, 3, 6, ("a",))),
        ("Job", template(0), Shape(1, 0, 1, 1, ("a",))),
        ("Deployment", {"replicas": 0, **template(4)}, Shape(0, 0, images=("a",))),
        (
            "PyTorchJob",
            {"pytorchReplicaSpecs": {"Master": template(1), "Worker": {"replicas": 3, **template(2, "b")}}},
            Shape(4, 7, images=("a", "b")),
        ),
        (
            "JobSet",
            {"replicatedJobs": [{"replicas": 2, "template": {"spec": {"parallelism": 4, **template(1)}}}]},
            Shape(8, 8, images=("a",)),
        ),
        (
            "RayJob",
            {
                "rayClusterSpec": {
                    "headGroupSpec": template(0),
                    "workerGroupSpecs": [{"replicas": 2, **template(1, "b")}],
                }
            },
            Shape(3, 2, images=("a", "b")),
        ),
        (
            "LeaderWorkerSet",
            {"replicas": 2, "leaderWorkerTemplate": {"size": 4, "workerTemplate": {"spec": containers(1)}}},
            Shape(8, 8, images=("a",)),
        ),
        ("NIMService", {"replicas": 2, "resources": {"limits": {"nvidia.com/gpu": 1}}}, Shape(2, 2)),
        (
            "InferenceService",
            {"predictor": {"minReplicas": 2, "model": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}},
            Shape(2, 2),
        ),
    ],
)
def test_pods_are_counted_where_the_kind_keeps_them(kind, spec, shape):
    assert shape_of({"kind": kind, "spec": spec}) == shape


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"replicas": "3"},
        {"replicas": True},
        {"replicas": 10**9},
        {"template": {"spec": {"containers": [None, {"resources": {"limits": {"nvidia.com/gpu": "many"}}}]}}},
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "Widget", None])
def test_an_unknown_shape_counts_as_one_pod_without_gpus(kind, spec):
    assert shape_of({"kind": kind, "spec": spec}) == Shape(1, 0)
