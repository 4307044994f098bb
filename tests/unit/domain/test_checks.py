"""A spec is judged before anybody sees it: as the CustomResourceDefinition would, and beyond what a schema can say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import compress, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runai_operator.domain.checks import (
    MANIFEST_DEPTH,
    MOST_FINDINGS,
    OBJECT_LIMIT,
    YAML_LIMIT,
    Cause,
    examine,
    examine_metadata,
    examine_size,
    gvk_of,
    read_manifest,
    read_spec,
)
from runai_operator.domain.errors import InvalidWorkload, TooLarge
from runai_operator.domain.model import DeletionPolicy, Gvk, SourceRef, Spec

CRD = yaml.safe_load((Path(__file__).parents[3] / "crds" / "runaiworkloads.yaml").read_text())
ROOT = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = ROOT["properties"]["spec"]

ID = "9f55253e-11ed-47c7-acef-fc4054768dbc"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {}}}
YAML = "apiVersion: batch/v1\nkind: Job\n"
SECRET = "hunter2"


def spec(**changes) -> dict[str, Any]:
    """A good spec with changes; None removes a field."""
    merged = {"projectName": "team-a", "manifest": JOB} | changes
    return {key: value for key, value in merged.items() if value is not None}


def observed(**changes) -> dict[str, Any]:
    return spec(**{"managementPolicy": "Observe", "workloadId": ID, "manifest": None, "projectName": None} | changes)


def job(**changes) -> dict[str, Any]:
    return JOB | changes


def nested(levels: int) -> dict[str, Any]:
    """A manifest of so many levels."""
    inner: Any = []
    for _ in range(levels - 2):
        inner = [inner]
    return JOB | {"spec": inner}


def told(raw, *, name="train-a", nodes=1000):
    return [(found.path, found.reason) for found in examine(raw, name=name, yaml_nodes=nodes).findings]


# --- what is fine


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(spec(), id="a manifest"),
        pytest.param(spec(manifest=job(metadata=None)), id="metadata that is null"),
        pytest.param(spec(manifest=job(metadata={"labels": None, "annotations": {"a": None}})), id="nulls in metadata"),
        pytest.param(spec(manifest=None, manifestYaml=YAML), id="YAML"),
        pytest.param(spec(manifest=None, manifestYaml=f"# one\n---\n{YAML}---\n"), id="YAML between markers"),
        pytest.param(spec(manifest=None, manifestFrom={"secretKeyRef": {"name": "a", "key": "b"}}), id="a source"),
        pytest.param(spec(projectName=None, projectId="17"), id="a project by its id"),
        pytest.param(spec(priority="my class", mnnvl="Perhaps"), id="words that only Run:ai can judge"),
        pytest.param(spec(manifestYaml=None, clusterId=ID, name="a", workloadId=ID), id="an adoption"),
        pytest.param(observed(), id="an observer"),
        pytest.param(observed(manifest=JOB, projectName="team-a"), id="an observer that keeps the rest"),
        pytest.param(spec() | {"manifestYaml": None, "name": None}, id="explicit nulls"),
        pytest.param(spec(manifest=nested(MANIFEST_DEPTH)), id="the deepest nesting"),
    ],
)
def test_nothing_is_found_in_a_good_spec(raw):
    assert told(raw) == []


def test_a_spec_is_read_as_it_says():
    raw = spec(manifest=None, manifestFrom={"configMapKeyRef": {"name": "a", "key": "b"}}, deletionPolicy="Orphan")
    read, findings = read_spec(raw)

    assert findings == ()
    assert read == Spec(
        project_name="team-a", manifest_from=SourceRef("ConfigMap", "a", "b"), deletion_policy=DeletionPolicy.ORPHAN
    )


def test_a_name_is_not_missed_where_the_api_server_makes_one():
    assert told(spec(), name=None) == []


@pytest.mark.parametrize("raw", [spec(name="a"), spec(namePrefix="a")], ids=["name", "namePrefix"])
def test_any_object_name_will_do_beside_a_name_in_runai(raw):
    assert told(raw, name="1.train") == []


# --- what is not


WRONG = {
    "no spec": (None, "spec", Cause.REQUIRED, "spec is missing"),
    "a spec that is text": ("x", "spec", Cause.WRONG_TYPE, "must be an object, not text"),
    "a number as text": (spec(projectId=17, projectName=None), "spec.projectId", Cause.WRONG_TYPE, "put it in quotes"),
    "a list as text": (spec(priority=["high"]), "spec.priority", Cause.WRONG_TYPE, "must be text, not a list"),
    "text as manifest": (spec(manifest=YAML), "spec.manifest", Cause.WRONG_TYPE, "use manifestYaml for text"),
    "a list as manifest": (spec(manifest=[JOB]), "spec.manifest", Cause.WRONG_TYPE, "must be an object, not a list"),
    "a policy's word": (spec(rerunPolicy="Yes"), "spec.rerunPolicy", Cause.NOT_SUPPORTED, "Never or OnSpecChange"),
    "a policy's type": (spec(deletionPolicy=True), "spec.deletionPolicy", Cause.WRONG_TYPE, "leave it out for Delete"),
    "no manifest": (spec(manifest=None), "spec", Cause.INVALID, "set exactly one of manifest, manifestYaml and"),
    "two manifests": (spec(manifestYaml=YAML), "spec", Cause.INVALID, "has manifest and manifestYaml: keep exactly one"),
    "no project": (spec(projectName=None), "spec", Cause.INVALID, "set exactly one of projectName and projectId"),
    "two projects": (observed(projectName="a", projectId="1"), "spec", Cause.INVALID, "has projectName and projectId"),
    "a cluster without projectName": (
        spec(projectName=None, projectId="1", clusterId=ID), "spec.clusterId", Cause.FORBIDDEN, "remove clusterId",
    ),
    "name and prefix": (spec(name="a", namePrefix="b"), "spec.namePrefix", Cause.FORBIDDEN, "keep only one"),
    "Observe without id": (observed(workloadId=None), "spec.workloadId", Cause.REQUIRED, "Observe needs the id"),
    "an id that is a name": (spec(workloadId="train"), "spec.workloadId", Cause.INVALID, "a UUID in lower case"),
    "a name that Run:ai refuses": (spec(name="1a"), "spec.name", Cause.INVALID, "at most 63 lower-case letters"),
    "a prefix that is too long": (spec(namePrefix="a" * 55), "spec.namePrefix", Cause.TOO_LONG, "more than 54"),
    "an empty word": (spec(category=""), "spec.category", Cause.INVALID, "is empty: give a value, or leave it out"),
    "an unknown field": (spec(projektName="a"), "spec", Cause.UNKNOWN_FIELD, "did you mean projectName?"),
    "a source of two forms": (
        spec(manifest=None, manifestFrom={form: {"name": "a", "key": "b"} for form in ("configMapKeyRef", "secretKeyRef")}),
        "spec.manifestFrom", Cause.INVALID, "exactly one of configMapKeyRef and secretKeyRef",
    ),
    "a source without a key": (
        spec(manifest=None, manifestFrom={"configMapKeyRef": {"name": "a"}}),
        "spec.manifestFrom.configMapKeyRef.key", Cause.REQUIRED, "a source takes name and key",
    ),
    "a source whose name is a path": (
        spec(manifest=None, manifestFrom={"secretKeyRef": {"name": "../a", "key": "b"}}),
        "spec.manifestFrom.secretKeyRef.name", Cause.INVALID, "lower case letters, digits, '-' and '.'",
    ),
    "an unknown field of a source": (
        spec(manifest=None, manifestFrom={"secretKeyRef": {"name": "a", "key": "b", "optional": True}}),
        "spec.manifestFrom.secretKeyRef", Cause.UNKNOWN_FIELD, "has no field optional: remove it",
    ),
    "no apiVersion": (spec(manifest={"kind": "Job"}), "spec.manifest.apiVersion", Cause.REQUIRED, "such as batch/v1"),
    "an empty kind": (spec(manifest=job(kind="")), "spec.manifest.kind", Cause.INVALID, "such as Job"),
    "a List": (
        spec(manifest={"apiVersion": "v1", "kind": "List", "items": []}),
        "spec.manifest", Cause.INVALID, "make one RunaiWorkload for each of them",
    ),
    "a name to be made up": (
        spec(manifest=job(metadata={"generateName": "x-"})), "spec.manifest.metadata", Cause.FORBIDDEN, "namePrefix",
    ),
    "metadata as text": (spec(manifest=job(metadata="x")), "spec.manifest.metadata", Cause.WRONG_TYPE, "not text"),
    "a number as the manifest's name": (
        spec(manifest=job(metadata={"name": 1})), "spec.manifest.metadata.name", Cause.WRONG_TYPE, "put it in quotes",
    ),
    "labels as a list": (
        spec(manifest=job(metadata={"labels": []})), "spec.manifest.metadata.labels", Cause.WRONG_TYPE, "not a list",
    ),
    "a number as a label": (
        spec(manifest=job(metadata={"labels": {"size": 3}})),
        "spec.manifest.metadata.labels", Cause.WRONG_TYPE, "the value of size in spec.manifest.metadata.labels must be",
    ),
    "a label that is too long": (
        spec(manifest=job(metadata={"labels": {"a": SECRET * 10}})),
        "spec.manifest.metadata.labels", Cause.TOO_LONG, "the value of a in spec.manifest.metadata.labels has more than 63",
    ),
    "too many annotations": (
        spec(manifest=job(metadata={"annotations": {f"a{n}": "b" for n in range(257)}})),
        "spec.manifest.metadata.annotations", Cause.TOO_LONG, "more than 256 entries",
    ),
    "nesting": (spec(manifest=nested(MANIFEST_DEPTH + 1)), "spec.manifest", Cause.INVALID, "deeper than 498 levels"),
    "nesting without end": (spec(manifest=nested(100_000)), "spec.manifest", Cause.INVALID, "make it flatter"),
    "empty YAML": (spec(manifest=None, manifestYaml=""), "spec.manifestYaml", Cause.INVALID, "is empty"),
    "YAML that is too long": (
        spec(manifest=None, manifestYaml="é" * (YAML_LIMIT // 2 + 1)), "spec.manifestYaml", Cause.TOO_LONG, "1,000,000",
    ),
    "YAML that cannot be read": (
        spec(manifest=None, manifestYaml=f"a: [{SECRET}"), "spec.manifestYaml", Cause.INVALID, "the YAML cannot be read (line ",
    ),
    "YAML with a key twice": (
        spec(manifest=None, manifestYaml=f"{YAML}kind: Job\n"), "spec.manifestYaml", Cause.INVALID, "line 3, column 1",
    ),
    "YAML without kind": (
        spec(manifest=None, manifestYaml="apiVersion: v1"), "spec.manifestYaml", Cause.REQUIRED, "kind of the manifest in",
    ),
    "YAML of a List": (
        spec(manifest=None, manifestYaml="apiVersion: v1\nkind: List\nitems: []"),
        "spec.manifestYaml", Cause.INVALID, "make one RunaiWorkload for each",
    ),
    "YAML that is text": (spec(manifest=None, manifestYaml="Job"), "spec.manifestYaml", Cause.WRONG_TYPE, "a mapping with"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "path", "reason", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_field_and_what_to_do(raw, path, reason, says):
    findings = examine(raw, name="train-a", yaml_nodes=1000).findings
    found = [finding for finding in findings if (finding.path, finding.reason) == (path, reason)]

    assert len(found) == len(findings) == 1
    assert says in found[0].message
    assert path in found[0].message
    assert SECRET not in found[0].message


@pytest.mark.parametrize("name", ["1train", "train.a", "a" * 64, ""])
def test_an_object_name_that_is_none_in_runai_needs_another(name):
    assert told(spec(), name=name) == [("spec.name", Cause.INVALID)]


SMALL = {"metadata": {"name": "w"}, "spec": {"manifestYaml": ""}}


@pytest.mark.parametrize(
    ("char", "stored"),
    [
        ("x", 1),
        ("<", 6),
        (">", 6),
        ("&", 6),
        ('"', 2),
        ("\t", 2),
        ("\x01", 6),
        ("ä", 2),
        ("\u2028", 6),
        ("\u2029", 6),
        ("😀", 4),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["manifest", "manifestYaml"])
def test_an_object_may_be_as_large_as_an_api_server_can_store_it_with_a_status(field, char, stored):
    def found(more):
        room = OBJECT_LIMIT - len(json.dumps(SMALL, separators=(",", ":"))) + len("manifestYaml") - len(field)
        many, rest = divmod(room - 6 * (field == "manifest"), stored)  # {"a": and } in place of the text
        text = char * many + "x" * (rest + more)
        return list(
            examine_size({"metadata": {"name": "w"}, "spec": {field: {"a": text} if field == "manifest" else text}})
        )

    assert found(0) == []
    [(path, message)] = found(1)
    assert path == ("spec", field)
    assert message.startswith("the object takes 1,500,001 bytes as Kubernetes stores it")


@pytest.mark.parametrize(
    "value",
    [
        {"metadata": {"managedFields": ["x" * OBJECT_LIMIT]}, "status": {"a": "x" * OBJECT_LIMIT}},
        {"metadata": "x", "spec": ["x"]},
        {"spec": {"manifest": {"a": "\ud800"}}},
        {"spec": {"manifest": reduce(lambda inner, _: [inner], range(5000), "x")}},
        {},
    ],
    ids=["what is not stored of a file", "of other types", "half a character", "deep", "empty"],
)
def test_of_the_size_of_any_other_object_nothing_is_said(value):
    assert list(examine_size(value)) == []


def test_what_is_large_beside_the_manifest_is_told_there():
    assert [path for path, _ in examine_size({"metadata": {"x": "x" * OBJECT_LIMIT}})] == [("metadata",)]


@pytest.mark.parametrize("annotations", [{"a": "x" * 262_143}, {"a": "ä" * 131_071, "b": ""}, {}])
def test_annotations_have_a_bound_for_all_together(annotations):
    assert list(examine_metadata({"annotations": annotations})) == []
    [(path, message)] = examine_metadata({"annotations": annotations | {"c": "x" * 262_144}})
    assert path == ("metadata", "annotations")
    assert message.startswith("metadata.annotations must have 262,144 bytes at most, all keys and values together")


def test_everything_is_told_at_once():
    raw = {
        "projectName": "A",
        "deletionPolicy": 1,
        "name": "-",
        "manifest": {"metadata": {"labels": {"a": 1, "b": []}}},
    }

    assert told(raw) == [
        ("spec.deletionPolicy", Cause.WRONG_TYPE),
        ("spec.projectName", Cause.INVALID),
        ("spec.name", Cause.INVALID),
        ("spec.manifest.apiVersion", Cause.REQUIRED),
        ("spec.manifest.kind", Cause.REQUIRED),
        ("spec.manifest.metadata.labels", Cause.WRONG_TYPE),
        ("spec.manifest.metadata.labels", Cause.WRONG_TYPE),
    ]


def test_the_list_ends_where_nobody_would_read_on():
    assert len(told(spec(**{f"field{n}": n for n in range(10_000)}))) == MOST_FINDINGS


def test_yaml_is_parsed_only_where_that_is_asked_for_and_only_so_far():
    raw = spec(manifest=None, manifestYaml="[" + "1," * 50 + "1]")

    assert told(raw, nodes=0) == told(raw, nodes=50) == []
    assert told(raw, nodes=52) == [("spec.manifestYaml", Cause.WRONG_TYPE)]


# --- what the operator asks of a manifest that it has


@pytest.mark.parametrize(
    ("manifest", "gvk"),
    [(JOB, Gvk("batch", "v1", "Job")), ({"apiVersion": "v1", "kind": "Pod", "metadata": None}, Gvk("", "v1", "Pod"))],
)
def test_the_kind_is_read(manifest, gvk):
    assert gvk_of(manifest, place="spec.manifest") == gvk


@pytest.mark.parametrize("manifest", [[JOB], "text", None, {}, job(kind=1), job(metadata={"labels": "a"})])
@pytest.mark.parametrize("place", ["spec.manifest", "spec.manifestFrom"])
def test_what_cannot_be_submitted_is_refused_and_its_place_named(manifest, place):
    with pytest.raises(InvalidWorkload, match=place):
        gvk_of(manifest, place=place)


def test_text_that_takes_long_is_told_apart_from_text_that_cannot_be_used():
    with pytest.raises(TooLarge):
        read_manifest("[1, 2, 3]", place="spec.manifestFrom", max_nodes=2)
    with pytest.raises(InvalidWorkload, match=r"spec\.manifestFrom: the YAML cannot be read \(line "):
        read_manifest("[1, 2", place="spec.manifestFrom")


# --- every value has an answer


def paths(schema: dict[str, Any], path: str) -> Iterator[str]:
    yield path
    for name, field in schema.get("properties", {}).items():
        yield from paths(field, f"{path}.{name}")


PATHS = set(paths(SPEC, "spec"))
FIELDS = [*SPEC["properties"], "configMapKeyRef", "name", "key", "apiVersion", "kind", "metadata", "labels", "items"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=6),
    max_leaves=20,
)


def assert_answered(raw: Any, name: str | None) -> None:
    for finding in examine(raw, name=name, yaml_nodes=1000).findings:
        assert finding.path in PATHS
        assert finding.path in finding.message
        assert len(finding.message) < 500
        assert finding.message.isprintable()


@given(JSON, st.none() | st.text())
@settings(max_examples=500, deadline=None)
def test_any_value_is_examined_and_what_is_found_has_a_field_of_the_schema(raw, name):
    assert_answered(raw, name)


EXTREMES: dict[str, Callable[[], Any]] = {
    "no Unicode": lambda: {"manifestYaml": "a: \ud800", "name": "\ud800", "\ud800": 1},
    "deep lists in YAML": lambda: {"manifestYaml": "[" * 100_000},
    "deep mappings in YAML": lambda: {"manifestYaml": "{" * 100_000},
    "deep everywhere": lambda: dict.fromkeys(FIELDS, nested(100_000)),
    "deep in the manifest": lambda: {"manifest": dict.fromkeys(FIELDS, nested(100_000))},
    "deep in its metadata": lambda: {"manifest": JOB | {"metadata": dict.fromkeys(FIELDS, nested(100_000))}},
    "deep itself": lambda: nested(100_000),
    "long": lambda: dict.fromkeys(FIELDS, "7" * 1000000) | {"x" * 1_000_000: 1},
    "long names": lambda: {"manifest": {"metadata": {"labels": {"x\n" * 1_000_000: 1}}}},
    "wide": lambda: {"manifest": {"metadata": {"labels": dict.fromkeys(map(str, range(1_000_000)), 1)}}},
}
"""Made when they are needed, or every process of the tests holds hundreds of megabytes from the start."""


@pytest.mark.parametrize("make", EXTREMES.values(), ids=EXTREMES)
def test_nothing_is_too_deep_too_long_or_too_wide(make):
    assert_answered(make(), "\ud800" * 100_000)


# --- the CustomResourceDefinition says the same


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """With unknown fields refused, as kubectl does."""
    below = {name: strict(field) for name, field in schema.get("properties", {}).items()}
    closed = below and not schema.get("x-kubernetes-preserve-unknown-fields")
    return schema | ({"properties": below} if below else {}) | ({"additionalProperties": False} if closed else {})


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


SCHEMA = Draft202012Validator(strict(SPEC))
CEL = cel.NewEnv(variables={"self": cel.Type.DYN})
DEFAULTS = {name: field["default"] for name, field in SPEC["properties"].items() if "default" in field}


def rules(schema: dict[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
    """Every rule for new objects that applies to a value, with what it is about."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"]:
            yield rule["rule"], value
    for name, field in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            yield from rules(field, value[name])


