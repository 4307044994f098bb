"""`validate`: what is wrong with RunaiWorkloads in files, with its line; what is right passes without a word too many."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from runai_operator.codecs.documents import documents_of
from runai_operator.commands import crd
from runai_operator.commands.files import Item
from runai_operator.commands.validate import Found, check, in_files
from runai_operator.domain.schema import known, violations
from typed import rwl

REPOSITORY = Path(__file__).parents[3]
MANIFESTS = REPOSITORY / "tests" / "manifests"

GOOD = """\
apiVersion: bridge.run.ai/v1alpha1
kind: RunaiWorkload
metadata:
  name: train
spec:
  projectName: team-a
  manifest:
    apiVersion: batch/v1
    kind: Job
"""


def found_in(text):
    items = [Item("a.yaml", document, document.read()) for document in documents_of(text)]
    checked, unread = in_files(items)
    return [str(one) for one in [*unread, *(one for each in checked for one in each.found)]]


def test_what_the_package_holds_is_the_crd_of_the_repository():
    assert crd.packaged() == yaml.safe_load((REPOSITORY / "crds" / "runaiworkloads.yaml").read_text())


def test_every_example_is_valid():
    done = rwl("validate", REPOSITORY / "deploy" / "examples")

    assert (done.code, done.out) == (0, "")
    assert done.err.endswith("RunaiWorkloads, nothing wrong\n")


def test_what_wrap_writes_is_valid():
    wrapped = rwl("wrap", MANIFESTS, "--project", "team-a", "--others", "drop").out
    done = rwl("validate", "-", stdin=wrapped)

    assert (done.code, done.out) == (0, "")


KEYS = "must have letters, digits, '-', '_' and '.', with a letter or digit at both ends, 63 at most, and before it perhaps a domain and '/': correct it"
WRONG = {
    "a field that there is not": (GOOD.replace("projectName", "projectname"), [
        "a.yaml:5: spec has no project: set exactly one of projectName and projectId (none is needed with managementPolicy: Observe)",
        "a.yaml:5: spec has no field projectname: did you mean projectName?",
    ]),
    "a word that is none": (f"{GOOD}  deletionPolicy: Keep\n", ["a.yaml:10: spec.deletionPolicy must be Delete or Orphan: correct it, or leave it out for Delete"]),
    "a manifest without a kind": (GOOD.replace("    kind: Job\n", ""), ["a.yaml:7: spec.manifest.kind must be given as text, such as Job"]),
    "a field beside spec": (f"{GOOD}sepc: {{}}\n", ["a.yaml:10: sepc is a field that there is not: did you mean spec?"]),
    "no spec": (GOOD[: GOOD.index("spec:")], ["a.yaml:1: spec is missing: give a project and a manifest"]),
    "another version": (GOOD.replace("v1alpha1", "v1"), ["a.yaml:1: apiVersion must be bridge.run.ai/v1alpha1"]),
    "another kind": (GOOD.replace("kind: RunaiWorkload", "kind: RunAIWorkload"), ["a.yaml:2: kind must be RunaiWorkload"]),
    "no name": (GOOD.replace("name: train", "labels: {}"), ["a.yaml:3: metadata.name is missing: give one"]),
    "no metadata": (GOOD.replace("metadata:\n  name: train\n", ""), ["a.yaml:1: metadata is missing: give a name"]),
    "a name that Kubernetes does not take": (GOOD.replace("name: train", "name: Train"), ["a.yaml:4: metadata.name must have lower case letters, digits, '-' and '.', with a letter or digit at both ends, 253 at most: correct it"]),
    "a name that Run:ai does not take": (GOOD.replace("name: train", "name: 1.train"), ["a.yaml:5: The name 1.train cannot be used in Run:ai (at most 63 lower-case letters, digits and '-', the first a letter, the last no '-'): set spec.name or spec.namePrefix"]),
    "a label that is a number": (GOOD.replace("name: train", "name: train\n  labels: {a: 1}"), ["a.yaml:5: metadata.labels must be a mapping of names to text: put numbers into quotes"]),
    "a namespace that Kubernetes does not take": (GOOD.replace("name: train", "name: train\n  namespace: Team A"), ["a.yaml:5: metadata.namespace must have lower case letters, digits and '-', with a letter or digit at both ends, 63 at most: correct it"]),
    "a namespace that is no text": (GOOD.replace("name: train", "name: train\n  namespace: 7"), ["a.yaml:5: metadata.namespace must have lower case letters, digits and '-', with a letter or digit at both ends, 63 at most: correct it"]),
    "the key of a label that Kubernetes does not take": (GOOD.replace("name: train", "name: train\n  labels:\n    fine: x\n    a/b/c: x"), [f"a.yaml:7: a key in metadata.labels {KEYS}"]),
    "the key of an annotation that Kubernetes does not take": (GOOD.replace("name: train", "name: train\n  annotations:\n    x y: a b"), [f"a.yaml:6: a key in metadata.annotations {KEYS}"]),
    "a label that Kubernetes does not take": (GOOD.replace("name: train", "name: train\n  labels:\n    a: b c"), ["a.yaml:6: a value in metadata.labels must have letters, digits, '-', '_' and '.', with a letter or digit at both ends, 63 at most: correct it"]),
    "text that is no manifest": (GOOD[: GOOD.index("  manifest:")] + "  manifestYaml: |\n    a: 1\n    a: 2\n", ["a.yaml:7: spec.manifestYaml: the YAML cannot be used (line 2, column 1): the same key stands twice in one mapping"]),
    "the second of two": (f"{GOOD}---\n{GOOD}  clusterId: x\n", ["a.yaml:20: spec.clusterId must be a UUID in lower case: copy it from the Clusters page of Run:ai"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_once_with_its_line(text, said):
    assert found_in(text) == said


FROM = GOOD[: GOOD.index("  manifest:")] + "  manifestFrom: {configMapKeyRef: {name: jobs, key: job.yaml}}\n"
CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: jobs}\ndata:\n  job.yaml: "
SECRET = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: jobs}\ndata:\n  job.yaml: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{FROM}{CONFIG}"apiVersion: v1\\nkind: Pod"\n', []),
        (f'{FROM}{CONFIG}"kind: Pod"\n', ["a.yaml:7: apiVersion of the manifest in the text of ConfigMap jobs, key job.yaml must be given as text, such as batch/v1"]),
        (f'{FROM.replace("configMap", "secret")}{SECRET}a2luZDogUG9k\n', ["a.yaml:7: apiVersion of the manifest in the text of Secret jobs, key job.yaml must be given as text, such as batch/v1"]),
        (FROM, []),
    ],
    ids=["right", "wrong", "wrong in a Secret", "not in the files"],
)  # fmt: skip
def test_a_manifest_in_a_configmap_or_secret_of_the_same_files_is_checked(text, said):
    assert found_in(text) == said


def test_objects_of_other_kinds_are_passed_over_and_documents_that_cannot_be_read_are_not(tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n---\na: [\n")
    done = rwl("validate", "a.yaml", cwd=tmp_path)

    assert done.code == 1
    assert done.out.startswith("a.yaml:5: the YAML cannot be read (line 5, column 1)")
    assert done.err == "0 RunaiWorkloads, 1 problem\n"


def test_what_is_wrong_can_be_read_by_programs(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD.replace("team-a", "Team A"))
    done = rwl("validate", "-o", "json", "a.yaml", cwd=tmp_path)

    (problem,) = json.loads(done.out)["problems"]
    assert done.code == 1
    assert {key: problem[key] for key in ("file", "line", "name", "field")} == {
        "file": "a.yaml", "line": 6, "name": "train", "field": "spec.projectName",
    }  # fmt: skip


def test_github_is_shown_the_line(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD.replace("team-a", "Team A"))
    done = rwl("validate", "-o", "github", "a.yaml", cwd=tmp_path)

    assert done.out.startswith("::error file=a.yaml,line=6,title=RunaiWorkload train::spec.projectName must have ")
    assert len(done.out.splitlines()) == 1


def test_github_is_told_the_line_of_standard_input_where_there_is_no_file_to_show():
    done = rwl("validate", "-o", "github", "-", stdin=GOOD.replace("team-a", "Team A"))

    assert done.out.startswith(
        "::error title=RunaiWorkload train::line 6 of standard input: spec.projectName must have "
    )


def test_an_annotation_of_github_cannot_be_broken_out_of():
    one = Found("100%\nof\r::error::x", file="a,b:c.yaml", line=1, name="x\n,")

    assert one.annotation() == (
        "::error file=a%2Cb%3Ac.yaml,line=1,title=RunaiWorkload x%0A%2C::100%25%0Aof%0D::error::x"
    )


@pytest.mark.parametrize("empty", ["", "\n \n"])
def test_nothing_on_standard_input_is_no_success(empty):
    """A chart that cannot be rendered prints nothing, and most shells pass over that it has failed."""
    done = rwl("validate", "-o", "github", "-", stdin=empty)

    assert done.code == 1
    told = "there is nothing on standard input: what writes to it may have failed"
    assert done.out == f"::error title=RunaiWorkload::line 1 of standard input: {told}\n"


@pytest.mark.parametrize(
    "others", ["# off\n", "{kind: List, apiVersion: v1, items: []}", "{kind: Service, apiVersion: v1}"]
)
def test_a_stream_without_a_runaiworkload_has_nothing_wrong(others):
    assert rwl("validate", "-", stdin=others).code == 0


def test_of_a_folder_those_within_are_read_too_but_for_hidden_ones(tmp_path):
    for place in ("a.yaml", "team/b.yml", "team/deep/c.json", ".git/d.yaml", "team/.cache/e.yaml", "team/f.txt"):
        (tmp_path / "all" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / place).write_text(GOOD.replace("team-a", "Team A"))
    (tmp_path / "all" / "team" / "round").symlink_to(tmp_path / "all")
    done = rwl("validate", "all", cwd=tmp_path)

    assert [line.partition(":")[0] for line in done.out.splitlines()] == [
        "all/a.yaml",
        "all/team/b.yml",
        "all/team/deep/c.json",
    ]
    passed_over, summary = done.err.splitlines()
    assert passed_over == "all/team/round is a link to a folder, and is passed over: give it, too, if it is meant"
    assert summary == "3 RunaiWorkloads, 3 problems"


def test_links_to_files_are_read_and_a_link_to_nothing_is_no_success(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "all" / "a.yaml").symlink_to(tmp_path / "good.txt")
    good = rwl("validate", "all", cwd=tmp_path)
    (tmp_path / "good.txt").unlink()
    missing = rwl("validate", "all", cwd=tmp_path)

    assert (good.code, good.err) == (0, "1 RunaiWorkload, nothing wrong\n")
    assert (missing.code, missing.out) == (1, "all/a.yaml:1: cannot be read: No such file or directory\n")


def test_a_pipe_in_a_folder_is_passed_over_also_behind_a_link(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "good.yaml").write_text(GOOD)
    os.mkfifo(tmp_path / "all" / "pipe.yaml")
    (tmp_path / "all" / "link.yaml").symlink_to(tmp_path / "all" / "pipe.yaml")

    assert rwl("validate", "all", cwd=tmp_path).err == "1 RunaiWorkload, nothing wrong\n"


def test_a_file_that_cannot_be_read_does_not_hide_what_is_wrong_in_others(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.yaml").write_bytes(b"a: \xff\n")
    (tmp_path / "all" / "b.yaml").write_text(GOOD.replace("team-a", "Team A"))
    done = rwl("validate", "all", cwd=tmp_path)

    first, second = done.out.splitlines()
    assert (done.code, first) == (1, "all/a.yaml:1: not UTF-8 at byte 3")
    assert second.startswith("all/b.yaml:6: spec.projectName must have ")


def test_what_is_wrong_in_files_is_said_also_where_the_cluster_fails(tmp_path):
    done = rwl("validate", "-", "train", stdin=GOOD.replace("team-a", "Team A"), cwd=tmp_path)

    assert done.code == 2
    assert done.out.startswith("<stdin>:6: spec.projectName must have ")
    summary, error = done.err.splitlines()
    assert summary == "1 RunaiWorkload, 1 problem"
    assert "There is no kubeconfig" in error


def test_no_value_of_a_manifest_is_repeated():
    done = rwl("validate", "-", stdin=GOOD.replace("batch/v1", "[s3cret]").replace("team-a", "S3CRET"))

    assert done.code == 1
    assert "s3cret" not in (done.out + done.err).lower()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("no-such.yaml", "no-such.yaml: No such file or directory."),
        ("folder/no-such", "folder/no-such: No such file or directory."),
        ("train", "There is no kubeconfig: neither --kubeconfig nor KUBECONFIG is given"),
        ("rwl/train", "There is no kubeconfig: neither --kubeconfig nor KUBECONFIG is given"),
    ],
)
def test_a_word_is_a_file_or_a_name(word, said, tmp_path):
    done = rwl("validate", word, cwd=tmp_path)

    assert done.code == 2
    assert done.sentence.startswith(said)


SPEC = crd.schema()["properties"]["spec"]
BAD_SPECS = [
    {"projectName": 1},
    {"projectName": ""},
    {"projectName": "a" * 254},
    {"manifest": {"apiVersion": "v1"}},
    {"manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": 1}}}},
    {"manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {str(n): "" for n in range(257)}}}},
    {"manifest": []},
    {"manifestFrom": {"configMapKeyRef": {"name": "a"}}},
    {"deletionPolicy": "Never"},
    {"unheardOf": 1},
]


@pytest.mark.parametrize("spec", BAD_SPECS, ids=[json.dumps(spec)[:60] for spec in BAD_SPECS])
def test_the_schema_refuses_what_json_schema_refuses(spec):
    def strict(schema):
        closed = {"additionalProperties": False} if "properties" in schema and not schema.get(PRESERVES) else {}
        fields = {name: strict(field) for name, field in schema.get("properties", {}).items()}
        return closed | schema | ({"properties": fields} if fields else {})

    assert list(Draft202012Validator(strict(SPEC)).iter_errors(spec)), "this test has a case that is refused"
    assert list(violations(SPEC, spec))


PRESERVES = "x-kubernetes-preserve-unknown-fields"


def test_a_rule_sees_defaults_and_nothing_that_the_schema_has_no_words_for():
    seen = known(SPEC, {"projectName": "a", "name": None, "manifest": {"apiVersion": "v1", "kind": "Pod", "spec": {}}})

    assert seen["manifest"] == {"apiVersion": "v1", "kind": "Pod"}
    assert seen["deletionPolicy"] == "Delete"
    assert "name" not in seen


def test_the_rules_of_the_crd_are_held_against_what_our_checks_let_through(monkeypatch):
    """If our checks missed something, the rules would still find it; and without an interpreter, all else works."""
    value = yaml.safe_load(GOOD) | {
        "spec": {"projectName": "team-a", "projectId": "17", "manifest": {"apiVersion": "v1", "kind": "Pod"}}
    }

    assert any(
        "exactly one of projectName and projectId" in refusal.message for refusal in crd.refusals(value, name="train")
    )
    monkeypatch.setattr(crd, "_interpreter", lambda: None)
    assert list(crd.refusals(value, name="train")) == []
    assert len(list(check(value))) == 1
