"""When a 404 is believed."""

from __future__ import annotations

import pytest

from runai_operator.domain.absence import BRAKE, MANY, Absence, Place, is_mass_loss
from runai_operator.domain.errors import Scope

GRACE = 60.0


def doubt(**known):
    nothing = {
        "lasted": 0.0,
        "expected": False,
        "is_listed_as_deleted": False,
        "is_project_visible": False,
        "is_unlisted": True,
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
            {"is_project_visible": True, "expected": True, "is_unlisted": False}, id="the same, before any sweep"
        ),
        pytest.param(
            {"is_project_visible": True, "is_unlisted": False, "lasted": BRAKE},
            id="project visible, and no sweep for long",
        ),
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
            {"is_project_visible": True, "lasted": GRACE, "is_unlisted": False},
            Scope.OBJECT,
            id="how many others are missing is not known",
        ),
        pytest.param(
            {"is_project_visible": True, "lasted": 1e6, "in_mass_loss": True}, Scope.PROJECT, id="many are missing"
        ),
    ],
)
def test_a_404_alone_is_not(known, scope):
    error = doubt(**known)

    assert known.get("is_project_visible") or "project team-a" in error.message
    assert error.condition_reason == "NotVisible"
    assert error.scope is scope


def test_many_that_are_missing_are_a_mass_loss_for_an_hour():
    assert is_mass_loss([0.0] * MANY)
    assert is_mass_loss([BRAKE - 1] * MANY), "however long ago each was first missed"
    assert not is_mass_loss([0.0] * (MANY - 1))
    assert not is_mass_loss([BRAKE] * 1000)
    assert not is_mass_loss([BRAKE, *[0.0] * (MANY - 1)]), (
        "what was missed for so long is not lost together with others"
    )


@pytest.mark.parametrize(
    ("place", "called"),
    [(Place("1", "team-a"), "team-a"), (Place("1", None), "1"), (Place(None, None), "(unknown)")],
)
def test_a_project_is_called_by_what_is_known_of_it(place, called):
    assert str(place) == called


@pytest.mark.parametrize(
    ("cluster", "of", "may_be", "is_surely"),
    [
        pytest.param("a", "a", True, True, id="the same cluster"),
        pytest.param("a", "b", False, False, id="another cluster, so it may be of another tenant"),
        pytest.param("a", None, True, False, id="what names no cluster"),
        pytest.param(None, "a", True, True, id="a place whose cluster is not known"),
        pytest.param(None, None, True, True, id="neither is known"),
    ],
)
def test_a_place_is_on_its_cluster_as_far_as_is_known(cluster, of, may_be, is_surely):
    place = Place("1", "team-a", cluster)
    assert (place.is_on(of), place.is_surely_on(of)) == (may_be, is_surely)
