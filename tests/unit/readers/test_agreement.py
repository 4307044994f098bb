"""One status table, four readers: whatever the operator writes, all of them read it as docs/status.yaml says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

from readers import Json, kstatus, kubectl
from readers.argo import FLAVOURS, Argo
from readers.combinations import NOW, TABLE, Case, cases
from readers.flux import Flux
from runai_operator.domain.conditions import condition

REPOSITORY = Path(__file__).parents[3]
CUSTOMIZATION = REPOSITORY / "deploy/argocd/resource_customizations/bridge.run.ai/RunaiWorkload"
(EXPRESSIONS,) = yaml.safe_load((REPOSITORY / "deploy/flux/health-check-exprs.yaml").read_text())
CRD = yaml.safe_load((REPOSITORY / "crds/runaiworkloads.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]

STAMP = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
AS_IT_WAS = "as it was"

READERS: dict[str, tuple[str, Callable[[], Callable[[Json], str]]]] = {
    "kstatus, so Helm and Flux": ("kstatus", lambda: kstatus.status_of),
    "Flux with our expressions": ("flux", lambda: Flux(EXPRESSIONS).status_of),
    "kubectl wait in two ways": ("kubectl", lambda: kubectl.two_way),
    **{
        f"Argo CD in {flavour}": ("argo", lambda flavour=flavour: _argo(flavour).health_of)
        for flavour in FLAVOURS
    },
    **{
        f"Argo CD's script alone in {flavour}": ("argo", lambda flavour=flavour: _argo(flavour).script_health_of)
        for flavour in FLAVOURS
    },
}  # fmt: skip


def written() -> list[Case]:
    return [case for case in cases() if case.written]


@cache
def _argo(flavour: str) -> Argo:
    return Argo(CUSTOMIZATION, flavour)


def told(problems: list[str]) -> str:
    return f"{len(problems)} of {len(cases())}, among them:\n" + "\n".join(problems[:10])


@pytest.mark.parametrize("reader", READERS)
def test_every_status_reads_as_the_table_says(reader):
    column, make = READERS[reader]
    read = make()
    problems = []
    for case in cases():
        answer = read(case.item)
        seen = getattr(answer, "status", answer)
        expected = TABLE["situations"][case.row][column]
        if seen != expected:
            problems.append(f"{case.id}: {seen}, but {case.row} is {expected}")

    assert not problems, told(problems)


def test_every_row_of_the_table_occurs():
    assert {case.row for case in cases()} == set(TABLE["situations"])


def test_every_status_shows_the_conditions_of_its_row():
    problems = []
    for case in written():
        row, conditions = TABLE["situations"][case.row], _by_type(case)
        seen = {
            "ready": conditions["Ready"]["status"],
            "reason": conditions["Ready"]["reason"] if "reason" in row else None,
            "reconciling": conditions["Reconciling"]["status"] if "Reconciling" in conditions else "-",
            "stalled": conditions["Stalled"]["status"] if "Stalled" in conditions else "-",
        }
        expected = {key: row.get(key) for key in seen}
        if seen != expected and row["ready"] != AS_IT_WAS:
            problems.append(f"{case.id}: {seen}, but {case.row} is {expected}")

    assert not problems, told(problems)


INVARIANTS: dict[str, Callable[[Case], object]] = {
    "no status without conditions": lambda case: case.item["status"]["conditions"],
    "Reconciling and Stalled never stand together": lambda case: not {"Reconciling", "Stalled"} <= set(_by_type(case)),
    "Ready=True stands with neither": lambda case: (
        _by_type(case)["Ready"]["status"] != "True" or not {"Reconciling", "Stalled"} & set(_by_type(case))
    ),
    "Reconciling and Stalled are there only when true": lambda case: all(
        _by_type(case)[kind]["status"] == "True" for kind in {"Reconciling", "Stalled"} & set(_by_type(case))
    ),
    "Ready and Synced are always told": lambda case: {"Ready", "Synced"} <= set(_by_type(case)),
    "each condition is told once": lambda case: len(_by_type(case)) == len(case.item["status"]["conditions"]),
    "observedGeneration is the generation, everywhere": lambda case: (
        {case.item["metadata"]["generation"]}
        == {entry["observedGeneration"] for entry in case.item["status"]["conditions"]}
        | {case.item["status"]["observedGeneration"]}
    ),
    "the abnormal conditions say what Ready says": lambda case: all(
        (entry["reason"], entry["message"]) == (_by_type(case)["Ready"]["reason"], _by_type(case)["Ready"]["message"])
        for kind, entry in _by_type(case).items()
        if kind in ("Reconciling", "Stalled")
    ),
    "a transition time changes with the status of its condition, and only then": lambda case: all(
        entry["lastTransitionTime"] == _transition(case, entry) for entry in case.item["status"]["conditions"]
    ),
    "times are as Kubernetes writes them": lambda case: all(
        DATE_TIME.fullmatch(entry["lastTransitionTime"]) for entry in case.item["status"]["conditions"]
    ),
    "every condition has a message": lambda case: all(
        entry["message"] for entry in case.item["status"]["conditions"]
    ),
    "Completed stays once it was there": lambda case: (
        condition(case.found, "Completed") is None or "Completed" in _by_type(case)
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", INVARIANTS)
def test_of_every_status(claim):
    holds = INVARIANTS[claim]
    problems = [case.id for case in written() if not holds(case)]

    assert not problems, told(problems)


def test_every_status_fits_the_schema_of_the_crd():
    validator = jsonschema.Draft202012Validator(SCHEMA)
    distinct = {repr(case.item["status"]): case for case in written()}
    problems = [
        f"{case.id}: {error.json_path}: {error.message}"
        for case in distinct.values()
        for error in validator.iter_errors(case.item["status"])
    ]

    assert not problems, told(problems)


def _by_type(case: Case) -> dict[str, Json]:
    return {entry["type"]: entry for entry in case.item["status"]["conditions"]}


def _transition(case: Case, entry: Json) -> str:
    before = condition(case.found, entry["type"])
    return STAMP if before is None or before["status"] != entry["status"] else str(before["lastTransitionTime"])
