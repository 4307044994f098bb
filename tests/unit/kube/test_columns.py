"""The printer columns: what the operator and the fake API server know of them is what the CRD has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from fakes.kube import Stored, cells_of
from runai_operator.domain.model import Ref, SourceRef, Spec
from runai_operator.domain.reasons import ConditionType
from runai_operator.domain.status import FIELDS
from runai_operator.kube.wire import COLUMNS

CRD = yaml.safe_load((Path(__file__).parents[3] / "crds" / "runaiworkloads.yaml").read_text())
IN_CRD = CRD["spec"]["versions"][0]["additionalPrinterColumns"]
FOR_PEOPLE = {"Project", "Age", "Message"}
"""Those that the operator does not read."""

SPEC = Spec(manifest_from=SourceRef("ConfigMap", "manifests", "train"))
STATUS = {field.name: f"the {field.name}" for field in FIELDS} | {
    "gvk": {"group": "batch", "version": "v1", "kind": "Job"},
    "conditions": [
        {"type": kind.value, "status": f"{kind} status", "reason": f"{kind} reason", "message": f"{kind} message"}
        for kind in ConditionType
    ],
}


def test_the_operator_asks_for_columns_that_the_crd_has():
    assert set(COLUMNS) | FOR_PEOPLE == {column["name"] for column in IN_CRD}
    assert list(COLUMNS) == [column["name"] for column in IN_CRD if column["name"] not in FOR_PEOPLE]


def found(item, path):
    """What a path of a column leads to."""
    for step in re.findall(r'\.(\w+)|\[\?\(@\.type=="(\w+)"\)\]', path):
        name, kind = step
        item = item[name] if name else next(entry for entry in item if entry["type"] == kind)
    return item


def test_the_fake_shows_in_each_column_what_the_crd_says():
    stored = Stored(Ref("team-a", "train", "uid-1"), SPEC, 1, status=STATUS)
    item = {
        "spec": {
            "manifestFrom": {"configMapKeyRef": {"name": "manifests", "key": "train"}},
            "deletionPolicy": "Delete",
        },
        "status": STATUS,
    }
    expected = {column["name"]: found(item, column["jsonPath"]) for column in IN_CRD if column["name"] != "Age"}
    cells = cells_of(stored)

    assert cells | {"Source": json.loads(cells["Source"])} == expected
