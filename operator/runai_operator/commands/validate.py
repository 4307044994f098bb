"""`validate`: what is wrong with RunaiWorkloads, before anybody submits them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from runai_operator.codecs.yaml import FULL_NODES
from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.crd import refusals
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.files import PIPED, Item, Problem, read_items
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.given import (
    files_and_names,
    given_argument,
    is_ours,
    name_of,
    read_source,
    sources_of,
)
from runai_operator.commands.output import print_json, say
from runai_operator.commands.runai_access import RunaiOptions, runai_options
from runai_operator.domain.checks import MANIFEST_FROM, examine, examine_metadata, examine_size, gvk_of, read_manifest
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import KIND
from runai_operator.domain.schema import shown
from runai_operator.domain.wrapping import API_VERSION
from runai_operator.text import one_line

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster
    from runai_operator.settings import RunaiAccess

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


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
        is_piped = self.file == PIPED  # which is no file of the repository: such an annotation would be shown nowhere
        where = {"file": self.file, "line": str(self.line)} if self.file and not is_piped else {}
        named = where | {"title": f"RunaiWorkload {self.name}".strip()}
        message = f"line {self.line} of standard input: {self.message}" if is_piped else self.message
        return f"::error {','.join(f'{key}={_property(value)}' for key, value in named.items())}::{_data(message)}"


@click.command(
    cls=Command,
    short_help="Find out what is wrong with RunaiWorkloads before they are submitted.",
    examples=[
        Example("files and folders", "kubectl rwl validate workloads/ train.yaml"),
        Example("what a tool writes", "kubectl kustomize overlay | kubectl rwl validate -"),
        Example("in GitHub Actions, beside the lines", "kubectl rwl validate -o github workloads/"),
        Example("one that is in the cluster", "kubectl rwl validate rwl/train -n team"),
        Example("asking Run:ai, too", "kubectl rwl validate --dry-run train.yaml"),
        Example("with the operator's own access to Run:ai", "kubectl rwl validate --dry-run --as-operator train.yaml"),
    ],
)
@given_argument
@click.option("--dry-run", is_flag=True, help="Ask Run:ai, too, with dryRun=true; needs its address and credentials.")
@output_option("text", "json", "github")
@runai_options()
@cluster_options()
def command(
    *, what: Sequence[str], dry_run: bool, output: str, runai: RunaiOptions, cluster: ClusterOptions
) -> ExitCode:
    """Find out what is wrong with RunaiWorkloads before they are submitted, in files, in folders, on standard input (`-`), or
    by name in the cluster.

    They are held against the schema and the rules of the CustomResourceDefinition of this version and against what the
    operator itself checks, the manifests within included. Of files, no cluster is asked; objects of other kinds in them are
    passed over, and so are hidden folders in a folder and links to folders. A word that is no file is a name, and so is what begins with `rwl/`.

    With `--dry-run`, those that pass are shown to Run:ai, which is reached by what the options say, else as `run` reaches it
    (RUNAI_BASE_URL, RUNAI_CLIENT_ID, RUNAI_CLIENT_SECRET and so on), or with `--as-operator` as the operator does. Each is checked as a new workload under a name that nothing has, also
    where it exists already, since Run:ai has no dry run of a change. Releases before 2.25 ignore the flag: that is noticed
    with a Job that never starts, which is deleted again.
    """
    if runai != RunaiOptions() and not dry_run:
        raise click.UsageError("Run:ai is only asked with --dry-run: give it, too.")
    files, names = files_and_names(what)
    checked, found = in_files(read_items(files))
    unasked, error = 0, None
    try:
        if names:
            cluster.run(lambda connected: _in_cluster(connected, names, checked))
        if dry_run:
            checked, unasked, error = _ask_runai(checked, runai.settings_by(cluster))
    except Exception as ended:  # noqa: BLE001 - it is raised below, after what was found
        error = ended
    found += [one for each in checked for one in each.found]
    if found or error is None:
        _print(output, len(checked), found, unasked)
    if error is not None:
        raise error
    return ExitCode.FAILED if found else ExitCode.OK


@dataclass(frozen=True, slots=True)
class Checked:
    """A RunaiWorkload, and what is wrong with it."""

    value: Mapping[str, Any]
    found: tuple[Found, ...]
    item: Item | None = None
    """Where it is in a file."""
    source: str | None = None
    """The text of its `manifestFrom`, where that is known."""

    def refused(self, message: str) -> Checked:
        """The same with what Run:ai says of it."""
        place = self.item.problem(message, "spec") if self.item is not None else None
        more = Found(message, "spec", place.file, place.line, name_of(self.value)) if place else Found(message, "spec")
        return replace(self, found=(*self.found, replace(more, name=name_of(self.value))))


def in_files(items: Iterable[Item | Problem]) -> tuple[list[Checked], list[Found]]:
    """The RunaiWorkloads in the order of the files, and what keeps others from being read."""
    read = list(items)
    texts = sources_of([item.value for item in read if isinstance(item, Item)])
    unread = [Found(item.message, file=item.file, line=item.line) for item in read if isinstance(item, Problem)]
    checked = []
    for item in read:
        if isinstance(item, Problem) or not is_ours(item.value):
            continue
        ref = examine(item.value.get("spec"), name=None).spec.manifest_from
        text = texts.get((_mapping(item.value.get("metadata")).get("namespace"), ref)) if ref is not None else None
        checked.append(Checked(item.value, tuple(_located(item, check(item.value, text))), item, text))
    return checked, unread


def _ask_runai(checked: Sequence[Checked], access: RunaiAccess) -> tuple[list[Checked], int, Exception | None]:
    """All, with what Run:ai says of those that have passed so far; how many of these it was not asked about, and why."""
    from runai_operator.commands.dry_run import Asked, ask  # noqa: PLC0415 - only with --dry-run

    asked: dict[int, Asked] = {}
    for at, one in enumerate(checked):
        spec = examine(one.value.get("spec"), name=None).spec
        text = spec.manifest_yaml if spec.manifest_yaml is not None else one.source
        manifest = spec.manifest if text is None else read_manifest(text, place=MANIFEST_FROM)
        if manifest is not None and not one.found:
            metadata = one.value["metadata"]
            asked[at] = Asked(spec, metadata.get("name") or metadata["generateName"], manifest)
        elif not one.found:
            say(f"{name_of(one.value)} was not shown to Run:ai: its manifest is not here")
    verdicts = ask(access, list(asked.values()))
    for name in verdicts.existing:
        say(f"{name} exists in Run:ai: it was checked as a new workload under another name")
    refusals_by_place = dict(zip(asked, verdicts.refusals, strict=verdicts.error is None))
    answered = [
        one.refused(refusal) if (refusal := refusals_by_place.get(at)) is not None else one
        for at, one in enumerate(checked)
    ]
    return answered, len(asked) - len(refusals_by_place), verdicts.error


def check(value: Mapping[str, Any], source: str | None = None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Path and sentence of everything that is wrong with an object that is meant to be a RunaiWorkload; `source`: the text of
    its `manifestFrom`, where that is known."""
    seen: list[tuple[str | int, ...]] = []
    for path, message in _ours(value, source):
        seen.append(path)
        yield path, message
    yield from examine_size(value)
    for refusal in refusals(value, name=_usable_name(value)):
        if not any(_same_place(path, refusal.path) for path in seen):
            yield refusal.path, f"{shown(refusal.path)} {refusal.message}"