PROGRAMS: dict[str, Any] = {}


def holds(rule: str, value: Any) -> bool:
    if rule not in PROGRAMS:
        PROGRAMS[rule] = CEL.compile(rule, disable_check=True)
    answer = PROGRAMS[rule].eval(data={"self": value}).plain_value()
    assert isinstance(answer, bool), f"{rule}: {answer}"
    return answer


def schema_errors(raw: dict[str, Any]) -> set[str]:
    """The fields that the schema refuses."""
    found = set()
    for error in SCHEMA.iter_errors(raw):
        path = ".".join(["spec", *map(str, error.absolute_path)])
        if error.validator == "required":
            found |= {f"{path}.{name}" for name in error.validator_value if name not in error.instance}
        else:
            found.add(path)
    return found


def broken_rules(raw: dict[str, Any], name: str) -> list[str]:
    item = {"metadata": {"name": name}, "spec": DEFAULTS | raw}
    return [rule for rule, value in rules(ROOT, item) if not holds(rule, value)]


OTHER_TYPES = (None, True, 17, 1.5, [], {}, ["a"], {"a": "b"}, "text")
WORDS = ("", "a", "A", "-a", "a-", "a.b", "a_b", "1", "a\n", "é", "../a", ID, ID.upper(), "train-a")
FITTING = {
    "manifest": JOB,
    "manifestYaml": YAML,
    "manifestFrom": {"configMapKeyRef": {"name": "jobs", "key": "job.yaml"}},
    "projectName": "team-a",
    "projectId": "17",
    "clusterId": ID,
    "name": "train",
    "namePrefix": "train",
    "workloadId": ID,
    "managementPolicy": "Observe",
}
"""Values that are wrong only in some company."""
WHOLE = {"manifest": JOB, "configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"}}


