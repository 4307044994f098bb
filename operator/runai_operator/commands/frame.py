"""What every command has in common: help with examples, and the options that mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from runai_operator.commands.cluster import ClusterOptions, complete_names, complete_namespaces

F = TypeVar("F", bound=Callable[..., Any])

PLUGIN = "kubectl rwl"
"""How examples call the program; the help shows the name it was called by."""


@dataclass(frozen=True, slots=True)
class Example:
    """One line that a person would type, and why; a test runs it."""

    meaning: str
    line: str
    """Begins with `kubectl rwl`, or with what is piped into it."""


class Command(click.Command):
    """A click command with examples at the end of its help. The function returns the exit code, or None for 0."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            called = ctx.find_root().info_name or PLUGIN
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write_text(f"# {example.meaning}")
                    formatter.write(f"{'':>{formatter.current_indent}}{example.line.replace(PLUGIN, called)}\n")
        super().format_epilog(ctx, formatter)


def output_option(*formats: str) -> Callable[[F], F]:
    """`-o`, with the first format as the default; the function gets it as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to write the result.",
    )


def cluster_options(*, all_namespaces: bool = False) -> Callable[[F], F]:
    """`--kubeconfig`, `--context`, `-n` and where it makes sense `-A`; the function gets them as `cluster`."""

    def decorate(function: F) -> F:
        @wraps(function)
        def with_cluster(
            *args: Any,
            kubeconfig: str | None,
            context: str | None,
            namespace: str | None,
            every_namespace: bool = False,
            **kwargs: Any,
        ) -> Any:
            if every_namespace and namespace:
                raise click.UsageError("-A and -n exclude each other: give one of them.")
            chosen = ClusterOptions(kubeconfig, context, namespace, every_namespace)
            return function(*args, cluster=chosen, **kwargs)

        options = [
            click.option("--kubeconfig", metavar="FILE", help="In place of KUBECONFIG and ~/.kube/config."),
            click.option("--context", metavar="NAME", help="Context of the kubeconfig, in place of its current one."),
            click.option(
                "-n",
                "--namespace",
                metavar="NAME",
                shell_complete=complete_namespaces,
                help="In place of the context's namespace.",
            ),
        ]
        if all_namespaces:
            options.append(
                click.option("-A", "--all-namespaces", "every_namespace", is_flag=True, help="In every one.")
            )
        decorated: Any = with_cluster
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]  # what click makes of it has the same parameters and more

    return decorate


def names_argument(*, required: bool = True) -> Callable[[F], F]:
    """`NAME...` of RunaiWorkloads, completed from the cluster; the function gets them as `names`."""
    return click.argument("names", nargs=-1, required=required, metavar="NAME...", shell_complete=complete_names)
