"""When a connection is known to create nothing on a dry run, and what is removed if it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import WORKLOAD_ID, a_remote, a_row
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import Candidate, OwnerMark
from runai_operator.domain.naming import NAME, NAME_LIMIT, probe_name
from runai_operator.domain.probe import (
    PROVING,
    UNSUPPORTED,
    End,
    LookUp,
    Probe,
    Read,
    Remove,
    Send,
    Wait,
    probe_mark,
    probe_submission,
    refused,
)
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import BACKOFF_CEILING, next_sync_read

INSTALL, PROJECT, GRACE = "install-1", "17", 60.0
NEW = Probe(install=INSTALL, project_id=PROJECT, wanted=True)
OURS = a_remote(name=NEW.name, project_id=PROJECT, mark=probe_mark(INSTALL))
GOING = replace(OURS, desired_phase="Deleted", sync_status="Deleting")
GONE = replace(OURS, sync_status="Deleted")
UNMARKED = replace(OURS, mark=None, mark_readable=False)
STRANGE = replace(OURS, mark=None)
OF_AN_OBJECT = replace(OURS, mark=OwnerMark(INSTALL, "ns", "w", "uid-1"))
OF_ANOTHER_INSTALL = replace(OURS, mark=probe_mark("install-2"))


def step(probe, now=0.0):
    return probe.next_step(now=now, grace=GRACE)


def looked(probe, *remotes, now=0.0, visible=True):
    return probe.looked_up(tuple(Candidate(a_row(), each) for each in remotes), is_visible=visible, now=now)


SENT = looked(NEW).answered(None)


def test_the_name_and_the_mark_are_those_of_install_and_project_and_of_no_object():
    sent = probe_submission(INSTALL, PROJECT)
    others = [probe_submission("install-2", PROJECT), probe_submission(INSTALL, "18")]

    assert sent == probe_submission(INSTALL, PROJECT)
    assert sent.project_id == PROJECT
    assert NAME.fullmatch(sent.name)
    assert len(sent.name) <= NAME_LIMIT
    assert sent.name == probe_name(INSTALL, PROJECT) == sent.manifest["metadata"]["name"]
    assert sent.name not in {other.name for other in others}
    assert read_mark(sent.manifest) == probe_mark(INSTALL)
    assert not read_mark(sent.manifest).uid


def test_what_is_sent_is_a_job_that_is_valid_and_would_run_nothing():
    sent = probe_submission(INSTALL, PROJECT).manifest
    pod = {"restartPolicy": "Never", "containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.10"}]}

    assert (sent["apiVersion"], sent["kind"]) == ("batch/v1", "Job")
    assert sent["spec"] == {"suspend": True, "backoffLimit": 0, "template": {"spec": pod}}


def test_what_those_who_wait_are_told_has_a_reason_of_its_own():
    assert (PROVING.condition_reason, UNSUPPORTED.condition_reason) == (
        Reason.PROVING_DRY_RUN,
        Reason.DRY_RUN_UNSUPPORTED,
    )


def test_a_new_probe_is_wanted_by_nobody_and_proves_nothing():
    new = Probe(install=INSTALL, project_id=PROJECT)

    assert not any((new.wanted, new.sent, new.accepted, new.made, new.is_told))
    assert new.is_visible
    assert not End().proven


def test_first_it_is_looked_for_what_an_earlier_probe_left_behind():
    assert step(NEW) == LookUp()
    assert step(looked(NEW)) == Send()


def test_an_accepted_dry_run_that_made_nothing_in_the_time_of_the_lag_is_the_proof():
    assert step(SENT) == LookUp()
    now, probe = 0.0, looked(SENT, now=0.0)
    while isinstance(wait := step(probe, now), Wait):
        assert wait.error is None
        now += wait.seconds
        assert step(probe.waited(), now) == LookUp(), "what was seen before the wait proves nothing"
        probe = looked(probe.waited(), now=now)

    assert step(probe, now) == End(proven=True)
    assert GRACE <= now < GRACE + 20


def test_the_lag_counts_from_a_look_after_the_answer():
    probe = looked(looked(NEW, now=0.0).answered(None), now=100.0)

    assert isinstance(step(probe, 100.0 + GRACE - 1), Wait)


def test_an_id_in_the_answer_is_read_before_anything_else():
    probe = looked(NEW).answered(WORKLOAD_ID)

    assert step(probe) == Read(WORKLOAD_ID)
    assert step(probe.read(None)) == LookUp()


def test_an_id_that_leads_to_nothing_is_part_of_the_proof():
    probe = looked(looked(NEW).answered(WORKLOAD_ID).waited().read(None))

    assert step(probe) == Wait(next_sync_read(0)), "from the beginning"
    assert step(looked(probe, now=GRACE), GRACE) == End(proven=True)


def test_only_of_the_id_in_the_answer_it_is_known_without_a_mark_whose_it_is():
    probe = looked(looked(NEW).answered("told").read(None), OURS)
    assert step(probe) == Remove(WORKLOAD_ID)

    assert step(probe.waited().read(UNMARKED)) == LookUp()


def test_pauses_grow():
    pauses, probe = [], SENT
    for _ in range(5):
        probe = looked(probe)
        pauses.append(step(probe))
        probe = probe.waited()

    assert pauses == [Wait(next_sync_read(steps)) for steps in range(5)]


@pytest.mark.parametrize("shown", [OURS, UNMARKED, GOING])
def test_what_the_answer_names_was_made(shown):
    probe = looked(NEW).answered(WORKLOAD_ID).read(shown)

    assert probe.made
    assert step(probe) == (Remove(WORKLOAD_ID) if shown is not GOING else Wait(1.0))


@pytest.mark.parametrize("shown", [OF_AN_OBJECT, OF_ANOTHER_INSTALL, replace(UNMARKED, name="w"), STRANGE, GONE])
def test_what_is_not_known_to_be_ours_is_not_touched_whatever_the_answer_names(shown):
    probe = looked(NEW).answered(WORKLOAD_ID).read(shown)

    assert (probe.made, step(probe)) == (False, LookUp())


@pytest.mark.parametrize("sent", [SENT, looked(NEW).unanswered()])
def test_what_is_found_with_our_mark_after_something_was_sent_was_made(sent):
    probe = looked(sent, OURS)

    assert probe.made
    assert step(probe, GRACE) == Remove(WORKLOAD_ID)


def test_what_was_there_before_is_removed_and_says_nothing_of_this_run_ai():
    probe = looked(NEW, OURS)
    assert (probe.made, step(probe, GRACE)) == (False, Remove(WORKLOAD_ID))

    probe = probe.removed()
    assert isinstance(step(probe), Wait), "a deletion takes time"
    probe = probe.waited()
    assert step(probe) == Read(WORKLOAD_ID)
    assert isinstance(step(probe.read(GOING)), Wait)
    probe = probe.read(GONE)
    assert step(probe) == LookUp()
    assert step(looked(probe)) == Send()


def test_a_deletion_that_did_not_last_is_repeated():
    probe = looked(NEW, OURS).removed().waited()

    assert step(probe.read(OURS), GRACE) == Remove(WORKLOAD_ID)


@pytest.mark.parametrize("probe", [NEW, replace(NEW, wanted=False), looked(NEW).unanswered()])
def test_what_another_process_may_have_sent_is_removed_once_that_has_seen_it(probe):
    probe = looked(probe, OURS)
    assert step(probe, GRACE - 1) == Wait(next_sync_read(0))

    probe = probe.waited().read(OURS)
    assert step(probe, GRACE - 1) == Wait(next_sync_read(1))
    assert step(probe, GRACE) == Remove(WORKLOAD_ID)


def test_what_was_accepted_from_this_process_is_removed_at_once():
    assert step(looked(SENT, OURS)) == Remove(WORKLOAD_ID)


@pytest.mark.parametrize("holder", [STRANGE, OF_AN_OBJECT, OF_ANOTHER_INSTALL, UNMARKED, None])
@pytest.mark.parametrize("probe", [NEW, SENT])
def test_what_does_not_carry_our_mark_is_waited_for_and_then_told(probe, holder):
    probe = looked(probe, holder)
    assert step(probe) == Wait(next_sync_read(0)), "a list that lags shows what is gone"

    late = step(looked(probe.waited(), holder, now=GRACE), GRACE)
    assert (late.seconds, late.error.condition_reason) == (BACKOFF_CEILING, Reason.DRY_RUN_UNSUPPORTED)
    assert NEW.name in late.error.message
    assert not looked(probe.waited(), holder, now=GRACE).made


def test_nothing_is_proven_by_a_dry_run_whose_answer_was_lost_or_that_met_a_taken_name():
    probe = looked(looked(NEW).unanswered())
    late = looked(probe.waited(), now=GRACE)

    assert step(late, GRACE) == End(proven=False)


def test_nothing_is_proven_where_the_project_is_not_visible():
    probe = looked(SENT)
    hidden = looked(probe.waited(), now=GRACE, visible=False)
    told = step(hidden, GRACE)
    assert (told.seconds, told.error.condition_reason) == (BACKOFF_CEILING, Reason.DRY_RUN_UNSUPPORTED)
    assert step(replace(hidden, wanted=False), GRACE) == End(proven=False), "nobody waits for it"

    again = looked(hidden.waited(), now=GRACE + 1)
    assert isinstance(step(again, GRACE + 1), Wait), "and the time of the lag begins anew"


def test_what_was_made_proves_the_opposite_for_good():
    probe = looked(SENT, OURS).removed().waited().read(GONE)
    late = looked(looked(probe, now=0.0).waited(), now=GRACE)

    assert step(late, GRACE) == End(proven=False)


def test_what_is_shown_as_deleted_is_as_good_as_gone():
    probe = looked(SENT, GONE)
    assert step(probe) == Wait(next_sync_read(0))

    assert step(looked(probe.waited(), GONE, now=GRACE), GRACE) == End(proven=True)


def test_a_deletion_is_looked_after_from_the_beginning():
    probe = replace(looked(NEW, OURS), steps=7)

    assert step(probe.removed()) == Wait(next_sync_read(0))


@pytest.mark.parametrize("nothing", [looked(replace(NEW, wanted=False)), replace(looked(SENT, now=0.0), wanted=False)])
def test_where_nobody_waits_nothing_is_sent_and_it_ends(nothing):
    probe, now = nothing, 0.0
    while not isinstance(each := step(probe, now), End):
        assert not isinstance(each, Send)
        now += each.seconds if isinstance(each, Wait) else 1.0
        probe = looked(probe.waited(), now=now)


def test_what_was_left_behind_is_removed_where_nobody_waits():
    assert step(looked(replace(NEW, wanted=False), OURS), GRACE) == Remove(WORKLOAD_ID)


def test_a_stranger_of_that_name_is_left_alone_where_nobody_waits():
    probe = looked(replace(NEW, wanted=False), STRANGE)

    assert step(probe) == Wait(next_sync_read(0)), "a list that lags may show more"
    assert step(looked(probe.waited(), STRANGE, now=GRACE), GRACE) == End()


def test_where_the_project_is_hidden_no_time_counts_for_what_has_the_name():
    probe = looked(NEW, STRANGE, visible=False)

    assert step(looked(probe.waited(), STRANGE, now=GRACE, visible=False), GRACE) == Wait(next_sync_read(1))


def test_a_probe_that_was_refused_says_that_nothing_is_known_of_dry_runs():
    told = refused(PROJECT, InvalidWorkload("Its quota is used up."))

    assert told.condition_reason == Reason.DRY_RUN_UNSUPPORTED
    assert f"project {PROJECT}" in told.message
    assert told.message.endswith("Its quota is used up.")
