"""Argo CD's customization as upstream tests one, in both Luas and in the sandbox of argocd-cm."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

from readers import Json
from readers.argo import FLAVOURS, Argo, Health, Script, ScriptError
from readers.combinations import GENERATION, NEVER, item_with
from readers.write_testdata import ANY_TIME, FOLDER
from runai_operator.domain.model import RECONCILE_ANNOTATION

REPOSITORY = Path(__file__).parents[3]
HEALTH_TESTS = yaml.safe_load((FOLDER / "health_test.yaml").read_text())["tests"]
ACTION_TESTS = yaml.safe_load((FOLDER / "actions" / "action_test.yaml").read_text())
GENERATOR = runpy.run_path(str(REPOSITORY / "deploy" / "argocd" / "generate.py"))

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


def load(folder: Path, path: str) -> Json:
    loaded: Json = yaml.safe_load((folder / path).read_text())
    return loaded


@pytest.fixture
def argo(flavour) -> Argo:
    return Argo(FOLDER, flavour)


@each_flavour
@pytest.mark.parametrize("case", HEALTH_TESTS, ids=lambda case: Path(case["inputPath"]).stem)
def test_health(argo, case):
    assert argo.script_health_of(load(FOLDER, case["inputPath"])) == Health(**case["healthStatus"])


def test_every_file_of_test_data_is_tested():
    tested = {case["inputPath"] for case in HEALTH_TESTS}
    assert tested == {f"testdata/{path.name}" for path in (FOLDER / "testdata").iterdir()}

    cases = [*ACTION_TESTS["discoveryTests"], *ACTION_TESTS["actionTests"]]
    named = {case[key] for case in cases for key in ("inputPath", "expectedOutputPath") if key in case}
    assert named == {f"testdata/{path.name}" for path in (FOLDER / "actions" / "testdata").iterdir()}


READY: Json = {"type": "Ready", "status": "True", "reason": "Running", "message": "the workload is running"}


def with_conditions(*conditions: Json, generation: int = GENERATION) -> Json:
    return item_with({"observedGeneration": generation, "conditions": list(conditions)})


def being_deleted(*conditions: Json) -> Json:
    item = with_conditions(*conditions)
    return item | {"metadata": item["metadata"] | {"deletionTimestamp": "2026-01-15T10:30:00Z"}}


@each_flavour
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({key: value for key, value in item_with(NEVER).items() if key != "status"}, "Progressing", id="no status"),
        pytest.param(item_with({}), "Progressing", id="an empty status"),
        pytest.param(item_with(NEVER), "Progressing", id="the default of the CRD"),
        pytest.param(item_with({"observedGeneration": GENERATION}), "Progressing", id="no conditions"),
        pytest.param(with_conditions(), "Progressing", id="an empty list of conditions"),
        pytest.param(with_conditions({"type": "Synced", "status": "True"}), "Progressing", id="no Ready"),
        pytest.param(with_conditions(READY), "Healthy", id="Ready alone"),
        pytest.param(with_conditions(READY, generation=2), "Progressing", id="Ready of an older generation"),
        pytest.param(with_conditions(READY, {"type": "Reconciling", "status": "True"}), "Progressing", id="Ready and Reconciling"),
        pytest.param(with_conditions(READY, {"type": "Reconciling", "status": "False"}), "Healthy", id="Reconciling is false"),
        pytest.param(with_conditions({"type": "Stalled", "status": "True"}, READY), "Degraded", id="Ready and Stalled"),
        pytest.param(with_conditions(READY | {"status": "Unknown"}), "Progressing", id="Ready is unknown"),
        pytest.param(with_conditions({"status": "True"}, READY), "Healthy", id="a condition without a type"),
        pytest.param(with_conditions({"type": "Ready", "status": "True"}), "Healthy", id="Ready without a message"),
        pytest.param(being_deleted({"type": "Ready", "reason": "Deleting"}), "Progressing", id="Deleting without a message"),
    ],
)  # fmt: skip
def test_health_of_what_the_operator_does_not_write(argo, item, expected):
    """Another hand, or another version, may have written it."""
    assert argo.script_health_of(item).status == expected


@each_flavour
@pytest.mark.parametrize("case", ACTION_TESTS["discoveryTests"], ids=lambda case: Path(case["inputPath"]).stem)
def test_actions_are_offered(argo, case):
    offered = argo.actions_of(load(FOLDER / "actions", case["inputPath"]))
    assert offered == {entry["name"]: {key: entry[key] for key in entry if key != "name"} for entry in case["result"]}


@each_flavour
def test_every_action_that_is_offered_has_a_script(argo):
    offered = argo.actions_of(load(FOLDER / "actions", "testdata/running.yaml"))
    assert sorted(offered) == sorted(argo) == sorted(GENERATOR["ACTIONS"])


@each_flavour
@pytest.mark.parametrize(
    "case",
    ACTION_TESTS["actionTests"],
    ids=lambda case: f"{case['action']} {Path(case['inputPath']).stem}",
)
def test_an_action_leaves(argo, case):
    left = argo.act(case["action"], load(FOLDER / "actions", case["inputPath"]))
    annotations = left["metadata"].get("annotations", {})
    if RECONCILE_ANNOTATION in annotations:
        annotations[RECONCILE_ANNOTATION] = ANY_TIME

    assert left == load(FOLDER / "actions", case["expectedOutputPath"])


@each_flavour
def test_a_refresh_asks_with_the_time_as_its_token(argo):
    left = argo.act("refresh", item_with(NEVER))

    assert left["metadata"]["annotations"][RECONCILE_ANNOTATION] == "2026-06-01T12:00:00Z"


def test_the_scripts_arrive_in_argocd_cm_as_they_are():
    settings = yaml.safe_load(GENERATOR["PATCH"].read_text())["data"]
    assert yaml.safe_load(GENERATOR["VALUES"].read_text())["configs"]["cm"] == settings
    key = "bridge.run.ai_RunaiWorkload"
    actions = yaml.safe_load(settings[f"resource.customizations.actions.{key}"])
    scripts = {f"actions/{entry['name']}/action.lua": entry["action.lua"] for entry in actions["definitions"]}
    scripts["actions/discovery.lua"] = actions["discovery.lua"]
    scripts["health.lua"] = settings[f"resource.customizations.health.{key}"]

    assert scripts == {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.lua")}


@each_flavour
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("return {tostring(1), #{1, 2}, table.concat({'a', 'b'})}", ["1", 2, "ab"], id="base and table"),
        pytest.param("return {require('os').time()}", [1780315200], id="the clock, by require"),
        pytest.param("return {require('os').date('!%Y-%m-%d %T')}", ["2026-06-01 %T"], id="dates, with few letters"),
        pytest.param("return {string == nil, math == nil, io == nil, os == nil}", [True] * 4, id="no other libraries"),
    ],
)
def test_the_sandbox_gives(tmp_path, flavour, script, expected):
    (tmp_path / "a.lua").write_text(script)

    assert Script(tmp_path / "a.lua", flavour).run({}) == expected


@each_flavour
@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        pytest.param("return {('x'):upper()}", "index", id="methods on strings"),
        pytest.param("return {require('string')}", "not found", id="string by require"),
        pytest.param("return {require('os').getenv('HOME')}", "nil", id="the environment"),
        pytest.param("hs = {} return hs", "sets globals", id="leaking globals"),
        pytest.param("return 1", "no table", id="returning no table"),
    ],
)
def test_the_sandbox_refuses(tmp_path, flavour, script, complaint):
    (tmp_path / "a.lua").write_text(script)

    with pytest.raises(ScriptError, match=complaint):
        Script(tmp_path / "a.lua", flavour).run({})
