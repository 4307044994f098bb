"""What is submitted: marked as ours, free of what must not travel, and hashed the same for the same content."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.codecs.json import MAX_DEPTH
from runai_operator.codecs.yaml import read_yaml
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import OwnerMark, Spec
from runai_operator.domain.naming import PREFIX_LIMIT, external_name

MARK = OwnerMark("install-1", "team-a", "train", "uid-1")
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {}}}


def test_our_mark_and_name_are_added_and_the_original_is_left_alone():
    before = copy.deepcopy(JOB)
    marked = manifests.with_mark(JOB, name="train", mark=MARK)

    assert before == JOB
    assert marked["metadata"]["name"] == "train"
    assert manifests.read_mark(marked) == MARK
    assert marked["spec"] is JOB["spec"], "what does not change is shared"


def test_a_name_in_the_manifest_is_kept():
    marked = manifests.with_mark(JOB | {"metadata": {"name": "own"}}, name="train", mark=MARK)

    assert marked["metadata"]["name"] == "own"


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("labels", "app.kubernetes.io/instance"),
        ("labels", "argocd.argoproj.io/instance"),
        ("labels", "kustomize.toolkit.fluxcd.io/name"),
        ("labels", "helm.toolkit.fluxcd.io/name"),
        ("labels", "app.kubernetes.io/managed-by"),
        ("annotations", "argocd.argoproj.io/tracking-id"),
        ("annotations", "meta.helm.sh/release-name"),
        ("annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        ("annotations", "bridge.run.ai/owner-uid"),
    ],
)
def test_tracking_labels_and_annotations_are_never_sent(field, key):
    marked = manifests.with_mark(JOB | {"metadata": {field: {key: "x", "keep": "me"}}}, name="train", mark=MARK)

    assert marked["metadata"][field].get(key, "") != "x"
    assert marked["metadata"][field]["keep"] == "me"


def test_fields_that_another_cluster_wrote_are_never_sent():
    copied = JOB | {
        "metadata": {"uid": "x", "resourceVersion": "1", "managedFields": [], "name": "a"},
        "status": {"active": 1},
    }
    marked = manifests.with_mark(copied, name="train", mark=MARK)

    assert set(marked["metadata"]) == {"name", "annotations"}
    assert "status" not in marked


@pytest.mark.parametrize(
    "manifest",
    [None, [], {}, {"metadata": None}, {"metadata": {"annotations": None}}, {"metadata": {"annotations": {"a": "b"}}}],
)
def test_a_manifest_without_our_annotations_has_no_mark(manifest):
    assert manifests.read_mark(manifest) is None


def test_an_incomplete_mark_is_never_ours():
    found = manifests.read_mark({"metadata": {"annotations": {"bridge.run.ai/owner-uid": "uid-1"}}})

    assert found == OwnerMark("", "", "", "uid-1")
    assert found != MARK


def content(manifest, **more):
    return manifests.content_hash(manifest, **({"priority": None, "category": None} | more))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(JOB, True, id="the same"),
        pytest.param(dict(reversed(JOB.items())), True, id="another order"),
        pytest.param(
            manifests.with_mark(JOB | {"metadata": {}}, name="", mark=MARK) | {"metadata": {}}, True, id="no metadata"
        ),
        pytest.param(JOB | {"status": {}, "metadata": {"creationTimestamp": None}}, True, id="what does not travel"),
        pytest.param(JOB | {"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}}, True, id="tracking"),
        pytest.param(JOB | {"spec": {"template": {"x": None}}}, True, id="a field that is null"),
        pytest.param(JOB | {"metadata": {"labels": {"a": "b"}}}, False, id="a label"),
        pytest.param(JOB | {"spec": {"template": {"x": 1}}}, False, id="the spec"),
    ],
)
def test_equal_content_has_an_equal_hash(other, same):
    assert (content(JOB) == content(other)) is same


def test_priority_and_category_are_part_of_the_hash():
    assert len({content(JOB), content(JOB, priority="low"), content(JOB, category="low")}) == 3


def test_the_mark_is_not_part_of_the_hash():
    marked = manifests.with_mark(JOB | {"metadata": {"name": "train"}}, name="train", mark=MARK)

    assert content(marked) == content(JOB | {"metadata": {"name": "train"}})


def test_secret_content_is_hashed_with_a_key():
    assert content(JOB, key="install-1").startswith("v2:"), "so that one of another key does not count as changed"
    assert content(JOB, key="install-1") == content(JOB, key="install-1")
    assert content(JOB, key="install-1") != content(JOB, key="install-2")


@pytest.mark.parametrize(
    ("old", "new", "same"), [("v1:a", "v1:a", True), ("v1:a", "v1:b", False), ("v0:a", "v1:a", None)]
)
def test_hashes_of_different_versions_cannot_be_compared(old, new, same):
    assert manifests.same_content(old, new) is same


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf")])
def test_values_that_json_cannot_hold_are_refused(value):
    with pytest.raises(InvalidWorkload):
        content(JOB | {"spec": value})


def test_encoding_is_compact_and_does_not_escape_non_ascii_text():
    assert manifests.encode({"a": "é", "b": [1]}) == '{"a":"é","b":[1]}'.encode()


def from_below(frames: int, function):
    """What `function` returns with so many more frames on the stack."""
    return function() if frames == 0 else from_below(frames - 1, function)


@pytest.mark.parametrize("opening", ["[", "{a: ", "[{a: "], ids=["lists", "mappings", "both in turn"])
def test_the_deepest_manifest_that_is_read_can_be_hashed_marked_and_encoded(opening):
    """Also where the stack is not empty, as it never is."""
    levels = (MAX_DEPTH - 1) // (2 if opening == "[{a: " else 1)
    closing = {"[": "]", "{a: ": "}", "[{a: ": "}]"}[opening]
    manifest = read_yaml(f"{{apiVersion: v1, kind: Pod, spec: {opening * levels}{closing * levels}}}")

    def submit() -> bytes:
        assert content(manifest).startswith("v1:")
        return manifests.encode(manifests.with_mark(manifest, name="train", mark=MARK))

    assert json.loads(from_below(200, submit))["spec"] == manifest["spec"]


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5))
def test_normalising_is_idempotent(labels):
    once = manifests.normalised(JOB | {"metadata": {"labels": labels}})

    assert manifests.normalised(once) == once
    assert json.loads(manifests.encode(once)) == once


def name(spec: Spec, own: str = "train", namespace: str = "team-a", install: str = "install-1") -> str:
    return external_name(name=own, spec=spec, namespace=namespace, install=install)


def test_the_name_defaults_to_the_objects_own():
    assert name(Spec()) == "train"
    assert name(Spec(name="other")) == "other"


def test_a_name_prefix_gives_each_object_one_stable_name_of_its_own():
    prefix = Spec(name_prefix="eval")
    names = [name(prefix), name(prefix, own="x"), name(prefix, namespace="x"), name(prefix, install="x")]

    assert name(prefix) == names[0]
    assert len(set(names)) == 4
    assert names[0].startswith("eval-")


def test_the_longest_prefix_still_makes_a_name():
    assert len(name(Spec(name_prefix="a" * PREFIX_LIMIT))) == 63


@pytest.mark.parametrize("bad", ["1a", "A", "a.b", "a-", "a" * 64, ""])
def test_names_that_run_ai_would_refuse_are_refused_locally(bad):
    with pytest.raises(InvalidWorkload, match=r"spec\.name"):
        name(Spec(name=bad))


def test_an_object_that_adopts_may_have_any_name():
    assert name(Spec(workload_id="9f55253e-11ed-47c7-acef-fc4054768dbc"), own="1.train") == "1.train"


def test_the_hash_has_not_changed_since_the_first_release():
    """It is compared with what an older version left in status: a change of the normalisation needs a new version of it."""
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train", "labels": {"team": "a"}, "annotations": {"argocd.argoproj.io/tracking-id": "x"}},
        "spec": {
            "parallelism": 2,
            "suspend": None,
            "template": {"spec": {"containers": [{"name": "main", "args": ["é"]}]}},
        },
    }

    assert manifests.content_hash(manifest, priority="low", category=None) == "v1:dd92974e91efe260d3f5d2f3a3e271e2"
