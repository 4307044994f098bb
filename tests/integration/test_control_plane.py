"""The harness itself: what the other tests and the demo take for granted about their control plane."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from controlplane import ApiError, Client, ControlPlane, KubectlFailed, StartFailed

HANG_GUARD = 60
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"key": "value"}}
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: parcels.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Parcel, plural: parcels}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def in_namespace(item, namespace):
    return {**item, "metadata": {**item["metadata"], "namespace": namespace}}


def test_a_service_account_may_do_only_what_rbac_grants(control_plane, namespace):
    admin = control_plane.client
    metadata = {"name": "reader", "namespace": namespace}
    admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "reader")
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with Client(kubeconfig) as reader:
        with pytest.raises(ApiError, match=r"403 .* cannot list resource"):
            reader.list_all(path)
        admin.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
        subjects = [{"kind": "ServiceAccount", **metadata}]
        role = {"apiGroup": group, "kind": "Role", "name": "reader"}
        binding = {"kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": subjects}
        admin.create({"apiVersion": f"{group}/v1", **binding})
        deadline = time.monotonic() + HANG_GUARD
        while time.monotonic() < deadline:
            with contextlib.suppress(ApiError):  # the authorizer's watch takes a moment
                assert reader.list_all(path) == []
                return
    pytest.fail("the role never came into force")


def test_the_audit_log_shows_who_did_what(control_plane, namespace):
    with Client(control_plane.kubeconfig, user_agent="somebody/1.0") as client:
        client.create(in_namespace(CONFIG_MAP, namespace))
    mine = [event for event in control_plane.audit_events("somebody/1.0") if event.get("userAgent") == "somebody/1.0"]
    writes = [event for event in mine if event["verb"] not in ("get", "list", "watch")]
    assert [(event["verb"], event["objectRef"]["resource"]) for event in writes] == [("create", "configmaps")]
    assert writes[0]["user"]["username"] == "admin"
    assert "requestObject" not in writes[0], "bodies may hold secrets"


def test_crds_are_served_once_installed(fresh_control_plane, tmp_path):
    control_plane = fresh_control_plane()
    (tmp_path / "parcels.yaml").write_text(CRD)
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nresources: [parcels.yaml]\n")
    control_plane.install_crds(tmp_path)
    client = control_plane.client
    parcel = {"apiVersion": "example.com/v1", "kind": "Parcel", "metadata": {"name": "one"}, "spec": {"to": "Delft"}}
    path = client.path_of(client.apply(parcel))
    client.patch_status(path, {"delivered": True})
    assert client.get(path)["status"] == {"delivered": True}
    assert [item["metadata"]["name"] for item in client.list_all("/apis/example.com/v1/parcels")] == ["one"]
    client.merge_patch(path, {"metadata": {"finalizers": ["example.com/held"]}})
    client.delete(path)
    assert "deletionTimestamp" in client.get(path)["metadata"]
    client.json_patch(path, [{"op": "remove", "path": "/metadata/finalizers"}])
    client.wait_gone(path)


def test_an_outage_of_the_api_server_keeps_address_and_data(fresh_control_plane):
    control_plane = fresh_control_plane()
    client = control_plane.client
    path = client.path_of(client.create(CONFIG_MAP))
    url, before = control_plane.url, len(control_plane.audit_events(path))
    control_plane.stop_apiserver()
    with pytest.raises(httpx.ConnectError):
        client.get(path)
    control_plane.start_apiserver()
    assert control_plane.url == url
    assert client.get(path)["data"] == {"key": "value"}
    assert len(control_plane.audit_events(path)) > before


def test_the_controller_manager_removes_what_a_deleted_owner_leaves(fresh_control_plane):
    control_plane = fresh_control_plane()
    client = control_plane.client
    owner = client.create(CONFIG_MAP)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "kept", "uid": owner["metadata"]["uid"]}
    metadata = {"name": "dependent", "ownerReferences": [reference]}
    dependent = client.path_of(client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))
    control_plane.start_controller_manager()
    client.delete(client.path_of(owner))
    client.wait_gone(dependent)


def test_kubectl_talks_to_this_control_plane_and_failures_are_raised(control_plane, namespace):
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", input=str(CONFIG_MAP))
    shown = control_plane.kubectl("get", "-n", namespace, "configmap", "kept", "-o", "jsonpath={.data.key}")
    assert shown.stdout == "value"
    with pytest.raises(KubectlFailed, match="NotFound"):
        control_plane.kubectl("get", "configmap", "nobody", "-n", namespace)
    assert control_plane.kubectl("get", "configmap", "nobody", check=False).returncode == 1


def test_nothing_is_left_of_a_stopped_control_plane():
    before = set(psutil.Process().children(recursive=True))
    with ControlPlane() as control_plane:
        servers = set(psutil.Process().children(recursive=True)) - before
        assert {server.name() for server in servers} >= {"etcd", "kube-apiserver"}
    assert [server for server in servers if server.is_running()] == []
    assert not control_plane.directory.exists()


def test_servers_do_not_outlive_a_killed_starter():
    """Neither a killed pytest nor a killed demo leaves an API server behind."""
    command = [sys.executable, "-m", "controlplane", "run"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout.readline().startswith("export KUBECONFIG=")
        servers = psutil.Process(starter.pid).children(recursive=True)
        assert {server.name() for server in servers} >= {"etcd", "kube-apiserver"}
        starter.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(servers, timeout=HANG_GUARD)
    assert (len(gone), alive) == (len(servers), [])


def test_a_server_that_cannot_start_says_why(monkeypatch, tmp_path):
    program = tmp_path / "etcd"
    program.write_text("#!/bin/sh\necho no space left on device; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(StartFailed, match="etcd ended while starting:\nno space left on device"), ControlPlane():
        pass
