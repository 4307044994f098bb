"""`validate --dry-run` as it is typed, against the simulator: the verdict is Run:ai's, and nothing is left there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runai_operator.codecs.documents import documents_of
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import OwnerMark, Submission
from runai_operator.runai.client import Credentials, RunaiClient
from stack import QUICK, Simulator
from stack.processes import HANG_GUARD
from typed import BIN, rwl

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


def access_to(runai):
    return {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": "a",
        "RUNAI_CLIENT_SECRET": "b",
    }


def validate(runai, stdin, *options):
    return rwl("validate", "--dry-run", *options, "-", stdin=stdin, **access_to(runai))


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


@pytest.mark.parametrize("kind", ["garbage", "lost-answer", "error-after"])
def test_what_was_made_by_a_call_whose_answer_says_nothing_is_deleted_again(runai, kind):
    runai.switch(dry_run=False)
    runai.fault(
        kind, method="POST", path="/api/v2/workloads", count=1, **({"status": 502} if kind == "error-after" else {})
    )
    done = validate(runai, JOB)

    assert done.code == 1
    assert done.sentence.endswith(", which was deleted again. Do without --dry-run.")
    assert runai.effective_creates() == 1


def test_what_was_made_is_deleted_again_by_the_id_in_the_answer_where_the_lists_fail(runai):
    runai.switch(dry_run=False)
    runai.fault("status", status=503, method="GET", path="/api/v1/workloads")
    done = validate(runai, JOB)

    assert done.code == 1
    assert done.sentence.endswith(", which was deleted again. Do without --dry-run.")


def test_where_it_cannot_be_found_out_whether_something_was_made_its_name_is_said(runai):
    runai.switch(dry_run=False)
    runai.fault("garbage", method="POST", path="/api/v2/workloads", count=1)
    runai.fault("status", status=503, method="GET", path="/api/v1/workloads")
    done = validate(runai, JOB)
    [made] = runai.live()

    assert done.code == 3
    assert done.sentence.startswith(
        f"Whether the dry run has made the workload {made['name']} could not be found out: if it is in Run:ai, delete it there."
    )


def stopped(runai, number, is_time):
    """Exit code and standard error of a dry run that gets the signal as soon as it is time, and the seconds it went on."""
    env = access_to(runai) | {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    typed = [BIN / "kubectl-rwl", "validate", "--dry-run", "-"]
    with subprocess.Popen(typed, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdin.write(JOB)
        running.stdin.close()
        deadline = time.monotonic() + HANG_GUARD
        while not is_time():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        running.send_signal(number)
        said = running.stderr.read()
    return running.returncode, said, time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_who_stops_it_leaves_nothing_behind(runai, number):
    """By Ctrl-C, by `timeout` or a CI that cancels a job, or by closing the terminal. It comes while the answer to the first dry run is awaited, which has taken effect."""
    runai.switch(dry_run=False)
    runai.fault("slow-answer", method="POST", path="/api/v2/workloads", count=1, seconds=20)
    code, said, _ = stopped(runai, number, runai.live)

    assert code == 1
    assert said.endswith(", which was deleted again. Do without --dry-run.\n")
    assert [one for one in runai.live() if one["desiredPhase"] != "Deleted"] == []


def test_who_stops_it_does_not_wait_for_as_long_as_run_ai_asks(runai):
    runai.fault("status", status=429, after="60", method="GET", path="/api/v1/workloads")
    code, said, seconds = stopped(runai, signal.SIGTERM, lambda: runai.calls("POST"))

    assert code == 3
    assert "Whether the dry run has made the workload rwl-dry-run-" in said
    assert seconds < 15


def test_where_run_ai_fails_what_is_known_by_then_is_said(runai):
    taken, wrong, other = JOB, JOB.replace("projectName", "projctName"), JOB.replace("train", "other")
    refused = JOB.replace("team-a", "nowhere").replace("train", "refused")
    runai.fault("status", method="POST", path="/api/v2/workloads", count=-1, status=500)
    done = validate(runai, f"{refused}---\n{wrong}---\n{taken}---\n{other}")

    assert "Project nowhere is not in Run:ai" in done.out.splitlines()[0]
    assert "<stdin>:11: spec has no field projctName: did you mean projectName?" in done.out
    summary, error = done.err.splitlines()
    assert summary == "4 RunaiWorkloads, 3 problems so far: Run:ai has given no answer about 2 of them"
    assert "It is not known whether the request to check the workload took effect" in error
    assert done.code == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("dry_run", [True, False], ids=["known", "ignored"])
def test_where_run_ai_throttles_it_is_waited_for_as_long_as_it_asks(runai, method, dry_run):
    runai.switch(dry_run=dry_run)
    runai.fault("status", status=429, after="1", method=method, count=2)
    began = time.monotonic()
    done = validate(runai, JOB)

    assert done.code == (0 if dry_run else 1), done.err
    assert dry_run or done.sentence.endswith(", which was deleted again. Do without --dry-run.")
    assert time.monotonic() - began > 2 or (dry_run and method == "DELETE")


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
