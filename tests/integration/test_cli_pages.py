"""The pages of the command line, tried: what they show is typed into bash, with kubectl and Helm, on a real API server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from controlplane import binaries
from runai_operator.commands import cli
from typed import BIN, rwl

ROOT = Path(__file__).parents[2]
WRAP, CI = ((ROOT / "docs" / page).read_text() for page in ("wrap.md", "ci.md"))
EXAMPLES = ROOT / "deploy" / "examples"

ELSEWHERE = {
    **dict.fromkeys(("import", "doctor"), "tests/integration/test_import_page.py"),
    **dict.fromkeys(
        ("explain", "wait", "refresh", "pause", "resume", "orphan", "orphans"),
        "tests/integration/test_life_examples.py",
    ),
}
"""Commands whose examples need more than is here, and the file of the test that types them."""
HERE = [entry for entry in cli.COMMANDS if entry.name not in ELSEWHERE]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def type_in(control_plane, namespace, tmp_path):
    """Runs lines in a folder with everything that the examples name."""
    programs, folder = tmp_path / "bin", tmp_path / "work"
    for path in (programs, folder / "chart" / "templates", folder / "overlay", folder / "workloads"):
        path.mkdir(parents=True)
    for name in ("kubectl", "helm"):
        (programs / name).symlink_to(binaries.require(name))
    (folder / "pytorchjob.yaml").write_text(blocks(WRAP, "yaml")[0])
    shutil.copy(EXAMPLES / "job.yaml", folder / "train.yaml")
    shutil.copy(EXAMPLES / "rayjob.yaml", folder / "workloads")
    (folder / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 0.1.0\n")
    shutil.copy(ROOT / "tests" / "manifests" / "from-a-chart.yaml", folder / "chart" / "templates" / "all.yaml")
    (folder / "overlay" / "kustomization.yaml").write_text("resources: [job.yaml, workload.yaml]\nnamePrefix: dev-\n")
    shutil.copy(ROOT / "tests" / "manifests" / "job.json", folder / "overlay" / "job.yaml")
    shutil.copy(EXAMPLES / "job.yaml", folder / "overlay" / "workload.yaml")
    (folder / ".config" / "fish" / "completions").mkdir(parents=True)
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    env = {
        "PATH": f"{programs}:{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOME": str(folder),
    }

    def run(line, **more):
        script = f"set -euo pipefail; fpath=(. .)\n{line}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=env | more, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    run.folder = folder  # type: ignore[attr-defined]
    return run


@pytest.mark.parametrize("entry", HERE, ids=lambda entry: entry.name)
def test_every_example_of_a_command_works(entry, type_in, control_plane, namespace):
    item = yaml.safe_load((EXAMPLES / "job.yaml").read_text())
    item["metadata"] |= {"name": "train", "namespace": namespace}
    control_plane.client.apply(item)

    for example in entry.load().examples:
        if "--dry-run" in example.line:
            continue  # tests/contract/test_validate_dry_run.py
        type_in(example.line.replace("-n team", f"-n {namespace}"))


def test_kubectl_completes_the_plugin(type_in):
    assert "version\tShow the versions" in type_in("kubectl __complete rwl ver")


def test_every_other_command_says_where_its_examples_are_typed():
    for name, file in ELSEWHERE.items():
        assert (ROOT / file).exists(), name


def test_the_page_of_wrap_does_what_it_says(type_in, control_plane, namespace):
    lines = [line for block in blocks(WRAP, "bash") for line in block.splitlines()]
    for line in lines:
        type_in(line)

    assert (type_in.folder / "workload.yaml").read_text() == blocks(WRAP, "yaml")[1]
    names = {item["metadata"]["name"] for item in control_plane.client.list_all(
        f"/apis/bridge.run.ai/v1alpha1/namespaces/{namespace}/runaiworkloads"
    )}  # fmt: skip
    assert names == {"mnist", "checked", "release-train", "dev-pi", "dev-vector-add"}


def steps(snippet):
    """What a job of GitHub or GitLab types, without what it installs."""
    document = yaml.safe_load(snippet)
    if "jobs" in document:
        typed = [step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step]
    else:
        typed = [line for job in document.values() for line in job["script"]]
    assert typed[0] == "pip install 'runai-operator[cli]'"
    return typed[1:]


@pytest.mark.parametrize("snippet", blocks(CI, "yaml")[:2], ids=["GitHub Actions", "GitLab"])
def test_a_job_of_ci_passes_what_is_right_and_fails_what_is_wrong(snippet, type_in):
    (line,) = steps(snippet)
    type_in(line)
    (type_in.folder / "workloads" / "wrong.yaml").write_text(
        "apiVersion: bridge.run.ai/v1alpha1\nkind: RunaiWorkload\n"
    )

    with pytest.raises(AssertionError):
        type_in(line)


def test_the_pipes_of_the_page_about_ci_work(type_in):
    for block in blocks(CI, "bash"):
        for line in block.splitlines():
            if "--dry-run" not in line:  # tests/contract/test_validate_dry_run.py
                type_in(line)


def test_the_hook_for_pre_commit_is_the_one_that_the_page_names_and_runs_what_is_installed(tmp_path):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    used = yaml.safe_load(blocks(CI, "yaml")[2])["repos"][0]["hooks"][0]["id"]
    program, *arguments = hook["entry"].split()

    assert hook["id"] == used
    assert (BIN / program).exists()
    assert rwl(*arguments, EXAMPLES / "job.yaml", EXAMPLES / "rayjob.yaml").code == 0
