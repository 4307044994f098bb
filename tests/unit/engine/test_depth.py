"""How deeply a manifest may be nested: to one limit, below which nothing on its whole way runs out of stack."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from runai_operator.codecs.json import MAX_DEPTH
from runai_operator.domain.checks import MANIFEST_DEPTH
from runai_operator.domain.model import Spec
from runai_operator.engine.render import Renderer
from runai_operator.kube.wire import decode_workload
from runai_operator.runai import wire
from runai_operator.runai.wire import Answer

FRAMES_IN_USE = 300
"""More than asyncio, the engine and a test need below what walks through a manifest."""


@pytest.fixture
def as_in_python_3_11():
    """There, Python's own readers and writers count against the same limit as functions do."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


def from_below(frames: int, function):
    """What `function` returns with so many more frames on the stack."""
    return function() if frames == 0 else from_below(frames - 1, function)


def nested(opening: str, closing: str, levels: int) -> str:
    return opening * levels + closing * levels


def stored(manifest: str) -> bytes:
    meta = '{"namespace": "ns", "name": "a", "uid": "u", "resourceVersion": "1"}'
    return f'{{"metadata": {meta}, "spec": {{"projectId": "1", {manifest}}}}}'.encode()


SPECS = {
    "spec.manifest, mappings": ("manifest", '{"a":', "}"),
    "spec.manifest, lists": ("manifest", "[", "]"),
    "spec.manifestYaml": ("manifestYaml", "[", "]"),
}


@pytest.mark.usefixtures("as_in_python_3_11")
@pytest.mark.parametrize(("field", "opening", "closing"), SPECS.values(), ids=SPECS)
def test_the_deepest_manifest_that_is_taken_can_be_sent_and_read_back(field, opening, closing):
    levels = (MANIFEST_DEPTH if field == "manifest" else MAX_DEPTH) - 1
    middle = nested(opening, closing, levels).replace('"a":}', '"a":1}')
    manifest = f'{{"apiVersion":"v1","kind":"Pod","spec":{middle}}}'
    given = manifest if field == "manifest" else json.dumps(manifest)

    async def carry() -> bytes:
        workload = decode_workload(stored(f'"{field}": {given}'))
        assert workload.spec_error is None
        assert workload.spec != Spec()
        rendered = await Renderer(None, "install")(workload, None, large=True)
        assert rendered.desired == rendered.desired, "it can be compared"
        return wire.create_body(rendered.desired.submission)

    body = from_below(FRAMES_IN_USE, lambda: asyncio.run(carry()))

    assert len(body) > levels
    answer = Answer(200, b'{"workload": {"metadata": {}, "rawManifest": %b}}' % manifest.encode(), "application/json")
    assert "workload" in from_below(FRAMES_IN_USE, lambda: wire.parse(answer))
