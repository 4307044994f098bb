"""Flux's expressions: what they say of objects that the operator would not write, and that all examples carry them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from readers import Json
from readers.combinations import GENERATION, NEVER, item_with
from readers.flux import Flux

FOLDER = Path(__file__).parents[3] / "deploy" / "flux"
EXPRESSIONS = yaml.safe_load((FOLDER / "health-check-exprs.yaml").read_text())
READY: Json = {"type": "Ready", "status": "True"}
STALLED: Json = {"type": "Stalled", "status": "True"}
RECONCILING: Json = {"type": "Reconciling", "status": "True"}


def with_conditions(*conditions: Json, deleting: bool = False) -> Json:
    return item_with({"observedGeneration": GENERATION, "conditions": list(conditions)}, deleting=deleting)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(item_with(NEVER), "InProgress", id="the default of the CRD"),
        pytest.param(item_with({}), "InProgress", id="an empty status"),
        pytest.param(item_with({"observedGeneration": GENERATION}), "InProgress", id="no conditions"),
        pytest.param(with_conditions(READY), "Current", id="conditions without observedGeneration are no error"),
        pytest.param(with_conditions(READY, deleting=True), "InProgress", id="deletion comes before Ready"),
        pytest.param(with_conditions(STALLED, deleting=True), "InProgress", id="deletion comes before Stalled"),
        pytest.param(with_conditions(READY, RECONCILING), "InProgress", id="Ready and Reconciling"),
        pytest.param(with_conditions(READY, STALLED), "Failed", id="Ready and Stalled"),
        pytest.param(with_conditions(READY | {"status": "Unknown"}), "InProgress", id="Ready is unknown"),
    ],
)
def test_what_the_operator_does_not_write(item, expected):
    assert Flux(EXPRESSIONS[0]).status_of(item) == expected


def test_an_expression_that_asks_for_a_missing_field_is_an_error():
    """Why ours have `.?`: Flux would wait until the timeout."""
    naive = {"current": "status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"}

    assert Flux(naive).status_of(item_with({"observedGeneration": GENERATION})) == "Unknown"


def test_they_are_for_our_kind_alone():
    assert [(entry["apiVersion"], entry["kind"]) for entry in EXPRESSIONS] == [
        ("bridge.run.ai/v1alpha1", "RunaiWorkload")
    ]


@pytest.mark.parametrize("kind", ["Kustomization", "HelmRelease"])
def test_the_examples_carry_them(kind):
    documents = [
        entry for path in (FOLDER / "examples").glob("*.yaml") for entry in yaml.safe_load_all(path.read_text())
    ]
    carrying = [entry["spec"]["healthCheckExprs"] for entry in documents if "healthCheckExprs" in entry.get("spec", {})]
    kinds = {entry["kind"] for entry in documents if "healthCheckExprs" in entry.get("spec", {})}

    assert kind in kinds
    assert all(found == EXPRESSIONS for found in carrying)
