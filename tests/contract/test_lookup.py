"""Look-ups by name against lists of many pages, over real sockets."""

from __future__ import annotations

import pytest

from fakes.simulated_runai import SimulatedRunai, job
from runai_operator.runai.client import Credentials, RunaiClient


@pytest.mark.parametrize("filters_all_hold", [True, False])
async def test_a_workload_is_found_behind_more_than_a_page_of_others(api: SimulatedRunai, filters_all_hold):
    """Where one filter is enough, the list shows all of the project, and those of the name everywhere."""
    world, now = api.simulator.world, api.clock.now
    for number in range(1100):
        world.create({"name": f"other-{number}", "projectId": "1"}, job(), now)
    namesake = world.create({"name": "train", "projectId": "2"}, job(), now)
    ours = world.create({"name": "train", "projectId": "1"}, job(), now)
    api.switch(filters_all_hold=filters_all_hold)
    client = RunaiClient(base_url=api.url, credentials=Credentials("a", secret="b"), allow_http=True)

    found = await client.find(name="train", project_id="1")
    everywhere = await client.find(name="train", project_id=None)
    missing = await client.find(name="nobody", project_id="1")
    await client.aclose()

    assert [row.id for row in found] == [ours.id]
    assert {row.id for row in everywhere} == {ours.id, namesake.id}
    assert missing == ()
