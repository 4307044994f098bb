"""Every example of the commands on workloads that live, as the help and docs/cli.md show it, typed beside a running operator."""

from __future__ import annotations

import shlex

import yaml

from runai_operator.commands import cli
from runai_operator.domain.model import Orphan, OwnerMark
from runai_operator.kube.wire import ORPHANS, orphan_entry
from stack import Installed, manifest_of, workload
from stack.processes import CLIENT_ID, CLIENT_SECRET
from typed import rwl

LIVING = ("explain", "wait", "refresh", "pause", "resume", "orphan", "orphans")


def test_every_example_works(operator, runai, workloads, control_plane, namespace, tmp_path):
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    access = {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": CLIENT_ID,
        "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
    }
    examples = [example for entry in cli.COMMANDS if entry.name in LIVING for example in entry.load().examples]
    assert len(examples) >= 2 * len(LIVING)
    Installed(control_plane.client, namespace, runai.url)
    for example in examples:
        item = workload("train", namespace, manifest=manifest_of())
        item["metadata"]["labels"] = {"app": "train", "team": "blue"}
        control_plane.client.apply(item)
        if "--for deleted" in example.line:
            workloads.delete("train")
        if " orphans" in example.line:
            leave_behind(control_plane, namespace)
        typed = shlex.split(example.line.replace("-n runai-operator", f"-n {namespace}"))[2:]
        if " delete --all" in example.line:
            typed += ["-n", namespace]
        done = rwl(*typed, kubeconfig=tmp_path / "kubeconfig", **access)
        assert done.code == 0, f"{example.line}: {done.out}{done.err}"


def leave_behind(control_plane, namespace):
    """On record, and in a project that Run:ai shows without it."""
    gone = Orphan(OwnerMark("install-1", "team-a", "train", "uid-1"), "gone", "1", None, None, why="RunaiUnavailable")
    metadata = {"name": ORPHANS, "namespace": namespace}
    record = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"uid-1": orphan_entry(gone)}}
    control_plane.client.apply(record)
