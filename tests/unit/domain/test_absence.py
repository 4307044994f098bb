"""When a 404 is believed."""

from __future__ import annotations

import pytest

from runai_operator.domain.absence import BRAKE, MANY, TOGETHER, Absence, Place, braked_until
from runai_operator.domain.errors import Scope

GRACE = 60.0


def doubt(**known):
    nothing = {
        "lasted": 0.0,
        "expected": False,
        "is_listed_as_deleted": False,
        "is_project_visible": False,
        "in_mass_loss": False,
    }
    return Absence(**(nothing | known), project="team-a").doubt(GRACE)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"is_listed_as_deleted": True}, id="listed as deleted, though the project is hidden"),
        pytest.param({"is_listed_as_deleted": True, "in_mass_loss": True}, id="listed as deleted, as are many"),
        pytest.param({"is_project_visible": True, "lasted": GRACE}, id="project visible for longer than lists lag"),
        pytest.param({"is_project_visible": True, "expected": True}, id="Run:ai accepted to delete it"),
        pytest.param(
            {"is_project_visible": True, "expected": True, "in_mass_loss": True}, id="the same, while many vanish"
        ),
    ],
)
def test_a_404_with_a_second_witness_is_believed(known):
    assert doubt(**known) is None


@pytest.mark.parametrize(
    ("known", "scope"),
    [
        pytest.param({"lasted": 1e6}, Scope.PROJECT, id="project hidden, however long"),
        pytest.param({"expected": True}, Scope.PROJECT, id="project hidden, though Run:ai accepted to delete it"),
        pytest.param({"is_project_visible": True, "lasted": GRACE - 1}, Scope.OBJECT, id="it may be listed yet"),
        pytest.param(
            {"is_project_visible": True, "lasted": 1e6, "in_mass_loss": True}, Scope.PROJECT, id="many vanished at once"
        ),
    ],
)
def test_a_404_alone_is_not(known, scope):
    error = doubt(**known)

    assert known.get("is_project_visible") or "project team-a" in error.message
    assert error.condition_reason == "NotVisible"
    assert error.scope is scope


def test_many_that_vanish_within_a_minute_are_braked_for_an_hour_after_the_last():
    times = [1e6 + number * TOGETHER / (MANY - 1) for number in range(MANY)]

    assert braked_until(times) == times[-1] + BRAKE
    assert braked_until(reversed(times)) == times[-1] + BRAKE
    assert braked_until([*times, times[-1] + 2 * TOGETHER]) == times[-1] + BRAKE, "a straggler adds nothing"


def test_few_or_slow_losses_are_not_braked():
    assert braked_until([]) < 0
    assert braked_until([1.0] * (MANY - 1)) < 0
    assert braked_until([number * TOGETHER for number in range(5 * MANY)]) < 0


@pytest.mark.parametrize(
    ("place", "called"),
    [(Place("1", "team-a"), "team-a"), (Place("1", None), "1"), (Place(None, None), "(unknown)")],
)
def test_a_project_is_called_by_what_is_known_of_it(place, called):
    assert str(place) == called
