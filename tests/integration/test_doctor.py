"""`doctor` as it is typed: on a real API server with the simulator, well, ill, and where little may be looked at."""

from __future__ import annotations

import json
import tarfile

import pytest
import yaml

from stack import Installed
from stack.installed import LABELS
from stack.kubelet import Kubelet
from typed import rwl

PLANTED = "p1anted-s3cret"


@pytest.fixture
def installed(control_plane, namespace, runai):
    made = Installed(control_plane.client, namespace, runai.url)
    yield made
    made.disallow()


def found(done):
    """What is not fine, by check."""
    report = json.loads(done.out)
    return {(one["check"], one["severity"]): one for one in report["findings"] if one["severity"] != "ok"}


def test_an_installation_that_is_well_is_called_so_once_it_has_its_rights(control_plane, namespace, installed):
    installed.is_ready()
    command = ("doctor", "--as-operator", "--operator-namespace", namespace, "-n", namespace, "-o", "json")

    lacking = rwl(*command, kubeconfig=control_plane.kubeconfig)
    installed.allow()
    well = rwl(*command, "--strict", kubeconfig=control_plane.kubeconfig)

    assert lacking.code == 1
    assert found(lacking).keys() - {("operator", "note")} == {("rights", "error")}
    assert (
        "may not get runaiworkloads, list runaiworkloads, watch runaiworkloads and"
        in found(lacking)["rights", "error"]["message"]
    )
    assert (well.code, found(well).keys() - {("operator", "note")}) == (0, set()), well.out
    told = [one["message"] for one in json.loads(well.out)["findings"]]
    assert "runaiworkloads.bridge.run.ai is served, as version 0.1.0 has it." in told
    assert "Run:ai shows 5 projects." in told
    assert f"{namespace}/runai-operator: nothing is wrong with its settings." in told


def test_what_is_wrong_is_told_with_what_to_do_and_an_archive_keeps_the_secrets(
    control_plane, namespace, installed, workloads, runai, tmp_path
):
    client = control_plane.client
    installed.settings(
        RUNAI_BASE_URL=f"https://u:{PLANTED}@x", OPERATOR_STALL_AFTER="1m", HTTPS_PROXY=f"http://u:{PLANTED}@p:1"
    )
    installed.secret(clientId=PLANTED, other=PLANTED)
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"env": [{"name": "PASSWORD", "value": PLANTED}]}}
    workloads.apply("stuck", manifest=manifest)
    workloads.annotate("stuck", "paused", PLANTED)
    said = {
        "type": "Stalled",
        "status": "True",
        "reason": "NameTaken",
        "message": PLANTED,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"observedGeneration": 1, "phaseMessage": PLANTED, "conditions": [said]}
    merge = "application/merge-patch+json"
    client.request("PATCH", f"{workloads.path('stuck')}/status", body={"status": status}, content_type=merge)
    hook = {
        "name": "strict.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/x"},
        "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    webhook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    client.apply(webhook | {"metadata": {"name": namespace}, "webhooks": [hook]})
    credentials = {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": "x",
        "RUNAI_CLIENT_SECRET": "wrong",
    }

    archive = tmp_path / "support.tar.gz"
    archive.write_text("An older one, which everybody may read.")
    archive.chmod(0o644)
    command = ("doctor", "--operator-namespace", namespace, "-n", namespace, "--bundle", archive)
    done = rwl(*command, kubeconfig=control_plane.kubeconfig, **credentials)
    client.delete(client.path_of(webhook | {"metadata": {"name": namespace}}))

    assert done.code == 1
    lines = done.out.split("\n\nWhat to do:\n")[0].splitlines()
    shown = {(one.split("   ")[0], one.split("   ", 1)[1].split()[0]) for one in lines[1:]}
    wrong = {(severity, check) for severity, check in shown if severity in ("error", "warning")}
    assert wrong == {
        ("error", "operator"), ("error", "settings"), ("warning", "settings"), ("error", "rights"), ("error", "run:ai"),
        ("warning", "webhooks"), ("warning", "objects"),
    }  # fmt: skip
    for words in (
        "RUNAI_BASE_URL must be an address",
        "OPERATOR_STALL_AFTER is not a known setting and is ignored; did you mean OPERATOR_STALLED_AFTER?",
        "RUNAI_CLIENT_SECRET_FILE comes from Secret runai-credentials, which has no key clientSecret",
        f"ValidatingWebhookConfiguration {namespace} (strict.example.com) is asked about RunaiWorkloads",
        f"1 RunaiWorkload is stalled: NameTaken ({namespace}/stuck).",
        "docs/status.md#nametaken",
    ):
        assert words in done.out
    assert done.err == f"Wrote {archive}: look through it before you hand it on.\n"
    assert archive.stat().st_mode & 0o077 == 0
    files = read(archive)
    assert files.keys() == {"README", "report.yaml", "versions.yaml", "crd.yaml", "operators.yaml", "workloads.yaml"}
    assert PLANTED not in "".join(files.values())
    (kept,) = yaml.safe_load(files["workloads.yaml"])
    assert (kept["metadata"]["name"], kept["status"]["conditions"][0]["reason"]) == ("stuck", "NameTaken")
    assert yaml.safe_load(files["operators.yaml"])[0]["environment"]["HTTPS_PROXY"] == "(set)"
    assert yaml.safe_load(files["report.yaml"])["severity"] == "error"


