"""Observes an installation, for `doctor`: what is asked of Kubernetes and Run:ai, and what could not be asked.

Whatever is refused or missing becomes an `Unseen`, so that the rest is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from runai_operator import __version__
from runai_operator.commands.crd import packaged
from runai_operator.commands.exits import CommandError
from runai_operator.commands.installs import CONTAINER, Install, Key, environment_of, find_installs
from runai_operator.commands.runai_access import RunaiOptions
from runai_operator.domain.diagnosis import InstallSeen, Observations, PodSeen, RunaiSeen, Unseen, WebhookSeen
from runai_operator.domain.errors import AccessDenied, BridgeError, KubernetesUnavailable, Vanished
from runai_operator.domain.model import GROUP, PLURAL, VERSION, RowQuery
from runai_operator.kube.objects import Cluster
from runai_operator.kube.wire import ACCESS_REVIEWS_PATH, CRD_NAME, CRD_PATH, ORPHANS
from runai_operator.runai.client import RunaiClient
from runai_operator.selector import Selector, parse_selector
from runai_operator.settings import Environment, KubeAccess, Logging, Operation, SettingsError, unknown_variables
from runai_operator.telemetry.logs import redact

T = TypeVar("T")

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
NOWHERE = "00000000-0000-0000-0000-000000000000"
"""An id that no workload has."""
LOG_LINES, LOG_BYTES = 5000, 4 * 1024 * 1024
"""The most that is read of the log of one container."""
MOST_NAMESPACES = 3
"""In so many of the namespaces that it watches, the operator's rights are tried."""

