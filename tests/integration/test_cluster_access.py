"""How the commands for people reach a cluster, tried on a real API server: `Cluster`, and `version` as it is typed."""

from __future__ import annotations

import json

import pytest
import yaml

from readers.live import workload
from runai_operator.commands.cluster import ClusterOptions
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, KubernetesUnavailable, StaleObject, Vanished
from runai_operator.kube import objects
from typed import rwl


@pytest.fixture
def nobody(control_plane, namespace):
    """The kubeconfig of a ServiceAccount without any rights."""
    control_plane.client.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    )
    return control_plane.service_account_kubeconfig(namespace, "nobody")


def options(control_plane, namespace):
    return ClusterOptions(kubeconfig=str(control_plane.kubeconfig), namespace=namespace)


def test_version_says_what_the_cluster_has(control_plane):
    report = json.loads(rwl("version", "-o", "json", kubeconfig=control_plane.kubeconfig).out)

    assert report["cluster"]["kubernetes"].startswith("v1.")
    assert report["cluster"]["CRD"] == ["v1alpha1"]


def test_version_names_the_operators_that_are_installed(control_plane, namespace):
    labels = {"app.kubernetes.io/name": "runai-operator"}
    container = {"name": "operator", "image": "registry.example.com:5000/runai-operator:1.2.3@sha256:abc"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    metadata = {"name": "bridge", "namespace": namespace, "labels": labels}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    control_plane.client.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})

    assert f"Operator: 1.2.3 ({namespace}/bridge)\n" in rwl("version", kubeconfig=control_plane.kubeconfig).out


def test_version_says_what_it_may_not_see(nobody):
    told = rwl("version", kubeconfig=nobody).out

    assert "CRD: unknown. You are not allowed to get customresourcedefinitions." in told
    assert "Operator: unknown. You are not allowed to list deployments." in told


def test_version_says_that_the_crd_is_missing(fresh_control_plane):
    assert "CRD: not installed\n" in rwl("version", kubeconfig=fresh_control_plane().kubeconfig).out


def test_another_context_can_be_chosen(control_plane, nobody, tmp_path):
    here, there = (yaml.safe_load(path.read_text()) for path in (control_plane.kubeconfig, nobody))
    for one, name in ((here, "here"), (there, "there")):
        one["contexts"][0]["name"] = name
        one["contexts"][0]["context"] |= {"cluster": name, "user": name}
        one["clusters"][0]["name"] = one["users"][0]["name"] = name
    both = here | {key: here[key] + there[key] for key in ("contexts", "clusters", "users")}
    both["current-context"] = "here"
    (tmp_path / "config").write_text(yaml.safe_dump(both))

    assert "CRD: v1alpha1" in rwl("version", kubeconfig=tmp_path / "config").out
    assert "CRD: unknown" in rwl("version", "--context", "there", kubeconfig=tmp_path / "config").out
    assert (
        "Expected object with name nowhere"
        in rwl("version", "--context", "nowhere", kubeconfig=tmp_path / "config").out
    )


@pytest.mark.parametrize("every", [False, True], ids=["of a namespace", "of all"])
def test_objects_are_listed_over_pages_with_their_kind(control_plane, namespace, every, monkeypatch):
    monkeypatch.setattr(objects, "PAGE", 2)
    for number in range(5):
        control_plane.client.apply(workload(f"train-{number}", namespace))

    async def listed(cluster):
        return [item async for item in cluster.list(cluster.workloads(everywhere=every))]

    found = [
        item for item in options(control_plane, namespace).run(listed) if item["metadata"]["namespace"] == namespace
    ]
    assert [item["metadata"]["name"] for item in found] == [f"train-{number}" for number in range(5)]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("bridge.run.ai/v1alpha1", "RunaiWorkload")}


def test_an_object_is_created_read_changed_and_deleted(control_plane, namespace):
    async def live(cluster):
        path = cluster.workloads("train")
        made = await cluster.create(cluster.workloads(), workload("train", namespace))
        changed = await cluster.patch(path, {"metadata": {"annotations": {"a": "b"}}})
        read = await cluster.get(path)
        await cluster.delete(path, {"preconditions": {"uid": made["metadata"]["uid"]}})
        with pytest.raises(Vanished, match=f"There is no runaiworkloads train in namespace {namespace}"):
            await cluster.get(path)
        return changed["metadata"]["annotations"], read["metadata"]["annotations"]

    assert options(control_plane, namespace).run(live) == ({"a": "b"}, {"a": "b"})


def refused(options, job, error):
    with pytest.raises(error) as caught:
        options.run(job)
    return caught.value.message


def test_every_refusal_is_a_sentence_for_a_person(control_plane, namespace, nobody):
    control_plane.client.apply(workload("train", namespace))
    admin, stranger = options(control_plane, namespace), ClusterOptions(kubeconfig=str(nobody))

    assert refused(stranger, lambda cluster: cluster.get(cluster.workloads("train")), AccessDenied) == (
        f"You are not allowed to get runaiworkloads in namespace {namespace}. Ask an administrator for that right."
    )
    assert "Somebody else" in refused(
        admin, lambda cluster: cluster.create(cluster.workloads(), workload("train", namespace)), StaleObject
    )
    stale = {"metadata": {"resourceVersion": "1", "annotations": {"a": "b"}}}
    assert "Try again" in refused(admin, lambda cluster: cluster.patch(cluster.workloads("train"), stale), StaleObject)
    wrong = {"spec": {"deletionPolicy": "Never"}}
    assert "spec.deletionPolicy" in refused(
        admin, lambda cluster: cluster.patch(cluster.workloads("train"), wrong), InvalidWorkload
    )


def test_a_cluster_without_the_crd_is_named(fresh_control_plane):
    strange = ClusterOptions(kubeconfig=str(fresh_control_plane().kubeconfig))

    for path in ("train", None):
        assert "This cluster does not know RunaiWorkloads." in refused(
            strange, lambda cluster, path=path: cluster.get(cluster.workloads(path)), KubernetesUnavailable
        )


def test_a_server_that_is_gone_or_does_not_know_the_caller_is_named(control_plane, namespace, tmp_path):
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "wrong"}
    (tmp_path / "wrong").write_text(yaml.safe_dump(config))
    config["clusters"][0]["cluster"] = {"server": "http://127.0.0.1:9"}
    (tmp_path / "gone").write_text(yaml.safe_dump(config))

    told = refused(
        ClusterOptions(str(tmp_path / "wrong")), lambda cluster: cluster.get(cluster.workloads()), AccessDenied
    )
    assert told == "Kubernetes does not accept your credentials. Log in again, or choose another context."
    assert "The Kubernetes API cannot be reached to list runaiworkloads" in refused(
        ClusterOptions(str(tmp_path / "gone")), lambda cluster: cluster.get(cluster.workloads()), KubernetesUnavailable
    )
