"""`completion`: what a shell needs to complete commands, options and names."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import ShellComplete, get_completion_class

from runai_operator.commands.frame import Command, Example

VARIABLE = "_RUNAI_OPERATOR_COMPLETE"
"""By this variable the script that a shell has loaded asks for completions."""
PROGRAMS = ("kubectl-rwl", "runai-operator")
NO_FILES = ":4"
"""Says to kubectl that names of files are no completions."""


@click.command(
    cls=Command,
    short_help="Print what a shell needs to complete commands, options and names.",
    examples=[
        Example("bash, for this session", "source <(kubectl rwl completion bash)"),
        Example("zsh, for every session", 'kubectl rwl completion zsh > "${fpath[1]}/_kubectl-rwl"'),
        Example("fish, for every session", "kubectl rwl completion fish > ~/.config/fish/completions/kubectl-rwl.fish"),
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that has a shell complete commands, options, and names from the cluster.

    It completes the programs `kubectl-rwl` and `runai-operator`. `kubectl rwl` itself is completed by kubectl, which asks
    `kubectl_complete-rwl` on the PATH: pip installs it beside the plugin.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    for program in PROGRAMS:
        click.echo(kind(click.Group(), {}, program, VARIABLE).source())


def complete_for_kubectl(group: click.Group, arguments: Sequence[str]) -> int:
    """What kubectl asks a plugin: the words typed so far, of which the last is completed; answers on standard output."""
    *typed, incomplete = arguments or [""]
    found = ShellComplete(group, {}, "kubectl rwl", VARIABLE).get_completions(list(typed), incomplete)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(":0" if any(item.type in {"file", "dir"} for item in found) else NO_FILES)
    return 0


def answer_shell(group: click.Group, program: str, instruction: str) -> int:
    """What a loaded script asks through `VARIABLE`: `bash_complete` and the like."""
    shell, _, wish = instruction.partition("_")
    kind = get_completion_class(shell)
    if kind is None or wish != "complete":
        return 1
    click.echo(kind(group, {}, program, VARIABLE).complete())
    return 0
