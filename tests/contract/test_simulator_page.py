"""docs/simulator.md is in step with what the simulator has."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

from runai_simulator import switches
from runai_simulator.answers import ERROR_BODIES
from runai_simulator.app import Simulator
from runai_simulator.faults import KINDS
from runai_simulator.steering import ANNOTATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """The tables under a heading: other cells by the first one's code."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {name: cells.split(" | ") for name, cells in re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)}


def switches_as_coded() -> dict[str, list[str]]:
    """Default and docstring of every switch."""
    source = ast.parse(Path(switches.__file__).read_text())
    [body] = [node.body for node in source.body if isinstance(node, ast.ClassDef)]
    meanings = {field.target.id: text.value.value for field, text in pairwise(body) if isinstance(field, ast.AnnAssign)}
    return {name: [json.dumps(value), meanings[name]] for name, value in switches.Switches().shown().items()}


def test_the_page_has_every_switch_with_its_default_and_meaning():
    assert rows("Switches") == switches_as_coded()


def test_the_page_has_every_fault():
    assert rows("Faults") == {kind: [text] for kind, text in KINDS.items()}


def test_the_page_has_every_form_of_an_error_body():
    assert rows("Error bodies") == {form: [text] for form, text in ERROR_BODIES.items()}


def test_the_page_has_every_steering_annotation():
    assert set(rows("Steering annotations")) == set(ANNOTATIONS)


def routes(prefix: str) -> set[tuple[str, str]]:
    """Method, and the path below `prefix`."""
    return {
        (method, route.path.removeprefix(prefix))
        for route in Simulator().app._app.routes
        for method in route.methods - {"HEAD"}
        if route.path.startswith(prefix)
    }


def test_the_page_has_every_call_of_the_admin_endpoint():
    assert {tuple(call.split(" ")) for call in rows("Admin endpoint") if " " in call} == routes("/_admin/")


def test_the_page_has_every_path_of_the_api():
    told = re.findall(r"`([\w/{}-]+)`", PAGE.split("## What it has")[1].split("\n## ")[0])
    below = {f"/api/v1/workloads/{{id}}/{name}" for name in ("events", "history", "pods")}

    assert {f"/api/{path}" for _, path in routes("/api/")} <= {*told, *below}
