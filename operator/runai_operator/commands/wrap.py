"""`wrap`: from any manifests to RunaiWorkloads that submit them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from runai_operator.codecs.documents import Document, indented
from runai_operator.codecs.json import Unreadable
from runai_operator.codecs.yaml import dump_yaml, read_yaml
from runai_operator.commands.exits import ExitCode
from runai_operator.commands.files import Item, Problem, files_argument, read_items
from runai_operator.commands.frame import Command, Example, output_option
from runai_operator.commands.output import print_objects, say
from runai_operator.domain.checks import examine, examine_metadata, examine_size
from runai_operator.domain.manifest import normalised
from runai_operator.domain.model import (
    DeletionPolicy,
    ExternalDeletionPolicy,
    Json,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
)
from runai_operator.domain.naming import nearest_name
from runai_operator.domain.wrapping import (
    Name,
    is_from_cluster,
    is_hook,
    is_workload,
    is_wrapped,
    name_of,
    without_generate_name,
    workload,
)

FAIL, KEEP, DROP = "fail", "keep", "drop"
SHOWN = 20
"""Most problems that are printed; nobody would read more at once."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say."""

    spec: Json
    """All of the spec but the manifest and the name prefix."""
    namespace: str | None = None
    name: str | None = None
    prefix: str | None = None
    others: str = FAIL
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An object of the output: a RunaiWorkload, or what was passed on."""

    value: Json
    text: str
    """As YAML that ends with a line feed, with the comments that it had."""


def _spec_option(name: str, field_name: str, text: str, words: Iterable[str] | None = None) -> Callable[[Any], Any]:
    """An option that becomes a field of the spec."""
    return click.option(
        name,
        field_name,
        metavar=None if words else "TEXT",
        type=click.Choice([str(word) for word in words]) if words else str,
        help=text,
    )


@click.command(
    cls=Command,
    short_help="Turn any manifests into RunaiWorkloads.",
    examples=[
        Example("a file, for a project", "kubectl rwl wrap pytorchjob.yaml --project team-a"),
        Example(
            "submitted at once",
            "kubectl rwl wrap pytorchjob.yaml --project team-a --priority high | kubectl apply --server-side -f -",
        ),
        Example(
            "only checked by Run:ai, and not submitted",
            "kubectl rwl wrap pytorchjob.yaml --project team-a --name mnist-check --management-policy DryRun"
            " | kubectl apply --server-side -f -",
        ),
        Example(
            "from Helm; what is no workload stays as it is",
            "helm template train ./chart --skip-tests | kubectl rwl wrap - --project team-a --others keep",
        ),
        Example("from kustomize", "kubectl kustomize overlay | kubectl rwl wrap - --project team-a --others keep"),
    ],
)
@files_argument()
@_spec_option("--project", "projectName", "Name of the Run:ai project to run in.")
@_spec_option("--project-id", "projectId", "Id of the project, in place of its name.")
@_spec_option("--cluster-id", "clusterId", "Id of the Run:ai cluster, where several have a project of that name.")
@_spec_option("--priority", "priority", "Priority class, such as high.")
@_spec_option("--category", "category", "Category, such as Train.")
@_spec_option(
    "--preemptibility", "preemptibility", "preemptible, non-preemptible or, from Run:ai 3.0, semi-preemptible."
)
@_spec_option("--mnnvl", "mnnvl", "Multi-node NVLink, such as Required.")
@_spec_option(
    "--management-policy",
    "managementPolicy",
    "DryRun only asks Run:ai whether it would accept them; Manage, the default, submits.",
    (ManagementPolicy.MANAGE, ManagementPolicy.DRY_RUN),
)
@_spec_option("--deletion-policy", "deletionPolicy", "What a deletion does in Run:ai.", DeletionPolicy)
@_spec_option(
    "--recreate-policy", "recreatePolicy", "Whether it may be recreated where it cannot be changed.", RecreatePolicy
)
@_spec_option("--rerun-policy", "rerunPolicy", "Whether a finished one may run again when it is edited.", RerunPolicy)
@_spec_option(
    "--external-deletion-policy",
    "externalDeletionPolicy",
    "What to do where somebody deletes it in Run:ai.",
    ExternalDeletionPolicy,
)
@click.option("--name", metavar="NAME", help="Name of the RunaiWorkload, where there is one manifest.")
@click.option(
    "--name-prefix", "prefix", metavar="TEXT", help="Have names in Run:ai made up from this one (namePrefix)."
)
@click.option("-n", "--namespace", metavar="NAME", help="Namespace to write into the RunaiWorkloads.")
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="Label of the RunaiWorkloads; repeatable.")
@click.option("--annotation", "annotations", metavar="KEY=VALUE", multiple=True, help="Annotation of them, likewise.")
@click.option(
    "--others",
    type=click.Choice([FAIL, KEEP, DROP]),
    default=FAIL,
    show_default=True,
    help="What to do with objects that are no workloads, such as ConfigMaps and Helm hooks.",
)
@output_option("yaml", "json", "name")
def command(
    *,
    files: Sequence[str],
    output: str,
    others: str,
    name: str | None,
    prefix: str | None,
    namespace: str | None,
    labels: Sequence[str],
    annotations: Sequence[str],
    **spec: Any,
) -> ExitCode:
    """Turn manifests of any kind into RunaiWorkloads that submit them: from files, from folders, or with `-` from standard
    input, several in one stream as `helm template` and `kubectl kustomize` write them.

    The manifests stay as they are, with their comments and the order of their fields. Names that Run:ai does not take are
    made ones that it takes. RunaiWorkloads among them are passed on. If anything cannot be submitted, nothing is written,
    and each problem is named with file and line.
    """
    if (spec["projectName"] is None) == (spec["projectId"] is None):
        raise click.UsageError("Give exactly one of --project and --project-id.", click.get_current_context())
    wish = Wish(spec, namespace, name, prefix, others, _pairs("--label", labels), _pairs("--annotation", annotations))
    wrapped, problems = wrap(read_items(files), wish)
    if not wrapped and not problems:
        problems = [Problem(files[0], 1, "there is nothing to wrap: give at least one manifest")]
    for problem in problems[:SHOWN]:
        say(str(problem))
    if len(problems) > SHOWN:
        say(f"and {len(problems) - SHOWN} more problems")
    if problems:
        return ExitCode.FAILED
    if output == "yaml":
        click.echo("---\n".join(one.text for one in wrapped), nl=False)
    else:
        print_objects(output, [one.value for one in wrapped], single=len(wrapped) == 1)
    return ExitCode.OK


def wrap(items: Iterable[Item | Problem], wish: Wish) -> tuple[list[Wrapped], list[Problem]]:
    """What to write, in the order of the input, and what keeps it from being written."""
    chosen = [one for item in items if (one := item if isinstance(item, Problem) else _choice(item, wish)) is not None]
    problems = [one for one in chosen if isinstance(one, Problem)]
    choices = [one for one in chosen if isinstance(one, _Choice)]
    names, clashes = _told_apart(choices, wish)
    wrapped = []
    for choice in choices:
        name = names.get(id(choice.item))
        found = list(_findings(choice.item, name, wish)) if name is not None else []
        if not found:
            wrapped.append(_wrapped(choice.item, name, wish) if name is not None else _passed_on(choice.item))
        problems += found
    return wrapped, [*problems, *clashes]


@dataclass(frozen=True, slots=True)
class _Choice:
    """An object of the input that is in the output, too."""

    item: Item
    name: Name | None = None
    """None: it is passed on as it is."""


def _choice(item: Item, wish: Wish) -> _Choice | Problem | None:
    """None for what is left out."""
    if is_wrapped(item.value):
        return _Choice(item)
    if problem := _no_object(item):
        return problem
    if problem := _no_workload(item):
        return problem if wish.others == FAIL else _Choice(item) if wish.others == KEEP else None
    try:
        return _Choice(item, _name(item.value, wish))
    except ValueError as error:
        return item.problem(f"{error}: give it one, or --name", "metadata")


def _no_object(item: Item) -> Problem | None:
    value = item.value
    if isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("apiVersion", "kind")):
        return None
    return item.problem("this is no Kubernetes object: it needs apiVersion and kind, both as text")


def _no_workload(item: Item) -> Problem | None:
    ways = f"give --others {KEEP} to pass it on as it is, or --others {DROP} to leave it out"
    if is_hook(item.value):
        return item.problem(f"this {item.value['kind']} is a Helm hook, which is not to be submitted: {ways}")
    return None if is_workload(item.value) else item.problem(f"{item.value['kind']} is no kind of workload: {ways}")


def _name(manifest: Json, wish: Wish) -> Name:
    if wish.name is not None:
        return Name(wish.name, wish.prefix)
    name = name_of(manifest)
    return Name(name.name, wish.prefix or name.prefix)


def _told_apart(choices: Sequence[_Choice], wish: Wish) -> tuple[dict[int, Name], list[Problem]]:
    """Names by item; those of several kinds that would be called the same get the kind at the end."""
    named = [(choice.item, choice.name) for choice in choices if choice.name is not None]
    if wish.name is not None and len(named) > 1:
        return {}, [named[1][0].problem("--name is for one manifest, and this is the second: leave it out")]
    often = Counter(name.name for _, name in named)
    names: dict[int, Name] = {}
    problems: list[Problem] = []
    first = {passed_on: choice.item for choice in choices if (passed_on := _own_name(choice.item.value, wish))}
    for item, name in named:
        unique = Name(nearest_name(f"{name.name}-{item.value['kind']}"), name.prefix) if often[name.name] > 1 else name
        if (other := first.setdefault(unique.name, item)) is not item:
            there = other.problem("", "metadata", "name").place
            message = f"it would be called {unique.name}, as that of {there}: rename it"
            problems.append(item.problem(message, "metadata", "name"))
        names[id(item)] = unique
    return names, problems


def _own_name(value: object, wish: Wish) -> str | None:
    """Of a RunaiWorkload that is passed on and goes to the same namespace; None for others."""
    metadata = value.get("metadata") if isinstance(value, dict) and is_wrapped(value) else None
    if not isinstance(metadata, dict) or metadata.get("namespace") != wish.namespace:
        return None
    return metadata["name"] if isinstance(metadata.get("name"), str) else None


def _findings(item: Item, name: Name, wish: Wish) -> Iterator[Problem]:
    """What keeps it from being submitted; fields of the manifest are named as in its file."""
    made = _workload(name, wish)
    for _, message in examine_metadata(made["metadata"]):
        yield item.problem(message)
    for _, message in examine_size(made | {"spec": made["spec"] | {"manifest": item.value}}):
        yield item.problem(message)
    for finding in examine(made["spec"] | {"manifest": without_generate_name(item.value)}, name=name.name).findings:
        _, inside, path = finding.path.partition("spec.manifest")
        parts = path.strip(".").split(".") if inside and path else []
        yield item.problem(finding.message.replace("spec.manifest.", "") if inside else finding.message, *parts)


def _wrapped(item: Item, name: Name, wish: Wish) -> Wrapped:
    head, manifest = _workload(name, wish), _manifest(item.value)
    if (wrapped := _with_comments(item, head, manifest)) is not None:
        return wrapped
    value = head | {"spec": head["spec"] | {"manifest": manifest}}
    return Wrapped(value, dump_yaml(value))


def _with_comments(item: Item, head: Json, manifest: Json) -> Wrapped | None:
    """The text of the manifest within that of the RunaiWorkload; None where that would not say the same."""
    document: Document | None = item.document
    if item.path or is_from_cluster(item.value):
        return None
    if manifest is not item.value:
        document = item.document.without(("metadata", "generateName"))
    if document is None:
        return None
    comments, text = document.comments()
    text = f"{comments}{dump_yaml(head)}  manifest:\n{indented(text, 4)}"
    text = text if text.endswith("\n") else f"{text}\n"
    try:
        value = read_yaml(text)
        said = value["spec"]["manifest"]
        # Without `generateName`, nothing may be left of its mapping.
        same = said == manifest or said | {"metadata": said.get("metadata") or {}} == manifest
    except (Unreadable, TypeError, KeyError, AttributeError):
        return None
    return Wrapped(value, text) if same else None


def _passed_on(item: Item) -> Wrapped:
    text = dump_yaml(item.value) if item.path else item.document.text
    return Wrapped(item.value, text if text.endswith("\n") else f"{text}\n")


def _workload(name: Name, wish: Wish) -> Json:
    """Without its manifest."""
    return workload(
        name,
        wish.spec,
        namespace=wish.namespace,
        labels=dict(wish.labels),
        annotations=dict(wish.annotations),
    )


def _manifest(manifest: Json) -> Json:
    """The one to submit: without what a server has written, and without `generateName` where the name is made up."""
    return without_generate_name(normalised(manifest) if is_from_cluster(manifest) else manifest)


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{option} takes KEY=VALUE.", click.get_current_context())
        pairs[key] = value
    return pairs
