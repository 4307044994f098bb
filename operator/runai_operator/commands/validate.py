"""`validate`: what is wrong with RunaiWorkloads, before anybody submits them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runai_operator.codecs.yaml import FULL_NODES
from runai_operator.commands.cluster import ClusterOptions, complete_names
from runai_operator.commands.crd import refusals
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.files import STDIN, SUFFIXES, Item, Problem, read_items
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.output import print_json, say
from runai_operator.domain.checks import MANIFEST_FROM, examine, gvk_of, read_manifest
from runai_operator.domain.errors import InvalidWorkload, Vanished
from runai_operator.domain.model import GROUP, KIND, SourceRef
from runai_operator.domain.schema import shown
from runai_operator.domain.wrapping import API_VERSION
from runai_operator.text import one_line

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

IN_CLUSTER = ("rwl/", "runaiworkload/", "runaiworkloads/", f"runaiworkload.{GROUP}/")
"""What names of objects begin with where a path could be meant, as `-o name` writes them."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SOURCES = ("ConfigMap", "Secret")

Sources = Callable[[SourceRef], str | None]
"""The text of a `manifestFrom`, or None where it is not known."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong with an object, or with what should be one."""

    message: str
    field: str = ""
    file: str = ""
    line: int = 0
    name: str = ""
    """Of the object, with its namespace where it says one."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else f"runaiworkload/{self.name}"
        return f"{place}: {one_line(self.message)}"

    def annotation(self) -> str:
        """As GitHub Actions shows it beside the line. https://docs.github.com/actions/reference/workflow-commands"""
        where = {"file": self.file, "line": str(self.line)} if self.file else {}
        named = where | {"title": f"RunaiWorkload {self.name}".strip()}
        return f"::error {','.join(f'{key}={_property(value)}' for key, value in named.items())}::{_data(self.message)}"


@click.command(
    cls=Command,
    short_help="Find out what is wrong with RunaiWorkloads before they are submitted.",
    examples=[
        Example("files and folders", "kubectl rwl validate workloads/ train.yaml"),
        Example("what a tool writes", "kubectl kustomize overlay | kubectl rwl validate -"),
        Example("in GitHub Actions, beside the lines", "kubectl rwl validate -o github workloads/"),
        Example("one that is in the cluster", "kubectl rwl validate rwl/train -n team"),
    ],
)
@click.argument("what", nargs=-1, required=True, metavar="FILE|NAME...", shell_complete=complete_names)
@output_option("text", "json", "github")
@cluster_options()
def command(*, what: Sequence[str], output: str, cluster: ClusterOptions) -> ExitCode:
    """Find out what is wrong with RunaiWorkloads before they are submitted, in files, in folders, on standard input (`-`), or
    by name in the cluster.

    They are held against the schema and the rules of the CustomResourceDefinition of this version and against what the
    operator itself checks, the manifests within included. Of files, no cluster is asked; objects of other kinds in them are
    passed over. A word that is no file is a name, and so is what begins with `rwl/`.
    """
    files, names = _sorted(what)
    checked, found = in_files(read_items(files))
    if names:
        more, also = cluster.run(lambda connected: _in_cluster(connected, names))
        checked, found = checked + more, [*found, *also]
    _print(output, checked, found)
    return ExitCode.FAILED if found else ExitCode.OK


def in_files(items: Iterable[Item | Problem]) -> tuple[int, list[Found]]:
    """How many RunaiWorkloads there are, and what is wrong, in the order of the files."""
    read = list(items)
    sources = _sources_of([item.value for item in read if isinstance(item, Item)])
    checked, found = 0, list[Found]()
    for item in read:
        if isinstance(item, Problem):
            found.append(Found(item.message, file=item.file, line=item.line))
        elif is_ours(item.value):
            checked += 1
            namespace = _mapping(item.value.get("metadata")).get("namespace")
            found += _located(item, check(item.value, partial(_from_files, sources, namespace)))
    return checked, found


