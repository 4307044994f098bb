"""Defects to plant in the whole operator, those of the model among them: a judge that misses one proves nothing."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from fakes.runai import FakeRunaiAccess
from model.defects import DEFECTS as OF_THE_PROTOCOL
from model.defects import Defect
from runai_operator.domain import (
    adopt,
    barred,
    dry_run,
    finalize,
    freshness,
    intent,
    lost,
    maintain,
    manifest,
    marks,
    memory,
    observe,
    ownership,
    plan,
    requeue,
    state,
    status,
    submit,
    walk,
)
from runai_operator.domain.actions import Adopt, Result, Verdict
from runai_operator.domain.errors import InvalidWorkload, OutcomeUnknown, Throttled
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.probe import Probe
from runai_operator.domain.reasons import Reason
from runai_operator.domain.stored_status import StoredStatus
from runai_operator.engine import circuit, dry_runs, gate, inventory, limits, poller, projects
from runai_operator.engine.dry_runs import DryRuns, Leftovers
from runai_operator.engine.engine import Engine
from runai_operator.engine.inventory import Inventory
from runai_operator.engine.poller import Poller
from runai_operator.engine.projects import Witness
from runai_operator.engine.reader import Reader
from runai_operator.engine.reconcile import Reconciler
from runai_operator.engine.sources import Sources
from runai_operator.runai import failures
from simulation import world

Patch = pytest.MonkeyPatch


def everywhere(patch: Patch, function: Any, stand_in: Any) -> None:
    """In every module of the operator that calls it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("runai_operator.") and getattr(module, function.__name__, None) is function:
            patch.setattr(module, function.__name__, stand_in)


async def nothing(*_: Any) -> None:
    """In place of what should be done."""


# --- whose it is


def refusal_ends(patch: Patch) -> None:
    obstacle = adopt._adoption_obstacle

    def forgetful(s: Any, remote: Any, desired: Any) -> Any:
        return None if s.stored_status.reason == Reason.INVALID_SPEC else obstacle(s, remote, desired)

    patch.setattr(adopt, "_adoption_obstacle", forgetful)


def rows_by_name(patch: Patch) -> None:
    patch.setattr(
        Inventory,
        "of_row",
        lambda self, connection, row: self._all(self._by_name.get((connection, row.project_id, row.name), ())),
    )


def adopted_for_ever(patch: Patch) -> None:
    patch.setattr(state.State, "to_adopt", property(lambda s: s.workload.spec.workload_id))


def own_attempts_are_not_observed(patch: Patch) -> None:
    patch.setattr(observe, "_resolve_doubt", lambda s: None)


def former_installs_are_others(patch: Patch) -> None:
    patch.setattr(
        Reader, "_get", lambda self, workload_id, upstream, *, project: upstream.gate.get(workload_id, project=project)
    )


def changed_install_is_anothers(patch: Patch) -> None:
    everywhere(patch, marks.is_of_changed_install, lambda mark, own: False)


def adoption_by_own_name(patch: Patch) -> None:
    in_doubt = finalize._finalize_in_doubt

    def by_name(s: Any) -> Any:
        workload = replace(s.workload, spec=replace(s.workload.spec, workload_id=None))
        return in_doubt(replace(s, workload=workload))

    patch.setattr(finalize, "_finalize_in_doubt", by_name)


def any_finished_work_will_do(patch: Patch) -> None:
    patch.setattr(
        submit,
        "_follow_finished_predecessor",
        lambda s, remote, desired: intent.intent_first(s) or Adopt(remote, None, finished=True),
    )


def ends_of_attempts_are_ignored(patch: Patch) -> None:
    patch.setattr(submit, "made_and_ended", lambda s: None)


def owners_live_for_ever(patch: Patch) -> None:
    everywhere(patch, ownership.ask_for_owner, lambda s, mark: None)


def force_leaves_no_trace(patch: Patch) -> None:
    everywhere(patch, finalize.left_by_force, lambda *_: None)
    patch.setattr(finalize, "_after_force", lambda s: Result(Verdict.IGNORED))


