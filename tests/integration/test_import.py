"""`import` as it is typed: a real API server, the simulator, and for what follows the running operator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
import yaml

from runai_operator.commands.runai_access import AT_ONCE
from runai_operator.domain.manifest import normalised
from stack import Installed, People, manifest_of
from stack.people import STAYS
from stack.processes import CLIENT_ID, CLIENT_SECRET
from stack.workloads import condition
from typed import BIN, rwl

MANY = 500
PATIENCE = 600
"""Seconds after which something hangs."""


def job(**annotations):
    return manifest_of("Job", **STAYS, **annotations)


@pytest.fixture
def people(runai):
    with People(runai.url) as made:
        yield made


@pytest.fixture
def typed(control_plane, namespace, runai):
    """Runs `kubectl rwl import` in the test's namespace."""
    env = {"RUNAI_BASE_URL": runai.url, "RUNAI_CLIENT_ID": CLIENT_ID, "RUNAI_CLIENT_SECRET": CLIENT_SECRET}

    def run(*arguments, kubeconfig=None, **other):
        environment = {name: value for name, value in (env | {"RUNAI_ALLOW_HTTP": "true"} | other).items() if value}
        at = kubeconfig or control_plane.kubeconfig
        return rwl("import", "-n", namespace, *arguments, kubeconfig=at, **environment)

    return run


def content(manifest):
    """A manifest to be compared, without the name that the operator and an export give to one that has none."""
    normal = normalised(manifest)
    metadata = {key: value for key, value in normal["metadata"].items() if key != "name"}
    return json.dumps(normal | {"metadata": metadata}, sort_keys=True)


def settled(workloads, count):
    """All objects of the namespace, once they are `count`, and Ready."""
    deadline = time.monotonic() + PATIENCE
    while True:
        items = workloads.all()
        ready = [item for item in items if (condition(item, "Ready") or {}).get("status") == "True"]
        if len(ready) == count:
            return items
        waiting = [(item["metadata"]["name"], item.get("status")) for item in items if item not in ready]
        assert time.monotonic() < deadline, (len(ready), waiting[:2])
        time.sleep(0.01 * count + 0.1)


@pytest.mark.timeout(2 * PATIENCE)
def test_five_hundred_running_workloads_are_adopted_by_one_put_each_and_nothing_is_lost(
    people, runai, typed, workloads, start_operator, tmp_path
):
    priorities, ids = ("low", "high", "medium"), {}
    for number in range(MANY):
        name = f"train-{number:03}"
        manifest = job(team=f"team-{number % 7}") if number % 2 else manifest_of("Deployment")
        manifest["spec"]["someField"] = {"number": number, "list": [1.5, None, "0o17", "yes", True]}
        ids[people.submit(name, manifest, priority=priorities[number % 3], preemptibility="preemptible")] = name
    people.wait_until_listed(MANY)
    before = {one: people.shown(one) for one in ids}
    running_since = {row["id"]: row["phaseUpdatedAt"] for row in people.rows()}
    runai.admin("DELETE", "counters")
    first = start_operator()

    done = typed("--project", "team-a", "--apply")
    assert (done.code, done.out.count("\nkind: RunaiWorkload\n")) == (0, MANY), done.err
    assert f"Created {MANY} of {MANY} RunaiWorkloads" in done.err
    assert "Read 100 of 500." in done.err
    (tmp_path / "taken.yaml").write_text(done.out)
    exported = rwl("export", tmp_path / "taken.yaml")
    assert exported.code == 0, exported.err
    plain = sorted(map(content, yaml.safe_load_all(exported.out)))
    assert plain == sorted(content(was["rawManifest"]) for was in before.values())
    items = settled(workloads, MANY)

    assert (runai.effective_creates(), runai.calls("PUT"), runai.calls("DELETE")) == (0, MANY, 0)
    assert {item["status"]["workloadId"]: item["metadata"]["name"] for item in items} == ids
    after = {one: people.shown(one) for one in ids}
    for one, was in before.items():
        assert content(after[one]["rawManifest"]) == content(was["rawManifest"])
        assert after[one]["rawManifest"]["metadata"]["annotations"]["bridge.run.ai/owner-name"] == ids[one]
        for field in ("name", "projectId", "priority", "category", "preemptibility"):
            assert after[one]["metadata"][field] == was["metadata"][field]
    assert {row["id"]: row["phaseUpdatedAt"] for row in people.rows()} == running_since, "nothing ran again"

    first.terminate()
    start_operator()
    workloads.annotate("train-001", "reconcile-requested-at", "now")
    workloads.wait("train-001", lambda item: item["status"].get("lastHandledReconcileAt") == "now")
    assert (runai.effective_creates(), runai.calls("PUT")) == (0, MANY), "no PUT without a change"
    again = typed("--project", "team-a")
    assert (again.code, again.out) == (0, "")
    assert f"0 of {MANY} workloads in project team-a can be taken over, {MANY} are left out." in again.err


