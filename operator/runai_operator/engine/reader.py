"""What Run:ai shows of one workload: by its id, by its name, in its row. Where it answers 404, other witnesses are asked.

A failure is what is known then: it is in the state that comes back, and never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from runai_operator.domain import steps
from runai_operator.domain.absence import Absence, Place
from runai_operator.domain.actions import FindRemote, ReadProject, ReadRemote, ReadRow
from runai_operator.domain.errors import BridgeError, CircuitOpen, Scope
from runai_operator.domain.marks import is_made, is_ours, may_be_ours
from runai_operator.domain.model import Candidate, Ended, Missing, Orphan, Remote, Row, is_same_moment
from runai_operator.domain.naming import former_names
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State
from runai_operator.engine.upstream import Upstream

NAMESAKES = 20
"""How many workloads of one name are read, at most, to find one that was moved to another project, or deleted."""


class Reader:
    """Performs the actions that read from Run:ai."""

    def __init__(self, *, install: str, former_installs: tuple[str, ...], clock: Callable[[], float]) -> None:
        """Marks of `former_installs` count as those of `install`. `clock` in loop seconds."""
        self._install, self._former_installs, self._clock = install, former_installs, clock

    async def remote(self, s: State, action: ReadRemote, upstream: Upstream) -> State:
        began = self._clock()
        try:
            remote = await self._get(action.workload_id, upstream, project=s.project_of(action.workload_id))
            if remote is not None and remote.may_be_gone:
                s = steps.missing(s)
                remote = replace(remote, unlisted=await self._is_unlisted(s, remote, upstream))
            if remote is None or remote.gone:
                return await self._explain_absence(s, remote, action.workload_id, upstream, began)
            row, read = s.row, None
            # What became of it while it was out of sight is in no delta.
            has_been_away = s.memory.missing_since is not None and not s.is_to_go
            if action.with_row or has_been_away:
                read = await self._row_of(remote, upstream)
                s = s if read is not None or row is not None else steps.unlisted(s, remote.id)
            elif row is None and s.stored_status.phase is not None:
                read = await self._row_since(s, remote, upstream)
        except BridgeError as error:
            if error.scope is Scope.PROJECT:  # a call that was held back brings no news of the project
                s = steps.missing(s) if isinstance(error, CircuitOpen) else steps.hidden(s)
            return replace(s, remote=error)
        upstream.witness.explained(remote.id)
        return steps.seen(replace(s, row_read=read or s.row_read), remote, read or row)

    async def _is_unlisted(self, s: State, remote: Remote, upstream: Upstream) -> bool:
        """Whether it is gone, as lists say: those of deleted workloads, or after as long as they lag those of all others."""
        known = Row(remote.id, remote.name, remote.project_id, created_at=remote.created_at)
        if await upstream.witness.deleted_row(known) is not None:
            return True
        return s.absent_for >= s.limits.grace and await self._row_of(remote, upstream) is None

    async def _explain_absence(
        self, s: State, remote: Remote | None, workload_id: str, upstream: Upstream, began: float
    ) -> State:
        """It is gone, or shown to us no more: asks other witnesses which, and how it ended. `began`: when the reading did."""
        s = steps.missing(s)
        was_never_ours = workload_id != s.workload_id and not s.workload.meta.deleting
        if was_never_ours or (remote is not None and s.is_to_go):
            return replace(s, remote=remote or Missing())  # how it ended matters to nobody
        doubt: BridgeError | None
        try:
            row, is_project_visible = await self._ask_witnesses(s, workload_id, upstream)
            was_hidden = is_project_visible and row is None and not upstream.witness.has_shown_since(s.place, began)
            if remote is None and was_hidden and s.absence_is_explained:
                remote = await self._get(workload_id, upstream, project=s.project_of(workload_id))
                if remote is not None and not remote.gone:
                    return steps.seen(s, remote, s.row)
        except BridgeError as error:
            doubt = error
        else:
            s = replace(steps.absent(s) if is_project_visible else steps.hidden(s), row=row or s.row)
            doubt = self._doubt(s, workload_id, is_project_visible, upstream) if remote is None else None
        error_told = upstream.gate.not_found(workload_id, project=s.project_of(workload_id), doubt=doubt)
        return replace(s, remote=error_told or remote or Missing())

    async def _ask_witnesses(self, s: State, workload_id: str, upstream: Upstream) -> tuple[Row | None, bool]:
        """Its row in the list of deleted workloads, and whether its project is visible to us; as far as it matters."""
        if s.row is not None and s.row.is_deleted:
            return s.row, True
        if s.absence_is_explained and await upstream.witness.shows(s.place, newly=True):
            return None, True
        row, status = None, s.stored_status
        if workload_id == s.workload_id and status.name is not None and status.project_id is not None:
            known = Row(workload_id, status.name, status.project_id, created_at=status.created_at)
            row = await upstream.witness.deleted_row(known)
        return row, row is not None or await upstream.witness.shows(s.place)

    def _doubt(self, s: State, workload_id: str, is_project_visible: bool, upstream: Upstream) -> BridgeError | None:
        """Why its absence is not believed; None when it is."""
        witness = upstream.witness
        # Sweeps watch for unfinished work on record, and nothing else.
        is_watched = workload_id == s.workload_id and not s.has_finished
        absence = Absence(
            lasted=s.absent_for,
            expected=s.absence_is_expected,
            is_listed_as_deleted=s.row is not None and s.row.is_deleted,
            is_project_visible=is_project_visible,
            is_unlisted=not is_watched or witness.is_unlisted(workload_id),
            in_mass_loss=witness.in_mass_loss(),
            project=str(s.place),
        )
        if (doubt := absence.doubt(s.limits.grace)) is None:
            witness.explained(workload_id)
        return doubt

    async def is_gone(self, orphan: Orphan, upstream: Upstream) -> bool:
        """Nothing is left of it, beyond doubt. Raises as the calls to Run:ai do."""
        if orphan.workload_id is None or orphan.project_id is None:
            return False
        remote = await self._get(orphan.workload_id, upstream, project=orphan.project_id)
        if remote is not None and not remote.may_be_gone:
            return remote.gone
        known = Row(orphan.workload_id, orphan.name, orphan.project_id)
        if await upstream.witness.deleted_row(known) is not None:
            return True
        is_hidden = upstream.witness.in_mass_loss() or not await upstream.witness.shows(
            Place(orphan.project_id, None), newly=True
        )
        return remote is None and not is_hidden

    async def _get(self, workload_id: str, upstream: Upstream, *, project: str | None) -> Remote | None:
        remote = await upstream.gate.get(workload_id, project=project)
        if remote is None or remote.mark is None or remote.mark.install not in self._former_installs:
            return remote
        return replace(remote, mark=replace(remote.mark, install=self._install))

    async def _row_since(self, s: State, remote: Remote, upstream: Upstream) -> Row | None:
        """The row of a workload whose phase is known from another process alone: it may have ended since, and neither be edited
        nor called running. None where lists do not show it now."""
        try:
            row = await self._row_of(remote, upstream)
        except BridgeError:
            return None
        return None if row is None or s.memory.is_stale(row) else row

    async def _row_of(self, remote: Remote, upstream: Upstream) -> Row | None:
        rows = await upstream.gate.find(name=remote.name, project_id=remote.project_id)
        by_id = [row for row in rows if row.id == remote.id]
        by_time = [row for row in rows if is_same_moment(row.created_at, remote.created_at)]
        listed = next(iter(by_id or by_time), None)
        # By itself it may show what no list does yet.
        return await upstream.gate.row(listed.id if listed is not None else remote.id) or listed

    async def named(self, s: State, action: FindRemote, upstream: Upstream) -> State:
        what = ""
        try:
            project_id = action.project_id or await upstream.projects.of(s.workload.spec)
            what = f"{project_id}/{action.name}"
            found = await self._found(s, action.name, project_id, upstream)
            # As long as this look-up proves nothing by itself, what was seen a moment ago will do.
            is_visible = any(
                s.place.is_surely_on(each.row.cluster_id) for each in found
            ) or await upstream.witness.shows(s.place, newly=s.looked_long_enough)
            if is_visible and not found and s.looked_long_enough:  # it may have been hidden until that question
                found = await self._found(s, action.name, project_id, upstream)
            is_there = any(is_made(each, s.mark) for each in found)
            ended = await self._ended(s, action.name, project_id, upstream) if is_visible and not is_there else ()
        except BridgeError as error:
            if error.condition_reason != Reason.PROJECT_NOT_FOUND:
                return replace(s, found=error)
            found, is_visible, ended = (), False, ()
        return steps.looked_up(s, found, what=what, is_visible=is_visible, now=self._clock(), ended=ended)

    async def _ended(self, s: State, name: str, project_id: str, upstream: Upstream) -> tuple[Ended, ...]:
        """What an attempt in doubt may have made, and what has ended and is gone since, the newest first."""
        if not s.in_doubt or s.to_adopt is not None or s.workload.meta.deleting:
            return ()
        rows, server_time = await upstream.witness.deleted_of(name, project_id, since=s.workload.created)
        wall = s.wall + timedelta(seconds=self._clock() - s.now)  # the look-ups before may have taken long
        ahead = (server_time - wall).total_seconds() if server_time is not None else 0.0
        ended: tuple[Ended, ...] = ()
        for row in rows[:NAMESAKES]:
            remote = await self._get(row.id, upstream, project=project_id)
            ended += (Ended(row, remote, ahead),)
            if remote is not None and is_ours(remote.mark, s.mark):
                break
        return ended

    async def _found(self, s: State, name: str, project_id: str, upstream: Upstream) -> tuple[Candidate, ...]:
        """What has the name, and what is ours under a former one."""
        found = await self._named(name, project_id, upstream)
        for former in former_names(s.workload, self._former_installs, but=name):
            of_name = await self._named(former, project_id, upstream)
            found += tuple(each for each in of_name if may_be_ours(each, s.mark))
        # Lists have shown for long what somebody moved: it is looked for with the first question and with the last.
        if not found and s.in_doubt and (s.memory.lookup_since is None or s.looked_long_enough):
            return await self._moved(s, name, project_id, upstream)
        return found

    async def _moved(self, s: State, name: str, project_id: str, upstream: Upstream) -> tuple[Candidate, ...]:
        """What is ours by its mark, and not in the project that it was submitted to; all else there is no matter of ours."""
        rows = await upstream.gate.find(name=name, project_id=None)
        for row in [row for row in rows if row.project_id != project_id][:NAMESAKES]:
            try:
                candidate = await self._candidate(row, upstream)
            except BridgeError as error:
                if error.scope is Scope.CONNECTION:
                    raise
                continue
            if candidate.remote is not None and is_ours(candidate.remote.mark, s.mark):
                return (candidate,)
        return ()

    async def _named(self, name: str, project_id: str, upstream: Upstream) -> tuple[Candidate, ...]:
        rows = await upstream.gate.find(name=name, project_id=project_id)
        return tuple([await self._candidate(row, upstream) for row in rows])

    async def _candidate(self, listed: Row, upstream: Upstream) -> Candidate:
        remote = await self._get(listed.id, upstream, project=listed.project_id)
        is_marked = remote is not None and remote.mark is not None
        return Candidate((await upstream.gate.row(listed.id) if is_marked else None) or listed, remote)

    async def project(self, s: State, action: ReadProject, upstream: Upstream) -> State:
        name: str | BridgeError | None
        try:
            name = await upstream.projects.name_of(action.project_id, anew=s.asked)
        except BridgeError as error:
            name = error
        return replace(s, project_names={**s.project_names, action.project_id: name})

    async def row(self, s: State, action: ReadRow, upstream: Upstream) -> State:
        memory = replace(s.memory, row_reads=s.memory.row_reads + 1)
        s = replace(s, done=s.done | {ReadRow}, memory=memory)
        try:
            row = await upstream.gate.row(action.row_id)
        except BridgeError:
            return s  # it is planned again
        return s if row is None or memory.is_stale(row) else replace(s, row=row, row_read=row)
