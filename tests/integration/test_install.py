"""The operator with nothing but the rights that an installation gives it, in every way to install it; and kustomize itself."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controlplane import ControlPlane
from installation import (
    CRD,
    KUSTOMIZE,
    MINIMAL,
    Helm,
    Installed,
    build,
    environment,
    granted,
    install_chart,
    install_kustomization,
    make_namespace,
    only,
    soon,
)
from stack import Operator, Simulator, Workloads, manifest_of

pytestmark = pytest.mark.installation

NAMESPACE = "runai-operator"
WATCHED, UNWATCHED = "team-a", "team-b"
PAGE = (KUSTOMIZE.parents[1] / "docs" / "rbac.md").read_text()
COMMANDS_OF_THE_PAGE = [
    shlex.split(line)[1:]
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
QUESTION = ("create", "selfsubjectaccessreviews")
"""May be asked by everybody, and so is granted by nobody here."""
NEVER_SEEN = {"observedGeneration": -1}
JOB = "apiVersion: batch/v1\nkind: Job\nspec: {}"
SINGLE = {"installId": "tests", "operator": {"watchNamespaces": [WATCHED]}, "crds": {"install": False}}
BOTH = {"operator": {"watchNamespaces": [WATCHED, UNWATCHED]}}
SECRETS = {"rbac": {"manifestFromSecrets": True}}


@pytest.fixture
def installed(fresh_control_plane) -> ControlPlane:
    """A control plane on which the operator is installed as the README says."""
    plane = fresh_control_plane()
    install_kustomization(plane)
    plane.install_crds()
    return plane


def test_everything_is_accepted_and_again_without_a_change(installed: ControlPlane):
    again = installed.kubectl("apply", "--server-side", "-k", str(KUSTOMIZE)).stdout

    assert "deployment.apps/runai-operator serverside-applied" in again
    deployment = installed.client.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/runai-operator")
    assert deployment["metadata"]["generation"] == 1


def test_the_pod_is_taken_where_restricted_is_enforced(installed: ControlPlane):
    deployment = only(build(), "Deployment")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "as-deployed", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
    }
    accepted = installed.client.create(pod, dry_run=True)

    assert accepted["spec"]["securityContext"]["runAsUser"] == 65532
    assert accepted["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]

    del pod["spec"]["containers"][0]["securityContext"]
    with pytest.raises(Exception, match="violates PodSecurity"):
        installed.client.create(pod, dry_run=True)


@dataclass(frozen=True)
class Way:
    """One way to install: how, what it consists of, and what the operator can do then."""

    install: Callable[[ControlPlane], Installed]
    objects: Callable[[], list[dict[str, Any]]]
    reads_secrets: bool = False
    watches_all: bool = True


def by_chart(*more: dict[str, Any]) -> Way:
    values = dict(MINIMAL)
    for some in more:
        values |= some
    return Way(
        lambda plane: install_chart(plane, values=values),
        lambda: Helm().objects(values),
        reads_secrets=SECRETS in more,
        watches_all=SINGLE not in more,
    )


WAYS = {
    "kustomize": Way(install_kustomization, build),
    "the chart, with Secrets": by_chart(SECRETS),
    "the chart for single namespaces, with Secrets": by_chart(SINGLE, SECRETS),
}
"""Without Secrets the chart gives what the kustomization does: test_helm_render.py compares them."""


def finished_requests(plane: ControlPlane, user: str) -> list[dict[str, Any]]:
    """What the user asked for, once its watch is among that: the log has it a moment after the connection was closed."""
    deadline = time.monotonic() + 10
    while True:
        events = [
            event
            for event in plane.audit_events(user)
            if event.get("user", {}).get("username") == user
            and event.get("objectRef")
            and event["stage"] == "ResponseComplete"
        ]
        if time.monotonic() > deadline or any(event["verb"] == "watch" for event in events):
            return events
        time.sleep(0.1)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_operator_lives_with_its_own_rights_and_uses_all_of_them(
    fresh_control_plane, tmp_path, runai: Simulator, way: Way
):
    """As the ServiceAccount of the installation, with the environment of its Deployment, through whole lives."""
    plane = fresh_control_plane()
    for namespace in (WATCHED, UNWATCHED):
        make_namespace(plane, namespace)
    installed = way.install(plane)
    plane.install_crds()
    objects = way.objects()
    with operator_of(plane, installed, objects, tmp_path, runai) as operator:
        operator.wait_ready()
        Workloads(plane.client, UNWATCHED).apply("elsewhere", manifest=manifest_of("Deployment"))
        live_and_die(Workloads(plane.client, WATCHED), ["ConfigMap", "Secret"] if way.reads_secrets else ["ConfigMap"])
        elsewhere_is(Workloads(plane.client, UNWATCHED), watched=way.watches_all)
        leave_orphans(Workloads(plane.client, WATCHED), runai)
        assert "forbidden" not in operator.output().lower()
    events = finished_requests(plane, user_of(installed))
    denied = [event["requestURI"] for event in events if event["responseStatus"]["code"] == 403]
    grants = granted(objects)
    used = {needed(grants, event["verb"], event["objectRef"], installed.namespace) for event in events}

    assert denied == []
    asked = {use for use in used if use[:2] == QUESTION}
    assert used - asked == grants
    assert bool(asked) != way.watches_all, "where the right is given, there is nothing to ask"


def user_of(installed: Installed) -> str:
    return f"system:serviceaccount:{installed.namespace}:{installed.service_account}"


def operator_of(
    plane: ControlPlane, installed: Installed, objects: list[dict[str, Any]], folder: Path, runai: Simulator
) -> Operator:
    """The operator as it would run in its pod, but for the addresses and for some haste."""
    haste = {"OPERATOR_DELTA_INTERVAL": "1s", "OPERATOR_GRACE_PERIOD": "3s", "OPERATOR_RELEASE_AFTER": "1s"}
    settings = environment(objects) | haste | {"OPERATOR_RECORDS_NAMESPACE": installed.namespace}
    for of_the_pod in ("RUNAI_BASE_URL", "RUNAI_CLIENT_SECRET_FILE", "OPERATOR_LISTEN"):
        del settings[of_the_pod]
    kubeconfig = plane.service_account_kubeconfig(installed.namespace, installed.service_account)
    return Operator(folder, kubeconfig, runai.url, **settings)


def live_and_die(workloads: Workloads, sources: list[str]) -> None:
    """Created from each kind of source and from a manifest, edited, paused, resumed, refused, completed, deleted."""
    for kind in sources:
        apply_from(workloads, kind)
        workloads.wait_condition(kind.lower(), "Completed", "True")
    workloads.apply("refused", projectName="nobody-knows-it")
    workloads.wait_condition("refused", "Stalled", "True", reason="ProjectNotFound")
    workloads.apply("runs", manifest=manifest_of("Deployment"))
    workloads.wait_condition("runs", "Ready", "True", reason="Running")
    workloads.annotate("runs", "paused", "true")
    workloads.wait_condition("runs", "Ready", "True", reason="Paused")
    workloads.annotate("runs", "paused", None)
    edited = manifest_of("Deployment")
    edited["spec"]["replicas"] = 2
    workloads.apply("runs", manifest=edited)
    workloads.wait_condition("runs", "Ready", "True", reason="Running")
    for item in workloads.all():
        workloads.delete(item["metadata"]["name"])
        workloads.wait_gone(item["metadata"]["name"])


def apply_from(workloads: Workloads, kind: str) -> None:
    """A ConfigMap or Secret with a manifest, and a RunaiWorkload that takes it from there."""
    content = {"data" if kind == "ConfigMap" else "stringData": {"job.yaml": JOB}}
    metadata = {"name": "source", "namespace": workloads.namespace}
    workloads.client.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})
    reference = f"{kind[0].lower()}{kind[1:]}KeyRef"
    workloads.apply(kind.lower(), manifestFrom={reference: {"name": "source", "key": "job.yaml"}})


def leave_orphans(workloads: Workloads, runai: Simulator) -> None:
    """Deleted while Run:ai is out of reach for good: one that begins the record, and one that is added to it."""
    names = ("first", "second")
    for name in names:
        workloads.apply(name, manifest=manifest_of("Deployment"))
        workloads.wait_condition(name, "Ready", "True")
    runai.kill()
    for name in names:
        workloads.delete(name)
        workloads.wait_gone(name)


def elsewhere_is(workloads: Workloads, *, watched: bool) -> None:
    """Bridged where the operator watches everything, else left alone; it was applied before all others."""
    if watched:
        workloads.wait_condition("elsewhere", "Ready", "True")
        workloads.delete("elsewhere")
        workloads.wait_gone("elsewhere")
    else:
        item = workloads.get("elsewhere")
        assert item["status"] == NEVER_SEEN
        assert "finalizers" not in item["metadata"]


def needed(
    grants: Iterable[tuple[str, str, str]], verb: str, reference: dict[str, str], own: str
) -> tuple[str, str, str]:
    """The narrowest grant that a call needs; of its own kind where no grant covers it."""
    resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
    namespace = reference.get("namespace")
    places = ["own namespace"] if namespace == own else ["watched namespaces"] if namespace == WATCHED else []
    for place in (*places, "cluster"):
        for where in (f"{place}, only `{reference.get('name')}`", place):
            if (verb, resource, where) in grants:
                return verb, resource, where
    return verb, resource, f"nowhere: {reference}"


def test_a_secret_is_read_only_once_the_switch_is_on(fresh_control_plane, tmp_path, runai: Simulator):
    plane = fresh_control_plane()
    make_namespace(plane, WATCHED)
    installed = install_chart(plane)
    plane.install_crds()
    workloads = Workloads(plane.client, WATCHED)
    with operator_of(plane, installed, Helm().objects(), tmp_path, runai) as operator:
        operator.wait_ready()
        apply_from(workloads, "Secret")
        workloads.wait_condition("secret", "Stalled", "True", reason="SourceForbidden")
        assert runai.all() == []

        Helm(plane).upgrade(values=MINIMAL | SECRETS)
        assert soon(plane, user_of(installed), "get", "/secrets", WATCHED)
        workloads.annotate("secret", "reconcile-requested-at", "now")
        workloads.wait_condition("secret", "Completed", "True")


def test_the_deletion_of_the_crd_is_held_back_for_single_namespaces_where_the_page_was_followed(
    fresh_control_plane, tmp_path, runai: Simulator
):
    plane, way = fresh_control_plane(), by_chart(SINGLE)
    make_namespace(plane, WATCHED)
    installed = way.install(plane)
    plane.install_crds()
    for command in COMMANDS_OF_THE_PAGE:
        plane.kubectl(*command)
    workloads = Workloads(plane.client, WATCHED)
    with operator_of(plane, installed, way.objects(), tmp_path, runai) as operator:
        operator.wait_ready()
        workloads.apply("runs", manifest=manifest_of("Deployment"))
        workloads.wait_condition("runs", "Ready", "True")
        plane.client.delete(CRD)
        held = workloads.wait_condition("runs", "Ready", "False", reason="Deleting")

    assert "CustomResourceDefinition is being deleted" in held["status"]["conditions"][0]["message"]
    assert runai.calls("DELETE") == 0


@dataclass(frozen=True)
class Watching:
    """An installation that watches two namespaces: `gone`, which loses its rights, and `stays`."""

    plane: ControlPlane
    installed: Installed
    gone: Workloads
    stays: Workloads
    binding: dict[str, Any]

    def lose_rights(self) -> None:
        self.plane.client.delete(self._binding_path)
        assert soon(self.plane, self._user, "list", "bridge.run.ai/runaiworkloads", WATCHED, allowed=False)

    def regain_rights(self) -> None:
        metadata = {key: self.binding["metadata"][key] for key in ("name", "namespace")}
        named = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata}
        self.plane.client.create(self.binding | named)

    @property
    def _binding_path(self) -> str:
        name = self.binding["metadata"]["name"]
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{WATCHED}/rolebindings/{name}"

    @property
    def _user(self) -> str:
        return user_of(self.installed)


@pytest.fixture
def watching(fresh_control_plane) -> Watching:
    plane, way = fresh_control_plane(), by_chart(SINGLE, BOTH)
    for namespace in (WATCHED, UNWATCHED):
        make_namespace(plane, namespace)
    installed = way.install(plane)
    plane.install_crds()
    [binding] = plane.client.list_all(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{WATCHED}/rolebindings")
    return Watching(plane, installed, Workloads(plane.client, WATCHED), Workloads(plane.client, UNWATCHED), binding)


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_watched_namespace_without_rights_keeps_no_other_from_being_served(
    watching: Watching, tmp_path, runai: Simulator, when: str
):
    if when == "before the start":
        watching.lose_rights()
    with operator_of(watching.plane, watching.installed, by_chart(SINGLE, BOTH).objects(), tmp_path, runai) as operator:
        operator.wait_ready()
        if when == "while it runs":
            watching.lose_rights()
        watching.gone.apply("waits", manifest=manifest_of("Deployment"))
        watching.stays.apply("runs", manifest=manifest_of("Deployment"))
        watching.stays.wait_condition("runs", "Ready", "True")
        assert "status" not in watching.gone.get("waits") or watching.gone.get("waits")["status"] == NEVER_SEEN
        operator.wait_ready()

        watching.regain_rights()
        watching.gone.wait_condition("waits", "Ready", "True")
        operator.wait_ready()
        assert operator.output().count("may not watch RunaiWorkloads in team-a") == (when == "before the start")


def test_a_watched_namespace_that_hangs_since_its_rights_went_along_goes_once_the_page_was_followed(
    watching: Watching, tmp_path, runai: Simulator
):
    watching.plane.start_controller_manager()
    with operator_of(watching.plane, watching.installed, by_chart(SINGLE, BOTH).objects(), tmp_path, runai) as operator:
        operator.wait_ready()
        for workloads, name in ((watching.gone, "goes"), (watching.stays, "stays")):
            workloads.apply(name, manifest=manifest_of("Deployment"))
            workloads.wait_condition(name, "Ready", "True")
        watching.lose_rights()  # as the deletion does, sooner or later
        watching.plane.client.delete(f"/api/v1/namespaces/{WATCHED}")
        held = watching.gone.wait("goes", lambda item: "deletionTimestamp" in item["metadata"], what="its deletion")
        assert held["metadata"]["finalizers"]
        operator.wait_ready()

        for command in COMMANDS_OF_THE_PAGE:
            watching.plane.kubectl(*command)
        watching.plane.client.wait_gone(f"/api/v1/namespaces/{WATCHED}", timeout=120)

        assert len(runai.live()) == 1
        assert watching.stays.get("stays")
