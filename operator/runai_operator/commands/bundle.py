"""The support archive of `doctor`: what `domain.redaction` lets through, as YAML files in a tar.gz."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runai_operator.codecs.yaml import dump_yaml
from runai_operator.commands.observing import Looked
from runai_operator.domain import redaction
from runai_operator.domain.diagnosis import Unseen
from runai_operator.settings import BASE_URL, VARIABLES

README = """\
Written by `kubectl rwl doctor --bundle`, version {client}, at {now}.

report.yaml: what was found. versions.yaml: of this program and of Kubernetes. crd.yaml: the CustomResourceDefinition, without its schema.
operators.yaml: Deployments and settings of the operator. workloads.yaml: RunaiWorkloads without manifests, labels, annotations
and messages. Names of namespaces, objects, projects and images are in it. Credentials, tokens and texts that people, Run:ai
or servers wrote are not, but for what the operator quotes of those in its own log.
logs: what the pods of the operator wrote last, scrubbed of credentials twice. Manifests are never in it.
"""
_SAID = frozenset(variable.name for variable in VARIABLES if variable.name.startswith("OPERATOR_")) | {
    "RUNAI_ALLOW_HTTP"
}


def write(path: str, looked: Looked, report: Mapping[str, Any]) -> None:
    """Replaces what is there; only its owner may read it from then on. Raises OSError."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in _files(looked, report):
            data = text.encode()
            entry = tarfile.TarInfo(f"runai-operator-support/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(looked.seen.now.timestamp())
            archive.addfile(entry, io.BytesIO(data))
    file = Path(path)
    file.touch(0o600)
    if file.is_file():  # and no device
        file.chmod(0o600)
    file.write_bytes(content.getvalue())


def _files(looked: Looked, report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen = looked.seen
    yield "README", README.format(client=seen.client, now=seen.now.isoformat(timespec="seconds"))
    yield "report.yaml", dump_yaml(report)
    kubernetes = None if isinstance(seen.kubernetes, Unseen) else seen.kubernetes
    yield "versions.yaml", dump_yaml({"client": seen.client, "kubernetes": kubernetes})
    if isinstance(seen.crd, Mapping):
        yield "crd.yaml", dump_yaml(redaction.crd(seen.crd))
    shown = [
        redaction.deployment(install.deployment, _environment(install.keys, values), _public(values))
        for install, values in looked.installs.values()
    ]
    yield "operators.yaml", dump_yaml(shown)
    if not isinstance(seen.objects, Unseen):
        yield "workloads.yaml", dump_yaml([redaction.workload(item) for item in seen.objects])
    for pod, log in looked.logs.items():
        yield f"logs/{pod}.log", f"not included: {log.why}\n" if isinstance(log, Unseen) else log


def _environment(keys: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    return dict.fromkeys(keys, "") | dict(values)


def _public(values: Mapping[str, str]) -> set[str]:
    """The variables that cannot hold a credential; an address only where it has the form that leaves no room for one."""
    shown = set(_SAID)
    if BASE_URL.fullmatch(values.get("RUNAI_BASE_URL", "")):
        shown.add("RUNAI_BASE_URL")
    return shown
