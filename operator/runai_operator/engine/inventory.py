"""What the engine knows of each RunaiWorkload: facts for scheduling and look-up, never a body.

The only mutable state about objects, and the only module that writes it: an `Entry` is a value, replaced here. All of it
can be rebuilt from one `Table` list, but for `Memory`, which is safe to lose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runai_operator.domain.actions import Result
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import Meta, Ref, Row
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.reasons import Phase
from runai_operator.domain.state import is_same_moment
from runai_operator.domain.status import watched


@dataclass(frozen=True, slots=True)
class Entry:
    """One RunaiWorkload."""

    meta: Meta
    summary: StatusSummary = field(default_factory=StatusSummary)
    memory: Memory = field(default_factory=Memory)
    requests: Requests = field(default_factory=Requests)
    row: Row | None = None
    """The last row of its workload that a list showed."""

    @property
    def uid(self) -> str:
        return self.meta.ref.uid

    @property
    def ref(self) -> Ref:
        return self.meta.ref

    @property
    def shown_row(self) -> Row | None:
        """The row, unless it shows a failure from before the last edit."""
        return None if self.row is None or self.memory.is_stale(self.row) else self.row

    @property
    def flow(self) -> str:
        """Between which the workers are shared fairly: the project once it is known, the namespace before."""
        return self.summary.project_id or self.meta.ref.namespace

    @property
    def about(self) -> dict[str, str]:
        """For the fields of a log line."""
        return {"namespace": self.ref.namespace, "object": self.ref.name, "uid": self.uid}


class Inventory:
    """All entries, by UID, by workload id, and by project and name (where lists know a workload by another id)."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Entry] = {}
        self._by_ref: dict[tuple[str, str], str] = {}
        self._by_workload_id: dict[tuple[str, str], str] = {}
        self._by_name: dict[tuple[str, str, str], str] = {}
        self._lists_use_our_ids: set[str] = set()
        """Connections whose lists have shown an id that we know from V2."""

    def __len__(self) -> int:
        return len(self._by_uid)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_uid.values())

    def get(self, uid: str) -> Entry | None:
        return self._by_uid.get(uid)

    def namesake(self, ref: Ref) -> Entry | None:
        """The entry of that custom resource name, whatever its UID."""
        uid = self._by_ref.get((ref.namespace, ref.name))
        return self._by_uid.get(uid) if uid else None

    # --- objects come, change and go

    def add(self, meta: Meta, summary: StatusSummary | None = None) -> Entry:
        entry = Entry(meta, summary or StatusSummary())
        self._by_ref[entry.ref.namespace, entry.ref.name] = entry.uid
        return self._put(entry)

    def forget(self, uid: str) -> Entry | None:
        entry = self._by_uid.pop(uid, None)
        if entry is not None:
            self._unindex(entry)
            place = (entry.ref.namespace, entry.ref.name)
            if self._by_ref.get(place) == uid:
                del self._by_ref[place]
        return entry

    def update_meta(self, entry: Entry, meta: Meta, *, anew: bool = False) -> Entry:
        """What an event or a list says. `anew`: a person changed something, so failures are counted from zero."""
        memory = entry.memory
        if meta.generation != entry.meta.generation:
            memory = replace(memory, large=False)
        if anew:
            memory = replace(memory, failures=0)
        return self._put(replace(entry, meta=meta, memory=memory))

    def update_summary(self, entry: Entry, summary: StatusSummary) -> Entry:
        """What a list says of the status."""
        return self._put(replace(entry, summary=summary))

    # --- rows of the lists

    def see(self, connection: str, row: Row) -> Entry | None:
        """Keeps the row; the entry whose workload it shows, if that is news."""
        entry = self.of_row(connection, row)
        if entry is None or entry.summary.phase == Phase.COMPLETED or entry.memory.is_stale(row):
            return None
        before = entry.row
        entry = self._put(replace(entry, row=row))
        is_news = not entry.summary.agrees_with(row) if before is None else watched(before) != watched(row)
        return entry if is_news else None

    def of_row(self, connection: str, row: Row) -> Entry | None:
        """Whose workload the row shows: by id. By project and name only as long as the lists of that connection have
        never shown an id that we know, and only if it was created when ours was: the name alone may be an earlier or
        another's workload."""
        if (uid := self._by_workload_id.get((connection, row.id))) is not None:
            self._lists_use_our_ids.add(connection)
            return self._by_uid.get(uid)
        if connection in self._lists_use_our_ids:
            return None
        uid = self._by_name.get((connection, row.project_id, row.name))
        entry = self._by_uid.get(uid) if uid else None
        return entry if entry is not None and is_same_moment(row.created_at, entry.summary.created_at) else None

    # --- passes

    def request(self, uid: str, requests: Requests) -> Entry | None:
        """The next pass over it is to do this too."""
        if (entry := self._by_uid.get(uid)) is None:
            return None
        return self._put(replace(entry, requests=entry.requests | requests))

    def begin(self, entry: Entry) -> Requests:
        """Takes the requests for the pass that begins now; later ones are for the next."""
        self._put(replace(entry, requests=Requests()))
        return entry.requests

    def finish(self, uid: str, result: Result, taken: Requests) -> Entry | None:
        """Remembers what the pass left behind; what was requested and not done is requested again. None when the object
        was forgotten meanwhile."""
        if (entry := self._by_uid.get(uid)) is None:
            return None
        summary = result.summary or entry.summary
        requests = entry.requests if result.answered else entry.requests | taken
        # What an event said meanwhile is newer than what the pass read.
        meta = (
            result.meta if result.meta is not None and entry.meta.generation <= result.meta.generation else entry.meta
        )
        is_the_same = summary.workload_id == entry.summary.workload_id
        is_shown = entry.row is not None and is_the_same and not result.memory.is_stale(entry.row)
        row = entry.row if is_shown else None
        return self._put(replace(entry, meta=meta, summary=summary, memory=result.memory, requests=requests, row=row))

    def counts(self) -> Counter[tuple[str, str]]:
        """How many, by phase and by the status of Ready."""
        return Counter((entry.summary.phase or "None", entry.summary.ready or "Unknown") for entry in self)

    # --- indexes

    def _put(self, entry: Entry) -> Entry:
        before = self._by_uid.get(entry.uid)
        if before is None or before.summary is not entry.summary:
            if before is not None:
                self._unindex(before)
            self._index(entry)
        self._by_uid[entry.uid] = entry
        return entry

    def _index(self, entry: Entry) -> None:
        summary = entry.summary
        if summary.workload_id is not None:
            self._by_workload_id[summary.connection, summary.workload_id] = entry.uid
            if summary.project_id and summary.name:
                self._by_name[summary.connection, summary.project_id, summary.name] = entry.uid

    def _unindex(self, entry: Entry) -> None:
        summary = entry.summary
        by_id = (summary.connection, summary.workload_id or "")
        if self._by_workload_id.get(by_id) == entry.uid:
            del self._by_workload_id[by_id]
        by_name = (summary.connection, summary.project_id or "", summary.name or "")
        if self._by_name.get(by_name) == entry.uid:
            del self._by_name[by_name]
