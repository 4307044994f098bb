"""`orphans list|delete|forget` as people type it, with their own kubeconfig, on a real API server and the simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import Orphan, OwnerMark
from runai_operator.kube.wire import ORPHANS, orphan_entry
from stack import Installed, People, manifest_of
from stack.processes import CLIENT_ID, CLIENT_SECRET
from typed import BIN, rwl

RUNS_ON = manifest_of("Deployment")


@pytest.fixture
def orphans(control_plane, namespace):
    def run(*arguments, **env):
        return rwl("orphans", *arguments, "-n", namespace, kubeconfig=control_plane.kubeconfig, **env)

    return run


@pytest.fixture
def record(control_plane, namespace):
    """Writes the record of an operator in the test's namespace; reads it back."""
    metadata = {"name": ORPHANS, "namespace": namespace}
    path = f"/api/v1/namespaces/{namespace}/configmaps/{ORPHANS}"

    def write(**entries):
        control_plane.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries})
        return lambda: set(control_plane.client.get(path).get("data") or {})

    return write


def entry(uid="uid-1", **changes):
    told = {
        "mark": OwnerMark("install-1", "team-a", "train", uid),
        "name": "train",
        "project_id": "1",
        "project_name": None,
        "workload_id": None,
        "why": "RunaiUnavailable",
    }
    return orphan_entry(Orphan(**told | changes))


def test_the_record_is_listed_in_every_format(orphans, record):
    record(**{"uid-1": entry(), "uid-2": "nonsense"})

    assert orphans().out == orphans("list").out
    lines = orphans().out.splitlines()
    assert lines[0].split() == ["UID", "OBJECT", "PROJECT", "WORKLOAD", "ID", "SINCE", "REASON", "RECORD"]
    assert lines[1].split()[:6] == ["uid-1", "team-a/train", "1", "train", "-", "-"]
    assert lines[2].split()[:3] == ["uid-2", "(unreadable)", "-"]
    assert orphans("-o", "name").out == "uid-1\nuid-2\n"
    assert json.loads(orphans("-o", "json").out)["items"][0]["object"] == "team-a/train"


def test_without_a_namespace_the_record_is_found_wherever_it_is(control_plane, namespace, record):
    record(**{f"uid-{namespace}": entry()})

    assert f"uid-{namespace}" in rwl("orphans", kubeconfig=control_plane.kubeconfig).out


def test_where_there_is_no_record_nothing_is_on_it(orphans):
    done = orphans()

    assert (done.code, done.out, done.err) == (0, "", "Nothing is on record.\n")


@pytest.mark.parametrize("which", ["uid-1", "team-a/train"])
def test_what_is_forgotten_leaves_the_record_and_nothing_else_does(orphans, record, which):
    left = record(**{"uid-1": entry(), "uid-2": entry("uid-2", mark=OwnerMark("i", "team-b", "train", "uid-2"))})
    done = orphans("forget", which)

    assert done.code == 0
    assert left() == {"uid-2"}


def test_what_is_still_ours_is_deleted_in_run_ai_and_then_leaves_the_record(
    operator, runai, workloads, orphans, record, namespace
):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    item = workloads.get("train")
    operator.kill()
    workloads.patch("train", {"metadata": {"finalizers": None}})
    workloads.delete("train")
    uid = item["metadata"]["uid"]
    mark = OwnerMark(f"install-{namespace}", namespace, "train", uid)
    left = record(**{uid: entry(mark=mark, workload_id=item["status"]["workloadId"]), "uid-2": "nonsense"})
    access = access_to(runai)
    asked = orphans("delete", uid, **access)

    assert (asked.code, "deletion requested" in asked.out) == (0, True)
    workloads_gone(runai)
    again = orphans("delete", "--all", "-o", "json", **access)
    assert again.code == 1, "the unreadable one is kept"
    results = {one["uid"]: one["result"] for one in json.loads(again.out)["items"]}
    assert results[uid] == "gone from Run:ai: taken out of the record"
    assert results["uid-2"].startswith("kept: the entry cannot be read")
    assert left() == {"uid-2"}


@pytest.fixture
def installed(control_plane, namespace, runai):
    """The operator, with its credentials in its Secret."""
    return Installed(control_plane.client, namespace, runai.url)


def left_behind(runai, namespace):
    """An entry for a workload in Run:ai that has the mark of an object which is gone."""
    mark = OwnerMark("install-1", namespace, "train", "uid-1")
    with People(runai.url) as people:
        workload_id = people.submit("train", marked(mark))
    return entry(mark=mark, workload_id=workload_id)


def test_what_is_left_is_deleted_with_the_access_of_the_operator(runai, orphans, record, namespace, installed):
    left = record(**{"uid-1": left_behind(runai, namespace)})

    assert "deletion requested" in orphans("delete", "--all", "--as-operator").out
    workloads_gone(runai)
    assert orphans("delete", "--all", "--as-operator").code == 0
    assert left() == set()