def named_project_decides(patch: Patch) -> None:
    everywhere(patch, barred.barred_from, lambda s, remote, *, adopts=False: barred.barred_from_target(s))


def any_project_will_do(patch: Patch) -> None:
    everywhere(patch, barred.barred_from_target, lambda s: None)


def claims_are_ignored(patch: Patch) -> None:
    patch.setattr(Inventory, "claim", lambda self, ref, connection, workload_id: ref)


def takes_over_without_a_mark(patch: Patch) -> None:
    everywhere(patch, adopt.take_over, lambda s, remote, row, desired: Adopt(remote, row, finished=True))


def orphan_is_ignored(patch: Patch) -> None:
    reason_for = finalize._nothing_to_delete

    def blind(s: Any) -> Any:
        why = reason_for(s)
        return None if why is not None and "Orphan" in why else why

    patch.setattr(finalize, "_nothing_to_delete", blind)


def names_say_nothing(patch: Patch) -> None:
    patch.setattr(state.State, "name_held", property(lambda s: False))


def one_page_is_read(patch: Patch) -> None:
    pages = FakeRunaiAccess._pages
    patch.setattr(FakeRunaiAccess, "_pages", lambda self, rows: pages(self, rows)[:1])


def mass_loss_is_believed(patch: Patch) -> None:
    patch.setattr(Witness, "in_mass_loss", lambda self: False)


# --- what is owed


def restart_forgets(patch: Patch) -> None:
    plan_of = plan.plan_of

    def forgetful(summary: Any, meta: Any) -> Any:
        is_new = summary.observed_generation < 0 or meta.deleting
        return plan_of(summary, meta) if is_new else plan.Need.NOTHING

    everywhere(patch, plan_of, forgetful)


def never_probed(patch: Patch) -> None:
    patch.setattr(requeue, "_probe", lambda end: 1e7)


def sources_are_forgotten(patch: Patch) -> None:
    patch.setattr(Sources, "check", nothing)


def sources_are_trusted(patch: Patch) -> None:
    patch.setattr(state.State, "must_check_content", property(lambda s: s.requests.check_content or s.asked))


def one_bad_source(patch: Patch) -> None:
    async def check(self: Any, users: Any) -> None:
        for key, using in sorted(users.items(), key=lambda user: user[0]):
            await self._check(key, using)
            if key in self._unreadable:
                return

    patch.setattr(Sources, "check", check)


def no_source_no_workload(patch: Patch) -> None:
    refused = Result(Verdict.REJECTED, outstanding=True)
    patch.setattr(maintain, "_beside", lambda action, error: action if error is None else replace(refused, error=error))


def lost_sources_are_forgotten(patch: Patch) -> None:
    patch.setattr(state.State, "lacks_source_as_stored", property(lambda s: False))


def requests_are_lost(patch: Patch) -> None:
    finish = Inventory.finish
    patch.setattr(
        Inventory, "finish", lambda self, uid, result, taken: finish(self, uid, replace(result, answered=True), taken)
    )


def token_without_reading(patch: Patch) -> None:
    patch.setattr(Result, "in_trouble", property(lambda self: False))


def failure_stays_hidden(patch: Patch) -> None:
    patch.setattr(memory.Memory, "synced", lambda self, *, now, grace: self)


def replacement_is_forgotten(patch: Patch) -> None:
    patch.setattr(state.State, "is_replacing", lambda self, end: False)


def free_names_wake_nobody(patch: Patch) -> None:
    patch.setattr(Engine, "_name_freed", lambda self, name: None)


def edits_are_no_news(patch: Patch) -> None:
    shows_news = plan.shows_news

    def blind(meta: Any, before: Any, summary: Any) -> Any:
        return shows_news(replace(meta, generation=before.generation), before, summary)

    everywhere(patch, shows_news, blind)


def lost_edits_count_as_sent(patch: Patch) -> None:
    after = maintain._after_failed_update

    def sure(error: Any) -> Any:
        return Result(Verdict.DELIVERED) if isinstance(error, OutcomeUnknown) else after(error)

    patch.setattr(maintain, "_after_failed_update", sure)


