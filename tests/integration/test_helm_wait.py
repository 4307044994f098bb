"""Helm waits for RunaiWorkloads that come in a chart of the user's, beside a running operator; docs/kubectl.md promises it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from controlplane import ControlPlane
from installation import Helm, HelmFailed
from stack import Simulator, Workloads, manifest_of, workload

pytestmark = pytest.mark.installation

WAIT = ("--wait", "--timeout=10m")
"""Far longer than a run of Helm may take here: what fails sooner has failed of itself."""
PENDING = {"simulator.run.ai/pending": "true"}

Chart = Callable[..., None]


@pytest.fixture
def helm(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Helm:
    """Helm for a release of the chart that `write` fills."""
    return Helm(control_plane, namespace=namespace, release="training", chart=tmp_path / "training")


@pytest.fixture
def write(helm: Helm, namespace: str) -> Chart:
    """Writes the chart: its workloads by name, with what is special about the spec of each."""

    def make(**workloads: dict) -> None:
        (helm.chart / "templates").mkdir(parents=True, exist_ok=True)
        (helm.chart / "Chart.yaml").write_text("apiVersion: v2\nname: training\nversion: 1.0.0\n")
        made = [
            workload(name, namespace, **{"manifest": manifest_of("Deployment"), **spec})
            for name, spec in workloads.items()
        ]
        (helm.chart / "templates" / "workloads.yaml").write_text(yaml.safe_dump_all(made))

    return make


def test_an_install_waits_until_the_last_one_is_ready(operator, runai: Simulator, workloads: Workloads, helm, write):
    write(runs={}, waits={"manifest": manifest_of("Deployment", **PENDING)})

    with ThreadPoolExecutor(1) as background:
        installing = background.submit(helm.install, *WAIT, values={})
        workloads.wait_condition("runs", "Ready", "True")
        workloads.wait_condition("waits", "Reconciling", "True", reason="Pending")
        with pytest.raises(TimeoutError):
            installing.result(1)
        runai.set_phase(workloads.wait_id("waits"), "Running")

    assert "STATUS: deployed" in installing.result()
    assert workloads.wait_condition("waits", "Ready", "True")


def test_an_install_fails_when_one_is_stalled(operator, helm, write):
    write(runs={}, typo={"projectName": "nobody-knows-it"})

    with pytest.raises(HelmFailed, match=r"(?s)typo.*nobody-knows-it"):
        helm.install(*WAIT, values={})


def test_a_stalled_one_counts_once_no_other_is_on_its_way(
    operator, runai: Simulator, workloads: Workloads, helm, write
):
    """So is Helm 4.3, and docs/status.md warns of it: nothing that the operator tells can make Helm give up sooner."""
    write(waits={"manifest": manifest_of("Deployment", **PENDING)}, typo={"projectName": "nobody-knows-it"})

    with ThreadPoolExecutor(1) as background:
        installing = background.submit(helm.install, *WAIT, values={})
        workloads.wait_condition("waits", "Reconciling", "True", reason="Pending")
        workloads.wait_condition("typo", "Stalled", "True")
        with pytest.raises(TimeoutError):
            installing.result(1)
        runai.set_phase(workloads.wait_id("waits"), "Running")

    with pytest.raises(HelmFailed, match="typo"):
        installing.result()


def test_an_upgrade_waits_for_the_edit_and_not_for_what_was_before(
    operator, runai: Simulator, workloads: Workloads, helm, write
):
    write(runs={})
    helm.install(*WAIT, values={})
    write(runs={"priority": "high"})
    helm.upgrade(*WAIT, values={})
    item = workloads.get("runs")

    assert item["metadata"]["generation"] == item["status"]["observedGeneration"] == 2
    assert runai.calls("PUT") == 1


def test_an_upgrade_fails_on_an_edit_that_is_refused(operator, workloads: Workloads, helm, write):
    write(job={"manifest": manifest_of("Job")})
    helm.install(*WAIT, values={})
    workloads.wait_condition("job", "Completed", "True")
    edited = manifest_of("Job")
    edited["spec"]["backoffLimit"] = 1
    write(job={"manifest": edited})

    with pytest.raises(HelmFailed, match="finished"):
        helm.upgrade(*WAIT, values={})


def test_an_uninstall_waits_until_run_ai_has_deleted_them(
    operator, runai: Simulator, workloads: Workloads, helm, write
):
    write(runs={})
    helm.install(*WAIT, values={})
    helm.run("uninstall", helm.release, *WAIT)

    assert workloads.all() == []
    assert runai.live() == []
