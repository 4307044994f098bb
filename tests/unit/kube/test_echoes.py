"""Which events of the watch only repeat our own writes."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio

from fakes.apiserver import an_object
from fakes.storing_apiserver import StoringApiServer
from runai_operator.domain.model import FINALIZER, Ref
from runai_operator.kube import echoes
from runai_operator.kube.echoes import Echoes


def event(kind: str = "MODIFIED", version: int = 7, *, compact: bool = True, **metadata: object) -> bytes:
    separators = (",", ":") if compact else None
    return json.dumps(
        {"type": kind, "object": an_object("a", version=version, **metadata)}, separators=separators
    ).encode()


@pytest.fixture
def known() -> Echoes:
    made = Echoes()
    made.expect("7")
    return made


@pytest.mark.parametrize("compact", [True, False])
def test_an_event_with_a_version_of_ours_is_an_echo_once(known, compact):
    line = event(compact=compact)

    assert known.is_one(line)
    assert not known.is_one(line), "if it comes again, somebody has a reason to show it"


@pytest.mark.parametrize(
    "line",
    [
        event(version=8),
        event(version=77),
        event("ADDED"),
        event("DELETED"),
        event("BOOKMARK"),
        event("ERROR"),
        event(annotations={"resourceVersion": "7"}, version=8),
        event(version=8, annotations={"a": event().decode()}),
        b"",
        b"{",
        b'{"type":"MODIFIED","object":{}}',
    ],
)
def test_every_other_event_goes_on(known, line):
    assert not known.is_one(line)


def test_versions_that_no_watch_ever_shows_are_forgotten(known):
    for version in range(1000, 1000 + echoes.MOST):
        known.expect(str(version))

    assert not known.is_one(event(version=7))
    assert known.is_one(event(version=1000 + echoes.MOST - 1))


@pytest_asyncio.fixture
async def fake(tmp_path):
    async with StoringApiServer(tmp_path) as server:
        yield server


async def test_every_write_to_an_object_is_known_by_its_version(fake, session, client):
    fake.put("w")
    ref = Ref("team-a", "w", "uid-w")

    first = await client.write_finalizers(
        ref, (FINALIZER,), resource_version=fake.objects["w"]["metadata"]["resourceVersion"]
    )
    second = await client.write_status(ref, {"phase": "Running"}, resource_version=first)

    assert session.echoes.is_one(event(version=int(first)))
    assert session.echoes.is_one(event(version=int(second)))