PEOPLE = ("get", "list", "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """A request that the operator makes."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}{f' {self.name}' if self.name else ''}"


ON_WORKLOADS = (
    *(Right(verb, GROUP, PLURAL) for verb in ("get", "list", "watch", "patch")),
    Right("patch", GROUP, PLURAL, "status"),
    Right("get", "", "configmaps"),
)
ON_EVENTS = (Right("create", "events.k8s.io", "events"),)
ON_THE_CLUSTER = (
    Right("get", "", "namespaces", name="kube-system"),
    Right("get", "apiextensions.k8s.io", "customresourcedefinitions", name=CRD_NAME),
)
ON_RECORDS = (
    Right("get", "", "configmaps", name=ORPHANS),
    Right("patch", "", "configmaps", name=ORPHANS),
    Right("create", "", "configmaps"),
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen, and for an archive what it was seen of."""

    seen: Observations
    installs: Mapping[str, tuple[Install, Mapping[str, str]]] = field(repr=False)
    """Each with its environment, by `namespace/name`."""
    logs: Mapping[str, str | Unseen] = field(default_factory=dict, repr=False)
    """What the containers of the operator wrote last, by `NAMESPACE/POD` or, before its last restart, `NAMESPACE/POD-previous`."""


async def observe(
    cluster: Cluster, runai: RunaiOptions, *, everywhere: bool, operator_namespace: str | None, logs: bool = False
) -> Looked:
    """With `logs` also those of the operator's pods. Raises `KubernetesUnavailable`, and `AccessDenied` for credentials that Kubernetes does not know at all."""
    version = await _kubernetes(cluster)
    found = await _seen(find_installs(cluster, operator_namespace))
    environments: dict[str, tuple[Install, Mapping[str, str]]] = {}
    installs: tuple[InstallSeen, ...] | Unseen
    if isinstance(found, Unseen):
        installs = found
    else:
        shown = []
        for install in found:
            environment = await _seen(environment_of(cluster, install))
            environments[str(install)] = (install, {} if isinstance(environment, Unseen) else environment)
            shown.append(await _install(cluster, install, environment))
        installs = tuple(shown)
    seen = Observations(
        client=__version__,
        now=datetime.now(UTC),
        namespace=cluster.namespace,
        kubernetes=version,
        crd=await _crd(cluster),
        packaged=packaged(),
        installs=installs,
        forbidden=await _seen(_forbidden(cluster)),
        webhooks=await _seen(_webhooks(cluster)),
        objects=await _seen(_objects(cluster, everywhere=everywhere)),
        runai=await _runai(cluster, runai),
    )
    return Looked(seen, environments, await _logs(cluster, seen) if logs else {})


async def _logs(cluster: Cluster, seen: Observations) -> dict[str, str | Unseen]:
    """Scrubbed again, since what wrote them may be older than the scrubbing."""
    found: dict[str, str | Unseen] = {}
    installs = () if isinstance(seen.installs, Unseen) else seen.installs
    for pod in (pod for install in installs if not isinstance(install.pods, Unseen) for pod in install.pods):
        namespace, _, name = pod.name.partition("/")
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        query = {"container": CONTAINER, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        for title, more in ((pod.name, {}), (f"{pod.name}-previous", {"previous": "true"})):
            if not more or pod.restarts:
                said = await _seen(cluster.text(path, query | more))
                found[title] = (
                    said if isinstance(said, Unseen) else "".join(map(redact, said.splitlines(keepends=True)))
                )
    return found


async def _seen(asked: Awaitable[T]) -> T | Unseen:
    """The answer, or why there is none."""
    try:
        return await asked
    except (BridgeError, CommandError) as error:
        return Unseen(error.message)
    except SettingsError as error:
        return Unseen(f"{error}.")


async def _kubernetes(cluster: Cluster) -> str | Unseen:
    try:
        return str((await cluster.get("/version")).get("gitVersion", ""))
    except KubernetesUnavailable:
        raise
    except AccessDenied as error:
        if error.message.startswith("Kubernetes does not accept"):
            raise
        return Unseen(error.message)


async def _crd(cluster: Cluster) -> Mapping[str, Any] | Unseen | None:
    try:
        return await cluster.get(CRD_PATH)
    except Vanished:
        return None
    except BridgeError as error:
        return Unseen(error.message)


async def _install(cluster: Cluster, install: Install, environment: Mapping[str, str] | Unseen) -> InstallSeen:
    spec, status = install.deployment.get("spec") or {}, install.deployment.get("status") or {}
    known = {} if isinstance(environment, Unseen) else environment
    namespaces = tuple(filter(None, (name.strip() for name in known.get("OPERATOR_NAMESPACES", "").split(","))))
    return InstallSeen(
        name=str(install),
        version=install.version,
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas") or 0,
        pods=await _seen(_pods(cluster, install)),
        namespaces=namespaces,
        selector=_selector(known.get("OPERATOR_SELECTOR", "")),
        install_id=known.get("OPERATOR_INSTALL_ID", "").strip(),
        problems=environment if isinstance(environment, Unseen) else await _seen(_problems(cluster, install, known)),
        missing_rights=environment
        if isinstance(environment, Unseen)
        else await _seen(_missing_rights(cluster, install, known, namespaces)),
        orphans=await _seen(_orphans(cluster, known.get("OPERATOR_RECORDS_NAMESPACE") or install.namespace)),
    )


def _selector(text: str) -> Selector | None:
    """None also for what cannot be read, which is a problem of its own."""
    try:
        return parse_selector(text) if text.strip() else None
    except ValueError:
        return None


async def _pods(cluster: Cluster, install: Install) -> tuple[PodSeen, ...]:
    labels = ((install.deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    path = f"/api/v1/namespaces/{install.namespace}/pods"
    return tuple([_pod(item) async for item in cluster.list(path, {"labelSelector": selector})])


def _pod(item: Mapping[str, Any]) -> PodSeen:
    containers = (item.get("status") or {}).get("containerStatuses") or []
    waiting = [one["state"]["waiting"] for one in containers if (one.get("state") or {}).get("waiting")]
    usual = {"ContainerCreating", "PodInitializing"}
    stuck: Mapping[str, Any] = next((one for one in waiting if one.get("reason") not in usual), {})
    return PodSeen(
        name=f"{item['metadata']['namespace']}/{item['metadata']['name']}",
        ready=bool(containers) and all(one.get("ready") for one in containers),
        restarts=max((one.get("restartCount") or 0 for one in containers), default=0),
        waiting=str(stuck.get("reason") or ""),
        said=str(stuck.get("message") or ""),
    )


async def _problems(cluster: Cluster, install: Install, values: Mapping[str, str]) -> tuple[str, ...]:
    """Of the settings that can be known without the files of its pod."""
    environment = Environment({name: text for name, text in values.items() if name != "KUBECONFIG"})
    environment.base_url()
    KubeAccess.read(environment)
    Operation.read(environment)
    Logging.read(environment)
    problems = [*environment.problems, *unknown_variables(values)]
    given = dict(values) | dict.fromkeys(install.keys, "set")
    if not given.get("RUNAI_CLIENT_ID"):
        problems.append("RUNAI_CLIENT_ID is not set")
    secrets = ("RUNAI_CLIENT_SECRET", "RUNAI_CLIENT_SECRET_FILE")
    if not any(map(given.get, secrets)):
        problems.append("RUNAI_CLIENT_SECRET is not set, nor is RUNAI_CLIENT_SECRET_FILE")
    for variable, key in {**install.keys, **install.files}.items():
        if lack := await _lack(cluster, install, key):
            problems.append(f"{variable} comes from {lack}")
    return tuple(problems)


async def _lack(cluster: Cluster, install: Install, key: Key) -> str | None:
    """What is missing of what a variable or a file comes from; None also where that may not be looked at."""
    kind = "Secret" if key.kind == "secrets" else "ConfigMap"
    try:
        held = await cluster.get(f"/api/v1/namespaces/{install.namespace}/{key.kind}/{key.name}")
    except Vanished:
        return f"{kind} {key.name}, which does not exist"
    except AccessDenied:
        return None
    if key.key not in {**(held.get("data") or {}), **(held.get("binaryData") or {})}:
        return f"{kind} {key.name}, which has no key {key.key}"
    return None


async def _missing_rights(
    cluster: Cluster, install: Install, values: Mapping[str, str], namespaces: Sequence[str]
) -> tuple[str, ...]:
    wanted = ON_WORKLOADS + (() if values.get("OPERATOR_EVENTS", "").lower() == "false" else ON_EVENTS)
    asked: list[tuple[Right, str]] = [
        (right, place) for place in namespaces[:MOST_NAMESPACES] or [""] for right in wanted
    ]
    if not namespaces:
        fixed = "OPERATOR_INSTALL_ID" in values
        asked += [(right, "") for right in ON_THE_CLUSTER if not (fixed and right.name == "kube-system")]
    asked += [(right, values.get("OPERATOR_RECORDS_NAMESPACE") or install.namespace) for right in ON_RECORDS]
    missing = []
    for right, place in asked:
        if not await _may(cluster, REVIEWS, right, place, _subject(install)):
            missing.append(f"{right} in namespace {place}" if place else str(right))
    return tuple(missing)


def _subject(install: Install) -> Mapping[str, Any]:
    account = f"system:serviceaccount:{install.namespace}:{install.service_account}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{install.namespace}", "system:authenticated"]
    return {"user": account, "groups": groups}


async def _forbidden(cluster: Cluster) -> tuple[str, ...]:
    verbs = [Right(verb, GROUP, PLURAL) for verb in PEOPLE]
    return tuple(
        [one.verb for one in verbs if not await _may(cluster, ACCESS_REVIEWS_PATH, one, cluster.namespace, {})]
    )


async def _may(cluster: Cluster, path: str, right: Right, namespace: str, subject: Mapping[str, Any]) -> bool:
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
        "namespace": namespace,
    }
    kind = "SelfSubjectAccessReview" if path == ACCESS_REVIEWS_PATH else "SubjectAccessReview"
    given = {key: value for key, value in attributes.items() if value}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": {"resourceAttributes": given, **subject}}
    return bool((await cluster.create(path, body))["status"].get("allowed"))


async def _webhooks(cluster: Cluster) -> tuple[WebhookSeen, ...]:
    found = []
    for plural, kind in (
        ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
        ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    ):
        async for item in cluster.list(f"{ADMISSION}/{plural}"):
            found += [
                WebhookSeen(
                    f"{kind} {item['metadata']['name']} ({hook['name']})", hook.get("failurePolicy", "Fail") == "Fail"
                )
                for hook in item.get("webhooks") or ()
                if is_about_workloads(hook.get("rules") or ())
            ]
    return tuple(found)


def is_about_workloads(rules: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the rules of a webhook covers RunaiWorkloads or their status."""
    resources = {"*", "*/*", PLURAL, f"{PLURAL}/*", f"{PLURAL}/status"}
    return any(
        {"*", GROUP} & set(rule.get("apiGroups") or ())
        and {"*", VERSION} & set(rule.get("apiVersions") or ())
        and resources & set(rule.get("resources") or ())
        and rule.get("scope", "*") != "Cluster"
        for rule in rules
    )


async def _objects(cluster: Cluster, *, everywhere: bool) -> tuple[Mapping[str, Any], ...]:
    """Without what nobody looks at here, which may be large and secret."""
    return tuple([_without_manifest(item) async for item in cluster.list(cluster.workloads(everywhere=everywhere))])


def _without_manifest(item: Mapping[str, Any]) -> Mapping[str, Any]:
    given = item.get("spec") or {}
    spec = {name: True if name.startswith("manifest") else value for name, value in given.items()}
    metadata = {name: value for name, value in item["metadata"].items() if name != "managedFields"}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(f"{GROUP}/")
    }
    return {**item, "metadata": metadata | {"annotations": annotations}, "spec": spec}


async def _orphans(cluster: Cluster, namespace: str) -> int:
    try:
        return len((await cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{ORPHANS}")).get("data") or {})
    except Vanished:
        return 0


async def _runai(cluster: Cluster, options: RunaiOptions) -> RunaiSeen | Unseen:
    async def ask() -> RunaiSeen:
        async with options.connect(cluster) as client:
            return await _answers(client)

    return await _seen(ask())


async def _answers(client: RunaiClient) -> RunaiSeen:
    if (refused := await _said(client.authorize)) is not None:
        return RunaiSeen(token=refused)
    page, rows = None, None
    try:
        page = await client.rows(RowQuery(latest=True))
    except BridgeError as error:
        rows = error.message
    ahead = page.server_time - datetime.now(UTC) if page and page.server_time else None
    try:
        projects: int | str = len(await client.projects(name=None, cluster_id=None))
    except BridgeError as error:
        projects = error.message
    return RunaiSeen(
        token=None,
        projects=projects,
        rows=rows,
        deleted_rows=await _said(lambda: client.rows(RowQuery(deleted=True, latest=True))),
        v2=await _said(lambda: client.get(NOWHERE)),
        ahead=ahead,
    )


async def _said(ask: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await ask()
    except BridgeError as error:
        return error.message
    return None