def gate_wakes_nobody(patch: Patch) -> None:
    patch.setattr(gate.Gate, "_wake_due", lambda self: None)


def never_given_up(patch: Patch) -> None:
    patch.setattr(state.State, "may_give_up", property(lambda s: False))


def turns_are_kept(patch: Patch) -> None:
    patch.setattr(limits.DeletionLimiter, "forget", lambda self, uid: self._admitted.discard(uid))


def one_scope_fails_all(patch: Patch) -> None:
    async def resync(self: Any) -> None:
        for scope in self._kube.scopes:
            if (error := await self._resync_scope(scope)) is not None:
                raise error

    patch.setattr(Engine, "resync", resync)


def project_is_looked_up_again(patch: Patch) -> None:
    patch.setattr(StoredStatus, "project_named_by", lambda self, spec: None)


def finished_work_runs_again(patch: Patch) -> None:
    patch.setattr(maintain, "_follow_edit_of_finished", lambda s, desired: maintain._replace(s))


def unseen_ends_run_again(patch: Patch) -> None:
    everywhere(patch, lost.ended_unseen, lambda s, workload_id, *, outstanding: None)


def odd_refusals_are_doubtful(patch: Patch) -> None:
    refusal = failures._refusal

    def strict(operation: Any, answer: Any, said: str) -> Any:
        is_known = answer.status not in (400, 422) or b'"message"' in answer.body
        return refusal(operation, answer, said) if is_known else failures._doubtful(operation, "it is in another form")

    patch.setattr(failures, "_refusal", strict)


def large_is_read_as_small(patch: Patch) -> None:
    failed = Reconciler._failed

    def forgetful(self: Any, error: Any, memory: Any, **about: Any) -> Any:
        result = failed(self, error, memory, **about)
        return replace(result, memory=replace(result.memory, large=False))

    patch.setattr(Reconciler, "_failed", forgetful)


def recursion_is_deep(patch: Patch) -> None:
    without_nulls = manifest._without_nulls

    def part(value: Any) -> Any:
        return whole(value)

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: part(inner) for key, inner in value.items()}
        return without_nulls(value)

    patch.setattr(manifest, "_without_nulls", whole)


# --- what is said


def secrets_are_shown(patch: Patch) -> None:
    patch.setattr(state.State, "is_confidential", property(lambda s: False))


def hashes_have_no_key(patch: Patch) -> None:
    made = manifest.content_hash

    def without_key(content: Any, *, key: str | None = None, **about: Any) -> str:
        del key
        return made(content, **about)

    patch.setattr(manifest, "content_hash", without_key)


def nothing_gets_stale(patch: Patch) -> None:
    patch.setattr(freshness.Source, "seen", lambda self, *, now, silent_for, trouble: self)


def never_stalled(patch: Patch) -> None:
    patch.setattr(state.State, "has_stalled", lambda self, end: False)


def lists_seem_well(patch: Patch) -> None:
    patch.setattr(Poller, "_report", lambda self: self._observer.lists(self._connection, True))


def ends_are_deletions(patch: Patch) -> None:
    patch.setattr(state.State, "ending", property(lambda s: state.Ending.DELETED))


def phase_of_what_is_gone(patch: Patch) -> None:
    patch.setattr(status, "_OF_PODS", [])


def asked_once(patch: Patch) -> None:
    asks = inventory.Entry.asks_scheduler.fget
    assert asks is not None
    patch.setattr(inventory.Entry, "asks_scheduler", property(lambda e: asks(e) and e.memory.row_reads == 0))


def pods_are_not_counted(patch: Patch) -> None:
    patch.setattr(inventory.Entry, "counts_may_lag", property(lambda e: False))
    patch.setattr(Poller, "_recount", nothing)


def conflicts_seem_silent(patch: Patch) -> None:
    tells = status._is_silent_about_sync
    patch.setattr(
        status,
        "_is_silent_about_sync",
        lambda s, end: tells(replace(s, memory=replace(s.memory, pending_status={})), end),
    )


