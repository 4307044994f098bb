"""`validate`: what is wrong with RunaiWorkloads, before anybody submits them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from runai_operator.codecs.yaml import FULL_NODES
from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.crd import refusals
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.files import Item, Problem, read_items
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.given import (
    Texts,
    files_and_names,
    given_argument,
    is_ours,
    name_of,
    read_source,
    sources_of,
)
from runai_operator.commands.output import print_json, say
from runai_operator.domain.checks import MANIFEST_FROM, examine, gvk_of, read_manifest
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import KIND, SourceRef
from runai_operator.domain.schema import shown
from runai_operator.domain.wrapping import API_VERSION
from runai_operator.text import one_line

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
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
@given_argument
@output_option("text", "json", "github")
@cluster_options()
def command(*, what: Sequence[str], output: str, cluster: ClusterOptions) -> ExitCode:
    """Find out what is wrong with RunaiWorkloads before they are submitted, in files, in folders, on standard input (`-`), or
    by name in the cluster.

    They are held against the schema and the rules of the CustomResourceDefinition of this version and against what the
    operator itself checks, the manifests within included. Of files, no cluster is asked; objects of other kinds in them are
    passed over. A word that is no file is a name, and so is what begins with `rwl/`.
    """
    files, names = files_and_names(what)
    checked, found = in_files(read_items(files))
    if names:
        more, also = cluster.run(lambda connected: _in_cluster(connected, names))
        checked, found = checked + more, [*found, *also]
    _print(output, checked, found)
    return ExitCode.FAILED if found else ExitCode.OK


def in_files(items: Iterable[Item | Problem]) -> tuple[int, list[Found]]:
    """How many RunaiWorkloads there are, and what is wrong, in the order of the files."""
    read = list(items)
    sources = sources_of([item.value for item in read if isinstance(item, Item)])
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
    name = name_of(item.value)
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
                text = await read_source(cluster, value["metadata"]["namespace"], ref)
            except InvalidWorkload as error:
                found.append(Found(error.message, MANIFEST_FROM, name=name_of(value)))
        found += [Found(words, shown(path), name=name_of(value)) for path, words in check(value, {ref: text}.get)]
    return len(names), found


def _from_files(texts: Texts, namespace: object, ref: SourceRef) -> str | None:
    return texts.get((namespace, ref))


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


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
