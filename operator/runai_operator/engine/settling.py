"""The end of a pass: status is settled by `domain.status`, written if it differs, and remembered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import FINALIZER, Json
from runai_operator.domain.state import State, condition
from runai_operator.domain.status import build_status, patch_between
from runai_operator.engine.connection import Connection
from runai_operator.engine.inventory import Entry, Inventory, StatusSummary
from runai_operator.engine.ports import Runai
from runai_operator.engine.writing import Writer

log = logging.getLogger(__name__)


class Settler:
    """Raises what the writes to the custom resource raise."""

    def __init__(
        self,
        *,
        writer: Writer,
        runai: Runai,
        connection: Connection,
        records: Inventory,
        stalled_after: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`stalled_after` in seconds; `clock` in loop seconds, `now` in UTC."""
        self._writer, self._runai, self._connection = writer, runai, connection
        self._records, self._stalled_after = records, stalled_after
        self._clock, self._now = clock, now

    async def settle(self, record: Entry, s: State, end: Result) -> None:
        """Writes status if it says something else now, lets go of a claim that is proven void, and remembers."""
        if end.verdict is Verdict.IGNORED:
            return
        s = await self._with_pending_reason(record, s)
        status = build_status(s, end, now=self._now(), stalled=self._has_stalled(record, s, end))
        patch = patch_between(s.workload.status, status) | {key: status.get(key) for key in record.unwritten}
        version = s.workload.resource_version
        gives_up_claim = end.not_submitted and s.workload.has_finalizer and s.workload_id is None
        if patch:
            # A proof counts only if nobody else has begun an attempt since; all else is true whatever happened.
            version = await self._writer.status(s.workload.ref, patch, guard=version if gives_up_claim else None)
            record.last_write = self._clock()
        self._remember(record, s, end, status)
        if gives_up_claim:
            kept = tuple(entry for entry in s.workload.finalizers if entry != FINALIZER)
            await self._writer.finalizers(
                record, replace(s, workload=replace(s.workload, resource_version=version)), kept
            )

    def _remember(self, record: Entry, s: State, end: Result, status: Json) -> None:
        before = record.shown
        self._records.unindex(record)
        record.shown = StatusSummary.of_status(status, has_source=s.workload.spec.manifest_from is not None)
        record.unwritten = {}
        self._records.index(record)
        troubled = end.verdict in (Verdict.RETRYING, Verdict.WAITING, Verdict.DELETING)
        record.failures = record.failures + 1 if troubled else 0
        if end.verdict is not Verdict.RETRYING:
            record.look = record.check_content = False
        record.looks = record.looks + 1 if record.in_flight and before.sync == record.shown.sync else 0
        if before.reason != record.shown.reason:
            extra = {**record.about, "reason": record.shown.reason, "workload_id": record.workload_id}
            log.info("%s", record.shown.reason, extra=extra)

    def _has_stalled(self, record: Entry, s: State, end: Result) -> bool:
        if end.verdict is not Verdict.RETRYING or not end.outstanding:
            record.trouble_since = None
            return False
        if record.trouble_since is None:
            record.trouble_since = self._clock()
        before = condition(s.workload.status, "Stalled")
        # After a restart the clock starts anew; what was called stalled stays so until it is mended.
        was = before is not None and end.error is not None and before.get("reason") == end.error.condition_reason
        return was or self._clock() - record.trouble_since >= self._stalled_after

    async def _with_pending_reason(self, record: Entry, s: State) -> State:
        """A pending workload that says nothing of itself: ask once why the scheduler lets it wait."""
        row = s.row
        if row is None or row.phase != "Pending" or row.phase_message or s.workload.deleting:
            return s
        if record.pending is None or record.pending[0] != row.phase_updated_at:
            try:
                messages = await self._connection.call(lambda: self._runai.scheduling_messages(row.id))
            except BridgeError:
                return s
            record.pending = (row.phase_updated_at, "; ".join(messages))
        return replace(s, row=replace(row, phase_message=record.pending[1] or None))
