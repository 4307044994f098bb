"""Nothing of the operator grows, however long it lives and whatever happens."""

from __future__ import annotations

from runai_operator.engine.projects import Projects
from simulation.weeks import grown, live

DAYS = 20


def test_nothing_grows_over_virtual_weeks():
    assert grown(live(1, DAYS)) == {}


def test_what_grows_is_noticed(monkeypatch):
    monkeypatch.setattr(Projects, "_is_recent", lambda self, answer: True)

    assert any("answers" in path for path in grown(live(1, DAYS)))
