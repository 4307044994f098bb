"""The words of reasons.py are those that the operator writes, that docs/status.md explains, and that Run:ai uses."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from readers import Json
from readers.combinations import DESIRED, PHASES, SYNCS, TABLE, cases, passes
from readers.write_testdata import HEALTH_DATA
from runai_operator.domain.reasons import Group, Phase, Reason

REPOSITORY = Path(__file__).parents[3]
CODE = REPOSITORY / "operator" / "runai_operator"
CAMEL_CASE = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")


@cache
def nodes() -> tuple[ast.AST, ...]:
    """All of the product's code, parsed, but for the words themselves."""
    paths = (path for path in CODE.rglob("*.py") if path.name != "reasons.py")
    return tuple(node for path in paths for node in ast.walk(ast.parse(path.read_text())))


def literal_reasons() -> Iterator[str]:
    """Texts in the place of a member: given to an error, or compared with a reason."""
    for node in nodes():
        match node:
            case ast.keyword(arg="reason", value=ast.Constant(value=str(word))):
                yield word
            case ast.Compare(left=ast.Attribute(attr="reason" | "condition_reason"), comparators=others):
                for other in others:
                    yield from (leaf.value for leaf in ast.walk(other) if isinstance(leaf, ast.Constant) and leaf.value)


def test_the_product_knows_no_reason_that_is_not_in_the_enum():
    assert set(literal_reasons()) <= set(Reason)


def test_every_reason_is_used_in_the_product():
    """By name, as a text, or as what a phase means."""
    named = {node.attr for node in nodes() if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Reason"}
    texts = {node.value for node in nodes() if isinstance(node, ast.Constant)}
    of_phases = {phase.reason for phase in Phase}

    assert {reason.value for reason in Reason if reason.name not in named and reason not in of_phases} <= texts


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_a_word_that_kubernetes_takes(reason):
    assert CAMEL_CASE.fullmatch(reason)


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
    assert set(rows_by_reason()) == {reason for reason in Reason if reason.in_conditions}


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
    for node in nodes():
        match node:
            case ast.Call(func=ast.Name(id="Result"), args=[ast.Attribute(attr=verdict), *_], keywords=keywords):
                told = [keyword.value for keyword in keywords if keyword.arg == "outstanding"]
                known = [bool(value.value) for value in told if isinstance(value, ast.Constant)]
                yield from ((verdict, value) for value in known or ([True, False] if told else [False]))


def test_every_way_in_which_the_code_ends_a_pass_is_among_the_combinations():
    """But for those that say nothing in status: the object is gone, or none of ours to hold, or could not be written."""
    tried = {(one.end.verdict.name, one.end.outstanding) for one in passes()}
    silent = {(verdict, False) for verdict in ("IGNORED", "GONE", "RELEASED", "PASSED_ON", "BUG")}

    assert set(ends_in_the_code()) - silent <= tried


@pytest.mark.parametrize("promise", TABLE["freshness"], ids=lambda each: each["test"].rpartition("::")[2])
def test_every_promise_of_freshness_has_a_test(promise):
    path, name = promise["test"].split("::")

    assert f"async def {name}(" in (REPOSITORY / path).read_text()


@pytest.mark.parametrize("name", TABLE["reasons"])
def test_a_reason_is_seen_in_the_row_that_it_names(name):
    assert TABLE["reasons"][name] in rows_by_reason()[name]


def test_every_reason_of_ready_names_a_row():
    only_elsewhere = (Group.SYNCED, Group.LOGGED)

    assert set(TABLE["reasons"]) == {reason for reason in Reason if reason.group not in only_elsewhere}


def test_the_page_has_one_anchor_for_each_reason_and_no_heading_of_the_same_name():
    page = (REPOSITORY / "docs" / "status.md").read_text()
    headings = {re.sub(r"[^\w -]", "", line).strip().lower() for line in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}

    assert re.findall(r'<a id="(\S+)"></a>', page) == [reason.anchor for reason in Reason]
    assert headings.isdisjoint(reason.anchor for reason in Reason)


def test_the_page_is_written_from_its_data():
    """If not: run docs/generate_status.py."""
    generator = runpy.run_path(str(REPOSITORY / "docs" / "generate_status.py"))
    assert generator["TARGET"].read_text() == generator["text"]()
