"""The installations of the operator in a cluster: their Deployments, and the environment of their pods."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from runai_operator.commands.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

LABEL = "app.kubernetes.io/name=runai-operator"
DEPLOYMENTS = "/apis/apps/v1/deployments"
CONTAINER = "operator"
_SECRET_FILE = "RUNAI_CLIENT_SECRET_FILE"  # noqa: S105 - the name of a variable
_ACCESS_FILE = "RUNAI_ACCESS_FILE"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a Secret or a ConfigMap in the install's namespace."""

    kind: str
    """`secrets` or `configmaps`."""
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Install:
    """One Deployment of the operator."""

    namespace: str
    name: str
    image: str
    service_account: str
    values: Mapping[str, str] = field(repr=False)
    """What the Deployment itself says of the environment."""
    keys: Mapping[str, Key]
    """Variables whose values are elsewhere."""
    maps: tuple[str, ...]
    """ConfigMaps whose keys are all variables."""
    files: Mapping[str, Key]
    """Files from Secrets and ConfigMaps by the variable that names them."""
    deployment: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def version(self) -> str:
        """The tag of its image, or the digest."""
        name, _, digest = self.image.partition("@")
        _, colon, tag = name.rpartition("/")[2].partition(":")
        return tag if colon else digest or "latest"


async def find_installs(cluster: Cluster, namespace: str | None = None) -> list[Install]:
    """Those of a namespace or of all; raises `AccessDenied` for who may not look."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments" if namespace else DEPLOYMENTS
    return [read_install(item) async for item in cluster.list(path, {"labelSelector": LABEL})]


async def the_install(cluster: Cluster, namespace: str | None) -> Install:
    """The only one; raises `CommandError` where there is none or several."""
    found = await find_installs(cluster, namespace)
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    if not found:
        raise CommandError(f"There is no operator {where}, so its settings cannot be used.", ExitCode.USAGE)
    if len(found) > 1:
        raise CommandError(
            f"There are {len(found)} operators {where} ({', '.join(map(str, found))}): choose by --operator-namespace.",
            ExitCode.USAGE,
        )
    return found[0]


def read_install(deployment: Mapping[str, Any]) -> Install:
    """From a Deployment, whoever wrote it: what it lacks is empty."""
    metadata, pod = deployment.get("metadata") or {}, _pod_spec(deployment)
    container = _container(pod)
    values, keys = {}, {}
    for entry in container.get("env") or ():
        if key := _key_of(entry.get("valueFrom") or {}):
            keys[entry["name"]] = key
        else:
            values[entry["name"]] = str(entry.get("value") or "")
    sources = [entry.get("configMapRef") or {} for entry in container.get("envFrom") or ()]
    named = {name: path for name, path in values.items() if name.endswith("_FILE")}
    files = {name: key for name, path in named.items() if (key := _file(container, pod, path))}
    return Install(
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
        image=str(container.get("image", "")),
        service_account=pod.get("serviceAccountName") or "default",
        values=values,
        keys=keys,
        maps=tuple(source["name"] for source in sources if source.get("name")),
        files=files,
        deployment=deployment,
    )


async def environment_of(cluster: Cluster, install: Install) -> dict[str, str]:
    """The environment of its pods as far as it is about settings; Secrets are not read."""
    environment: dict[str, str] = {}
    for name in install.maps:
        held = await cluster.get(f"/api/v1/namespaces/{install.namespace}/configmaps/{name}")
        environment |= {key: str(value) for key, value in (held.get("data") or {}).items()}
    environment |= install.values
    for name, key in install.keys.items():
        if key.kind == "configmaps":
            environment[name] = (await read_key(cluster, install, key)) or ""
    return environment


async def credentials_of(cluster: Cluster, install: Install) -> dict[str, str]:
    """The environment with which a command asks Run:ai as the operator does, the client secret in it as a value."""
    environment = await environment_of(cluster, install)
    for name in ("RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET"):
        if name in install.keys:
            environment[name] = (await read_key(cluster, install, install.keys[name])) or ""
    if _SECRET_FILE in environment:
        if _SECRET_FILE not in install.files:
            raise CommandError(
                f"The client secret of operator {install} is in no Secret: give --client-id and --client-secret-file.",
                ExitCode.USAGE,
            )
        environment["RUNAI_CLIENT_SECRET"] = (
            (await read_key(cluster, install, install.files[_SECRET_FILE])) or ""
        ).strip()
    # These are files in its pod.
    return {name: text for name, text in environment.items() if name not in (_SECRET_FILE, _ACCESS_FILE)}


async def table_of(cluster: Cluster, install: Install) -> str | None:
    """The text of its table of access; None where it has none. Raises `CommandError` where it has one that cannot be read."""
    if not (await environment_of(cluster, install)).get(_ACCESS_FILE):
        return None
    key = install.files.get(_ACCESS_FILE)
    text = await read_key(cluster, install, key) if key is not None else None
    if text is None:
        raise CommandError(
            f"The table of access of operator {install} is in no ConfigMap and no Secret: do without --as-operator.",
            ExitCode.USAGE,
        )
    return text


async def read_key(cluster: Cluster, install: Install, key: Key) -> str | None:
    """Its text; None where the object lacks it."""
    held = await cluster.get(f"/api/v1/namespaces/{install.namespace}/{key.kind}/{key.name}")
    text = (held.get("data") or {}).get(key.key)
    if text is None or key.kind != "secrets":
        return text
    return base64.b64decode(text).decode(errors="replace")


def _pod_spec(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    return ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = pod.get("containers") or [{}]
    return next((one for one in containers if one.get("name") == CONTAINER), containers[0])


def _key_of(source: Mapping[str, Any]) -> Key | None:
    for field_name, kind in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
        if reference := source.get(field_name):
            return Key(kind, reference.get("name", ""), reference.get("key", ""))
    return None


def _file(container: Mapping[str, Any], pod: Mapping[str, Any], path: str) -> Key | None:
    """What a file in the container comes from; None if from no Secret and no ConfigMap."""
    volumes = {volume.get("name"): volume for volume in pod.get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        where, volume = PurePosixPath(mount.get("mountPath", "")), volumes.get(mount.get("name")) or {}
        if not PurePosixPath(path).is_relative_to(where):
            continue
        inside = str(mount.get("subPath") or PurePosixPath(path).relative_to(where))
        for kind, given, name in (
            ("secrets", volume.get("secret"), "secretName"),
            ("configmaps", volume.get("configMap"), "name"),
        ):
            if given:
                keys = {item.get("path"): item.get("key") for item in given.get("items") or ()}
                return Key(kind, given.get(name, ""), keys.get(inside) or inside)
    return None
