"""`wait` as it is typed, on a real API server, with the operator and the simulator where they are needed."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from readers.live import workload
from runai_operator.domain.model import FINALIZER
from stack import manifest_of
from typed import BIN, rwl

RUNS_ON = manifest_of("Deployment")


@pytest.fixture
def wait(control_plane, namespace):
    def run(*arguments):
        return rwl("wait", *arguments, "-n", namespace, kubeconfig=control_plane.kubeconfig)

    return run


@pytest.fixture
def start(control_plane, namespace):
    """Starts to wait, and returns the process."""
    started = []

    def run(*arguments, **options):
        env = {
            "KUBECONFIG": str(control_plane.kubeconfig),
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
        }
        command = [BIN / "kubectl-rwl", "wait", "-n", namespace, *arguments]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        started.append(subprocess.Popen(command, env=env, **options))
        return started[-1]

    yield run
    for process in started:
        process.kill()


def test_a_job_is_followed_to_its_end(operator, workloads, wait):
    workloads.apply("train")
    done = wait("train", "--for", "completed", "--timeout", "60s")

    assert done.code == 0
    assert done.out.splitlines()[1].split()[:3] == ["train", "completed", "Completed"]
    lines = done.err.splitlines()
    assert lines[-1] == "train: Completed: The workload has completed."
    assert len(lines) == len(set(lines))


def test_a_failure_ends_it_at_once(operator, workloads, wait):
    workloads.apply("good", manifest=RUNS_ON)
    workloads.apply("bad", projectName="nowhere")
    done = wait("good", "bad", "--for", "completed", "--timeout", "90s")

    assert done.code == 1
    assert done.out.splitlines()[2].split()[:3] == ["bad", "failed", "ProjectNotFound"]


def test_with_keep_going_the_others_are_waited_for(operator, workloads, wait):
    workloads.apply("bad", projectName="nowhere")
    workloads.wait_condition("bad", "Stalled", "True")
    workloads.apply("good", manifest=RUNS_ON)
    done = wait("bad", "good", "--keep-going", "--timeout", "90s", "-o", "json")

    assert done.code == 1
    assert [one["result"] for one in json.loads(done.out)["items"]] == ["failed", "ready"]


def test_a_deletion_is_waited_for_until_it_is_gone_in_run_ai(operator, runai, workloads, start):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True")
    waiting = start("train", "--for", "deleted", "--timeout", "60s", "-o", "name")
    assert waiting.stderr.readline() == "train: NotDeleted: Nobody has deleted it yet.\n"
    workloads.delete("train")
    out, _ = waiting.communicate(timeout=60)

    assert (waiting.returncode, out) == (0, "runaiworkload.bridge.run.ai/train\n")
    assert runai.live() == []


def test_what_is_deleted_will_never_be_ready(control_plane, namespace, start):
    item = workload("train", namespace)
    item["metadata"]["finalizers"] = [FINALIZER]
    control_plane.client.apply(item)
    waiting = start("train")
    assert waiting.stderr.readline() == "train: NotSeen: The operator has not seen it yet.\n"
    control_plane.client.delete(control_plane.client.path_of(item))
    out, _ = waiting.communicate(timeout=60)

    assert waiting.returncode == 1
    assert out.splitlines()[1].split()[:3] == ["train", "failed", "Deleting"]


def test_what_is_gone_already_has_been_deleted(wait):
    done = wait("ghost", "--for", "deleted")

    assert done.code == 0
    assert done.out.splitlines()[1].split()[:3] == ["ghost", "deleted", "Deleted"]


@pytest.mark.parametrize("timeout", ["0", "1s"])
def test_when_time_is_up_it_says_how_far_it_came(control_plane, namespace, wait, timeout):
    control_plane.client.apply(workload("train", namespace))
    done = wait("train", "--timeout", timeout)

    assert done.code == 4
    assert done.out.splitlines()[1].split()[:3] == ["train", "waiting", "NotSeen"]


def test_ctrl_c_ends_it_quietly(control_plane, namespace, start):
    control_plane.client.apply(workload("train", namespace))
    waiting = start("train")
    waiting.stderr.readline()
    waiting.send_signal(2)
    out, err = waiting.communicate(timeout=30)

    assert (waiting.returncode, out, err) == (130, "", "")


def test_on_a_terminal_a_line_is_kept_up_to_date_and_taken_away(control_plane, namespace, start):
    control_plane.client.apply(workload("train", namespace))
    reader, terminal = pty.openpty()
    waiting = start("train", "--timeout", "2s", stderr=terminal)
    os.close(terminal)
    out, _ = waiting.communicate(timeout=60)
    shown = os.read(reader, 10_000).decode()

    assert waiting.returncode == 4
    assert "train: NotSeen: The operator has not seen it yet." in shown
    assert shown.endswith("\x1b[1A\r\x1b[J")
    assert out.startswith("NAME")


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (["ghost"], 1, "There is no runaiworkloads ghost in namespace {namespace}."),
        (["-l", "a=b"], 1, "No RunaiWorkload in namespace {namespace} has the labels a=b."),
        (["ghost", "--timeout", "soon"], 2, "Invalid value for '--timeout': is 'soon', not a duration such as 90s, 30m or 1h30m."),
        (["ghost", "--for", "luck"], 2, "Invalid value for '--for': 'luck' is not one of 'ready', 'completed', 'deleted'."),
    ],
)  # fmt: skip
def test_what_cannot_be_waited_for_ends_in_one_sentence(typed, code, sentence, wait, namespace):
    done = wait(*typed)

    assert (done.code, done.out) == (code, "")
    assert done.sentence.startswith(sentence.format(namespace=namespace))


def test_without_the_right_to_watch_one_sentence_says_so(control_plane, namespace):
    control_plane.client.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    )
    done = rwl("wait", "train", kubeconfig=control_plane.service_account_kubeconfig(namespace, "nobody"))

    assert (done.code, done.out) == (3, "")
    assert done.sentence.startswith(f"You are not allowed to get runaiworkloads in namespace {namespace}.")