def test_what_is_printed_is_what_runai_holds_without_what_servers_and_tools_wrote(people, runai, typed, namespace):
    manifest = job(team="blue", **{"argocd.argoproj.io/tracking-id": "x", "bridge.run.ai/content": "v1:0"})
    manifest["metadata"] |= {"uid": "1", "resourceVersion": "7", "managedFields": [], "labels": {"app": "x"}}
    manifest |= {"status": {"active": 1}}
    one = people.submit("train", manifest, priority="low", category="Train")
    people.wait_until_listed(1)

    done = typed("--project", "team-a")

    assert done.code == 0
    assert list(yaml.safe_load_all(done.out)) == [
        {
            "apiVersion": "bridge.run.ai/v1alpha1",
            "kind": "RunaiWorkload",
            "metadata": {"name": "train", "namespace": namespace},
            "spec": {
                "projectName": "team-a",
                "workloadId": one,
                "priority": "low",
                "category": "Train",
                "preemptibility": "preemptible",
                "manifest": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"labels": {"app": "x"}, "annotations": {**STAYS, "team": "blue"}},
                    "spec": manifest["spec"],
                },
            },
        }
    ]
    assert done.err.startswith(
        "1 of 1 workloads in project team-a can be taken over, 0 are left out. Nothing was changed"
    )
    assert runai.calls("PUT") == 0


def test_only_what_is_wished_for_is_taken(people, typed):
    for name, kind in (("train-a", "Job"), ("train-b", "Deployment"), ("serve-a", "Deployment")):
        people.submit(name, manifest_of(kind, **STAYS))
    people.submit("elsewhere", project="2")
    people.wait_until_listed(4)

    def names(*arguments):
        return [line.rpartition("/")[2] for line in typed("--project", "team-a", "-o", "name", *arguments).out.split()]

    assert names() == ["train-a", "train-b", "serve-a"]
    assert names("--name", "train-*") == ["train-a", "train-b"]
    assert names("--kind", "deployment") == ["train-b", "serve-a"]
    assert names("--kind", "Job", "--name", "serve*") == []


def test_what_cannot_be_taken_over_is_left_out_with_the_reason(people, runai, typed, workloads, namespace):
    owned, observed = people.submit("owned"), people.submit("observed")
    workloads.apply("mine", workloadId=owned, manifest=job())
    workloads.apply("watcher", workloadId=observed, managementPolicy="Observe")
    mark = {"owner-install": "other", "owner-namespace": "ns", "owner-name": "theirs", "owner-uid": "u"}
    people.submit("marked", job(**{f"bridge.run.ai/{key}": value for key, value in mark.items()}))
    left = {**mark, "owner-install": f"install-{namespace}"}
    people.submit("left-behind", job(**{f"bridge.run.ai/{key}": value for key, value in left.items()}))
    failed = people.submit("failed", manifest_of("Job", **{"simulator.run.ai/end": "Failed"}))
    people.submit("completed", manifest_of("Job"))
    leaving = people.submit("leaving", job(**{"simulator.run.ai/delete-time": "never"}))
    people.http.delete(f"/api/v2/workloads/{leaving}")
    people.wait_until_listed(1, "Failed")
    people.wait_until_listed(1, "Completed")
    runai.admin("DELETE", "counters")

    done = typed("--project", "team-a", "-o", "name", "--install-id", f"install-{namespace}")

    assert (done.code, done.out) == (0, "runaiworkload.bridge.run.ai/left-behind\n")
    said = dict(line.split(" is left out: ") for line in done.err.splitlines()[:-1])
    assert {name.split(" ")[0]: why for name, why in said.items()} == {
        "owned": f"RunaiWorkload {namespace}/mine has it.",
        "observed": f"RunaiWorkload {namespace}/watcher has it.",
        "marked": (
            "RunaiWorkload ns/theirs of another install has it. If this is what the operator of this cluster is called, or was"
            " once (OPERATOR_FORMER_INSTALL_IDS), give --install-id other."
        ),
        "failed": "it has failed, and a change could run it again.",
        "completed": "it has completed.",
        "leaving": "it is being deleted.",
    }
    assert f"({failed})" in done.err
    assert "1 of 7 workloads" in done.err.splitlines()[-1]


def test_what_cannot_be_read_is_named_and_the_others_are_taken_over(people, runai, typed, workloads):
    """One row of the list, and one workload for which Run:ai fails whenever it is asked."""
    broken = people.submit("broken")
    people.submit("train")
    people.wait_until_listed(2)
    runai.fault("unreadable-row", path="/api/v1/workloads$")
    runai.fault("garbage", path=f"/api/v2/workloads/{broken}")

    done = typed("--project", "team-a", "-o", "name", "--apply")

    assert (done.code, done.out) == (1, "runaiworkload.bridge.run.ai/train\n")
    assert f"broken ({broken}): " in done.err
    assert "A workload without a name (no id): Run:ai lists it in a form that cannot be read." in done.err
    assert "1 of 3 workloads in project team-a can be taken over, 2 are left out." in done.err
    assert [item["metadata"]["name"] for item in workloads.all()] == ["train"]


