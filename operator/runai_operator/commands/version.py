"""`version`: of this program and, where a cluster answers, of what is installed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runai_operator import __version__
from runai_operator.commands.cluster import ClusterOptions
from runai_operator.commands.exits import CommandError
from runai_operator.commands.frame import Command, Example, cluster_options, output_option
from runai_operator.commands.output import print_report

if TYPE_CHECKING:
    from runai_operator.kube.objects import Cluster

DEPLOYMENTS = "/apis/apps/v1/deployments"
LABEL = "app.kubernetes.io/name=runai-operator"


@click.command(
    cls=Command,
    short_help="Show the versions of this program, the operator and the CRD.",
    examples=[
        Example("this program and the cluster", "kubectl rwl version"),
        Example("without asking a cluster", "kubectl rwl version --client -o json"),
    ],
)
@click.option("--client", is_flag=True, help="Only of this program; asks no cluster.")
@output_option("table", "json", "yaml")
@cluster_options()
def command(*, client: bool, output: str, cluster: ClusterOptions) -> None:
    """Show the version of this program and, where a cluster answers, those of the operator and of the
    CustomResourceDefinition there. A cluster that does not answer is no failure: it says so instead."""
    report: dict[str, Any] = {"client": __version__}
    if not client:
        report["cluster"] = _ask(cluster)
    if output != "table":
        print_report(output, report)
        return
    click.echo(f"Client: {__version__}")
    for title, text in report.get("cluster", {}).items():
        click.echo(f"{title[0].upper()}{title[1:]}: {text if isinstance(text, str) else ', '.join(text)}")


def _ask(options: ClusterOptions) -> dict[str, Any]:
    from runai_operator.domain.errors import BridgeError  # noqa: PLC0415 - not needed with --client

    try:
        return options.run(_installed)
    except BridgeError as error:
        return {"cluster": f"unknown. {error.message}"}
    except CommandError as error:
        return {"cluster": f"unknown. {error.message}"}


async def _installed(cluster: Cluster) -> dict[str, Any]:
    from runai_operator.domain.errors import AccessDenied, Vanished  # noqa: PLC0415 - not needed with --client
    from runai_operator.kube.wire import CRD_PATH  # noqa: PLC0415

    found: dict[str, Any] = {"kubernetes": str((await cluster.get("/version")).get("gitVersion", "unknown"))}
    try:
        served = [one["name"] for one in (await cluster.get(CRD_PATH))["spec"]["versions"] if one.get("served")]
        found["CRD"] = served
    except Vanished:
        found["CRD"] = "not installed"
    except AccessDenied as error:
        found["CRD"] = f"unknown. {error.message}"
    try:
        found["operator"] = [
            f"{_image_version(item)} ({item['metadata']['namespace']}/{item['metadata']['name']})"
            async for item in cluster.list(DEPLOYMENTS, {"labelSelector": LABEL})
        ] or "none found"
    except AccessDenied as error:
        found["operator"] = f"unknown. {error.message}"
    return found


def _image_version(deployment: dict[str, Any]) -> str:
    image = str(deployment["spec"]["template"]["spec"]["containers"][0].get("image", ""))
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return tag if colon else digest or "latest"
