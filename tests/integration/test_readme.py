"""What the README says works: its commands run, its YAML is accepted, what it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from controlplane import ControlPlane
from runai_operator.domain.reasons import Reason
from stack import Operator, Simulator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return [
        re.sub(r"^ +(?=\S)", "", block) if language == "sh" else block
        for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    ]


def commands(text: str) -> list[list[str]]:
    """Every command of every `sh` block, continuation lines joined."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line.split(" #")[0]) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_its_resources_are_accepted(control_plane: ControlPlane, namespace):
    items = [item for block in blocks(README, "yaml") for item in yaml.safe_load_all(block)]
    for item in items:
        item["metadata"]["namespace"] = namespace
        assert control_plane.client.create(item, dry_run=True)["kind"] == "RunaiWorkload"

    assert len(items) >= 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_it_names_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))

    assert named <= targets


def test_every_command_of_the_readme_is_run_somewhere():
    """kubectl and helm below; the demo in its own test; `make lint` and `make test` by `.ci/run`, this one within."""
    made = {" ".join(one) for one in commands(README) if one[0] == "make"}

    assert {one[0] for one in commands(README)} == {"make", "kubectl", "helm"}
    assert made == {"make demo", "make test", "make lint"}


def test_its_kubectl_commands_work_as_they_stand(fresh_control_plane, tmp_path, runai: Simulator):
    """In the order of the page, on a fresh control plane, with the operator beside it."""
    plane = fresh_control_plane()
    hello = next(item for item in map(yaml.safe_load, blocks(README, "yaml")) if item["metadata"]["name"] == "hello")
    ran = []
    install = [["kubectl", *shlex.split(text)] for text in re.findall(r"`kubectl (apply [^`]*)`", README)]
    for command in [one for one in commands(README) if one[0] == "kubectl"][:2] + install:
        plane.kubectl(*command[1:])
        ran.append(command[1])
    with Operator(tmp_path, plane.kubeconfig, runai.url) as operator:
        operator.wait_ready()
        plane.client.apply(hello | {"metadata": {"name": "hello", "namespace": "default"}})
        for command in [one for one in commands(README) if one[0] == "kubectl"][2:]:
            plane.kubectl(*command[1:])
            ran.append(command[1])
        shown = plane.kubectl("get", "runaiworkloads").stdout.split("\n")[0].split()
        plane.kubectl("describe", "runaiworkload", "hello")

    assert ran == ["create", "create", "apply", "wait"]
    assert shown == re.search(r"^NAME .*$", README, re.MULTILINE)[0].split()


def test_its_helm_command_is_the_one_of_the_install_page_which_is_run():
    ours = [one for one in commands(README) if one[0] == "helm"]

    assert ours
    assert [one for one in ours if one not in commands((ROOT / "docs" / "install.md").read_text())] == []


def test_every_reason_it_names_is_one_that_a_condition_can_show():
    known = {reason.value for reason in Reason if reason.in_conditions}
    listed = re.findall(r"^\| `(\w+)` \|.*\|.*\|$", README.partition("## Troubleshooting")[2], re.MULTILINE)

    assert len(listed) > 5
    assert set(listed) | set(re.findall(r"reason `(\w+)`", README)) <= known


def test_every_variable_it_names_is_read():
    from runai_operator.settings import VARIABLES

    known = {variable.name for variable in VARIABLES}

    assert set(re.findall(r"`((?:RUNAI|OPERATOR)_[A-Z_]+)`", README)) <= known