def test_what_another_object_left_behind_is_adopted(people, runai, typed, workloads, namespace, operator):
    left = {"owner-install": f"install-{namespace}", "owner-namespace": "ns", "owner-name": "gone", "owner-uid": "u"}
    one = people.submit("left-behind", job(**{f"bridge.run.ai/{key}": value for key, value in left.items()}))
    people.wait_until_listed(1)

    assert typed("--project", "team-a", "--install-id", f"install-{namespace}", "--apply").code == 0

    assert settled(workloads, 1)[0]["status"]["workloadId"] == one
    assert runai.effective_creates() == 1


def test_observed_workloads_are_never_written_to(people, runai, typed, workloads, operator):
    runai.switch(raw_manifest_echo=False)
    one = people.submit("train")
    people.wait_until_listed(1)
    assert "Run:ai does not show its manifest" in typed("--project", "team-a").err

    done = typed("--project", "team-a", "--observe", "--apply")

    assert done.code == 0
    assert yaml.safe_load(done.out)["spec"] == {"managementPolicy": "Observe", "workloadId": one}
    assert settled(workloads, 1)[0]["status"]["phase"] == "Running"
    assert (runai.calls("PUT"), runai.calls("DELETE")) == (0, 0)


def test_names_are_made_unique_and_the_name_in_runai_is_kept(people, typed, workloads):
    one = people.submit("train")
    people.wait_until_listed(1)
    workloads.apply("train")

    item = json.loads(typed("--project", "team-a", "-o", "json").out)["items"][0]

    assert (item["metadata"]["name"], item["spec"]["name"]) == (f"train-{one[:8]}", "train")


def test_what_is_large_in_another_script_is_taken_as_kubectl_would_send_it(people, typed, workloads):
    """Escaped, it would be longer than a request to Kubernetes may be."""
    text, manifest = "ж" * 650_000, job()
    manifest["spec"]["template"]["spec"]["containers"][0]["args"] = [text]
    people.submit("train", manifest=manifest)
    people.wait_until_listed(1)
    done = typed("--project", "team-a", "--apply", "-o", "name")

    assert done.code == 0, done.err
    [container] = workloads.get("train")["spec"]["manifest"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [text]


def test_a_dry_run_asks_kubernetes_and_creates_nothing(people, typed, workloads):
    people.submit("train")
    people.wait_until_listed(1)

    done = typed("--project", "team-a", "--dry-run", "server", "-o", "table")

    assert done.code == 0
    assert done.out.splitlines()[0].split() == ["WORKLOAD", "KIND", "PHASE", "ID", "RUNAIWORKLOAD"]
    assert "Kubernetes would accept 1 of 1 RunaiWorkloads" in done.err
    assert workloads.all() == []


def test_credentials_can_be_those_of_the_operator(control_plane, people, typed, runai, namespace):
    people.submit("train")
    people.wait_until_listed(1)
    Installed(control_plane.client, namespace, runai.url)
    nothing = {"RUNAI_BASE_URL": "", "RUNAI_CLIENT_ID": "", "RUNAI_CLIENT_SECRET": "", "RUNAI_ALLOW_HTTP": ""}

    done = typed("--project", "team-a", "--as-operator", "--operator-namespace", namespace, "-o", "name", **nothing)

    assert (done.code, done.out) == (0, "runaiworkload.bridge.run.ai/train\n"), done.err


@pytest.fixture
def nobody(control_plane, namespace):
    """The kubeconfig of a ServiceAccount without any rights."""
    control_plane.client.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    )
    return control_plane.service_account_kubeconfig(namespace, "nobody")


def test_bad_input_ends_in_one_sentence_and_its_exit_code(typed, tmp_path, nobody):
    def ends(*arguments, **more):
        done = typed("--project", "team-a", *arguments, **more)
        return done.code, done.sentence

    assert ends(RUNAI_CLIENT_SECRET="wrong")[0] == 3
    assert "RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET" in ends(RUNAI_CLIENT_SECRET="wrong")[1]
    assert ends(RUNAI_BASE_URL="") == (2, "RUNAI_BASE_URL is not set")
    assert ends(RUNAI_BASE_URL="http://127.0.0.1:9")[0] == 3
    assert ends("--as-operator", "--operator-namespace", "default")[0] == 2
    assert ends("--cluster-id", "71f6a0b2-0000-0000-0000-000000000000")[0] == 2
    assert ends(kubeconfig=nobody)[0] == 3
    assert "You are not allowed to list runaiworkloads" in typed("--project", "team-a", kubeconfig=nobody).err
    wrong = typed("--project", "teama")
    assert (wrong.code, wrong.sentence) == (2, "Run:ai shows no project teama. Did you mean team-a?")
    assert typed().code == 2
    several = typed("--project", "shared")
    assert several.code == 2
    assert "There are 2 projects called shared: choose by --cluster-id" in several.sentence