def values(schema: dict[str, Any], name: str = "") -> Iterator[Any]:
    """Good and bad values of a field, at its bounds and beyond; of an object, with one field changed at a time."""
    yield from OTHER_TYPES
    if "enum" in schema:
        yield from (*schema["enum"], "Perhaps", "")
    elif schema["type"] == "string":
        yield from (
            *WORDS,
            *("a" * (schema["maxLength"] + more) for more in (0, 1)),
            "é" * (schema["maxLength"] // 2 + 1),
        )
    elif "additionalProperties" in schema:
        yield from ({f"a{n}": "b" for n in range(schema["maxProperties"] + more)} for more in (0, 1))
        yield from ({"a": value} for value in values(schema["additionalProperties"]))
    else:
        whole = WHOLE.get(name, {})
        yield whole | {"unheardOf": 1}
        for below, field in schema["properties"].items():
            yield from (whole | {below: value} for value in values(field, below))


ANY = {name: list(values(field, name)) for name, field in SPEC["properties"].items()}


def assert_agrees(raw: dict[str, Any], name: str = "train-a") -> None:
    findings = examine(raw, name=name).findings
    raw = without_nulls(raw)
    refused = schema_errors(raw)

    for path in refused:
        assert any(path == found.path or path.startswith(f"{found.path}.") for found in findings), (path, findings)
    if not refused:
        assert bool(findings) == bool(broken_rules(raw, name)), (findings, broken_rules(raw, name))


@pytest.mark.parametrize("field", ANY)
def test_what_the_crd_refuses_of_a_field_is_found_and_nothing_else(field):
    rest = spec(**({"manifest": None} if field.startswith("manifest") else {}))
    for value in ANY[field]:
        assert_agrees(rest | {field: value})


@pytest.mark.parametrize("name", ["train-a", "1.train"])
def test_what_the_crd_refuses_of_a_combination_is_found_and_nothing_else(name):
    for chosen in product((True, False), repeat=len(FITTING)):
        assert_agrees(dict(compress(FITTING.items(), chosen)), name)


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(field) for name, field in ANY.items()}))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_crd_refuses_at_once_is_found(raw):
    assert_agrees(raw)
