"""`doctor`: looks at an installation, says what is wrong and what to do about it, and packs what a supporter needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.output import Cell, print_report, print_table, say
from runai_operator.commands.runai_access import RunaiOptions, runai_options
from runai_operator.text import escaped

if TYPE_CHECKING:
    from runai_operator.commands.observing import Looked
    from runai_operator.domain.diagnosis import Finding

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command(
    cls=Command,
    short_help="Find out what is wrong with an installation, and what to do.",
    examples=[
        Example("look at everything, with the operator's own access to Run:ai", "kubectl rwl doctor --as-operator -A"),
        Example("for a monitor: warnings count as well", "kubectl rwl doctor --strict -o json"),
        Example("an archive for a support case", "kubectl rwl doctor -A --bundle support.tar.gz"),
    ],
)
@click.option("--strict", is_flag=True, help="End with exit code 1 on warnings as well.")
@click.option(
    "--bundle",
    metavar="FILE",
    help="Also write an archive (tar.gz) for a supporter: findings, objects, settings and the operator's logs, without secrets and manifests.",
)
@output_option("table", "json", "yaml")
@runai_options()
@cluster_options(all_namespaces=True)
def command(*, strict: bool, bundle: str | None, output: str, runai: RunaiOptions, cluster: ClusterOptions) -> ExitCode:
    """Look at Kubernetes, the CustomResourceDefinition, the operator and its rights, webhooks, Run:ai and the RunaiWorkloads, and
    say of everything that is wrong what to do. Nothing is changed. What cannot be looked at, for want of rights or of
    credentials, is said so, and the rest goes on.

    The exit code is 1 if there is an error."""
    from runai_operator.commands.observing import observe  # noqa: PLC0415 - help needs none of it
    from runai_operator.domain.diagnosis import Severity, diagnose, worst  # noqa: PLC0415

    everywhere = cluster.every_namespace
    looked = cluster.run(
        lambda connected: observe(
            connected, runai, everywhere=everywhere, operator_namespace=runai.operator_namespace, logs=bool(bundle)
        )
    )
    findings = diagnose(looked.seen)
    if output == "table":
        _print(findings)
    else:
        print_report(output, report(findings))
    if bundle:
        _write(bundle, looked, findings)
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return ExitCode.FAILED if worst(findings) in failing else ExitCode.OK


def report(findings: Sequence[Finding], *, detail: bool = True) -> dict[str, Any]:
    """For programs; without `detail` nothing that others said is in it."""
    from runai_operator.domain.diagnosis import worst  # noqa: PLC0415 - see above

    def shown(finding: Finding) -> dict[str, str]:
        parts = {"check": finding.check, "severity": str(finding.severity), "message": finding.message}
        more = {"remedy": finding.remedy, "detail": finding.detail if detail else ""}
        return parts | {name: text for name, text in more.items() if text}

    return {"severity": str(worst(findings)), "findings": [shown(finding) for finding in findings]}


def _print(findings: Sequence[Finding]) -> None:
    rows = [
        [Cell(str(finding.severity), COLOURS.get(finding.severity)), finding.check, finding.message]
        for finding in findings
    ]
    print_table(["result", "check", "what"], rows)
    advice = [finding for finding in findings if finding.remedy or finding.detail]
    if advice:
        click.echo("\nWhat to do:")
    for finding in advice:
        click.echo(f"- {escaped(finding.message)}")
        for line in filter(None, (finding.detail, finding.remedy)):
            click.echo(f"  {escaped(' '.join(line.split()))}")


def _write(path: str, looked: Looked, findings: Sequence[Finding]) -> None:
    """Raises `CommandError` for a file that cannot be written."""
    from runai_operator.commands.bundle import write  # noqa: PLC0415 - only for this

    try:
        write(path, looked, report(findings, detail=False))
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", ExitCode.USAGE) from None
    say(f"Wrote {path}: look through it before you hand it on.")
