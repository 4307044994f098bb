"""`validate --dry-run` as it is typed, against the simulator: the verdict is Run:ai's, and nothing is left there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from runai_operator.codecs.documents import documents_of
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import OwnerMark, Submission
from runai_operator.runai.client import Credentials, RunaiClient
from stack import QUICK, Simulator
from typed import rwl

FOLDER = Path(__file__).parents[1] / "manifests"
JOB = """\
apiVersion: bridge.run.ai/v1alpha1
kind: RunaiWorkload
metadata: {name: train}
spec:
  projectName: team-a
  manifest: {apiVersion: batch/v1, kind: Job, metadata: {name: of-its-own}, spec: {}}
"""


@pytest.fixture
def runai(tmp_path) -> Iterator[Simulator]:
    with Simulator(tmp_path, **QUICK) as running:
        yield running


def validate(runai, stdin, *options):
    access = {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": "a",
        "RUNAI_CLIENT_SECRET": "b",
    }
    return rwl("validate", "--dry-run", *options, "-", stdin=stdin, **access)


async def test_public_manifests_are_wrapped_found_valid_taken_by_a_dry_run_and_then_submitted(runai):
    wrapped = rwl("wrap", FOLDER, "--project", "team-a", "--others", "drop").out
    done = await asyncio.to_thread(validate, runai, wrapped)

    assert (done.code, done.out) == (0, ""), done.err
    assert runai.all() == []

    client = RunaiClient(base_url=runai.url, credentials=Credentials("a", secret="b"), allow_http=True)
    values = [document.read() for document in documents_of(wrapped)]
    try:
        (project,) = await client.projects(name="team-a", cluster_id=None)
        for value in values:
            name, manifest = value["metadata"]["name"], value["spec"]["manifest"]
            marked = with_mark(manifest, name=name, mark=OwnerMark("install", "team", name, name))
            await client.create(Submission(name, project.id, marked))
    finally:
        await client.aclose()
    assert len(runai.live()) == len(values)


REFUSED = {
    "a kind that is not registered": (JOB.replace("batch/v1, kind: Job", "example.com/v1, kind: Nothing"), "workload type not found"),
    "a priority that there is not": (f"{JOB}  priority: highest\n", "priority"),
    "a project that there is not": (JOB.replace("team-a", "team-z"), "Project team-z is not in Run:ai"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_run_ai_refuses_is_said_in_its_words_with_the_place(runai, text, said):
    done = validate(runai, text)

    assert done.code == 1
    assert done.out.startswith("<stdin>:4: ")
    assert said in done.out
    assert runai.all() == []


def test_what_our_checks_refuse_is_not_shown_to_run_ai(runai):
    done = validate(runai, f"{JOB}  clusterId: x\n")

    assert done.code == 1
    assert runai.calls("POST") == 0


async def test_one_that_exists_is_checked_under_another_name_and_that_is_said(runai):
    client = RunaiClient(base_url=runai.url, credentials=Credentials("a", secret="b"), allow_http=True)
    try:
        (project,) = await client.projects(name="team-a", cluster_id=None)
        await client.create(Submission("train", project.id, {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}))
        while not await client.find(name="train", project_id=project.id):
            pass
    finally:
        await client.aclose()
    done = await asyncio.to_thread(validate, runai, JOB)

    assert (done.code, done.out) == (0, "")
    assert "train exists in Run:ai: it was checked as a new workload under another name\n" in done.err
    assert len(runai.all()) == 1


def test_a_release_that_ignores_the_flag_is_noticed_by_a_job_that_never_starts_which_is_deleted_again(runai):
    runai.switch(dry_run=False)
    done = validate(runai, JOB)

    assert (done.code, done.out) == (1, "")
    assert done.sentence.startswith(
        "This Run:ai does not know dry runs (those before 2.25 do not): one has made the workload rwl-dry-run-"
    )
    assert done.sentence.endswith(", which was deleted again. Do without --dry-run.")
    assert runai.effective_creates() == 1, "what was asked about was never sent"
    assert all(entry["name"].startswith("rwl-dry-run-") for entry in runai.all())


def test_what_was_made_and_cannot_be_deleted_is_named(runai):
    runai.switch(dry_run=False)
    runai.fault("status", status=403, method="DELETE")
    done = validate(runai, JOB)

    assert done.code == 1
    assert "which could not be deleted: delete it in Run:ai." in done.sentence


def test_options_say_how_run_ai_is_reached_in_place_of_the_environment(runai, tmp_path):
    (tmp_path / "secret").write_text("b\n")
    options = ["--runai-url", runai.url, "--client-id", "a", "--client-secret-file", tmp_path / "secret"]
    elsewhere = {"RUNAI_BASE_URL": "http://127.0.0.1:9", "RUNAI_CLIENT_SECRET": "wrong", "RUNAI_ALLOW_HTTP": "true"}
    done = rwl("validate", "--dry-run", *options, "-", stdin=JOB, **elsewhere)

    assert (done.code, done.out) == (0, ""), done.err
    assert runai.calls("POST") > 0


def test_access_to_run_ai_without_asking_it_makes_no_sense():
    done = rwl("validate", "--as-operator", "-", stdin=JOB)

    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith("Run:ai is only asked with --dry-run: give it, too.")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"RUNAI_BASE_URL": ""}, 2, "RUNAI_BASE_URL is not set"),
        ({"RUNAI_BASE_URL": "http://127.0.0.1:9"}, 3, "Run:ai"),
    ],
)
def test_without_access_to_run_ai_one_sentence_says_so(changed, code, said):
    access = {"RUNAI_ALLOW_HTTP": "true", "RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "b"}
    done = rwl("validate", "--dry-run", "-", stdin=JOB, **(access | changed))

    assert (done.code, done.out) == (code, "")
    assert said in done.sentence
