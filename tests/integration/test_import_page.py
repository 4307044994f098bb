"""What docs/import.md and docs/doctor.md show, and the examples of both commands, typed into bash as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from controlplane import binaries
from runai_operator.commands import cli
from stack import Installed, People
from stack.processes import CLIENT_ID, CLIENT_SECRET
from typed import BIN

DOCS = Path(__file__).parents[2] / "docs"


def lines_of(page):
    return [
        line
        for block in re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
        for line in block.splitlines()
    ]


def examples_of(name):
    (entry,) = (entry for entry in cli.COMMANDS if entry.name == name)
    return [example.line for example in entry.load().examples]


@pytest.fixture
def type_in(control_plane, namespace, runai, tmp_path):
    """Runs a line in bash, in a folder of its own and with access to Run:ai, and returns what it printed."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").symlink_to(binaries.require("kubectl"))
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    env = {
        "PATH": f"{tmp_path}/bin:{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(tmp_path / "config"),
        "HOME": str(tmp_path),
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": CLIENT_ID,
        "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
    }

    def run(line, *codes):
        # Other tests have their namespaces, and other operators.
        line = line.replace("-n team-a", f"-n {namespace}")
        line = line.replace("--as-operator", f"--as-operator --operator-namespace {namespace}")
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode in (codes or (0,)), f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def running(runai):
    """Two workloads that somebody submitted."""
    with People(runai.url) as people:
        for name in ("train-a", "serve"):
            people.submit(name)
        people.wait_until_listed(2)


def test_the_commands_of_the_page_take_over_what_runs(running, type_in, runai, operator, workloads, tmp_path):
    lines = lines_of("import.md")
    for line in lines:
        type_in(line)

    assert len(lines) == 5
    assert len(list(yaml.safe_load_all((tmp_path / "team-a.yaml").read_text()))) == 2
    assert (len(workloads.all()), runai.calls("PUT")) == (2, 2)


def test_the_examples_of_import_work(running, type_in, control_plane, namespace, runai, tmp_path):
    Installed(control_plane.client, namespace, runai.url)

    for line in examples_of("import"):
        type_in(line)


def test_the_commands_about_doctor_work(type_in, control_plane, namespace, runai, tmp_path):
    """They end with 1, since the operator that is installed here has no pod."""
    Installed(control_plane.client, namespace, runai.url)

    for line in [*lines_of("doctor.md"), *examples_of("doctor")]:
        assert type_in(line, 1)
    assert (tmp_path / "support.tar.gz").is_file()
