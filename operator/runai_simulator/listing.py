"""The v1 list as the read model it is: rows that follow the world with a lag, indexed, so that a page costs a page.

What a row shows changes only at moments that the world knows beforehand; they wait in a heap, and a list call first
redraws the rows whose moment has come. `World.listed` says the same without an index, and a test holds both together.
"""

from __future__ import annotations

import heapq
import json
import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from runai_simulator import filters
from runai_simulator.views import v1_row
from runai_simulator.world import Workload, World

Json = dict[str, Any]


class Row:
    """One item of the list, written once."""

    __slots__ = ("fields", "json")

    def __init__(self, fields: Json) -> None:
        self.fields = fields
        self.json = json.dumps(fields, separators=(",", ":")).encode()


class Shelf:
    """Rows by id in the order in which they came, by name, and by the time at which they last changed."""

    def __init__(self, changed: str) -> None:
        """`changed` is the field that holds that time."""
        self.changed = changed
        self._rows: dict[str, Row] = {}
        self._by_name: dict[str, dict[str, Row]] = {}
        self._by_change: list[tuple[str, str]] = []
        self._newest, self._in_order = "", True

    def put(self, row: Row) -> None:
        key, name = row.fields["id"], row.fields["name"]
        if (before := self._rows.get(key)) is not None:
            self._unlist(key, before)
        else:
            self._in_order &= row.fields["createdAt"] >= self._newest
            self._newest = max(self._newest, row.fields["createdAt"])
        self._rows[key] = row
        self._by_name.setdefault(name, {})[key] = row
        insort(self._by_change, (row.fields[self.changed], key))

    def drop(self, key: str) -> None:
        if (row := self._rows.pop(key, None)) is None:
            return
        self._unlist(key, row)
        named = self._by_name[row.fields["name"]]
        del named[key]
        if not named:
            del self._by_name[row.fields["name"]]

    def find(self, query: filters.Query) -> Iterable[Row]:
        """What matches, in the order that was asked for."""
        rows, sorted_by = self._candidates(query.conditions if query.all_hold else ())
        if query.conditions or query.search:
            rows = (row for row in rows if query.matches(row.fields))
        if query.sort_by and (query.sort_by != sorted_by or query.descending):
            return sorted(rows, key=lambda row: query.sort_key(row.fields), reverse=query.descending)
        return rows

    def _candidates(self, conditions: Iterable[filters.Condition]) -> tuple[Iterable[Row], str]:
        """The fewest rows among which all that match are, and the field by which they are sorted."""
        for condition in conditions:
            if condition.field == "name" and condition.symbol == "==":
                return self._by_name.get(condition.wanted, {}).values(), ""
        for condition in conditions:
            if condition.field == self.changed and condition.symbol == ">=":
                start = bisect_left(self._by_change, (_floor(condition.wanted), ""))
                return [self._rows[key] for _, key in self._by_change[start:]], self.changed
        return self._rows.values(), "createdAt" if self._in_order else ""

    def _unlist(self, key: str, row: Row) -> None:
        del self._by_change[bisect_left(self._by_change, (row.fields[self.changed], key))]


class Listing:
    """The v1 list of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agenda: list[tuple[float, int, Workload]] = []
        self._order = count()
        self.reset()
        world.on_change = self._expect

    def reset(self) -> None:
        """Recompute every row: after a change of the world that has no moment, such as a switch."""
        self._active, self._deleted = Shelf("phaseUpdatedAt"), Shelf("deletedAt")
        self._agenda.clear()
        self._seen = -math.inf
        for workload in self._world:
            self._expect(workload)

    def page(self, query: Mapping[str, str], now: float) -> tuple[list[Row], int | None]:
        """Rows, and the offset of the next page. Raises `Refused`."""
        switches = self._world.switches
        self.catch_up(now)
        asked = filters.read(query, filters.WORKLOAD_FIELDS, all_hold=switches.filters_all_hold)
        is_deleted = query.get("deleted") == "true"
        if is_deleted and not switches.deleted_list:
            return [], None
        return asked.page((self._deleted if is_deleted else self._active).find(asked))

    def catch_up(self, now: float) -> None:
        """Redraw what is due by now, which the next page would do."""
        self._advance(now - self._world.switches.list_lag)

    def _expect(self, workload: Workload) -> None:
        """Recompute its row with the next call, and whenever it changes by itself."""
        later = {moment for moment in self._moments(workload) if self._seen < moment < math.inf}
        for moment in (self._seen, *later):
            heapq.heappush(self._agenda, (moment, next(self._order), workload))

    def _moments(self, workload: Workload) -> Iterable[float]:
        yield from workload.moments()
        yield workload.gone + self._world.switches.retention

    def _advance(self, seen: float) -> None:
        self._seen = max(self._seen, seen)
        due: dict[str, Workload] = {}
        while self._agenda and self._agenda[0][0] <= self._seen:
            workload = heapq.heappop(self._agenda)[2]
            due[workload.id] = workload
        for workload in due.values():
            self._draw(workload)

    def _draw(self, workload: Workload) -> None:
        world, seen = self._world, self._seen
        shown = (
            world.knows(workload)
            and workload.created <= seen
            and workload.project.id not in world.hidden
            and not world.is_forgotten(workload, seen)
        )
        is_gone = workload.is_gone(seen)
        (self._active if is_gone else self._deleted).drop(workload.v1_id)
        shelf = self._deleted if is_gone else self._active
        if shown:
            shelf.put(Row(v1_row(workload, seen, world.switches)))
        else:
            shelf.drop(workload.v1_id)


def _floor(moment: datetime) -> str:
    """The last stamp that is not after a moment in UTC; stamps sort as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
