"""The readers in Python against what they stand in for: real kstatus, Flux's evaluation and Argo CD's Lua, built with Go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import readers
from readers import Json, kstatus
from readers.argo import Argo
from readers.combinations import GENERATION, NEVER, cases, item_with
from readers.flux import ORDER, Flux
from readers.write_testdata import FOLDER

ORIGINALS = Path(readers.__file__).parent / "originals"
(EXPRESSIONS,) = yaml.safe_load((FOLDER.parents[3] / "flux" / "health-check-exprs.yaml").read_text())
READY: Json = {"type": "Ready", "status": "True", "reason": "Running", "message": "it runs"}


def objects() -> list[Json]:
    """All that the operator writes, and some that it does not."""
    odd = [
        {},
        {"observedGeneration": GENERATION},
        {"observedGeneration": GENERATION, "conditions": []},
        {"conditions": [READY]},
        {"observedGeneration": GENERATION, "conditions": [READY, {"type": "Stalled", "status": "True"}]},
        {"observedGeneration": GENERATION, "conditions": [READY, {"type": "Reconciling", "status": "True"}]},
        {"observedGeneration": GENERATION, "conditions": [READY | {"status": "Unknown"}]},
    ]
    without = {key: value for key, value in item_with(NEVER).items() if key != "status"}
    return [case.item for case in cases()] + [without] + [item_with(status) for status in odd]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_originals_read_every_object_as_our_readers_do(tmp_path):
    go = shutil.which("go")
    assert go, "there is no Go on the PATH"
    program, settings = tmp_path / "originals", tmp_path / "settings.json"
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    subprocess.run([go, "build", "-o", str(program), "."], cwd=ORIGINALS, env=environment, check=True)
    script = (FOLDER / "health.lua").read_text()
    expressions = {name: EXPRESSIONS[name] for name in ORDER}
    settings.write_text(json.dumps({"Script": script, "Expressions": expressions}))
    items = objects()
    lines = "\n".join(map(json.dumps, items))
    answered = subprocess.run([program, settings], input=lines, capture_output=True, text=True, check=True).stdout
    originals = [json.loads(line) for line in answered.splitlines()]

    argo, flux = Argo(FOLDER, "Lua 5.1"), Flux(EXPRESSIONS)
    for item, original in zip(items, originals, strict=True):
        health = argo.health_of(item)
        ours = {
            "kstatus": kstatus.status_of(item),
            "flux": flux.status_of(item),
            "argo": health.status,
            "message": health.message,
        }
        assert ours == original, item
