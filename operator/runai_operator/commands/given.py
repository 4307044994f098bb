"""The RunaiWorkloads that a command is given, in files or by name in the cluster, and where their manifests come from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runai_operator.commands.cluster import complete_names
from runai_operator.commands.files import STDIN, SUFFIXES
from runai_operator.domain.checks import MANIFEST_FROM
from runai_operator.domain.errors import InvalidWorkload, Vanished
from runai_operator.domain.model import GROUP, KIND, SourceRef

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

IN_CLUSTER = ("rwl/", "runaiworkload/", "runaiworkloads/", f"runaiworkload.{GROUP}/")
"""What names of objects begin with where a path could be meant, as `-o name` writes them."""

_SOURCES = ("ConfigMap", "Secret")


Texts = Mapping[tuple[Any, SourceRef], str]
"""What ConfigMaps and Secrets hold, by their namespace and what refers to them."""

given_argument = click.argument("what", nargs=-1, required=True, metavar="FILE|NAME...", shell_complete=complete_names)
"""The function gets the words as `what`; `files_and_names` sorts them."""


def files_and_names(what: Sequence[str]) -> tuple[list[str], list[str]]:
    """A word that is no file is a name, and so is what begins with `rwl/`."""
    files, names = [], []
    for word in what:
        prefix = next((prefix for prefix in IN_CLUSTER if word.startswith(prefix)), None)
        if word == STDIN or Path(word).exists() or (prefix is None and ("/" in word or word.endswith(SUFFIXES))):
            files.append(word)
        else:
            names.append(word.removeprefix(prefix or ""))
    return files, names


def is_ours(value: object) -> bool:
    """By kind or group: a wrong version is to be found, too."""
    return isinstance(value, dict) and (
        value.get("kind") == KIND or str(value.get("apiVersion", "")).startswith(f"{GROUP}/")
    )


def name_of(value: Mapping[str, Any]) -> str:
    """With its namespace, where it says one."""
    metadata = _mapping(value.get("metadata"))
    return "/".join(str(metadata[part]) for part in ("namespace", "name") if _is_text(metadata.get(part)))


async def read_source(cluster: Cluster, namespace: str, ref: SourceRef) -> str:
    """Raises `InvalidWorkload` where there is none or it holds no text."""
    from runai_operator.kube.wire import source_path, source_text  # noqa: PLC0415 - only with a cluster

    try:
        return source_text(await cluster.get(source_path(namespace, ref)), ref).text
    except Vanished:
        raise InvalidWorkload(f"{MANIFEST_FROM}: there is no {ref.kind} {ref.name} in namespace {namespace}") from None


def sources_of(values: Iterable[Any]) -> Texts:
    """The texts of the ConfigMaps and Secrets in the same files, by their namespace and what refers to them."""
    texts: dict[tuple[Any, SourceRef], str] = {}
    for value in values:
        if not isinstance(value, dict) or value.get("apiVersion") != "v1" or value.get("kind") not in _SOURCES:
            continue
        metadata, kind = _mapping(value.get("metadata")), value["kind"]
        held = dict(_mapping(value.get("data")))
        if kind == "Secret":
            held = {key: _decoded(text) for key, text in held.items()} | dict(_mapping(value.get("stringData")))
        for key, text in held.items():
            if _is_text(text) and _is_text(metadata.get("name")):
                texts[metadata.get("namespace"), SourceRef(kind, metadata["name"], key)] = text
    return texts


def _decoded(text: object) -> str | None:
    try:
        return base64.b64decode(text).decode() if isinstance(text, str) else None
    except ValueError:
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