def read(archive):
    """The files of an archive, by name."""
    with tarfile.open(archive) as opened:
        return {member.name.partition("/")[2]: opened.extractfile(member).read().decode() for member in opened}


def test_the_archive_has_the_logs_of_the_operator_where_they_may_be_read_and_no_credentials_of_them(
    control_plane, namespace, installed, tmp_path
):
    client, archive = control_plane.client, tmp_path / "support.tar.gz"
    client.apply(pod_of_the_operator(namespace))
    restarted = {"name": "operator", "image": "x", "imageID": "x", "ready": True, "restartCount": 1}
    path = f"/api/v1/namespaces/{namespace}/pods/bridge/status"
    status = {"status": {"containerStatuses": [restarted]}}
    client.request("PATCH", path, body=status, content_type="application/merge-patch+json")
    allow(client, namespace, "reader", ["deployments", "pods"])
    command = ("doctor", "--operator-namespace", namespace, "-n", namespace, "--bundle", archive)
    current = f'{{"message": "watching"}}\n{{"message": "Authorization: Bearer {PLANTED}"}}\n'

    with Kubelet(client, tmp_path, f"node-{namespace}", log=current, previous="the end\n"):
        rwl(*command, kubeconfig=control_plane.kubeconfig)
        whole = read(archive)
        rwl(*command, kubeconfig=control_plane.service_account_kubeconfig(namespace, "reader"))
        without = read(archive)

    title = f"logs/{namespace}/bridge"
    assert whole[f"{title}.log"].splitlines()[0] == '{"message": "watching"}'
    assert PLANTED not in "".join(whole.values())
    assert whole[f"{title}-previous.log"] == "the end\n"
    assert without[f"{title}.log"].startswith("not included: You are not allowed to get pods/log in namespace")


def pod_of_the_operator(namespace):
    container = {"name": "operator", "image": "x"}
    spec = {"nodeName": f"node-{namespace}", "serviceAccountName": "runai-operator", "containers": [container]}
    metadata = {"name": "bridge", "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def allow(client, namespace, name, resources):
    """A ServiceAccount that may read these in its namespace."""
    rbac, metadata = "rbac.authorization.k8s.io", {"name": name, "namespace": namespace}
    rule = {"apiGroups": ["", "apps"], "resources": resources, "verbs": ["get", "list"]}
    whom = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": rbac, "kind": "Role", "name": name}
    client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    client.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]})
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
    client.apply(binding | {"subjects": [whom], "roleRef": role})


def test_without_rights_and_credentials_it_says_what_it_could_not_look_at(control_plane, namespace):
    control_plane.client.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    )
    nobody = control_plane.service_account_kubeconfig(namespace, "nobody")

    done = rwl("doctor", "-o", "json", kubeconfig=nobody)

    assert (done.code, done.err) == (0, "")
    seen = found(done)
    unseen = {check for check, severity in seen if severity == "not checked"}
    assert unseen == {"crd", "operator", "webhooks", "run:ai", "objects"}
    assert seen["objects", "not checked"]["detail"].startswith("You are not allowed to list runaiworkloads")
    assert "RUNAI_BASE_URL is not set" in seen["run:ai", "not checked"]["detail"]
    assert "You may not get, list, create and 2 more RunaiWorkloads" in seen["rights", "note"]["message"]


def test_no_cluster_no_kubeconfig_and_no_place_for_the_archive_end_in_one_sentence(control_plane, tmp_path):
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": "http://127.0.0.1:9"}
    (tmp_path / "gone").write_text(yaml.safe_dump(config))

    gone = rwl("doctor", kubeconfig=tmp_path / "gone")
    none = rwl("doctor", kubeconfig=tmp_path / "none")
    nowhere = rwl("doctor", "--bundle", tmp_path / "none" / "x.tgz", kubeconfig=control_plane.kubeconfig)

    assert gone.code == 3
    assert gone.sentence.startswith("The Kubernetes API cannot be reached")
    assert (none.code, none.sentence.startswith("KUBECONFIG is")) == (2, True)
    assert (nowhere.code, nowhere.sentence) == (
        2,
        f"{tmp_path}/none/x.tgz cannot be written: No such file or directory.",
    )


def test_a_cluster_without_the_crd_is_told_to_have_one(fresh_control_plane):
    done = rwl("doctor", "-o", "json", kubeconfig=fresh_control_plane().kubeconfig)

    assert done.code == 1
    assert "kubectl apply --server-side -k crds/" in found(done)["crd", "error"]["remedy"]
    assert found(done)["objects", "not checked"]["detail"].startswith("This cluster does not know RunaiWorkloads.")
