"""The indexed list shows what the world says, whatever has happened."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fakes.simulated_runai import job
from runai_simulator import filters
from runai_simulator.listing import Listing
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.views import stamp, v1_row
from runai_simulator.world import Workload, World

START = 1_800_000_000.0
SWITCHES = Switches(list_lag=3, sync_time=1, phase_time=2, run_time=5, delete_time=2, retention=8)
CHANGES = [
    {"list_lag": 0.0},
    {"list_lag": 10.0},
    {"deleted_list": False},
    {"ids_equal": False},
    {"cluster_connected": False},
    {"cluster_connected": True},
    {"filters_all_hold": False},
    {"clock_skew": 77.5},
    {"source_api": False},
]


class ListedWorld(RuleBasedStateMachine):
    """People, the cluster and time act at random; after each step both ways of listing are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.world = World(SWITCHES, seed=1)
        self.listing = Listing(self.world)

    def a_workload(self, data: Any) -> Workload:
        return data.draw(st.sampled_from(list(self.world)))

    @rule(name=st.sampled_from("abc"), project=st.sampled_from("12"), steering=st.sampled_from(["", "fail", "hold"]))
    def create(self, name: str, project: str, steering: str) -> None:
        with contextlib.suppress(Refused):
            self.world.create({"name": name, "projectId": project}, job(sync=steering), self.now)

    @rule(name=st.sampled_from("abc"), project=st.sampled_from("12"), age=st.sampled_from([0.0, 2.5, 20.0]))
    def find_it_there_already(self, name: str, project: str, age: float) -> None:
        with contextlib.suppress(Refused):
            self.world.add({"name": name, "projectId": project}, job(), "Running", self.now, age=age)

    @precondition(lambda self: list(self.world))
    @rule(data=st.data(), text=st.sampled_from(["old", "new"]), priority=st.sampled_from(["low", "high"]))
    def update(self, data: Any, text: str, priority: str) -> None:
        with contextlib.suppress(Refused):
            self.world.update(self.a_workload(data), {"priority": priority}, job(text), self.now)

    @precondition(lambda self: list(self.world))
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        self.world.delete(self.a_workload(data), self.now)

    @precondition(lambda self: list(self.world))
    @rule(data=st.data(), what=st.sampled_from(["stop", "resume", "fail", "edit", "purge"]))
    def act_from_outside(self, data: Any, what: str) -> None:
        workload, world = self.a_workload(data), self.world
        match what:
            case "stop":
                world.stop(workload, self.now)
            case "resume":
                world.resume(workload, self.now)
            case "fail":
                world.set_phase(workload, "Failed", "out of memory", self.now)
            case "edit":
                world.edit(workload, {"category": "Train"}, job("theirs"), self.now)
            case "purge":
                world.purge(workload)

    @rule(project=st.sampled_from("12"), hidden=st.booleans())
    def change_scope(self, project: str, hidden: bool) -> None:
        self.world.hide_project(self.world.projects[project], hidden=hidden)
        self.listing.reset()

    @rule(change=st.sampled_from(CHANGES))
    def switch(self, change: dict[str, Any]) -> None:
        self.world.switch(change, self.now)
        self.listing.reset()

    @rule(seconds=st.sampled_from([0.0004, 0.3, 1, 2.5]))
    def a_moment_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([4, 6, 9]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    def queries(self) -> Iterator[dict[str, str]]:
        skew = self.world.switches.clock_skew
        for field in ("phaseUpdatedAt", "deletedAt"):
            for ago, order in ((3, "asc"), (8, "desc")):
                moment = stamp(self.now + skew - ago)
                yield {"filterBy": f"{field}>={moment}", "sortBy": field, "sortOrder": order}
            yield {"filterBy": f"projectId==1,{field}>={moment}"}
        yield {}
        yield {"sortBy": "createdAt"}
        yield {"sortBy": "createdAt", "sortOrder": "desc"}
        yield {"sortBy": "phaseUpdatedAt"}
        yield {"filterBy": "name==a"}
        yield {"filterBy": "name==a,projectId==2", "sortBy": "createdAt"}
        yield {"search": "team-a"}

    @invariant()
    def both_ways_agree(self) -> None:
        for query in self.queries():
            for deleted in ("false", "true"):
                self.compare({**query, "deleted": deleted, "limit": "500"})

    def compare(self, query: dict[str, str]) -> None:
        """The same rows; in the order that was asked for; and page by page the same as at once."""
        switches, seen = self.world.switches, self.now - self.world.switches.list_lag
        asked = filters.read(query, filters.WORKLOAD_FIELDS, all_hold=switches.filters_all_hold)
        listed = self.world.listed(self.now, deleted=query["deleted"] == "true")
        expected, _ = filters.select((v1_row(workload, seen, switches) for workload in listed), asked)
        rows, following = self.listing.page(query, self.now)

        assert following is None
        assert sorted(row.json for row in rows) == sorted(map(written, expected)), query
        if asked.sort_by:
            keys = [asked.sort_key(row.fields) for row in rows]
            assert keys == [asked.sort_key(item) for item in expected], query
        assert list(self.pages(query)) == [row.json for row in rows], query

    def pages(self, query: dict[str, str]) -> Iterator[bytes]:
        offset: int | None = 0
        while offset is not None:
            rows, offset = self.listing.page({**query, "limit": "2", "offset": str(offset)}, self.now)
            yield from (row.json for row in rows)


def written(item: dict[str, Any]) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode()


def test_the_indexed_list_shows_the_same_as_a_full_scan():
    run_state_machine_as_test(
        ListedWorld,
        settings=settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
