"""`export`: from RunaiWorkloads back to plain manifests, and to the command line of Run:ai, for those who leave."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runai_operator.codecs.documents import Document
from runai_operator.codecs.json import Unreadable
from runai_operator.codecs.yaml import dump_yaml, read_yaml
from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.files import Item, Problem, read_items
from runai_operator.commands.frame import Command, Example, cluster_options
from runai_operator.commands.given import (
    Texts,
    files_and_names,
    given_argument,
    is_ours,
    name_of,
    read_source,
    sources_of,
)
from runai_operator.commands.output import say
from runai_operator.domain.checks import MANIFEST_FROM, MANIFEST_YAML, examine, read_manifest
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import Json, ManagementPolicy, Spec
from runai_operator.domain.naming import NAME, NAME_RULE

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

YAML, RUNAI = "yaml", "runai"


@dataclass(frozen=True, slots=True)
class Exported:
    """What becomes of one RunaiWorkload."""

    name: str
    """Of the workload in Run:ai."""
    text: str
    """Its manifest as YAML that ends with a line feed."""
    spec: Spec
    project: str | None
    """Name, where it is known."""
    made_up: bool = False
    """Run:ai makes the rest of the name up."""

    def command_line(self, file: Path) -> str:
        """That of Run:ai which submits the file.

        https://docs.nvidia.com/run-ai/self-hosted/reference/cli/runai/workload/runai-workload-submit
        """
        spec = self.spec
        options = {
            "--name-prefix": self.name if self.made_up else None,
            "--file": str(file),
            "--project": self.project,
            "--priority": spec.priority,
            "--category": spec.category,
            "--preemptibility": spec.preemptibility,
            "--mnnvl": spec.mnnvl,
        }
        words = [word for option, value in options.items() if value is not None for word in (option, value)]
        return shlex.join(["runai", "workload", "submit", *([] if self.made_up else [self.name]), *words])


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say."""

    project: str | None = None
    for_runai: bool = False
    """Submitted by Run:ai's command line, and not applied."""


@click.command(
    cls=Command,
    short_help="Turn RunaiWorkloads back into plain manifests or commands of Run:ai.",
    examples=[
        Example("the manifest, as it was before", "kubectl rwl export train.yaml"),
        Example("one that is in the cluster", "kubectl rwl export rwl/train -n team"),
        Example(
            "a file for each, and the commands that submit them", "kubectl rwl export workloads/ -o runai -d plain/"
        ),
    ],
)
@given_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice([YAML, RUNAI]),
    default=YAML,
    show_default=True,
    help="Manifests, or commands of Run:ai's own command line that submit them.",
)
@click.option("-d", "--directory", type=click.Path(path_type=Path), help="Write a file for each manifest into it.")
@click.option("--project", metavar="NAME", help="Name of the project, for commands where only its id is known.")
@cluster_options()
def command(
    *, what: Sequence[str], output: str, directory: Path | None, project: str | None, cluster: ClusterOptions
) -> ExitCode:
    """Turn RunaiWorkloads, in files or by name in the cluster, back into the plain manifests within them, with their comments
    where these are in a file; or, with `-o runai`, into the commands by which Run:ai's own command line submits them.

    Nothing is changed in the cluster or in Run:ai. Objects of other kinds are passed over. An existing file is not
    overwritten.
    """
    if output == RUNAI and directory is None:
        raise click.UsageError("-o runai submits files: give --directory.", click.get_current_context())
    files, names = files_and_names(what)
    wish = Wish(project, for_runai=output == RUNAI)
    exported, problems = in_files(list(read_items(files)), wish)
    if names:
        more, also = cluster.run(lambda connected: _in_cluster(connected, names, wish))
        exported, problems = exported + more, problems + also
    if output == RUNAI:
        problems += [
            f"{one.name}: only the id of its project is known, and commands need its name: give --project"
            for one in exported
            if one.project is None
        ]
    if not exported and not problems:
        problems = ["there is no RunaiWorkload: give at least one"]
    for problem in problems:
        say(problem)
    if problems:
        return ExitCode.FAILED
    if directory is None:
        click.echo("---\n".join(one.text for one in exported), nl=False)
        return ExitCode.OK
    for one, file in zip(exported, _written(exported, directory), strict=True):
        click.echo(one.command_line(file) if output == RUNAI else str(file))
    return ExitCode.OK


def in_files(items: Sequence[Item | Problem], wish: Wish) -> tuple[list[Exported], list[str]]:
    """What becomes of the RunaiWorkloads among them, and what is wrong, with its place."""
    texts = sources_of([item.value for item in items if isinstance(item, Item)])
    exported, problems = list[Exported](), []
    for item in items:
        if isinstance(item, Problem):
            problems.append(str(item))
        elif is_ours(item.value) and not _only_observes(item.value):
            try:
                exported.append(_exported(item.value, texts, wish, item))
            except InvalidWorkload as error:
                problems.append(str(item.problem(error.message.rstrip("."), "spec")))
    return exported, problems


