"""Nothing outstanding lives in memory alone: after a restart, status says what every object needs.

Every end of a pass (`readers.combinations`) with the status that it wrote: the summary of that status, read from what was
written or from the cells of a `Table`, must lead to what the process that ended the pass had planned.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from builders import REF
from fakes.kube import Stored, cells_of
from readers import Json
from readers.combinations import GENERATION, Pass, passes, settled_status
from runai_operator.domain.actions import Verdict
from runai_operator.domain.model import FINALIZER, Meta, Spec, TableRow
from runai_operator.domain.plan import REJECTED_REASONS, Need, StatusSummary, plan_of
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import requeue_after
from runai_operator.domain.stored_status import LOST_REASONS

ENDS = list(passes())


def in_doubt(settled: Pass) -> bool:
    return not settled.submitted and not settled.end.not_submitted


def has_finalizer(settled: Pass) -> bool:
    """As the pass left it: with a refusal that is proven, and with what is merely observed, it is not there."""
    return (settled.submitted or in_doubt(settled)) and not settled.observing


def meta_after(settled: Pass) -> Meta:
    deleting = settled.end.verdict is Verdict.DELETING
    return Meta(REF, "7", GENERATION, deleting, (FINALIZER,) if has_finalizer(settled) else (), settled.paused, None)


def written(settled: Pass) -> Json:
    status = settled_status(settled)[1]
    if settled.observing:
        del status["submittedHash"]  # nothing was ever submitted
    return status


def summary_after(settled: Pass) -> StatusSummary:
    return StatusSummary.of_status(written(settled), has_source=False)


def listed(settled: Pass, **changes: str) -> StatusSummary:
    stored = Stored(REF, Spec(), 7, GENERATION, status=written(settled) | changes)
    return StatusSummary.of_cells(TableRow(meta_after(settled), cells_of(stored)))


def failing(holds):
    """The ends of passes for which it does not hold, by name."""
    return [str(settled) for settled in ENDS if not holds(settled)]


def waits_for_a_person(settled: Pass) -> bool:
    """Whoever takes the pause away makes an event, and nothing is to be done before."""
    return settled.end.verdict is Verdict.PAUSED or (settled.end.verdict is Verdict.VALID and settled.paused)


def only_unread(settled: Pass) -> bool:
    """Nothing is outstanding but a reading, for which the lists will give the reason again."""
    return settled.end.verdict is Verdict.RETRYING and not settled.end.outstanding


def needed_where_it_was_not_read(settled: Pass) -> Need:
    after = summary_after(settled)
    if after.reason in LOST_REASONS:  # still as before
        return Need.PROBE if after.reason in REJECTED_REASONS else Need.PASS
    return needed_of_run(after)


def needed_of_run(summary: StatusSummary) -> Need:
    if summary.in_flight or summary.may_recover:
        return Need.READ
    return Need.ROW if summary.phase == "Pending" else Need.NOTHING


def expected(settled: Pass) -> Need:
    """By how the pass ended, not by what it wrote."""
    match settled.end.verdict:
        case _ if only_unread(settled) and not in_doubt(settled):
            return needed_where_it_was_not_read(settled)
        case Verdict.DELETING | Verdict.RETRYING | Verdict.WAITING:
            return Need.PASS
        case _ if in_doubt(settled):
            return Need.PASS
        case Verdict.REJECTED:
            restart_may_help = settled.end.error.condition_reason in (
                Reason.CONNECTION_NOT_FOUND, Reason.MANAGED_BY_OTHER, Reason.INSTALL_CHANGED
            )  # fmt: skip
            return Need.PASS if restart_may_help else Need.PROBE
        case Verdict.VALID:
            return Need.NOTHING if settled.paused else Need.VERDICT
        case Verdict.IN_SYNC | Verdict.DELIVERED if settled.end.outstanding:
            return Need.PASS
    return needed_of_run(summary_after(settled))


def test_a_list_shows_the_same_summary_as_the_status_that_was_written():
    assert failing(lambda settled: listed(settled) == summary_after(settled)) == []


def test_what_is_owed_or_planned_is_needed_after_a_restart():
    def holds(settled: Pass) -> bool:
        planned = requeue_after(settled.end, failures=1, jitter=0.5) is not None
        wanted = (settled.end.outstanding or planned) and not waits_for_a_person(settled)
        if not (wanted or summary_after(settled).in_flight) or only_unread(settled):
            return True
        return plan_of(listed(settled), meta_after(settled)) is not Need.NOTHING

    assert failing(holds) == []


def test_what_is_needed_after_a_restart_follows_from_how_the_last_pass_ended():
    assert failing(lambda settled: plan_of(listed(settled), meta_after(settled)) is expected(settled)) == []


def test_the_ends_include_every_need_and_every_verdict_that_writes_status():
    needs = Counter(expected(settled) for settled in ENDS)
    verdicts = {settled.end.verdict for settled in ENDS}

    assert set(needs) == set(Need)
    assert verdicts == {
        Verdict.IN_SYNC, Verdict.DELIVERED, Verdict.REJECTED, Verdict.RETRYING, Verdict.WAITING, Verdict.PAUSED,
        Verdict.DELETING, Verdict.VALID,
    }  # fmt: skip


AT_REST = next(s for s in ENDS if s.end.verdict is Verdict.IN_SYNC and s.phase == "Running" and s.sync == "Synced")
PAUSED_AT_REST = next(
    s for s in ENDS
    if s.end.verdict is Verdict.PAUSED and not s.end.outstanding and s.phase == "Running" and s.sync == "Synced"
)  # fmt: skip


@pytest.mark.parametrize(
    ("settled", "changes"),
    [
        pytest.param(AT_REST, {"generation": GENERATION + 1}, id="the spec was edited"),
        pytest.param(AT_REST, {"reconcile_token": "now"}, id="somebody asked for a pass"),
        pytest.param(AT_REST, {"paused": True}, id="it was paused, and must say so"),
        pytest.param(AT_REST, {"finalizers": ()}, id="somebody took the finalizer away"),
        pytest.param(AT_REST, {"deleting": True}, id="it was deleted"),
        pytest.param(PAUSED_AT_REST, {"paused": False}, id="the pause was taken away"),
    ],
)
def test_what_people_did_while_no_operator_ran_is_noticed(settled, changes):
    before = meta_after(settled)

    assert plan_of(listed(settled), before) is Need.NOTHING
    assert plan_of(listed(settled), replace(before, **changes)) is Need.PASS


def test_a_status_that_was_restored_along_with_another_object_counts_as_none():
    summary = listed(AT_REST, ownerUid="uid-0")

    assert summary == StatusSummary()
    assert plan_of(summary, meta_after(AT_REST)) is Need.PASS


def test_an_object_that_is_going_and_has_lost_our_finalizer_needs_nothing():
    meta = replace(meta_after(AT_REST), deleting=True, finalizers=())

    assert plan_of(listed(AT_REST), meta) is Need.NOTHING


def test_what_was_managed_once_and_is_observed_now_is_taken_for_one_that_lost_its_finalizer():
    """A look at each resync, which costs one reading: no cell tells the two apart."""
    observed = next(s for s in ENDS if s.observing and s.phase == "Running" and s.sync == "Synced" and not s.paused)

    assert plan_of(listed(observed), meta_after(observed)) is Need.NOTHING
    assert plan_of(listed(observed, submittedHash="v1:a.b"), meta_after(observed)) is Need.PASS
