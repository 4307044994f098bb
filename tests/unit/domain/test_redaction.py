"""What leaves the cluster in a support archive, tried with secrets in every place that somebody else writes."""

from __future__ import annotations

import json

import pytest

from runai_operator.domain import redaction

SECRET = "p1anted-s3cret"


def planted(value, path=()):
    """Each variant of a JSON value with the secret in the place of one leaf, or as one more key, with the path of it."""
    if isinstance(value, dict):
        yield (*path, "new"), value | {"new": SECRET}
        for key, inner in value.items():
            for where, variant in planted(inner, (*path, key)):
                yield where, value | {key: variant}
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            for where, variant in planted(inner, (*path, at)):
                yield where, [*value[:at], variant, *value[at + 1 :]]
    else:
        yield path, SECRET


WORKLOAD = {
    "metadata": {
        "namespace": "ns", "name": "train", "labels": {"a": "b"}, "managedFields": [{"fieldsV1": {"f": {}}}],
        "annotations": {"bridge.run.ai/paused": "true", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    },
    "spec": {
        "projectName": "team-a", "manifest": {"kind": "Job", "spec": {"env": [{"value": "x"}]}}, "manifestYaml": "kind: Job",
        "manifestFrom": {"secretKeyRef": {"name": "n", "key": "k"}},
    },
    "status": {
        "phase": "Running", "phaseMessage": "m", "syncMessage": "m", "submittedHash": "v1:0", "workloadId": "1",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Running", "message": "m"}],
    },
}  # fmt: skip
FREE = {
    ("metadata", "new"), ("metadata", "labels", "a"), ("metadata", "labels", "new"), ("metadata", "annotations", "new"),
    ("metadata", "annotations", "bridge.run.ai/paused"), ("metadata", "managedFields", 0, "new"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ("spec", "manifest", "spec", "env", 0, "value"), ("spec", "manifest", "new"), ("spec", "manifestYaml"), ("spec", "new"),
    ("spec", "manifestFrom", "secretKeyRef", "name"), ("spec", "manifestFrom", "secretKeyRef", "key"),
    ("status", "phaseMessage"), ("status", "syncMessage"), ("status", "submittedHash"), ("status", "new"),
    ("status", "conditions", 0, "message"), ("status", "conditions", 0, "new"),
}  # fmt: skip
"""Where people, tools, servers and Run:ai write freely."""
VARIANTS = dict(planted(WORKLOAD))


def test_every_place_that_must_not_leak_is_tried():
    assert VARIANTS.keys() >= FREE


@pytest.mark.parametrize("place", sorted(FREE, key=str), ids=lambda place: ".".join(map(str, place)))
def test_a_secret_in_a_workload_stays(place):
    assert SECRET not in json.dumps(redaction.workload(VARIANTS[place]))


def test_what_a_supporter_needs_of_a_workload_is_there():
    assert redaction.workload(WORKLOAD) == {
        "metadata": {"namespace": "ns", "name": "train", "annotations of ours": ["bridge.run.ai/paused"]},
        "spec": {"projectName": "team-a", "given as": ["manifest", "manifestYaml", "manifestFrom"]},
        "status": {
            "phase": "Running",
            "workloadId": "1",
            "conditions": [{"type": "Ready", "status": "True", "reason": "Running"}],
        },
    }


DEPLOYMENT = {
    "metadata": {"name": "bridge", "annotations": {"a": "b"}, "labels": {"a": "b"}},
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "operator", "image": "i", "args": ["x"], "env": [{"name": "A", "value": "x"}]}]}},
    },
    "status": {"readyReplicas": 1, "conditions": [{"message": "m"}]},
}  # fmt: skip
SHOWN = {
    ("metadata", "name"), ("spec", "replicas"), ("status", "readyReplicas"),
    ("spec", "template", "spec", "containers", 0, "name"), ("spec", "template", "spec", "containers", 0, "image"),
}  # fmt: skip


def test_a_secret_in_the_deployment_stays_wherever_it_is():
    for place, variant in planted(DEPLOYMENT):
        leaks = SECRET in json.dumps(redaction.deployment(variant, {}, ()))
        assert leaks == (place in SHOWN), place


def test_of_the_environment_only_what_is_public_is_shown():
    environment = {
        "RUNAI_CLIENT_SECRET": SECRET,
        "HTTPS_PROXY": f"http://u:{SECRET}@p",
        "OPERATOR_LOG_LEVEL": "info",
        "X": SECRET,
    }

    assert redaction.deployment(DEPLOYMENT, environment, {"OPERATOR_LOG_LEVEL"})["environment"] == {
        "HTTPS_PROXY": "(set)",
        "OPERATOR_LOG_LEVEL": "info",
        "RUNAI_CLIENT_SECRET": "(set)",
        "X": "(set)",
    }


def test_of_the_definition_its_versions_and_conditions_are_shown():
    conditions = [{"type": "Established", "status": "True", "message": SECRET}]
    versions = [{"name": "v1alpha1", "served": True, "schema": {"x": SECRET}}]

    shown = redaction.crd({"spec": {"versions": versions}, "status": {"conditions": conditions}})

    assert shown["versions"] == [{"name": "v1alpha1", "served": True}]
    assert SECRET not in json.dumps(shown)