def test_a_cluster_without_the_crd_is_named(typed, fresh_control_plane):
    done = typed("--project", "team-a", kubeconfig=fresh_control_plane().kubeconfig)

    assert (done.code, done.sentence.split(".")[0]) == (3, "This cluster does not know RunaiWorkloads")


def test_who_may_not_create_is_told_at_once(people, typed, nobody, control_plane, namespace):
    for number in range(20):
        people.submit(f"train-{number}")
    people.wait_until_listed(20)
    subject = {"kind": "ServiceAccount", "name": "nobody", "namespace": namespace}
    rules = [{"apiGroups": ["bridge.run.ai"], "resources": ["runaiworkloads"], "verbs": ["list"]}]
    for kind, extra in (
        ("Role", {"rules": rules}),
        (
            "RoleBinding",
            {
                "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "see"},
            },
        ),
    ):
        metadata = {"name": "see", "namespace": namespace}
        control_plane.client.apply(
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata} | extra
        )

    done = typed("--project", "team-a", "--apply", "-o", "name", kubeconfig=nobody)

    assert done.code == 3
    lines = done.err.splitlines()
    assert lines[0].startswith(f"You may not list RunaiWorkloads outside of namespace {namespace}")
    assert "You are not allowed to create runaiworkloads" in lines[-1]
    assert len(lines) == 3


@pytest.fixture
def policy(control_plane, namespace):
    """Lets one name not pass in the test's namespace, with the status code of a missing right."""
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    matched = {"apiGroups": ["bridge.run.ai"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}
    rule = {"expression": "request.name != 'train-1'", "message": "not this one", "reason": "Forbidden"}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    specs = (
        {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [matched]}, "validations": [rule]},
        {"policyName": namespace, "validationActions": ["Deny"], "matchResources": here},
    )
    items = [
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": namespace}, "spec": spec}
        for kind, spec in zip(kinds, specs, strict=True)
    ]
    for item in items:
        control_plane.client.apply(item)
    yield
    for item in items:
        control_plane.client.delete(control_plane.client.path_of(item))


def test_what_a_policy_refuses_is_named_with_its_words_and_the_others_are_taken_over(people, typed, workloads, policy):
    for number in range(3):
        people.submit(f"train-{number}", job())
    people.wait_until_listed(3)
    deadline = time.monotonic() + PATIENCE
    while "not this one" not in (done := typed("--project", "team-a", "--dry-run", "server", "-o", "name")).err:
        assert time.monotonic() < deadline, "the API server has not taken up the policy"
    done = typed("--project", "team-a", "--apply", "-o", "name")

    assert done.code == 1
    *_, refused, summary = done.err.splitlines()
    assert refused.startswith("train-1 was not created: Kubernetes refuses to create runaiworkloads")
    assert refused.endswith(" denied request: not this one.")
    assert summary.startswith("Created 2 of 3 RunaiWorkloads in namespace ")
    assert {item["metadata"]["name"] for item in workloads.all()} == {"train-0", "train-2"}


def test_who_stops_it_is_told_how_far_it_came_and_gives_it_again_for_the_rest(
    people, runai, control_plane, namespace, workloads, typed
):
    for number in range(300):
        people.submit(f"train-{number}", job())
    people.wait_until_listed(300)
    access = {"RUNAI_BASE_URL": runai.url, "RUNAI_CLIENT_ID": CLIENT_ID, "RUNAI_CLIENT_SECRET": CLIENT_SECRET}
    env = {"PATH": os.environ["PATH"], "KUBECONFIG": str(control_plane.kubeconfig), "RUNAI_ALLOW_HTTP": "true"}
    line = [BIN / "kubectl-rwl", "import", "-n", namespace, "--project", "team-a", "--apply", "-o", "name"]
    with subprocess.Popen(line, env=env | access, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not running.stderr.readline().startswith("Created 100 "):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=PATIENCE)

    assert running.returncode == 130
    made = len(workloads.all())
    said = int(told.splitlines()[-1].split()[1])
    assert 100 <= said <= made <= said + AT_ONCE < 300, told
    assert told.endswith(" It ended early: import again for the others.\n")
    again = typed("--project", "team-a", "--apply", "-o", "name")
    assert again.code == 0
    assert f"Created {300 - made} of {300 - made} RunaiWorkloads" in again.err
    assert len(workloads.all()) == 300
