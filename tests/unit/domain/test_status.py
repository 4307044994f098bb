"""What a pass leaves behind for the next one; how status reads is tested in `tests/unit/readers`."""

from __future__ import annotations

from datetime import UTC, datetime

from builders import a_remote, a_situation, a_wanted, a_workload, recorded
from runai_operator.domain.actions import Settle, Update, Verdict
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import OutcomeUnknown
from runai_operator.domain.model import RecreatePolicy
from runai_operator.domain.status import settle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOST = OutcomeUnknown("lost")


def after_a_lost_answer(**spec):
    workload = a_workload(generation=2, status=recorded(), **spec)
    s = a_situation(workload, wanted=a_wanted("v1:bbbb"), remote=a_remote(), failed=LOST)
    return settle(s, Settle(Verdict.TROUBLE, LOST, outstanding=True), now=NOW)


def test_after_a_lost_put_even_the_old_content_is_sent_again():
    status = after_a_lost_answer()
    s = a_situation(a_workload(generation=3, status=status), wanted=a_wanted(), remote=a_remote())

    assert isinstance(decide(s), Update)


def test_after_a_lost_answer_a_change_of_identity_is_still_known_for_one():
    """A DELETE on the way to a recreate whose answer is lost must not turn into a PUT of another kind."""
    policy = {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE}
    status = after_a_lost_answer(**policy)
    other = a_wanted("v1:bbbb", project_id="2")
    s = a_situation(a_workload(generation=3, status=status, **policy), wanted=other, remote=a_remote())

    assert type(decide(s)).__name__ == "Delete"