def refusal_leaves_doubt(patch: Patch) -> None:
    patch.setattr(intent, "NOT_SENT_OR_REFUSED", (InvalidWorkload,))


def late_rows_are_missed(patch: Patch) -> None:
    patch.setattr(poller, "LONG_INTERVAL", 1e9)


def rows_set_the_clock(patch: Patch) -> None:
    def advance(self: Any, first: Any, newest: Any, now: float, *_: Any) -> None:
        known = filter(None, (self.watermark or first.server_time, newest))
        self.watermark, self.set_at = max(known, default=None), now

    patch.setattr(poller._Delta, "advance", advance)


def deleted_rows_are_ignored(patch: Patch) -> None:
    patch.setattr(Engine, "row_deleted", lambda self, connection, row: None)


# --- what it costs


def no_back_off(patch: Patch) -> None:
    patch.setattr(requeue, "backoff", lambda failures, jitter, *, ceiling=0.0: 0.2 + jitter)


def prompt_for_ever(patch: Patch) -> None:
    patch.setattr(requeue, "_after_waiting", lambda error, failures, jitter: 1.0)
    everywhere(patch, requeue.goes_on, lambda result, failures: False)


def hints_are_obeyed(patch: Patch) -> None:
    pause = circuit.Circuit._pause
    patch.setattr(
        circuit.Circuit,
        "_pause",
        lambda self, error: (error.after if isinstance(error, Throttled) else None) or pause(self, error),
    )
    patch.setattr(requeue, "LONGEST_HINT", 1e6)


def sweeps_follow_each_other(patch: Patch) -> None:
    patch.setattr(poller, "retry_page_after", lambda failures, jitter: 0.05)
    patch.setattr(poller, "SWEEP_RATE", 10_000)


def lists_have_no_end(patch: Patch) -> None:
    after = walk.Walk.after

    def trusting(self: Any, page: Any) -> Any:
        walked = after(self, page)
        if page.next_offset is None or not page.rows:
            return walked
        following = replace(self._position, offset=page.next_offset)
        return replace(walked, ended=False, endless=False, position=following)

    patch.setattr(walk.Walk, "after", trusting)
    patch.setattr(poller, "MOST_DELTA_PAGES", 10**9)


def first_come_first_served(patch: Patch) -> None:
    patch.setattr(inventory.Entry, "flow", property(lambda e: ""))


def misses_are_asked_for_again(patch: Patch) -> None:
    holds = projects.Projects._holds

    def forgetful(self: Any, answer: Any, began: float, *, anew: bool) -> bool:
        return isinstance(answer.found, str) and holds(self, answer, began, anew=anew)

    patch.setattr(projects.Projects, "_holds", forgetful)


def few_connections(patch: Patch) -> None:
    patch.setattr(world, "CONNECTIONS", 8)


def sweeps_hold_up_deltas(patch: Patch) -> None:
    sweep, read = Poller._sweep, Poller._read

    async def marked(self: Any, began: float) -> None:
        self.sweeps = True
        await sweep(self, began)
        self.sweeps = False

    async def after_the_sweep(self: Any, delta: Any) -> None:
        if not getattr(self, "sweeps", False):
            await read(self, delta)

    patch.setattr(Poller, "_sweep", marked)
    patch.setattr(Poller, "_read", after_the_sweep)


# --- what is only to be checked


def probes_are_not_looked_for(patch: Patch) -> None:
    patch.setattr(DryRuns, "seen", lambda self, row: None)


def former_probes_stay(patch: Patch) -> None:
    made = DryRuns.__init__

    def without_former(self: Any, *args: Any, former: Any, **about: Any) -> None:
        del former
        made(self, *args, former=(), **about)

    patch.setattr(DryRuns, "__init__", without_former)


def no_proof_is_needed(patch: Patch) -> None:
    patch.setattr(DryRuns, "ask", lambda self, uid, project_id: True)


def one_look_proves_it(patch: Patch) -> None:
    patch.setattr(Probe, "_has_looked_for", lambda self, seconds, now: self.looked_since is not None)