def check(value: Mapping[str, Any], source: Sources = lambda _: None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Path and sentence of everything that is wrong with an object that is meant to be a RunaiWorkload."""
    seen: list[tuple[str | int, ...]] = []
    for path, message in _ours(value, source):
        seen.append(path)
        yield path, message
    for refusal in refusals(value, name=_usable_name(value)):
        if not any(_same_place(path, refusal.path) for path in seen):
            yield refusal.path, f"{shown(refusal.path)} {refusal.message}"


def is_ours(value: object) -> bool:
    """By kind or group: a wrong version is to be found, too."""
    return isinstance(value, dict) and (
        value.get("kind") == KIND or str(value.get("apiVersion", "")).startswith(f"{GROUP}/")
    )


def _ours(value: Mapping[str, Any], source: Sources) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from _of_object(value)
    examined = examine(value.get("spec"), name=_usable_name(value), yaml_nodes=FULL_NODES)
    for finding in examined.findings:
        yield tuple(finding.path.split(".")), finding.message
    ref = examined.spec.manifest_from
    if ref is not None and (text := source(ref)) is not None:
        place = f"the text of {ref.kind} {ref.name}, key {ref.key}"
        try:
            gvk_of(read_manifest(text, place=place), place=place)
        except InvalidWorkload as error:
            message = error.message.removeprefix("The spec cannot be used: ").rstrip(".")
            yield tuple(MANIFEST_FROM.split(".")), message


def _of_object(value: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if value.get("apiVersion") != API_VERSION:
        yield ("apiVersion",), f"apiVersion must be {API_VERSION}"
    if value.get("kind") != KIND:
        yield ("kind",), f"kind must be {KIND}"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        yield ("metadata",), "metadata is missing: give a name"
        return
    name = metadata.get("name")
    if name is None and not _is_text(metadata.get("generateName")):
        yield ("metadata", "name"), "metadata.name is missing: give one"
    elif name is not None and _usable_name(value) is None:
        rule = "lower case letters, digits, '-' and '.', with a letter or digit at both ends, 253 at most"
        yield ("metadata", "name"), f"metadata.name must have {rule}: correct it"
    for field in ("labels", "annotations"):
        entries = metadata.get(field)
        if entries is not None and not (isinstance(entries, dict) and all(map(_is_text, entries.values()))):
            yield ("metadata", field), f"metadata.{field} must be a mapping of names to text: put numbers into quotes"


def _usable_name(value: Mapping[str, Any]) -> str | None:
    """None where it has none, or one that Kubernetes does not take."""
    name = _mapping(value.get("metadata")).get("name")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _same_place(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    """One is at the other, or within it, or what holds it: one sentence is enough."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter] and shorter > 0


def _located(item: Item, found: Iterable[tuple[tuple[str | int, ...], str]]) -> Iterator[Found]:
    name = _name(item.value)
    for path, message in found:
        problem = item.problem(message, *path)
        yield Found(message, shown(path), problem.file, problem.line, name)


async def _in_cluster(cluster: Cluster, names: Sequence[str]) -> tuple[int, list[Found]]:
    found = []
    for name in names:
        value = await cluster.get(cluster.workloads(name))
        ref, text = examine(value.get("spec"), name=name).spec.manifest_from, None
        if ref is not None:
            try:
                text = await _read_source(cluster, value["metadata"]["namespace"], ref)
            except InvalidWorkload as error:
                found.append(Found(error.message, MANIFEST_FROM, name=_name(value)))
        found += [Found(words, shown(path), name=_name(value)) for path, words in check(value, {ref: text}.get)]
    return len(names), found


async def _read_source(cluster: Cluster, namespace: str, ref: SourceRef) -> str:
    """Raises `InvalidWorkload` where there is none or it holds no text."""
    from runai_operator.kube.wire import source_path, source_text  # noqa: PLC0415 - only with a cluster

    try:
        return source_text(await cluster.get(source_path(namespace, ref)), ref).text
    except Vanished:
        raise InvalidWorkload(f"{MANIFEST_FROM}: there is no {ref.kind} {ref.name} in namespace {namespace}") from None


def _sources_of(values: Iterable[Any]) -> dict[tuple[Any, SourceRef], str]:
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


def _from_files(texts: Mapping[tuple[Any, SourceRef], str], namespace: object, ref: SourceRef) -> str | None:
    return texts.get((namespace, ref))


def _decoded(text: object) -> str | None:
    try:
        return base64.b64decode(text).decode() if isinstance(text, str) else None
    except ValueError:
        return None


def _sorted(what: Sequence[str]) -> tuple[list[str], list[str]]:
    """Files and names."""
    files, names = [], []
    for word in what:
        prefix = next((prefix for prefix in IN_CLUSTER if word.startswith(prefix)), None)
        if word == STDIN or Path(word).exists() or (prefix is None and ("/" in word or word.endswith(SUFFIXES))):
            files.append(word)
        else:
            names.append(word.removeprefix(prefix or ""))
    return files, names


def _print(output: str, checked: int, found: Sequence[Found]) -> None:
    if output == "json":
        fields = ("file", "line", "name", "field", "message")
        problems = [{name: getattr(one, name) for name in fields if getattr(one, name)} for one in found]
        print_json({"checked": checked, "problems": problems})
        return
    for one in found:
        click.echo(one.annotation() if output == "github" else str(one))
    of = f"{checked} {KIND}{'' if checked == 1 else 's'}"
    say(f"{of}, {len(found)} problem{'' if len(found) == 1 else 's'}" if found else f"{of}, nothing wrong")


def _name(value: Mapping[str, Any]) -> str:
    metadata = _mapping(value.get("metadata"))
    return "/".join(str(metadata[part]) for part in ("namespace", "name") if _is_text(metadata.get(part)))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