async def _in_cluster(cluster: Cluster, names: Sequence[str], wish: Wish) -> tuple[list[Exported], list[str]]:
    exported, problems = list[Exported](), []
    for name in names:
        value = await cluster.get(cluster.workloads(name))
        if _only_observes(value):
            continue
        namespace, ref = value["metadata"]["namespace"], examine(value.get("spec"), name=name).spec.manifest_from
        try:
            texts = {(namespace, ref): await read_source(cluster, namespace, ref)} if ref is not None else {}
            exported.append(_exported(value, texts, wish))
        except InvalidWorkload as error:
            problems.append(f"runaiworkload/{name_of(value)}: {error.message.rstrip('.')}")
    return exported, problems


def _only_observes(value: Mapping[str, Any]) -> bool:
    """It has no manifest, and needs none; it says so."""
    spec = examine(value.get("spec"), name=None).spec
    given = (spec.manifest, spec.manifest_yaml, spec.manifest_from)
    observes = spec.management_policy is ManagementPolicy.OBSERVE and all(one is None for one in given)
    if observes:
        say(f"{name_of(value)} is passed over: it only observes, and has no manifest")
    return observes


def _exported(value: Mapping[str, Any], texts: Texts, wish: Wish, item: Item | None = None) -> Exported:
    """Raises `InvalidWorkload` where there is no manifest, or none that can be used."""
    metadata, status = _mapping(value.get("metadata")), _mapping(value.get("status"))
    spec = examine(value.get("spec"), name=None).spec
    name, made_up = spec.name or spec.name_prefix or str(metadata.get("name") or ""), spec.name is None
    made_up = made_up and spec.name_prefix is not None
    if recorded := status.get("workloadName"):
        name, made_up = str(recorded), False
    manifest, text = _manifest(spec, metadata.get("namespace"), texts, item)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("metadata") or {}, dict):
        raise InvalidWorkload("The manifest is no object.")
    if not NAME.fullmatch(name):
        raise InvalidWorkload(f"It has no name that Run:ai takes ({NAME_RULE}).")
    known = wish.project or spec.project_name or status.get("projectName")
    key, given = ("generateName", f"{name}-") if made_up else ("name", name)
    named = manifest if made_up and wish.for_runai else _named(manifest, key, given)
    if text is not None and named is not manifest:
        text = _with_name(text, key, given)
    if text is None or _read(text) != named:
        text = dump_yaml(named)
    return Exported(name, text if text.endswith("\n") else f"{text}\n", spec, known, made_up)


def _manifest(spec: Spec, namespace: object, texts: Texts, item: Item | None) -> tuple[Any, str | None]:
    """The value, and its text where there is one that can be kept."""
    if spec.manifest is not None:
        return spec.manifest, _text_of(item) if item is not None else None
    if spec.manifest_yaml is not None:
        return read_manifest(spec.manifest_yaml, place=MANIFEST_YAML), spec.manifest_yaml
    ref = spec.manifest_from
    if ref is None:
        raise InvalidWorkload("It has no manifest.")
    if (text := texts.get((namespace, ref))) is None:
        raise InvalidWorkload(
            f"Its manifest is in {ref.kind} {ref.name}, which is not in these files: give that one, too."
        )
    return read_manifest(text, place=MANIFEST_FROM), text


def _text_of(item: Item) -> str | None:
    if item.path:
        return None
    comments, _ = item.document.comments()
    text = item.document.within(("spec", "manifest"))
    return None if text is None else comments + text


def _named(manifest: Json, key: str, name: str) -> Json:
    """With the name that the operator would give it, as plain manifests need one; itself if it has one."""
    metadata = manifest.get("metadata") or {}
    if metadata.get("name"):
        return manifest
    return {
        **{key: manifest[key] for key in ("apiVersion", "kind") if key in manifest},
        "metadata": {key: name} | {of: value for of, value in metadata.items() if of != key},
        **{key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")},
    }


def _with_name(text: str, key: str, name: str) -> str | None:
    """After the line of the kind, where there is no metadata yet; None where that cannot be done."""
    if Document(text, 1).within(("metadata",)) is not None:
        return None
    made, times = re.subn(
        r"^(kind:[^\n]*\n)(?:metadata:[ \t]*\n)?", rf"\1metadata:\n  {key}: {name}\n", text, flags=re.MULTILINE
    )
    return made if times == 1 else None


def _read(text: str) -> Any:
    try:
        return read_yaml(text)
    except Unreadable:
        return None


def _written(exported: Sequence[Exported], directory: Path) -> Iterator[Path]:
    """A file for each; raises `CommandError` before anything is written if one is there already."""
    files = [directory / f"{one.name}.yaml" for one in exported]
    for at, file in enumerate(files):
        if file.exists():
            raise CommandError(f"{file} is there already: choose another --directory.", ExitCode.USAGE)
        if file in files[:at]:
            raise CommandError(f"Two workloads would be written into {file}: export them one by one.", ExitCode.USAGE)
    directory.mkdir(parents=True, exist_ok=True)
    for one, file in zip(exported, files, strict=True):
        file.write_text(one.text, encoding="utf-8")
        yield file


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
