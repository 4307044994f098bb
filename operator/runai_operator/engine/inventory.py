"""What the engine knows of each RunaiWorkload: facts for scheduling and look-up, never a body.

The only mutable state about objects, and the only module that changes it: an `Entry` is a value, replaced here. All
of it can be rebuilt from one `Table` list, except `Memory`, which is safe to lose.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from runai_operator.domain.actions import Result
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import Meta, Ref, Row, Sighting, is_later, is_same_moment
from runai_operator.domain.plan import StatusSummary, is_owed
from runai_operator.domain.reasons import Phase, Reason
from runai_operator.domain.status import watched
from runai_operator.domain.stored_status import GONE_REASONS, LOST_REASONS

K = TypeVar("K", tuple[str, str], tuple[str, str, str])


@dataclass(frozen=True, slots=True)
class Entry:
    """One RunaiWorkload."""

    meta: Meta
    summary: StatusSummary = field(default_factory=StatusSummary)
    memory: Memory = field(default_factory=Memory)
    requests: Requests = field(default_factory=Requests)
    row: Row | None = None
    """The last row of its workload that a list showed."""
    arrival: int = 0
    """Of all that came: another number each time that it comes."""
    is_taken_over: bool = False
    """Others have served it until it came, and no pass has come to its end since."""
    has_left: bool = False
    """Its labels are no longer those that are served, as far as is known."""
    owed_since: float | None = None
    """Loop seconds since when this process has known of something that is owed; None while nothing is."""

    @property
    def uid(self) -> str:
        return self.meta.ref.uid

    @property
    def ref(self) -> Ref:
        return self.meta.ref

    @property
    def sighting(self) -> Sighting | None:
        if self.row is None or self.summary.workload_id is None:
            return None
        return Sighting(self.summary.workload_id, self.row)

    @property
    def counts_may_lag(self) -> bool:
        """An edit has reached the cluster, and lists may not show yet what it did to pods and GPUs."""
        is_there = self.row is not None and not self.summary.in_flight and not self.meta.deleting
        return self.memory.counts_may_lag and is_there

    @property
    def asks_scheduler(self) -> bool:
        """It is pending, and only the scheduler can say why."""
        says_itself = self.row is not None and self.row.phase_message is not None and not self.row.by_scheduler
        return self.summary.phase == Phase.PENDING and not says_itself and not self.meta.deleting

    @property
    def takes_changes(self) -> bool:
        """What its source holds may have to be sent. To completed work only an edit is, which may have to wait for it."""
        return self.summary.phase != Phase.COMPLETED or self.summary.synced_reason == Reason.NOT_DELIVERED

    def has_vanished(self, *, shown_since: float) -> bool:
        """Nothing that is known explains why a list of all does not show its workload. `shown_since`: loop seconds; what was
        submitted before that, lists have had the time to show."""
        summary, memory, row = self.summary, self.memory, self.row
        is_unread = row is None and memory.missing_since is None
        is_new = memory.first_submission and is_unread and memory.wrote_at >= shown_since
        is_to_go = memory.deletion_accepted or summary.sync in ("Deleting", "Deleted")
        is_listed_as_deleted = row is not None and row.is_deleted
        return not (is_new or is_to_go or is_listed_as_deleted or summary.reason in LOST_REASONS)

    @property
    def is_found_gone(self) -> bool:
        return self.summary.reason in GONE_REASONS

    @property
    def workload_id(self) -> tuple[str, str] | None:
        """Connection and id of its workload."""
        summary = self.summary
        return None if summary.workload_id is None else (summary.connection, summary.workload_id)

    @property
    def name(self) -> tuple[str, str, str] | None:
        """Connection, project and name of its workload."""
        summary = self.summary
        if summary.workload_id is None or not summary.project_id or not summary.name:
            return None
        return summary.connection, summary.project_id, summary.name

    @property
    def name_wanted(self) -> tuple[str, str, str] | None:
        """Like `name`, of the one that it cannot be submitted under, since something else has it."""
        return None if self.memory.name_wanted is None else (self.summary.connection, *self.memory.name_wanted)

    @property
    def flow(self) -> str:
        """The key of fair queueing: the project once it is known, the namespace before."""
        return self.summary.project_id or self.meta.ref.namespace


ENDED = 4096
"""How many UIDs of objects that are certainly gone are remembered: more than events are late."""


class Inventory:
    """All entries, by UID, by workload id, by project and name (where lists show a workload under another id), and by those
    that they wait for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._clock = clock
        self._by_uid: dict[str, Entry] = {}
        self._ended: dict[str, None] = {}
        self._arrivals = itertools.count(1)
        self._by_ref: dict[tuple[str, str], str] = {}
        self._by_workload_id: dict[tuple[str, str], tuple[str, ...]] = {}
        self._by_name: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._by_name_wanted: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._claims: dict[tuple[str, str], str] = {}
        """Who is about to adopt which workload, by connection and id: until status says so, or that nothing was sent."""
        self._lists_use_our_ids: set[str] = set()
        """Connections whose lists have shown an id that we know from V2."""

    def __len__(self) -> int:
        return len(self._by_uid)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_uid.values())

    def get(self, uid: str) -> Entry | None:
        return self._by_uid.get(uid)

    def namesake(self, ref: Ref) -> Entry | None:
        """The entry with the same namespace and name, whatever its UID."""
        uid = self._by_ref.get((ref.namespace, ref.name))
        return self._by_uid.get(uid) if uid else None

    # --- objects come, change and go

    def add(self, meta: Meta, summary: StatusSummary | None = None, *, taken_over: bool = False) -> Entry:
        entry = Entry(meta, summary or StatusSummary(), arrival=next(self._arrivals), is_taken_over=taken_over)
        self._by_ref[entry.ref.namespace, entry.ref.name] = entry.uid
        return self._put(entry)

    def end(self, uid: str) -> Entry | None:
        """Forgets an object that is certainly gone, or that we have released: no late event or list brings it back."""
        self._ended[uid] = None
        if len(self._ended) > ENDED:
            del self._ended[next(iter(self._ended))]
        return self.forget(uid)

    def has_ended(self, uid: str) -> bool:
        return uid in self._ended

    def forget(self, uid: str) -> Entry | None:
        entry = self._by_uid.pop(uid, None)
        if entry is not None:
            self._unindex(entry)
            self._end_claim(uid)
            place = (entry.ref.namespace, entry.ref.name)
            if self._by_ref.get(place) == uid:
                del self._by_ref[place]
        return entry

    def served(self, entry: Entry) -> Entry:
        """A pass has come to its end since it was taken over."""
        return self._put(replace(entry, is_taken_over=False))

    def leave(self, uid: str) -> None:
        """Others serve it from now on, so what becomes of it says nothing; all that is remembered of it is out of date."""
        if (entry := self._by_uid.get(uid)) is not None:
            self._put(replace(entry, has_left=True))

    def update_meta(self, entry: Entry, meta: Meta, *, anew: bool = False) -> Entry:
        """As an event or a list shows it. `anew`: somebody changed something, so failures are counted from zero."""
        memory = entry.memory
        if entry.meta.has_finalizer and not memory.guarded:
            memory = replace(memory, guarded=True)
        if meta.generation != entry.meta.generation:
            memory = replace(memory, large=False)
        if anew and (memory.failures or memory.broken_off):
            memory = replace(memory, failures=0, broken_off=0)
        return self._put(replace(entry, meta=meta, memory=memory))

    def update_summary(self, entry: Entry, summary: StatusSummary) -> Entry:
        """The status as a list shows it."""
        return self._put(replace(entry, summary=summary))

    # --- rows of the lists

    def see(self, connection: str, row: Row) -> list[Entry]:
        """Stores the row; returns the entries for which it shows a change."""
        news = []
        for entry in self.of_row(connection, row):
            if entry.summary.phase == Phase.COMPLETED:
                continue
            # An end that an edit may have undone is as if it had not been seen.
            before = None if entry.row is None or entry.memory.is_stale(entry.row) else entry.row
            seen = _with_scheduling_message(entry, row)
            is_news = not entry.summary.agrees_with(seen) if before is None else watched(before) != watched(seen)
            if entry.memory.is_stale(row):
                is_news = entry.summary.phase is not None  # whatever that is, it has ended since
            kept = entry if seen == entry.row else self._put(replace(entry, row=seen))  # deltas overlap
            if is_news:
                news.append(kept)
        return news

    def shows_change(self, connection: str, row: Row) -> bool:
        """Its phase has changed since a list last showed the workload."""
        before = (entry.row for entry in self.of_row(connection, row) if entry.summary.phase != Phase.COMPLETED)
        return any(known is not None and known.phase_updated_at != row.phase_updated_at for known in before)

    def see_deleted(self, connection: str, row: Row) -> list[Entry]:
        """Stores a row of the list of deleted workloads; returns the entries of unfinished work that it is about."""
        about = [entry for entry in self.of_row(connection, row) if entry.summary.workload_id == row.id]
        return [self._put(replace(entry, row=row)) for entry in about if not entry.summary.finished]

    def missing_from(self, connection: str, ids: Collection[str]) -> list[Entry]:
        """The entries of unfinished work that rows with these ids do not show."""

        def is_missing(entry: Entry) -> bool:
            summary, row = entry.summary, entry.row
            is_there = summary.workload_id in ids or (row is not None and row.id in ids)
            is_submitted = summary.connection == connection and summary.workload_id is not None
            return is_submitted and not summary.finished and not is_there

        return [entry for entry in self if is_missing(entry)]

    def of_row(self, connection: str, row: Row) -> list[Entry]:
        """The entries whose workload the row shows, by id: usually one, but others may observe the same workload.

        By project and name only as long as the lists of that connection have never shown an id that we know, and only if
        it was created when ours was: another workload, or an earlier one, may have the same name.
        """
        if found := self._all(self._by_workload_id.get((connection, row.id), ())):
            self._lists_use_our_ids.add(connection)
            return found
        if connection in self._lists_use_our_ids:
            return []
        namesakes = self._all(self._by_name.get((connection, row.project_id, row.name), ()))
        return [entry for entry in namesakes if is_same_moment(row.created_at, entry.summary.created_at)]

    def waiting_for(self, connection: str, project_id: str, name: str) -> list[Entry]:
        """The entries that cannot be submitted while something else has this name."""
        return self._all(self._by_name_wanted.get((connection, project_id, name), ()))

    def _all(self, uids: tuple[str, ...]) -> list[Entry]:
        return [self._by_uid[uid] for uid in uids]

    # --- passes

    def request(self, uid: str, requests: Requests) -> Entry | None:
        """The next pass over the object will do this too; None when it is not known."""
        if (entry := self._by_uid.get(uid)) is None:
            return None
        return self._put(replace(entry, requests=entry.requests | requests))

    def begin(self, entry: Entry, *, waits: bool = False) -> Requests:
        """Takes the requests for the pass that begins now; later ones are for the next pass.

        `waits`: it has to wait with everything that is asked of Run:ai, so if status is to be restated, only that is taken.
        """
        taken = Requests(restate=True) if waits and entry.requests.restate else entry.requests
        left = entry.requests.without_restate() if taken != entry.requests else Requests()
        self._put(replace(entry, requests=left))
        return taken

    def claim(self, ref: Ref, connection: str, workload_id: str) -> Ref:
        """The object that has the workload, or is about to adopt it; unless another was first, this one from now on."""
        place = (connection, workload_id)
        held_by = [entry for entry in self._all(self._by_workload_id.get(place, ())) if entry.meta.has_finalizer]
        if (first := self._claims.get(place)) is not None:
            held_by.append(self._by_uid[first])
        others = [entry.ref for entry in held_by if entry.uid != ref.uid]
        if others:
            return others[0]
        if ref.uid in self._by_uid:
            self._end_claim(ref.uid)
            self._claims[place] = ref.uid
        return ref

    def _end_claim(self, uid: str) -> None:
        self._claims = {place: by for place, by in self._claims.items() if by != uid}

    def finish(self, uid: str, result: Result, taken: Requests) -> Entry | None:
        """Stores what the pass left behind; what was requested and not done is requested again. None when the object
        was forgotten meanwhile."""
        if (entry := self._by_uid.get(uid)) is None:
            return None
        summary = result.summary or entry.summary
        if result.not_submitted or (result.summary is not None and result.summary.workload_id is not None):
            self._end_claim(uid)
        requests = entry.requests if result.answered else entry.requests | taken.without_restate()
        # An event that came meanwhile is newer than what the pass read.
        meta = (
            result.meta if result.meta is not None and entry.meta.generation <= result.meta.generation else entry.meta
        )
        is_the_same = summary.workload_id == entry.summary.workload_id
        row = None if summary.workload_id is None else _later(entry.row if is_the_same else None, result.row)
        return self._put(replace(entry, meta=meta, summary=summary, memory=result.memory, requests=requests, row=row))

    def counts(self) -> Counter[tuple[str, str]]:
        """The number of entries by phase (empty before the first) and by the status of Ready."""
        return Counter((entry.summary.phase or "", entry.summary.ready or "Unknown") for entry in self)

    def reasons(self) -> Counter[str]:
        """The number of entries by the reason of Ready, empty before the first status."""
        return Counter(entry.summary.reason or "" for entry in self)

    def stalled(self) -> int:
        return sum(entry.summary.stalled for entry in self)

    def oldest_owed(self) -> float:
        """Seconds since something has been owed to the entry that has waited longest; 0 while nothing is owed."""
        now = self._clock()
        return max((now - entry.owed_since for entry in self if entry.owed_since is not None), default=0.0)

    def _owed_since(self, before: Entry | None, entry: Entry) -> float | None:
        if not is_owed(entry.summary, entry.meta):
            return None
        return self._clock() if before is None or before.owed_since is None else before.owed_since

    # --- indexes

    def _put(self, entry: Entry) -> Entry:
        before = self._by_uid.get(entry.uid)
        if before is None or before.summary is not entry.summary or before.meta is not entry.meta:
            owed_since = self._owed_since(before, entry)
            if owed_since != entry.owed_since:
                entry = replace(entry, owed_since=owed_since)
        if before is None or before.summary is not entry.summary or before.name_wanted != entry.name_wanted:
            if before is not None:
                self._unindex(before)
            self._index(entry)
        self._by_uid[entry.uid] = entry
        return entry

    def _index(self, entry: Entry) -> None:
        if entry.workload_id is not None:
            _put_in(self._by_workload_id, entry.workload_id, entry.uid)
        if entry.name is not None:
            _put_in(self._by_name, entry.name, entry.uid)
        if entry.name_wanted is not None:
            _put_in(self._by_name_wanted, entry.name_wanted, entry.uid)

    def _unindex(self, entry: Entry) -> None:
        if entry.workload_id is not None:
            _take_out(self._by_workload_id, entry.workload_id, entry.uid)
        if entry.name is not None:
            _take_out(self._by_name, entry.name, entry.uid)
        if entry.name_wanted is not None:
            _take_out(self._by_name_wanted, entry.name_wanted, entry.uid)


def _with_scheduling_message(entry: Entry, row: Row) -> Row:
    """As the list shows it, with what the scheduler said of the same wait: lists leave that out. After a restart the
    status says it."""
    if row.phase != Phase.PENDING or row.phase_message:
        return row
    before = entry.row
    if before is None:
        said = entry.summary.detail if entry.summary.phase == Phase.PENDING else None
    else:
        said = before.phase_message if before.phase_updated_at == row.phase_updated_at else None
    return replace(row, phase_message=said, by_scheduler=True) if said else row


def _later(listed: Row | None, read: Row | None) -> Row | None:
    """The later of two rows of a workload: the one that lists showed last, and the one that a pass has read by itself."""
    if listed is None or read is None:
        return listed or read
    return listed if is_later(listed.phase_updated_at, read.phase_updated_at) else read


def _put_in(index: dict[K, tuple[str, ...]], place: K, uid: str) -> None:
    index[place] = (*index.get(place, ()), uid)


def _take_out(index: dict[K, tuple[str, ...]], place: K, uid: str) -> None:
    left = tuple(other for other in index.get(place, ()) if other != uid)
    if left:
        index[place] = left
    else:
        index.pop(place, None)
