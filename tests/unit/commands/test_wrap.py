"""`wrap`: what goes in comes out within RunaiWorkloads, or nothing does and every reason has a place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.codecs.documents import documents_of
from runai_operator.codecs.yaml import dump_yaml
from runai_operator.commands import files
from runai_operator.commands.files import Item
from runai_operator.commands.wrap import KEEP, Wish, wrap
from runai_operator.domain.checks import examine
from runai_operator.domain.naming import NAME, NAME_LIMIT, nearest_name
from typed import rwl

FOLDER = Path(__file__).parents[2] / "manifests"
FILES = sorted(path.name for path in FOLDER.iterdir())
AS_THEY_ARE = [name for name in FILES if name not in {"from-a-cluster.yaml", "from-a-chart.yaml", "tfjob.yaml"}]
EXAMPLES = sorted((Path(__file__).parents[3] / "deploy" / "examples").glob("*job.yaml"))


def items(text, name="a.yaml"):
    return [Item(name, document, document.read()) for document in documents_of(text)]


def wrapped(text, **wish):
    """The values, and the problems as text."""
    found, problems = wrap(items(text), Wish({"projectName": "team-a"}, **wish))
    for one in found:
        assert [document.read() for document in documents_of(one.text)] == [one.value], "text and value are the same"
    return [one.value for one in found], list(map(str, problems))


def only(text, **wish):
    (value,), problems = wrapped(text, **wish)
    assert problems == []
    return value


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_a_manifest_as_found_in_the_wild_is_the_same_within(name):
    done = rwl("wrap", FOLDER / name, "--project", "team-a")
    text = (FOLDER / name).read_text()

    assert (done.code, done.err) == (0, "")
    (document,) = documents_of(done.out)
    (original,) = documents_of(text)
    made = document.read()
    assert made["spec"] == {"projectName": "team-a", "manifest": original.read()}
    assert examine(made["spec"], name=made["metadata"]["name"]).findings == ()
    for line in text.splitlines():
        if line.strip() not in ("", "---"):
            assert f"    {line}\n" in done.out, "every line is there, with its comment"


def test_comments_at_the_beginning_stay_at_the_beginning_and_a_made_up_name_becomes_a_prefix():
    done = rwl("wrap", FOLDER / "tfjob.yaml", "--project", "team-a")
    (document,) = documents_of(done.out)
    made = document.read()

    assert done.out.startswith("# Two workers and a parameter server.\napiVersion: bridge.run.ai/v1alpha1\n")
    assert made["metadata"] == {"name": "tf-dist"}
    assert made["spec"]["namePrefix"] == "tf-dist"
    assert made["spec"]["manifest"]["metadata"] is None
    assert "        PS: &replica\n" in done.out


def test_what_was_read_from_a_cluster_is_cleaned_of_what_a_server_writes():
    done = rwl("wrap", FOLDER / "from-a-cluster.yaml", "--project", "team-a")
    train, evaluate = (document.read() for document in documents_of(done.out))

    assert train["spec"]["manifest"]["metadata"] == {"name": "train", "namespace": "default"}
    assert "status" not in train["spec"]["manifest"]
    assert evaluate["spec"]["manifest"]["metadata"] == {"name": "evaluate"}


def test_of_a_chart_the_workloads_are_wrapped_and_the_rest_is_kept_dropped_or_refused():
    chart = (FOLDER / "from-a-chart.yaml").read_text()
    kinds = {
        way: [
            item["kind"]
            for item in yaml.safe_load_all(rwl("wrap", "-", "--project", "a", "--others", way, stdin=chart).out)
        ]
        for way in ("keep", "drop")
    }
    refused = rwl("wrap", "-", "--project", "a", stdin=chart)

    assert kinds == {"keep": ["ConfigMap", "RunaiWorkload", "Pod"], "drop": ["RunaiWorkload"]}
    assert (refused.code, refused.out) == (1, "")
    assert [line[:45] for line in refused.err.splitlines()] == [
        "<stdin>:3: ConfigMap is no kind of workload: ",
        "<stdin>:30: this Pod is a Helm hook, which is",
    ]


def test_wrapping_again_changes_nothing():
    once = rwl("wrap", FOLDER, "--project", "team-a", "--others", "keep").out

    assert rwl("wrap", "-", "--project", "other", "--others", "keep", stdin=once).out == once


def test_options_become_fields_of_the_spec():
    options = {
        "--project-id": ("projectId", "17"),
        "--priority": ("priority", "high"),
        "--category": ("category", "Train"),
        "--preemptibility": ("preemptibility", "preemptible"),
        "--mnnvl": ("mnnvl", "Required"),
        "--management-policy": ("managementPolicy", "DryRun"),
        "--deletion-policy": ("deletionPolicy", "Orphan"),
        "--recreate-policy": ("recreatePolicy", "OnImmutableChange"),
        "--rerun-policy": ("rerunPolicy", "OnSpecChange"),
        "--external-deletion-policy": ("externalDeletionPolicy", "Recreate"),
        "--name-prefix": ("namePrefix", "pi"),
    }
    typed = [word for option, (_, value) in options.items() for word in (option, value)]
    metadata = ["-n", "team", "--name", "other", "--label", "a=b", "--label", "c=", "--annotation", "f=g=h"]
    made = json.loads(rwl("wrap", FOLDER / "job.json", *typed, *metadata, "-o", "json").out)

    spec = made["spec"]
    assert {key: value for key, value in spec.items() if key != "manifest"} == dict(options.values())
    assert made["metadata"] == {
        "name": "other", "namespace": "team", "labels": {"a": "b", "c": ""}, "annotations": {"f": "g=h"},
    }  # fmt: skip


def test_names_alone_can_be_printed():
    done = rwl("wrap", FOLDER / "mpijob.yaml", "--project", "a", "-o", "name")

    assert done.out == "runaiworkload.bridge.run.ai/pi\n"


NAMES = {
    "train": "train",
    "My_Train.v2": "my-train-v2",
    "7b-chat": "w-7b-chat",
    "--a--": "a",
    "é-x": "x",
    "a" * 63: "a" * 63,
}


@pytest.mark.parametrize(("name", "made"), NAMES.items())
def test_a_name_that_run_ai_does_not_take_becomes_one_that_it_takes(name, made):
    assert nearest_name(name) == made


@given(st.text())
def test_whatever_becomes_a_name_is_one_that_run_ai_takes(text):
    try:
        name = nearest_name(text)
    except ValueError:
        assert not any(letter.isascii() and letter.isalnum() for letter in text.lower())
        return
    assert NAME.fullmatch(name)
    assert len(name) <= NAME_LIMIT
    assert nearest_name(name) == name


def test_long_names_stay_different():
    names = [nearest_name("a" * 80 + end) for end in ("b", "c")]

    assert names[0] != names[1]


JOB, DEPLOYMENT = (
    f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\n"
    for version, kind in (("batch/v1", "Job"), ("apps/v1", "Deployment"))
)


def test_those_of_several_kinds_with_one_name_are_told_apart_by_their_kind():
    values, problems = wrapped(f"{JOB}---\n{DEPLOYMENT}")

    assert problems == []
    assert [value["metadata"]["name"] for value in values] == ["web-job", "web-deployment"]
    assert [value["spec"]["manifest"]["metadata"]["name"] for value in values] == ["web", "web"]


OURS = "apiVersion: bridge.run.ai/v1alpha1\nkind: RunaiWorkload\nmetadata: {name: web}\nspec: {projectName: a}\n"
REFUSED = {
    "two of one kind and name": (f"{JOB}---\n{JOB}", {}, ["a.yaml:7: it would be called web-job, as that of a.yaml:3: rename it"]),
    "no name": ("apiVersion: batch/v1\nkind: Job\n", {}, ["a.yaml:1: it has no metadata.name: give it one, or --name"]),
    "a number for a name": ("apiVersion: batch/v1\nkind: Job\nmetadata: {name: 007}\n", {}, ["a.yaml:3: its metadata.name is no text, which it would be in quotes: give it one, or --name"]),
    "a name without letters": (JOB.replace("web", "..."), {}, ["a.yaml:3: it has neither letters nor digits: give it one, or --name"]),
    "the name of a RunaiWorkload that is passed on": (f"{JOB}---\n{OURS}", {}, ["a.yaml:3: it would be called web, as that of a.yaml:7: rename it"]),
    "a namespace that Kubernetes does not take": (JOB, {"namespace": "Team A"}, ["a.yaml:1: metadata.namespace must have lower case letters, digits and '-', with a letter or digit at both ends, 63 at most: correct it"]),
    "a label that Kubernetes does not take": (JOB, {"labels": {"a": "b c"}}, ["a.yaml:1: a value in metadata.labels must have letters, digits, '-', '_' and '.', with a letter or digit at both ends, 63 at most: correct it"]),
    "a name for two": (f"{JOB}---\n{DEPLOYMENT}", {"name": "x"}, ["a.yaml:5: --name is for one manifest, and this is the second: leave it out"]),
    "no object": ("- a\n", {}, ["a.yaml:1: this is no Kubernetes object: it needs apiVersion and kind, both as text"]),
    "text": ("abc\n", {}, ["a.yaml:1: this is no Kubernetes object: it needs apiVersion and kind, both as text"]),
    "no object, though others are kept": ("kind: Job\n", {"others": KEEP}, ["a.yaml:1: this is no Kubernetes object: it needs apiVersion and kind, both as text"]),
    "labels that are none": (f"{JOB.replace('{name: web}', '')}  name: web\n  labels: [a]\n", {}, ["a.yaml:5: metadata.labels must be a mapping of names to text, not a list"]),
    "a label that is a number": (JOB.replace("web", "web, labels: {a: 1}"), {}, ["a.yaml:3: the value of a in metadata.labels must be text, not a number: put it in quotes"]),
    "metadata that is none": ("apiVersion: batch/v1\nkind: Job\nmetadata: [a]\nstatus: {}\n", {"name": "a"}, ["a.yaml:3: metadata must be a mapping, not a list"]),
    "a name of the option that cannot be": (JOB, {"name": "Web"}, ["a.yaml:1: The name Web cannot be used in Run:ai (at most 63 lower-case letters, digits and '-', the first a letter, the last no '-'): set spec.name or spec.namePrefix"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wish", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_submitted_is_named_with_its_place(text, wish, said):
    _, problems = wrapped(text, **wish)

    assert problems == said


def test_one_of_the_same_name_in_another_namespace_is_passed_on():
    found, problems = wrapped(f"{JOB}---\n{OURS.replace('web', 'web, namespace: team')}", namespace="other")

    assert problems == []
    assert [value["metadata"]["name"] for value in found] == ["web", "web"]


@pytest.mark.parametrize("metadata", ["metadata: [a]", "metadata: {}", "spec: {}"])
def test_one_without_a_name_is_passed_on_and_has_none_in_a_list_of_names(metadata):
    ours = f"apiVersion: bridge.run.ai/v1alpha1\nkind: RunaiWorkload\n{metadata}\n"
    done = rwl("wrap", "-", "--project", "a", "-o", "name", stdin=ours)

    assert (done.code, done.out, done.err) == (0, "runaiworkload.bridge.run.ai/\n", "")


def test_a_project_that_cannot_be_is_refused():
    done = rwl("wrap", FOLDER / "job.json", "--project", "Team A")

    assert (done.code, done.out) == (1, "")
    assert "spec.projectName must have lower case letters" in done.err


@pytest.mark.parametrize(
    ("typed", "stdin", "code", "said"),
    [
        (["a.yaml"], "", 2, "Give exactly one of --project and --project-id. See kubectl rwl wrap --help."),
        (["a.yaml", "--project", "a"], "", 2, "a.yaml: No such file or directory."),
        ([], "", 2, "Missing argument 'FILE...'. See kubectl rwl wrap --help."),
        (["-", "-", "--project", "a"], "", 2, "Standard input can be read only once: give - once."),
        (["-", "--project", "a", "--label", "x"], JOB, 2, "--label takes KEY=VALUE. See kubectl rwl wrap --help."),
        (
            ["-", "--project", "a", "--management-policy", "Observe"],
            JOB,
            2,
            "'Observe' is not one of 'Manage', 'DryRun'. See kubectl rwl wrap --help.",
        ),
        (["-", "--project", "a"], "# nothing", 1, "1: there is nothing to wrap: give at least one manifest"),
        (["-", "--project", "a"], "", 1, "1: there is nothing on standard input: what writes to it may have failed"),
    ],
)
def test_wrong_usage_ends_in_one_sentence(typed, stdin, code, said, tmp_path):
    done = rwl("wrap", *typed, stdin=stdin, cwd=tmp_path)

    assert (done.code, done.out) == (code, "")
    assert done.err.strip().endswith(said)
    assert len(done.err.splitlines()) == 1


BROKEN = {
    "broken YAML": ("a: 1\n---\nb: [1\n", "a.yaml:4: the YAML cannot be read (line 4, column 1): "),
    "a key twice": ("a: 1\n---\nb: 1\nb: 2\n", "a.yaml:4: the YAML cannot be used (line 4, column 1): the same key"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_yaml_is_named_with_its_line(text, said, tmp_path):
    (tmp_path / "a.yaml").write_text(text)
    done = rwl("wrap", "a.yaml", "--project", "a", "--others", "keep", cwd=tmp_path)

    assert done.code == 1
    assert any(line.startswith(said) for line in done.err.splitlines())


def test_what_is_not_text_is_named(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\n")

    assert rwl("wrap", "a.yaml", "--project", "a", cwd=tmp_path).sentence == "a.yaml is not UTF-8 at byte 3."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
METADATA = st.fixed_dictionaries(
    {}, optional={"name": JSON | st.just("a"), "labels": JSON, "uid": JSON, "generateName": JSON}
)


@given(st.fixed_dictionaries({"apiVersion": st.just("batch/v1") | JSON, "kind": st.just("Job") | JSON}, optional={"metadata": METADATA | JSON, "status": JSON, "spec": JSON}))  # fmt: skip
def test_every_object_is_wrapped_or_refused_and_what_is_wrapped_passes_our_checks(manifest):
    values, problems = wrapped(dump_yaml(manifest))

    assert bool(values) != bool(problems)
    for value in values:
        assert examine(value["spec"], name=value["metadata"]["name"]).findings == ()
        assert value["spec"]["manifest"].get("spec") == manifest.get("spec")


@pytest.mark.parametrize(("word", "code"), [("-", 2), ("a.yaml", 2), (".", 1)])
def test_what_is_too_large_is_refused_and_not_cut_off(word, code, tmp_path, monkeypatch):
    text = f"{JOB}---\n{DEPLOYMENT}"
    (tmp_path / "a.yaml").write_text(text)
    typed = ("wrap", word, "--project", "a", "-o", "name")
    monkeypatch.setattr(files, "FILE_LIMIT", len(text))
    assert rwl(*typed, stdin=text, cwd=tmp_path).code == 0
    monkeypatch.setattr(files, "FILE_LIMIT", len(text) - 1)
    done = rwl(*typed, stdin=text, cwd=tmp_path)

    assert (done.code, done.out) == (code, "")
    assert "MiB: give it in parts" in done.err
