"""Everything that `decide` may know: the workload as read, what we want, and what this pass has read from Run:ai."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from runai_operator.domain.absence import Place
from runai_operator.domain.access import Access
from runai_operator.domain.actions import (
    AddFinalizer,
    BeginSubmission,
    Delete,
    ForgetWorkload,
    ReadRow,
    Result,
    Verdict,
)
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError, Busy, NameTaken
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.manifest import Desired, is_keyed, said_of_source, same_content
from runai_operator.domain.marks import is_of_changed_install, is_ours
from runai_operator.domain.memory import Memory, Requests, Unread
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    Candidate,
    CRDState,
    Ended,
    ExternalDeletionPolicy,
    Gvk,
    ManagementPolicy,
    Missing,
    OwnerMark,
    Ref,
    Remote,
    Row,
    Workload,
    is_later,
)
from runai_operator.domain.plan import PHASE_REASONS, SOURCE_REASONS
from runai_operator.domain.reasons import ConditionType, Phase, Reason
from runai_operator.domain.requeue import Limits, recreation_pause
from runai_operator.domain.stored_status import LOST_REASONS, SINCE, StoredStatus

T = TypeVar("T")

HAVING_PODS = frozenset({Phase.INITIALIZING, Phase.RUNNING, Phase.DEGRADED, Phase.COMPLETED})
"""Phases that a workload has only once its pods were on a cluster."""
FINISHED = (Phase.COMPLETED, Phase.FAILED)

MAX_RECREATIONS = 5
"""How often `externalDeletionPolicy: Recreate` creates again before it gives up."""
LASTING = 3600.0
"""Seconds that a workload has to live after it was created again for the count to restart from zero."""


class Recreation(StrEnum):
    """What `externalDeletionPolicy: Recreate` may do about a workload that somebody deleted in Run:ai."""

    NOW = "now"
    LATER = "later"
    """It was created again a moment ago."""
    GIVEN_UP = "given up"
    """Too often already."""


class Ending(StrEnum):
    """How a workload ended that is gone from Run:ai, as its lists say."""

    FINISHED = "finished"
    UNTOLD = "untold"
    """It finished, but not whether it completed or failed."""
    DELETED = "deleted before it finished"
    NOT_LISTED_YET = "not listed yet"
    """The list of deleted workloads may still show it."""
    UNLISTED = "unlisted"
    """Nothing is known: it may have finished and been forgotten since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One moment of a pass. None or False means: not read yet, or not happened."""

    workload: Workload
    """As read; its status is only what we wrote about this UID, with the fields that a failed write did not reach."""
    install: str
    connection: str = DEFAULT_CONNECTION
    """Name of the Run:ai connection that the pass goes through."""
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    now: float = 0.0
    """The process's clock, seconds."""
    began: float | None = None
    """When this pass began, by the same clock; None for now."""
    wall: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """UTC."""
    memory: Memory = field(default_factory=Memory)
    requests: Requests = field(default_factory=Requests)
    trouble_for: float = 0.0
    """Seconds for which Run:ai has given no useful answer to reads or writes."""
    freshness: Freshness = field(default_factory=Freshness)
    unusable: BridgeError | None = None
    """Why no connection to Run:ai can be used for this workload."""

    desired: Desired | BridgeError | None = None
    gvk: Gvk | None = None
    """Of the manifest, also of one that cannot be sent."""
    remote: Remote | Missing | BridgeError | None = None
    row: Row | None = None
    row_read: Row | None = None
    """Its row as this pass has read it by itself, also where that shows an end from before an edit."""
    found: tuple[Candidate, ...] | BridgeError | None = None
    ended: tuple[Ended, ...] = ()
    """What an attempt in doubt may have made, where nothing of ours has its name any more."""
    project_names: Mapping[str, str | BridgeError | None] = field(default_factory=dict)
    """Names of projects by id; None: Run:ai knows none of that id."""
    owner_exists: bool | BridgeError | None = None
    """Whether the object that the mark of the workload to adopt names is still there."""
    claimant: Ref | None = None
    """The object of this cluster that has the workload to adopt, or is about to: this one, unless another was first."""
    is_project_visible: bool = True
    """Of the project in which workloads were looked for; where it is not, that nothing was found proves nothing."""
    crd: CRDState | None = None
    """As read after the deletion was seen."""
    deletion_wait: float | None = None
    """Seconds until the rate limiter allows the deletion in Run:ai; None before it was asked."""
    orphan_recorded: bool | None = None
    """False when the record is full."""
    done: frozenset[type] = frozenset()
    """The verbs that took effect in this pass; `Update` and `Delete` also if they may have."""
    unmade: bool = False
    """This process knows of every attempt so far that it made nothing, and nobody has written the object since."""
    delivered_now: bool = False
    """POST or PUT was accepted, or a finished workload was adopted, to which nothing may be sent."""
    conflict: bool = False
    """POST was answered by 409."""
    failed: BridgeError | None = None
    """The error of a write to Run:ai, or of a dry run."""
    dry_runs_proven: bool | BridgeError = False
    """Whether this Run:ai is known to create nothing on a dry run; the error says why no dry run may be sent. False before that
    was asked."""
    validated: bool = False
    """A dry run of what is asked for was accepted in this pass."""

    @property
    def is_confidential(self) -> bool:
        """The manifest comes from a Secret, or the one that Run:ai holds does: what Run:ai says may quote it, and is not to
        be shown. What it holds may not be what status records: an attempt was interrupted, or another object made it."""
        source = self.workload.spec.manifest_from
        is_from_secret = source is not None and source.kind == "Secret"
        return is_from_secret or bool(self.memory.of_secret) or is_keyed(self.stored_status.submitted_hash)

    @property
    def may_be_confidential(self) -> bool:
        """The same, or what Run:ai holds is neither on record nor has this process read it yet."""
        is_unknown = self.workload_id is not None and not self.stored_status.content and self.memory.of_secret is None
        return self.is_confidential or is_unknown

    @property
    def follows_secret(self) -> bool:
        """The manifest has taken the place of one from a Secret so shortly ago that what Run:ai says may be about that."""
        since = self.stored_status.left_secret_at
        if since is None:
            return False
        # Without a hash of the content it is not known which of the two Run:ai holds.
        return not self.stored_status.content or self.wall.timestamp() < since + 2 * self.limits.grace

    def hash_of(self, held: Desired | None) -> str | None:
        """`status.submittedHash` for what Run:ai holds from now on; None for what is not known, which no later comparison
        then finds equal. The end of the hash says where Run:ai may go on speaking of a manifest from a Secret for a while."""
        if held is not None:
            made = held.fingerprint(adopts=self.to_adopt is not None)
        elif identity := self.stored_status.identity:
            made = f".{identity}"
        else:
            return None
        is_after_secret = not is_keyed(made) and (self.is_confidential or self.follows_secret)
        return f"{made}{SINCE}{int(self.wall.timestamp())}" if is_after_secret else made

    def without_quotes(self) -> State:
        """The same with errors that quote nothing."""

        def unquoted(value: T) -> T:
            return value.without_quotes() if isinstance(value, BridgeError) else value

        return replace(
            self,
            desired=unquoted(self.desired),
            remote=unquoted(self.remote),
            found=unquoted(self.found),
            failed=unquoted(self.failed),
        )

    @property
    def stored_status(self) -> StoredStatus:
        return StoredStatus(self.workload.status)

    @property
    def workload_id(self) -> str | None:
        return self.stored_status.workload_id

    @property
    def attempted_project(self) -> str | None:
        """The project of an attempt that may have succeeded, where it is on record: names of projects may change hands."""
        recorded = self.stored_status
        return recorded.project_id if recorded.workload_id is None and not recorded.not_submitted else None

    @property
    def target_project(self) -> str | None:
        """The project of the next attempt to create, which is that of the one in doubt if there is any; as far as known."""
        return self.attempted_project or (
            self.desired.submission.project_id if isinstance(self.desired, Desired) else None
        )

    @property
    def project_of_next(self) -> str | None:
        """The project of the workload that is to take the place of the one on record: that which the spec names, as far as
        known, whatever the old one was in when it was only observed, or was moved to."""
        if isinstance(self.desired, Desired):
            return self.desired.submission.project_id
        spec = self.workload.spec
        return spec.project_id or self.stored_status.project_named_by(spec)

    @property
    def place_of_attempt(self) -> dict[str, str]:
        """What status has to say so that an attempt in doubt is looked for where it was made, whatever is chosen by then."""
        return {} if self.unusable is not None else {"connection": self.connection}

    def project_of(self, workload_id: str) -> str | None:
        """The id of the project of a workload, if it is the one that status is about."""
        return self.stored_status.project_id if workload_id == self.workload_id else None

    @property
    def place(self) -> Place:
        """The project of what was submitted, or may have been."""
        spec, status = self.workload.spec, self.stored_status
        if status.project_id is not None:
            return Place(status.project_id, status.project_name, status.cluster_id)
        return Place(spec.project_id, spec.project_name, spec.cluster_id)

    @property
    def to_adopt(self) -> str | None:
        """The id of the workload to adopt, or of the one that is adopted: `spec.workloadId`, until what it named was
        replaced by a workload of our own making."""
        spec_id, recorded = self.workload.spec.workload_id, self.stored_status
        is_spent = recorded.adopted_id == spec_id and recorded.workload_id != spec_id
        return None if is_spent else spec_id

    @property
    def adoption_pending(self) -> bool:
        """The id is on record, and whether the workload may be adopted has not been proven by a delivery yet."""
        return self.to_adopt is not None and self.stored_status.adopted_id != self.to_adopt

    @property
    def adoption_unproven(self) -> bool:
        """Whether the workload to adopt is ours already is not on record. It is where something was sent to it."""
        return self.adoption_pending and self.stored_status.submitted_hash is None

    @property
    def names_own(self) -> bool:
        """The spec names, by its id, the workload on record to which something was sent."""
        is_named = self.workload_id is not None and self.workload_id == self.workload.spec.workload_id
        return is_named and self.stored_status.submitted_hash is not None

    @property
    def only_observed(self) -> bool:
        """The id on record is that of a workload which the spec named once, to be observed: nothing was ever sent to it,
        and there was no intent to."""
        is_sent = self.stored_status.submitted_hash is not None or self.workload.meta.has_finalizer
        return self.workload_id is not None and self.to_adopt is None and not is_sent

    @property
    def asked(self) -> bool:
        """Somebody put a new token into the annotation that requests a reconcile."""
        return self.workload.meta.reconcile_token not in (None, self.stored_status.handled_token)

    @property
    def asked_to_run_again(self) -> bool:
        """What may have finished is to run again: that is what a request means under this policy."""
        return self.asked and self.workload.spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE

    @property
    def must_read(self) -> bool:
        """A fresh V2 reading is asked for: sync in flight, missing from the lists, or by annotation."""
        return self.requests.read or self.asked

    @property
    def must_ask_verdict(self) -> bool:
        """A fresh dry run is asked for although nothing that it is about has changed."""
        return self.requests.verdict or self.asked

    @property
    def must_check_content(self) -> bool:
        """The manifest's source changed or was not read yet by this process, or somebody asked: compare what would be
        sent."""
        source = self.workload.spec.manifest_from
        return self.requests.check_content or self.asked or (source is not None and self.memory.source is None)

    @property
    def lack_of_source(self) -> BridgeError | None:
        """Why the source gave no manifest when it was last read; None for completed work, which needs none."""
        source = self.memory.source
        if self.stored_status.completed or has_completed(self.row):
            return None
        return source.lack if source is not None and source.ref == self.workload.spec.manifest_from else None

    @property
    def lacks_source_as_stored(self) -> bool:
        """Status says that the source gave no manifest, and no reading since has shown otherwise."""
        source = self.memory.source
        is_refuted = source is not None and source.lack is None
        return self.stored_status.synced_reason in SOURCE_REASONS and not is_refuted

    @property
    def edited(self) -> bool:
        """The spec asks for something that may not have reached Run:ai, wherever its manifest comes from."""
        recorded = self.stored_status
        is_new = self.workload.meta.generation != recorded.observed_generation
        return is_new or not recorded.delivered or self.ended_unchanged

    @property
    def may_have_sent_another(self) -> bool:
        """Two edits since the last pass: the first may have been sent, and its answer lost in a crash."""
        return self.workload.meta.generation > self.stored_status.observed_generation + 1

    @property
    def record_holds(self) -> bool | None:
        """Whether Run:ai holds what status records, as the workload itself says; None where it does not say."""
        held = self.remote.content if isinstance(self.remote, Remote) else None
        recorded = self.stored_status.content
        return same_content(recorded, held) if held and recorded else None

    def held_by(self, workload_id: str) -> str | None:
        """Hash of what the workload holds, as it said itself when it was read in this pass, else as it is on record."""
        said = [remote.content for remote in self.readings_of(workload_id) if remote.content]
        return said[0] if said else self.stored_status.content if workload_id == self.workload_id else None

    def readings_of(self, workload_id: str) -> list[Remote]:
        """The workload as it was read in this pass."""
        found = self.found if isinstance(self.found, tuple) else ()
        read = [self.remote, *(candidate.remote for candidate in found)]
        return [each for each in read if isinstance(each, Remote) and each.id == workload_id]

    @property
    def ended_unchanged(self) -> bool:
        """It had completed when Run:ai took the last edit, so that has not run; lists showed the end later. Where the manifest
        comes from a source this is no matter: a change of that never has anything run again."""
        if self.workload.spec.manifest_from is not None:
            return False
        ended = self.row.completed_at if has_completed(self.row) and self.row else self.stored_status.completed_at
        return is_later(self.stored_status.submitted_at, ended)

    def holds(self, desired: Desired) -> bool:
        """What was submitted is what is asked for."""
        recorded = self.stored_status
        held = recorded.previous_hash if self.ended_unchanged else recorded.content
        same = same_content(held, desired.content) if held else False
        # Hashed by another version of the operator: that alone is no reason for a PUT, but an edit of the spec is.
        return not self.edited if same is None else same

    def is_same_identity(self, desired: Desired) -> bool:
        """What is asked for differs from what was submitted in nothing that cannot be edited."""
        recorded = self.stored_status
        if recorded.identity in (None, desired.identity(adopts=self.to_adopt is not None)):
            return True
        # Submitted by us under a name of ours, before the spec named it by its id.
        return self.to_adopt is not None and recorded.identity == desired.identity(adopts=False, name=recorded.name)

    def has_finished_work_run_again(self, desired: Desired) -> bool:
        """What is asked for, other than what finished, is reason to: somebody edited the spec in what it says of that. A source
        that has changed is none, nor is a project that is found elsewhere."""
        said = said_of_source(self.workload.spec)
        says_the_same = (
            said is not None and said == self.stored_status.submitted_from and self.is_same_identity(desired)
        )
        return self.edited and not says_the_same

    @property
    def looked_long_enough(self) -> bool:
        """We have been looking for longer than the lists lag."""
        since = self.memory.lookup_since
        return since is not None and self.now - since >= self.limits.grace

    @property
    def absence_proven(self) -> bool:
        """A complete look-up found nothing of ours, after long enough, and if something holds the name, it showed what."""
        if not isinstance(self.found, tuple) or not self.is_project_visible:
            return False
        shown = [candidate.remote for candidate in self.found if candidate.remote is not None]
        if any(is_ours(remote.mark, self.mark) or is_of_changed_install(remote.mark, self.mark) for remote in shown):
            return False
        has_holder = any(not remote.gone and remote.mark_readable for remote in shown)
        return self.looked_long_enough and (has_holder or not self.name_held)

    @property
    def recreation(self) -> Recreation:
        count = self.recreations
        if count >= MAX_RECREATIONS or (self.stored_status.reason == Reason.RECREATE_GIVEN_UP and not self.asked):
            return Recreation.GIVEN_UP
        pause = recreation_pause(count)
        return Recreation.NOW if self.now - self.memory.recreated_at >= pause else Recreation.LATER

    @property
    def recreations(self) -> int:
        """Those that still count: none from before somebody asked to try again, or before one that lasted."""
        lasted = self.now - self.memory.recreated_at > LASTING
        return 0 if self.asked or lasted else self.memory.recreations

    @property
    def may_give_up(self) -> bool:
        """The deletion has waited as long as it may for a Run:ai that cannot be used.

        Both are needed: the age of the deletion, which a restart does not reset, and an outage that this process has
        seen. So a deletion that waited for something else is not given up at the first failure.
        """
        trouble_for = max(self.trouble_for, self.missing_for)
        return self.limits.gives_up_in(self.workload.meta, wall=self.wall, trouble_for=trouble_for) <= 0

    @property
    def missing_for(self) -> float:
        """Seconds for which Run:ai has not shown the workload, or only as deleted."""
        return 0.0 if self.memory.missing_since is None else self.now - self.memory.missing_since

    @property
    def absent_for(self) -> float:
        """The same without the time for which its project was hidden: what is in it may be shown again later than the
        project itself, and may be lost while nobody can see it."""
        since = self.memory.missing_since
        return 0.0 if since is None else max(0.0, self.now - max(since, self.memory.project_shown_since))

    @property
    def absence_is_expected(self) -> bool:
        """Run:ai has accepted to delete the workload."""
        return self.memory.deletion_accepted or self.stored_status.being_deleted

    @property
    def is_to_go(self) -> bool:
        """The workload is to be deleted, so that nothing depends on how it ended."""
        return self.workload.meta.deleting or self.stored_status.replacing

    @property
    def absence_is_explained(self) -> bool:
        """It was to be deleted, and Run:ai has accepted that."""
        return self.is_to_go and self.absence_is_expected

    @property
    def ending(self) -> Ending:
        """Of a workload that is gone."""
        row = self.row
        if row is not None and row.phase in FINISHED:
            return Ending.FINISHED
        if row is not None and row.is_deleted:
            return Ending.UNTOLD if row.completed_at else Ending.DELETED
        is_new = self.memory.missing_since is not None and self.absent_for < self.limits.grace
        return Ending.NOT_LISTED_YET if is_new else Ending.UNLISTED

    @property
    def is_overdue(self) -> bool:
        """The deletion is as old as one may get."""
        return self.limits.gives_up_in(self.workload.meta, wall=self.wall, trouble_for=math.inf) <= 0

    def is_replacing(self, end: Result) -> bool:
        """We are having the workload deleted to create it anew, given that this pass ends with `end`; whatever the spec
        asks for until that is done."""
        waits = isinstance(end.error, Busy) and end.error.condition_reason == Reason.RECREATING
        is_begun = waits or (Delete in self.done and not self.workload.meta.deleting)
        return is_begun or self.replacement_goes_on

    @property
    def replacement_goes_on(self) -> bool:
        """We wanted the workload deleted to create it anew, and no reading of this pass shows that it is still there."""
        is_alive = isinstance(self.remote, Remote) and not self.is_going
        return self.stored_status.replacing and not is_alive

    def name_wanted(self, end: Result) -> tuple[str, str] | None:
        """Project and name that the submission waits for, given that this pass ends with `end`."""
        waits = isinstance(end.error, NameTaken) or (
            end.error is not None and end.error.condition_reason in (Reason.WAITING_FOR_NAME, Reason.HOLDER_UNREADABLE)
        )
        if not waits or not isinstance(self.desired, Desired):
            return None
        return self.desired.submission.project_id, self.desired.submission.name

    def retrying_since(self, end: Result) -> float | None:
        """Since when what is outstanding could not be done, whatever it waits for, given that this pass ends with `end`."""
        if end.verdict not in (Verdict.RETRYING, Verdict.WAITING, Verdict.IN_SYNC) or not end.outstanding:
            return None
        return self.now if self.memory.retrying_since is None else self.memory.retrying_since

    def has_stalled(self, end: Result) -> bool:
        """It has been retried for too long to count as reconciling."""
        since = self.retrying_since(end)
        if since is None:
            return False
        before = condition(self.workload.status, ConditionType.STALLED)
        # A restart resets the clock; what was shown as stalled stays stalled until the error is gone.
        was = before is not None and end.error is not None and before.get("reason") == end.error.condition_reason
        return was or self.now - since >= self.limits.stalled_after

    def unread(self, end: Result) -> Unread | None:
        """Since when the workload could not be read, given that this pass ends with `end`: an answer that never came was
        waited for from its beginning."""
        if end.verdict is not Verdict.RETRYING or end.outstanding or end.error is None:
            return None
        began = self.now if self.began is None else self.began
        since = began if self.memory.unread is None else self.memory.unread.since
        return Unread(since, end.error.condition_reason, end.error.message)

    @property
    def only_restates(self) -> bool:
        """Nothing has happened to the object since the last pass."""
        status, meta = self.stored_status, self.workload.meta
        return (
            self.requests == Requests(restate=True)
            and not (meta.deleting or self.asked or self.memory.pending_status)
            and meta.generation == status.observed_generation
            and meta.paused == (status.reason == Reason.PAUSED)
        )

    @property
    def trouble(self) -> BridgeError:
        """What status says of it: Ready, unless that shows completed work beside what could not be done."""
        kind = ConditionType.SYNCED if self.shows_completed else ConditionType.READY
        said = condition(self.workload.status, kind) or {}
        return BridgeError(str(said.get("message", "")), reason=said.get("reason"))

    @property
    def shows_completed(self) -> bool:
        """Ready shows that the workload has completed."""
        return self.stored_status.completed and self.stored_status.reason in PHASE_REASONS

    @property
    def is_gone(self) -> bool:
        """Read in this pass: the workload does not exist any more."""
        return isinstance(self.remote, Missing) or (isinstance(self.remote, Remote) and self.remote.gone)

    @property
    def is_going(self) -> bool:
        """Read in this pass: the workload is gone, or somebody has asked to delete it."""
        return self.is_gone or (isinstance(self.remote, Remote) and self.remote.being_deleted)

    @property
    def is_lost(self) -> bool:
        """What Run:ai shows under the id on record, if anything, is not ours any more, as far as is known."""
        if self.workload_id is None or self.is_gone:
            return self.is_gone
        is_unread = self.workload.spec_error is not None and self.only_observed
        observes = is_unread or self.workload.spec.management_policy is ManagementPolicy.OBSERVE
        if isinstance(self.remote, Remote):
            return not observes and self.remote.mark is not None and not is_ours(self.remote.mark, self.mark)
        recorded = self.stored_status
        return recorded.is_gone or (not observes and recorded.reason in LOST_REASONS - {Reason.RECREATING})

    @property
    def must_read_row(self) -> bool:
        """The row is to be read by itself, and was not in this pass."""
        is_possible = self.row is not None and not self.workload.meta.deleting and self.unusable is None
        return self.requests.row and is_possible and ReadRow not in self.done

    @property
    def row_to_show(self) -> Row | None:
        """The row, unless it shows an end from before a PUT of this pass, as where that adopts the workload."""
        return None if self.row is None or self.memory.is_stale(self.row) else self.row

    @property
    def row_proves_sync(self) -> bool:
        """Pods of the workload have run, so what was submitted first has reached the cluster. After an edit they may be
        those from before it."""
        row = self.row
        return (
            row is not None and row.id == self.workload_id and row.phase in HAVING_PODS and self.memory.first_submission
        )

    @property
    def has_finished(self) -> bool:
        """Deleting the workload ends nothing that runs."""
        phase = self.row.phase if self.row is not None else self.stored_status.phase
        return self.stored_status.completed or phase in (Phase.COMPLETED, Phase.FAILED)

    @property
    def mark(self) -> OwnerMark:
        ref = self.workload.ref
        return OwnerMark(self.install, ref.namespace, ref.name, ref.uid)

    @property
    def in_doubt(self) -> bool:
        """An attempt to create may have succeeded without our knowledge: a finalizer, but no id and no proof."""
        return (
            self.workload.meta.has_finalizer
            and self.workload_id is None
            and not self.stored_status.not_submitted
            and not (self.is_first_attempt or self.absence_proven)
        )

    @property
    def is_first_attempt(self) -> bool:
        """No earlier attempt can have made anything: the intent was written in this pass, or all of them were answered."""
        return self.unmade or bool(self.done & {AddFinalizer, BeginSubmission, ForgetWorkload})

    @property
    def name_held(self) -> bool:
        """The name was refused to an attempt that was repeated: by what the first one made, for all we know."""
        return self.stored_status.name_held or (self.conflict and not self.is_first_attempt)


def has_completed(row: Row | None) -> bool:
    return row is not None and row.phase == Phase.COMPLETED
