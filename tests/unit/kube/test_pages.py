"""Lists of objects that carry much: what client-side apply leaves behind, and what somebody may put there on purpose."""

from __future__ import annotations

import json

import pytest

from fakes.apiserver import an_object
from fakes.shell import Shell, until
from runai_operator.kube import client as kube_client
from runai_operator.kube import pages, watch
from runai_operator.kube.client import KubeClient
from runai_operator.kube.pages import PAGE_LIMIT, PageSize, read_page_start
from runai_operator.kube.wire import decode_metadata

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LIMIT = 100_000
"""Bytes of a page in most of these tests."""


@pytest.fixture
def limit(monkeypatch) -> int:
    for module in (kube_client, watch, pages):
        monkeypatch.setattr(module, "PAGE_LIMIT", LIMIT)
    return LIMIT


@pytest.fixture
def names(fake) -> set[str]:
    """Sixty objects, of which some four fit on a page."""
    for n in range(60):
        carry(fake, f"n{n:02}", LIMIT // 5)
    return set(fake.objects)


def carry(fake, name: str, size: int) -> None:
    fake.add(name)
    fake.objects[name]["metadata"]["annotations"] = {LAST_APPLIED: "x" * size, "bridge.run.ai/paused": "true"}


async def listed(client: KubeClient) -> list[str]:
    return [row.meta.ref.name async for row in client.list_all(None)]


@pytest.mark.usefixtures("limit")
async def test_a_page_that_is_too_large_is_asked_for_again_with_as_many_as_fit(fake, session, names):
    client = KubeClient(session)

    assert sorted(await listed(client)) == sorted(names)
    first, second, *_ = (int(request.query["limit"]) for request in fake.lists())
    assert (first, second in (4, 5, 6)) == (250, True), "a page costs the API server all that is on it"
    assert client.skipped == 0

    begun = len(fake.lists())
    assert sorted(await listed(client)) == sorted(names)
    assert 60 / 4 <= len(fake.lists()) - begun <= 60 / 2 + 1, "what was learnt is kept"


@pytest.mark.usefixtures("limit")
async def test_pages_grow_again_when_objects_are_small(fake, session, names):
    client = KubeClient(session)
    await listed(client)
    for name in names:
        fake.add(name)
    await listed(client)

    assert int(fake.lists()[-1].query["limit"]) >= 24


@pytest.mark.usefixtures("limit", "names")
async def test_an_object_that_alone_is_too_large_is_skipped_counted_and_named(fake, session, caplog):
    carry(fake, "n30-huge", 2 * LIMIT)
    client = KubeClient(session)

    assert "n30-huge" not in await listed(client)
    assert len(await listed(client)) == 60
    assert client.skipped == 1
    assert "skipped RunaiWorkload team-a/n30-huge: " in caplog.text

    del fake.objects["n30-huge"]
    await listed(client)
    assert client.skipped == 0


@pytest.mark.usefixtures("limit")
async def test_kopf_gets_pages_that_fit_and_observes_all(fake, session, names):
    async with Shell(session, KubeClient(session)) as shell:
        await until(lambda: len(shell.seen) >= 60)

    assert {name for _, name in shell.seen} == names


@pytest.mark.usefixtures("limit")
async def test_kopf_goes_on_without_an_object_that_alone_is_too_large(fake, session, names, caplog):
    carry(fake, "n30-huge", 2 * LIMIT)
    async with Shell(session, KubeClient(session)) as shell:
        await shell.established()
        await until(lambda: len(shell.seen) >= 60)

    assert {name for _, name in shell.seen} == names
    assert "skipped RunaiWorkload team-a/n30-huge: " in caplog.text


async def test_events_reach_kopf_without_the_annotations_of_others():
    obj = an_object("a", version=1)
    obj["metadata"]["annotations"] = {LAST_APPLIED: "x" * 240_000, "bridge.run.ai/paused": "true"}
    line = json.dumps({"type": "ADDED", "object": obj}).encode()

    assert len(watch._readable(line)) < 1000
    assert b"bridge.run.ai/paused" in watch._readable(line)


def test_lean_metadata_has_neither_managed_fields_nor_foreign_annotations_and_data_stays():
    meta = {
        "uid": "u",
        "resourceVersion": "1",
        "managedFields": [{}],
        "annotations": {LAST_APPLIED: "x", "bridge.run.ai/a": "b"},
    }
    body = json.dumps({"items": [{"metadata": meta}], "data": {"managedFields": "kept"}}).encode()
    read = decode_metadata(body, lean=True)

    assert read["items"][0]["metadata"] == {"uid": "u", "resourceVersion": "1", "annotations": {"bridge.run.ai/a": "b"}}
    assert read["data"] == {"managedFields": "kept"}


def test_the_head_of_a_page_is_read_from_its_start_alone():
    start = (
        b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7","continue":"abc","x":1},'
        b'"columnDefinitions":[{"name":"Phase"}],"rows":[{"cells":["\\"name\\":\\"no\\""],"object":{"kind":'
        b'"PartialObjectMetadata","metadata":{"name":"a","namespace":"team","annotations":{"k":"xxxxx'
    )

    assert read_page_start(start).metadata["continue"] == "abc"
    assert read_page_start(start).first == "team/a"


def test_a_page_shrinks_to_what_fits_but_to_half_at_most_and_to_one_at_least():
    size = PageSize(100)
    seen = [b'"uid":"a"' * 80, b'"uid":"a"' * 3, b""]

    assert [(size.shrink(start), size.limit) for start in seen] == [(True, 50), (True, 3), (True, 1)]
    assert not size.shrink(b"")


def test_a_page_grows_after_small_ones():
    size = PageSize(4)
    size.shrink(b"")
    size.restore(PAGE_LIMIT // 4)
    assert size.limit == 2
    size.restore(PAGE_LIMIT // 4 + 1)
    assert size.limit == 2
    size.restore(0)
    size.restore(0)
    assert size.limit == 4
