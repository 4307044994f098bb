"""Nothing of the operator grows, however long it lives and whatever happens."""

from __future__ import annotations

from runai_operator.engine.inventory import Inventory
from runai_operator.engine.projects import Projects
from simulation.weeks import grown, live

DAYS = 20


def is_noticed(what):
    """On any of the days; those after it are not lived."""

    def has_grown(lived):
        return any(what in path for path in grown(lived))

    return has_grown(live(1, DAYS, until=has_grown))


def test_nothing_grows_over_virtual_weeks():
    assert grown(live(1, DAYS)) == {}


def test_a_cache_that_grows_is_noticed(monkeypatch):
    monkeypatch.setattr(Projects, "_is_recent", lambda self, answer: True)

    assert is_noticed("answers")


def test_an_index_that_is_never_cleaned_is_noticed(monkeypatch):
    forget = Inventory.forget

    def leaves_an_entry_behind(self, uid):
        if (entry := forget(self, uid)) is not None and entry.workload_id is not None:
            self._by_workload_id[entry.workload_id] = ()
        return entry

    monkeypatch.setattr(Inventory, "forget", leaves_an_entry_behind)

    assert is_noticed("_by_workload_id")
