"""`export`: what was wrapped comes out as it was, and Run:ai's own command line is told what the spec says."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.codecs.documents import documents_of
from runai_operator.codecs.yaml import dump_yaml
from runai_operator.commands.export import Wish, in_files
from runai_operator.commands.files import Item
from runai_operator.commands.wrap import Wish as WrapWish
from runai_operator.commands.wrap import wrap
from typed import rwl

REPOSITORY = Path(__file__).parents[3]
MANIFESTS = REPOSITORY / "tests" / "manifests"
WITH_A_NAME = sorted(path for path in MANIFESTS.iterdir() if path.name not in {"tfjob.yaml", "from-a-chart.yaml", "from-a-cluster.yaml"})  # fmt: skip


def items(text):
    return [Item("a.yaml", document, document.read()) for document in documents_of(text)]


@pytest.mark.parametrize("path", WITH_A_NAME, ids=lambda path: path.name)
def test_what_was_wrapped_comes_out_as_it_was(path):
    wrapped = rwl("wrap", path, "--project", "team-a").out
    done = rwl("export", "-", stdin=wrapped)

    assert (done.code, done.err) == (0, "")
    assert done.out.strip() == path.read_text().replace("---\n\n", "").strip()


def test_a_name_that_was_to_be_made_up_is_so_again():
    wrapped = rwl("wrap", MANIFESTS / "tfjob.yaml", "--project", "team-a").out
    done = rwl("export", "-", stdin=wrapped)

    assert "metadata:\n  generateName: tf-dist-\n" in done.out
    (document,), (original,) = documents_of(done.out), documents_of((MANIFESTS / "tfjob.yaml").read_text())
    assert document.read() == original.read()


VALUES = st.recursive(
    st.text(max_size=5) | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=5,
)
OWN = ("status", "kind", "apiVersion", "metadata")


@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(lambda key: key not in OWN), VALUES, max_size=3))
def test_nothing_is_lost_on_the_way_in_and_out(fields):
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}} | fields
    wrapped, problems = wrap(items(dump_yaml(manifest)), WrapWish({"projectName": "a"}))
    assert problems == []
    (exported,), problems = in_files(items(wrapped[0].text), Wish())

    assert problems == []
    assert [document.read() for document in documents_of(exported.text)] == [manifest]


HEAD = "apiVersion: bridge.run.ai/v1alpha1\nkind: RunaiWorkload\nmetadata: {name: train, namespace: team}\nspec:\n"
TAIL = "  manifest:\n    apiVersion: batch/v1\n    kind: Job\n"


def command_line(spec, tmp_path, *options, **status):
    text = HEAD + spec + TAIL + (dump_yaml({"status": status}) if status else "")
    done = rwl("export", "-", "-o", "runai", "-d", "plain", *options, stdin=text, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    return shlex.split(done.out)


@pytest.mark.parametrize(
    ("spec", "options", "status", "line"),
    [
        ("  projectName: a\n", [], {}, "train --file plain/train.yaml --project a"),
        ("  projectName: a\n  name: other\n", [], {}, "other --file plain/other.yaml --project a"),
        ("  projectName: a\n  namePrefix: x\n", [], {}, "--name-prefix x --file plain/x.yaml --project a"),
        ("  projectName: a\n  namePrefix: x\n", [], {"workloadName": "x-1"}, "x-1 --file plain/x-1.yaml --project a"),
        ("  projectId: '1'\n", [], {"projectName": "b"}, "train --file plain/train.yaml --project b"),
        ("  projectId: '1'\n", ["--project", "c"], {}, "train --file plain/train.yaml --project c"),
        (
            "  projectName: a\n  priority: hi; x\n  category: Train\n  preemptibility: preemptible\n  mnnvl: Required\n", [], {},
            "train --file plain/train.yaml --project a --priority 'hi; x' --category Train --preemptibility preemptible --mnnvl Required",
        ),
    ],
)  # fmt: skip
def test_the_command_of_run_ai_says_what_the_spec_says(spec, options, status, line, tmp_path):
    assert command_line(spec, tmp_path, *options, **status) == shlex.split(f"runai workload submit {line}")


def test_the_file_holds_the_manifest_with_its_name(tmp_path):
    command_line("  projectName: a\n", tmp_path)

    assert (
        tmp_path / "plain" / "train.yaml"
    ).read_text() == "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: train\n"


@pytest.mark.parametrize("name", ["''", "null", "~"])
def test_a_name_that_is_empty_is_replaced(name):
    done = rwl("export", "-", stdin=f"{HEAD}  projectName: a\n{TAIL}    metadata: {{name: {name}, labels: {{a: b}}}}\n")

    assert (done.code, done.err) == (0, "")
    [document] = documents_of(done.out)
    assert document.read()["metadata"] == {"name": "train", "labels": {"a": "b"}}


def test_every_example_with_a_manifest_is_exported_and_those_without_are_named(tmp_path):
    done = rwl("export", REPOSITORY / "deploy" / "examples", "-d", tmp_path / "plain")

    assert done.code == 0
    files = sorted((tmp_path / "plain").iterdir())
    assert [str(file) for file in files] == sorted(done.out.splitlines())
    assert "passed over: it only observes" in done.err


REFUSED = {
    "an id instead of a name": (HEAD + "  projectId: '1'\n" + TAIL, ["-o", "runai", "-d", "x"], 1, "train: only the id of its project is known, and commands need its name: give --project"),
    "no directory": (HEAD, ["-o", "runai"], 2, "kubectl rwl: -o runai submits files: give --directory. See kubectl rwl export --help."),
    "no manifest": (HEAD + "  projectName: a\n", [], 1, "<stdin>:4: It has no manifest"),
    "a source that is not there": (HEAD + "  projectName: a\n  manifestFrom: {configMapKeyRef: {name: a, key: b}}\n", [], 1, "<stdin>:4: Its manifest is in ConfigMap a, which is not in these files: give that one, too"),
    "nothing": ("# nothing", [], 1, "there is no RunaiWorkload: give at least one"),
    "nothing at all": ("", [], 1, "<stdin>:1: there is nothing on standard input: what writes to it may have failed"),
    "metadata that is none": (HEAD + "  projectName: a\n" + TAIL + "    metadata: [a]\n", [], 1, "<stdin>:4: The manifest is no object"),
    "a name that would be a path": (HEAD.replace("name: train", "name: ../train") + "  projectName: a\n" + TAIL, ["-d", "x"], 1, "<stdin>:4: It has no name that Run:ai takes (at most 63 lower-case letters, digits and '-', the first a letter, the last no '-')"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_exported_is_said_and_nothing_is_written(text, options, code, said, tmp_path):
    done = rwl("export", "-", *options, stdin=text, cwd=tmp_path)

    assert (done.code, done.out, done.err) == (code, "", f"{said}\n")
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(tmp_path):
    typed = ("export", REPOSITORY / "deploy" / "examples" / "job.yaml", "-d", tmp_path)
    first, second = rwl(*typed), rwl(*typed)

    assert (first.code, second.code) == (0, 2)
    assert second.sentence == f"{tmp_path}/vector-add.yaml is there already: choose another --directory."
