"""docs/status.md lists every reason that the code knows, and no other."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from readers import Json
from readers.combinations import DESIRED, PHASES, SYNCS, TABLE, cases, passes
from readers.write_testdata import HEALTH_DATA
from runai_operator.domain import errors

REPOSITORY = Path(__file__).parents[3]
CODE = REPOSITORY / "operator" / "runai_operator"
GROUPS = TABLE["reasons"]
DOCUMENTED = {name for group in GROUPS.values() for name in group["list"]}


def modules() -> Iterator[ast.Module]:
    for path in CODE.rglob("*.py"):
        yield ast.parse(path.read_text())


def named(node: ast.expr) -> str | None:
    """The text of a constant, or of a name that `situation` gives one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        found = getattr(state, node.id, None)
        return found if isinstance(found, str) else None
    return None


def given_to_errors() -> Iterator[str]:
    """`reason=...` in a call."""
    for module in modules():
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "reason" and (reason := named(node.value)):
                yield reason


def defaults_of_errors() -> Iterator[str]:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, errors.BridgeError):
            yield found.reason


def told_by_status() -> Iterator[str]:
    """The second of what makes a `ReadyCondition` or a condition, and the words for phases."""
    module = ast.parse((CODE / "domain" / "status.py").read_text())
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id="ReadyCondition"), args=[_, second, *_]) if reason := named(second):
                yield reason
            case ast.Return(value=ast.Tuple(elts=[ast.Constant(value="True" | "False" | "Unknown"), second, _])) if (
                reason := named(second)
            ):
                yield reason
            case ast.AnnAssign(target=ast.Name(id="PROGRESSING_PHASES"), value=ast.Dict(values=values)):
                yield from filter(None, map(named, values))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="PROGRESSING_PHASES"), attr="get"),
                args=[_, ast.Constant(value=word)],
            ):
                yield str(word)


def test_the_code_and_the_page_know_the_same_reasons():
    """If one is missing: describe it in docs/status.yaml, then run `make generate`."""
    assert {*given_to_errors(), *defaults_of_errors(), *told_by_status()} == DOCUMENTED


def test_each_reason_is_listed_once():
    assert sum(len(group["list"]) for group in GROUPS.values()) == len(DOCUMENTED)


@cache
def rows_by_reason() -> dict[str, set[str]]:
    """In which rows of the status table each reason is seen, on any condition."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in cases():
        if case.written:
            for entry in case.item["status"]["conditions"]:
                found[entry["reason"]].add(case.row)
    return found


def test_conditions_show_every_reason_but_those_for_logs():
    assert set(rows_by_reason()) == DOCUMENTED - set(GROUPS["logged"]["list"])


def reason_of_ready(item: Json) -> str | None:
    return next((entry["reason"] for entry in item["status"].get("conditions", ()) if entry["type"] == "Ready"), None)


def test_the_test_data_for_argo_cd_shows_every_reason_of_ready_and_every_phase():
    shown = [yaml.safe_load(path.read_text()) for path in HEALTH_DATA.iterdir()]

    assert {reason_of_ready(item) for item in shown} == {reason_of_ready(case.item) for case in cases()}
    assert {item["status"].get("phase") for item in shown} == set(PHASES)
    assert {item["status"].get("syncStatus") for item in shown} == set(SYNCS)


@pytest.mark.parametrize(
    ("module", "name", "known"),
    [
        pytest.param("phase", "Phase", PHASES, id="phases"),
        # a workload whose sync is Deleted is gone, as one that answers 404
        pytest.param("workload_v2_sync_status", "WorkloadV2SyncStatus", (*SYNCS, "Deleted"), id="syncs"),
        pytest.param("desired_phase", "DesiredPhase", DESIRED, id="desired phases"),
    ],
)
def test_every_word_of_the_vendors_client_is_among_the_combinations(module, name, known):
    vendors = getattr(importlib.import_module(f"runai.models.{module}"), name)

    assert {str(word.value) for word in vendors} <= set(known)


End = tuple[str, bool]
"""How a pass ends: the verdict's name, and whether something is outstanding."""


def ends_in_the_code() -> Iterator[End]:
    """Every `Result(...)` in it; where it is not written as a constant whether something is outstanding, both."""
    for node in [node for module in modules() for node in ast.walk(module)]:
        match node:
            case ast.Call(func=ast.Name(id="Result"), args=[ast.Attribute(attr=verdict), *_], keywords=keywords):
                told = [keyword.value for keyword in keywords if keyword.arg == "outstanding"]
                known = [bool(value.value) for value in told if isinstance(value, ast.Constant)]
                yield from ((verdict, value) for value in known or ([True, False] if told else [False]))


def test_every_way_in_which_the_code_ends_a_pass_is_among_the_combinations():
    """But for objects that are none of the operator's business, whose status it leaves alone."""
    tried = {(one.end.verdict.name, one.end.outstanding) for one in passes()}

    assert set(ends_in_the_code()) - {("IGNORED", False)} <= tried


ROWS = {name: entry["row"] for group in GROUPS.values() for name, entry in group["list"].items() if "row" in entry}


@pytest.mark.parametrize("name", ROWS)
def test_a_reason_is_seen_in_the_row_that_it_names(name):
    assert ROWS[name] in rows_by_reason()[name]
