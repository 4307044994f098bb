"""A RunaiWorkload as the API server stores it becomes a `Workload`; what its spec says wrongly becomes its `spec_error`."""

from __future__ import annotations

import json

import pytest

from runai_operator.codecs.json import MAX_DEPTH, Unreadable
from runai_operator.domain.checks import MANIFEST_DEPTH
from runai_operator.domain.model import DeletionPolicy, Ref, Spec
from runai_operator.kube.wire import decode_workload

JOB = {"apiVersion": "batch/v1", "kind": "Job"}


def stored(spec, **metadata) -> bytes:
    named = {"namespace": "team-a", "name": "train", "uid": "uid-1", "resourceVersion": "7", "generation": 2}
    return json.dumps({"metadata": named | metadata, "spec": spec, "status": {"phase": "Running"}}).encode()


def nested(levels: int) -> dict[str, object]:
    inner: object = []
    for _ in range(levels - 2):
        inner = [inner]
    return JOB | {"spec": inner}


def test_an_object_is_read_as_it_says():
    read = decode_workload(stored({"projectName": "team-a", "manifest": JOB, "deletionPolicy": "Orphan", "name": None}))

    assert read.ref == Ref("team-a", "train", "uid-1")
    assert read.spec == Spec(manifest=JOB, project_name="team-a", deletion_policy=DeletionPolicy.ORPHAN)
    assert (read.spec_error, read.meta.generation, read.status) == (None, 2, {"phase": "Running"})


@pytest.mark.parametrize(("given", "token"), [("now", "now"), ("", None), ("x" * 257, "x" * 255 + "…")])
def test_a_token_is_one_that_status_can_acknowledge(given, token):
    annotations = {"bridge.run.ai/reconcile-requested-at": given}

    assert decode_workload(stored({}, annotations=annotations)).meta.reconcile_token == token


@pytest.mark.parametrize("field", ["deletionPolicy", "managementPolicy"])
def test_a_policy_of_an_unknown_word_may_say_that_the_workload_is_to_stay(field):
    assert decode_workload(stored({field: "Later"})).spec.may_be_to_stay
    assert not decode_workload(stored({"rerunPolicy": "Later"})).spec.may_be_to_stay


def test_what_cannot_be_read_is_told_all_at_once_and_counts_as_not_set():
    read = decode_workload(stored({"projectId": 17, "manifest": "hunter2", "deletionPolicy": "Maybe", "name": "a"}))

    assert read.spec == Spec(name="a", may_be_to_stay=True)
    assert read.spec_error == (
        "The spec cannot be used: spec.manifest must be an object, not text: use manifestYaml for text;"
        " spec.deletionPolicy must be Delete or Orphan: correct it, or leave it out for Delete;"
        " spec.projectId must be text, not a number: put it in quotes."
    )


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"managementPolicy": "Observe", "workloadId": "x"}, id="an observer has no manifest"),
        pytest.param({"projectName": "A B", "name": "-", "unheardOf": 1}, id="an object of another version"),
        pytest.param({"manifest": {}, "manifestYaml": "[", "projectName": ""}, id="what the API server should refuse"),
        pytest.param(None, id="no spec"),
    ],
)
def test_what_can_be_read_is_no_error_here(spec):
    assert decode_workload(stored(spec)).spec_error is None


def test_the_deepest_manifest_is_read_and_a_deeper_one_is_told():
    deepest, deeper = (decode_workload(stored({"manifest": nested(MANIFEST_DEPTH + more)})) for more in (0, 1))

    assert (deepest.spec.manifest, deepest.spec_error) == (nested(MANIFEST_DEPTH), None)
    assert (deeper.spec.manifest, deeper.status) == (None, {"phase": "Running"})
    assert (
        deeper.spec_error == "The spec cannot be used: spec.manifest is nested deeper than 498 levels: make it flatter."
    )


def test_deep_managed_fields_are_of_no_concern():
    read = decode_workload(stored({"manifest": JOB}, managedFields=nested(MAX_DEPTH)))

    assert (read.spec.manifest, read.spec_error) == (JOB, None)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000])
def test_what_is_no_json_is_unreadable(data):
    with pytest.raises(Unreadable):
        decode_workload(data)