def lost_answers_prove_it(patch: Patch) -> None:
    patch.setattr(Probe, "unanswered", lambda self: self.answered(None))


def probes_go_by_their_name(patch: Patch) -> None:
    patch.setattr(Probe, "_is_marked", lambda self, remote: True)


def leftovers_are_forgotten(patch: Patch) -> None:
    def spare(self: Any, submission: Any) -> None:
        mark = read_mark(submission.manifest)
        for one in [one for one in self._all() if one.mark == mark]:
            self._forget(one)

    patch.setattr(Leftovers, "spare", spare)


def leftovers_are_nobodys(patch: Patch) -> None:
    patch.setattr(Leftovers, "spare", lambda self, submission: None)
    patch.setattr(dry_runs, "is_its_own", lambda workload, workload_id: False)


def taken_over_is_left_to_its_mark(patch: Patch) -> None:
    patch.setattr(Leftovers, "spare_adopted", lambda self, remote: None)


def who_may_submit_has_it_for_good(patch: Patch) -> None:
    def spare(self: Any, submission: Any) -> Any:
        one = self._of(submission)
        if one is not None and not one.going:
            self._forget(one)
        return self._unless_going(one)

    patch.setattr(Leftovers, "spare", spare)


def submitted_becomes_a_dry_run(patch: Patch) -> None:
    patch.setattr(dry_run, "_submitted_error", lambda s: None)


def any_verdict_stands(patch: Patch) -> None:
    check = dry_run._check

    def blind(s: Any, desired: Any) -> Any:
        is_known = s.stored_status.validated_hash is not None and not s.must_ask_verdict
        return dry_run.VALID if is_known else check(s, desired)

    patch.setattr(dry_run, "_check", blind)


def verdicts_are_not_asked_for_again(patch: Patch) -> None:
    patch.setattr(state.State, "must_ask_verdict", property(lambda s: False))


