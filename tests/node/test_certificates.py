"""Run:ai behind a certificate of a company's own authority, which is changed while the operator runs."""

from __future__ import annotations

import base64
import time

import pytest
import yaml

from controlplane.certificates import Authority
from node.cluster import FIGURES
from stack import manifest_of

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

HOST = "runai-simulator.runai-tls.svc"
INSTALL = f"""
kubectl create configmap company-ca --namespace runai-operator --from-literal=ca.crt=none
helm install runai-operator deploy/helm/runai-operator --namespace runai-operator \\
  --set runai.baseUrl=https://{HOST} --set runai.caBundle.configMap=company-ca \\
  --set runai.existingSecret=runai-credentials --set operator.deltaInterval=1s --set operator.gracePeriod=3s
"""


@pytest.fixture
def present(cluster):
    """A function that has the simulator come up anew, with a certificate of this authority."""

    def present(authority: Authority) -> None:
        pair = authority.server(HOST)
        data = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
        text = {name: base64.b64encode(value).decode() for name, value in data.items()}
        metadata = {"name": "certificate", "namespace": "runai-tls"}
        cluster.client.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "runai-tls"}},
        )
        cluster.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": text})
        for item in yaml.safe_load_all(cluster.sh("kubectl kustomize deploy/simulator")):
            if item["kind"] == "Namespace":
                continue
            item["metadata"]["namespace"] = "runai-tls"
            if item["kind"] == "Deployment":
                with_certificate(item["spec"]["template"]["spec"])
            else:
                item["spec"]["ports"][0]["port"] = 443
            cluster.client.apply(item)
        cluster.sh("kubectl rollout restart deployment/runai-simulator --namespace runai-tls")
        cluster.sh("kubectl rollout status deployment/runai-simulator --namespace runai-tls --timeout 120s")

    yield present
    cluster.sh("kubectl delete namespace runai-tls")


def with_certificate(pod) -> None:
    (container,) = pod["containers"]
    container["args"] = ["serve", "--host", "0.0.0.0", "--port", "8000"]
    container["args"] += ["--tls-cert", "/tls/tls.crt", "--tls-key", "/tls/tls.key"]
    container["volumeMounts"] = [{"name": "tls", "mountPath": "/tls", "readOnly": True}]
    pod["volumes"] = [{"name": "tls", "secret": {"secretName": "certificate"}}]


def trust(cluster, authority: Authority) -> None:
    path = "/api/v1/namespaces/runai-operator/configmaps/company-ca"
    cluster.client.merge_patch(path, {"data": {"ca.crt": authority.pair.certificate_pem.decode()}})


def test_a_changed_authority_is_trusted_without_a_restart(cluster, install, present, workloads):
    first, second = Authority(), Authority()
    present(first)
    install(INSTALL)
    trust(cluster, first)
    before = cluster.pod()
    workloads.apply("a", manifest=manifest_of("Deployment"))
    workloads.wait("a", lambda item: item.get("status", {}).get("ready") == "True", timeout=180)
    workloads.delete("a")
    workloads.wait_gone("a")
    present(second)
    workloads.apply("b", manifest=manifest_of("Deployment"))
    workloads.wait("b", lambda item: "RunaiUnavailable" in str(item.get("status")))
    trust(cluster, second)
    started = time.monotonic()
    workloads.wait("b", lambda item: item["status"].get("ready") == "True", timeout=180)
    FIGURES.append(f"the new authority was trusted after {time.monotonic() - started:.0f} s")
    workloads.delete("b")
    workloads.wait_gone("b")

    after = cluster.pod()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