def test_the_operators_own_table_of_access_holds_for_who_deletes_with_its_access(
    runai, orphans, record, namespace, installed, control_plane
):
    """It knows of no table on the machine of who calls."""
    record(**{"uid-1": left_behind(runai, namespace)})
    with_table(control_plane, installed, "- namespaces: [elsewhere]\n  projects: ['*']\n")
    done = orphans("delete", "--all", "--as-operator")

    assert done.code == 1
    assert f"objects in namespace {namespace} may not use its project team-a (runai.access)" in done.out
    assert runai.calls("DELETE") == 0


def test_a_table_of_access_that_cannot_be_read_deletes_nothing(
    runai, orphans, record, namespace, installed, control_plane
):
    record(**{"uid-1": left_behind(runai, namespace)})
    installed.settings(RUNAI_BASE_URL=runai.url, RUNAI_ALLOW_HTTP="true", RUNAI_ACCESS_FILE="/etc/elsewhere.yaml")
    done = orphans("delete", "--all", "--as-operator")

    assert (done.code, done.out, runai.calls("DELETE")) == (2, "", 0)
    assert done.sentence.startswith("The table of access of operator ")


def access_to(runai):
    return {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": CLIENT_ID,
        "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
    }


def test_who_stops_it_is_told_what_was_done_by_then(control_plane, runai, record, namespace):
    marks = [OwnerMark("install-1", namespace, f"train-{number}", f"uid-{number}") for number in range(3)]
    with People(runai.url) as people:
        ids = [people.submit(mark.name, marked(mark)) for mark in marks]
    record(**{mark.uid: entry(mark=mark, workload_id=each) for mark, each in zip(marks, ids, strict=True)})
    runai.fault("latency", method="GET", path=f"/api/v2/workloads/{ids[1]}", seconds=60)
    env = {"PATH": os.environ["PATH"], "KUBECONFIG": str(control_plane.kubeconfig), **access_to(runai)}
    typed = [BIN / "kubectl-rwl", "orphans", "delete", "--all", "-n", namespace]
    with subprocess.Popen(typed, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        runai.wait_until("the second", lambda: runai.calls("DELETE") == 1)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)

    assert running.returncode == 130
    assert [line.split()[0] for line in out.splitlines()] == ["UID", "uid-0"]
    assert "deletion requested" in out
    assert err == "It ended after 1 of 3, and the next may have been begun: give it again for the others.\n"


def test_names_are_printed_of_what_was_not_kept(runai, record, orphans, namespace):
    record(**{"uid-1": left_behind(runai, namespace), "uid-2": "nonsense"})
    done = orphans("delete", "--all", "-o", "name", **access_to(runai))

    assert (done.code, done.out) == (1, "uid-1\n")


def marked(mark):
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": mark.name}, "spec": {}}
    return with_mark(manifest, name=mark.name, mark=mark)


def with_table(control_plane, installed, text):
    """As the chart mounts it."""
    installed.apply("v1", "ConfigMap", "access", data={"access.yaml": text})
    container = {
        "name": "operator",
        "env": [{"name": "RUNAI_ACCESS_FILE", "value": "/etc/access/access.yaml"}],
        "volumeMounts": [{"name": "access", "mountPath": "/etc/access"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "access", "configMap": {"name": "access"}}]}
    control_plane.client.request(
        "PATCH",
        installed.path,
        body={"spec": {"template": {"spec": pod}}},
        content_type="application/strategic-merge-patch+json",
    )


def workloads_gone(runai):
    runai.wait_until("no workload", lambda: runai.live() == [])


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (["delete"], 2, "Say which to delete: their UIDs, NAMESPACE/NAME, or --all."),
        (["forget", "uid-1", "--all"], 2, "Say which to forget: their UIDs, NAMESPACE/NAME, or --all."),
        (["list", "uid-1"], 2, "list names all of them: it takes neither names nor --all."),
        (["forget", "uid-9"], 1, "uid-9 is not on record."),
        (["list", "--as-operator"], 2, "list does not ask Run:ai, so it takes no access to it."),
        (["delete", "--all"], 2, "RUNAI_CLIENT_SECRET is not set, nor is RUNAI_CLIENT_SECRET_FILE;"),
    ],
)
def test_what_makes_no_sense_ends_in_one_sentence(typed, code, sentence, orphans, record):
    left = record(**{"uid-1": entry()})
    done = orphans(*typed)

    assert (done.code, done.out) == (code, "")
    assert done.sentence.startswith(sentence)
    assert left() == {"uid-1"}


def test_who_may_not_look_everywhere_is_told_what_to_name(control_plane, namespace):
    control_plane.client.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    )
    done = rwl("orphans", kubeconfig=control_plane.service_account_kubeconfig(namespace, "nobody"))

    assert (done.code, done.out) == (3, "")
    assert done.sentence.startswith("You are not allowed to list configmaps.")
    assert done.sentence.endswith("Or name the namespace of the operator with -n.")


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ([], "the operator's"),
        (["--delete"], "the operator's"),
        (["--help"], "the operator's"),
        (["list"], "that for people"),
        (["-n", "x"], "that for people"),
    ],
)
def test_the_program_in_the_image_keeps_its_own(typed, who):
    done = subprocess.run(
        [BIN / "runai-operator", "orphans", *typed],
        env={"HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr

    assert ("There is no kubeconfig" in said) == (who == "that for people"), said