PLANTS = (
    *OF_THE_PROTOCOL,
    Defect("a refused adoption is carried out at the next pass", refusal_ends),
    Defect("rows of the lists belong to whoever has the name", rows_by_name),
    Defect("what replaced an adopted workload is looked for under the id that was adopted", adopted_for_ever),
    Defect("marks of a former install id are somebody else's", former_installs_are_others),
    Defect("after a change of the install id, deletions leave their workloads behind", changed_install_is_anothers),
    Defect("an interrupted adoption is looked for under the object's own name", adoption_by_own_name),
    Defect("finished work of an earlier object counts as done, whatever it was", any_finished_work_will_do),
    Defect("the mark of an object that is gone stands in the way for ever", owners_live_for_ever),
    Defect("an attempt is repeated although what it made has finished", ends_of_attempts_are_ignored),
    Defect("a finalizer that somebody takes leaves nothing on record", force_leaves_no_trace),
    Defect("the project that the spec names decides about access, not the real one", named_project_decides),
    Defect("workloads are created in projects that are not allowed", any_project_will_do),
    Defect("two objects adopt the same workload", claims_are_ignored),
    Defect("a restored object takes its workload over without its mark", takes_over_without_a_mark),
    Defect("deletionPolicy: Orphan is ignored", orphan_is_ignored),
    Defect("that a name is refused proves nothing", names_say_nothing),
    Defect("look-ups read the first page of the list", one_page_is_read),
    Defect("what vanishes together with much else counts as gone", mass_loss_is_believed),
    Defect("a restart forgets what is outstanding", restart_forgets),
    Defect("what was refused is never tried again", never_probed),
    Defect("a source is read once", sources_are_forgotten),
    Defect("a source that changed while the operator was away counts as sent", sources_are_trusted),
    Defect("one source that cannot be read hides those after it", one_bad_source),
    Defect("running work is stalled when its source goes", no_source_no_workload),
    Defect("that a source is gone is forgotten while the workload cannot be read", lost_sources_are_forgotten),
    Defect("what a failed pass was asked for is forgotten", requests_are_lost),
    Defect("a requested reading is acknowledged although it failed", token_without_reading),
    Defect("a failure that an edit did not mend is never shown again", failure_stays_hidden),
    Defect("our own deletion, no longer wanted, is taken for somebody else's", replacement_is_forgotten),
    Defect("a name that becomes free wakes nobody", free_names_wake_nobody),
    Defect("an edit is no news", edits_are_no_news),
    Defect("an edit whose answer was lost counts as sent", lost_edits_count_as_sent),
    Defect("nobody is woken at the gate", gate_wakes_nobody),
    Defect("a deletion is never given up", never_given_up),
    Defect("who leaves the queue of deletions keeps a place", turns_are_kept),
    Defect("one namespace without rights stops the start", one_scope_fails_all),
    Defect("the project of a submitted workload is looked up for each edit", project_is_looked_up_again),
    Defect("finished work runs again when it is edited", finished_work_runs_again),
    Defect("a refusal in another form leaves a doubt", odd_refusals_are_doubtful),
    Defect("what is large is read like everything else", large_is_read_as_small),
    Defect("manifests are read with several frames for each level", recursion_is_deep),
    Defect("what may have finished out of sight is created again", unseen_ends_run_again),
    Defect("nothing that Run:ai once showed becomes unknown", nothing_gets_stale),
    Defect("what is retried for ever never counts as stalled", never_stalled),
    Defect("lists that cannot be read are not reported", lists_seem_well),
    Defect("what finished and was removed counts as deleted", ends_are_deletions),
    Defect("what Run:ai says of a manifest from a Secret is shown", secrets_are_shown),
    Defect("the hash of a Secret's content has no key", hashes_have_no_key),
    Defect("the phase of what is gone is still shown", phase_of_what_is_gone),
    Defect("the scheduler is asked once", asked_once),
    Defect("pods are not counted after an edit", pods_are_not_counted),
    Defect("the sync after an edit whose status conflicts is not followed", conflicts_seem_silent),
    Defect("a refused attempt leaves a doubt", refusal_leaves_doubt),
    Defect("rows that lists show late wait for the sweep", late_rows_are_missed),
    Defect("a row from the future moves the watermark", rows_set_the_clock),
    Defect("rows of deleted workloads are ignored", deleted_rows_are_ignored),
    Defect("nothing is retried more slowly the longer it fails", no_back_off),
    Defect("what Run:ai has to finish is read all the time", prompt_for_ever),
    Defect("one Retry-After of an hour stops everything for an hour", hints_are_obeyed),
    Defect("a sweep that failed begins again at once", sweeps_follow_each_other),
    Defect("a list without an end is read without an end", lists_have_no_end),
    Defect("no delta runs beside a sweep", sweeps_hold_up_deltas),
    Defect("a flood of one project is served first", first_come_first_served),
    Defect("each object asks for itself whether its project exists", misses_are_asked_for_again),
    Defect("there are fewer connections than calls under way", few_connections),
    Defect("what a dry run made is not searched for after a restart", probes_are_not_looked_for),
    Defect("what a dry run made under a former install id stays", former_probes_stay),
    Defect("a dry run is sent before the proof that it makes nothing", no_proof_is_needed),
    Defect("one look-up proves that a dry run made nothing", one_look_proves_it),
    Defect("a dry run whose answer was lost proves something", lost_answers_prove_it),
    Defect("what has the name of a probe is deleted, whoever made it", probes_go_by_their_name),
    Defect("what a dry run made is forgotten when its object submits under another name", leftovers_are_forgotten),
    Defect("what an object submits is deleted as what its dry run made", leftovers_are_nobodys),
    Defect("what was submitted may become a dry run", submitted_becomes_a_dry_run),
    Defect("the verdict on an earlier spec is shown for a new one", any_verdict_stands),
    Defect("a requested dry run is acknowledged without one", verdicts_are_not_asked_for_again),
    Defect("what a new object counts as its own is deleted as what a dry run made", taken_over_is_left_to_its_mark),
    Defect(
        "what a dry run made is forgotten once its object is to be submitted for a while",
        who_may_submit_has_it_for_good,
    ),
    Defect(
        "what an attempt may have made is out of sight once its object only observes", own_attempts_are_not_observed
    ),
)
