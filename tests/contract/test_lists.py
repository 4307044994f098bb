"""Lists over real sockets, from a control plane whose lists are sick: what the client and a walk make of them."""

from __future__ import annotations

import pytest

from fakes.simulated_runai import RUNNING, SimulatedRunai
from runai_operator.domain.errors import PageTooLarge, UnexpectedReply
from runai_operator.domain.model import RowQuery
from runai_operator.domain.walk import Walk
from runai_operator.runai.client import Credentials, RunaiClient

NAMES = {f"w{number}" for number in range(20)}
LIST = "/api/v1/workloads$"


@pytest.fixture
async def client(api: SimulatedRunai):
    for name in sorted(NAMES):
        api.created(name)
        api.wait(1)
    api.wait(RUNNING)
    made = RunaiClient(base_url=api.url, credentials=Credentials("a", secret="b"), allow_http=True)
    yield made
    await made.aclose()


async def walked(client, *, limit=500, most=200):
    """The walk at its end, and the names that it showed."""
    walk, names = Walk(RowQuery(), limit=limit), set()
    for _ in range(most):
        if (query := walk.query) is None:
            return walk, names
        try:
            page = await client.rows(query)
        except PageTooLarge:
            walk = walk.smaller()
            continue
        walk = walk.after(page)
        names |= {row.name for row in page.rows}
    raise AssertionError("it does not end")


@pytest.mark.parametrize("limit", [1, 3, 500])
@pytest.mark.parametrize("kind", [None, "endless"])
async def test_a_list_is_read_to_its_end(api, client, kind, limit):
    if kind:
        api.fault(kind=kind, path=LIST)

    walk, names = await walked(client, limit=limit)

    assert names == NAMES
    assert walk.complete


async def test_a_list_that_repeats_itself_is_left(api, client):
    api.fault(kind="repeating", path=LIST)

    walk, names = await walked(client)

    assert names == NAMES
    assert walk.complete or walk.endless
    assert walk.pages <= 5


async def test_a_row_that_cannot_be_read_hides_no_other_and_is_counted(api, client):
    api.fault(kind="unreadable-row", path=LIST)

    walk, names = await walked(client)

    assert names == NAMES
    assert (walk.ended, walk.complete, walk.unreadable) == (True, False, 1)


async def test_pages_over_eight_mib_are_read_in_smaller_pieces(api, client):
    api.fault(kind="large-rows", path=LIST)

    walk, names = await walked(client)

    assert names == NAMES
    assert walk.complete


async def test_the_row_that_changed_last_is_found(api, client):
    api.created("newest")
    api.wait(RUNNING)

    page = await client.rows(RowQuery(latest=True))

    assert [row.name for row in page.rows] == ["newest"]
    assert page.server_time is not None


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"kind": "login"}, UnexpectedReply),
        ({"kind": "status", "status": 404}, UnexpectedReply),
        ({"kind": "garbage"}, UnexpectedReply),
        ({"kind": "huge"}, PageTooLarge),
    ],
)
async def test_what_is_no_list_is_an_error(api, client, rule, error):
    api.fault(path=LIST, **rule)

    with pytest.raises(error):
        await client.rows(RowQuery())