def _ours(value: Mapping[str, Any], source: str | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from _of_object(value)
    examined = examine(value.get("spec"), name=_usable_name(value), yaml_nodes=FULL_NODES)
    for finding in examined.findings:
        yield tuple(finding.path.split(".")), finding.message
    ref = examined.spec.manifest_from
    if ref is not None and source is not None:
        place = f"the text of {ref.kind} {ref.name}, key {ref.key}"
        try:
            gvk_of(read_manifest(source, place=place), place=place)
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
    yield from examine_metadata(metadata)


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


async def _in_cluster(cluster: Cluster, names: Sequence[str], checked: list[Checked]) -> None:
    """Adds them one by one."""
    for name in names:
        value = await cluster.get(cluster.workloads(name))
        ref, text, found = examine(value.get("spec"), name=name).spec.manifest_from, None, list[Found]()
        if ref is not None:
            try:
                text = await read_source(cluster, value["metadata"]["namespace"], ref)
            except InvalidWorkload as error:
                found.append(Found(error.message, MANIFEST_FROM, name=name_of(value)))
        found += [Found(message, shown(path), name=name_of(value)) for path, message in check(value, text)]
        checked.append(Checked(value, tuple(found), source=text))


def _print(output: str, checked: int, found: Sequence[Found], unasked: int) -> None:
    if output == "json":
        fields = ("file", "line", "name", "field", "message")
        problems = [{name: getattr(one, name) for name in fields if getattr(one, name)} for one in found]
        print_json({"checked": checked, "problems": problems})
        return
    for one in found:
        click.echo(one.annotation() if output == "github" else str(one))
    of = f"{checked} {KIND}{'' if checked == 1 else 's'}"
    result = f"{len(found)} problem{'' if len(found) == 1 else 's'}" if found else "nothing wrong"
    say(
        f"{of}, {result}"
        if not unasked
        else f"{of}, {result} so far: Run:ai has given no answer about {unasked} of them"
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
