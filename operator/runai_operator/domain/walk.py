"""How a long list is read: page by page, so that it is complete although it changes meanwhile, and ends.

A page begins where the last one ended by the time that the list is sorted by, not by a count of rows: rows that come
and go in front of it then shift nothing. Only among rows of the same time is there an offset.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runai_operator.domain.model import MOST_ROWS, Row, RowPage, RowQuery

_TOLERANCE = timedelta(seconds=1)
"""Times are compared with less precision than they are shown with."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a list has been read. The caller asks for `query` and goes on with `after` its page, until it is None."""

    start: RowQuery
    """Without an offset."""
    position: RowQuery | None = None
    limit: int = MOST_ROWS
    """Rows of the next page."""
    by_time: bool = True
    """The server honours the filter by time."""
    last_page: frozenset[str] = frozenset()
    pages: int = 0
    rows: int = 0
    unreadable: int = 0
    skipped: int = 0
    """Rows left out since the last page, since none of them could be read alone."""
    ended: bool = False
    endless: bool = False
    """It shows the same rows again and again."""

    @property
    def query(self) -> RowQuery | None:
        """The next page; None at the end."""
        return None if self.ended or self.endless else replace(self._position, limit=self.limit)

    @property
    def complete(self) -> bool:
        """Everything that the list holds was read and understood."""
        return self.ended and self.unreadable == 0

    @property
    def reached(self) -> datetime | None:
        """Whatever comes before this time has been read."""
        return self._since(self._position)

    def after(self, page: RowPage) -> Walk:
        """Goes on behind the page that `query` asked for."""
        read = replace(
            self,
            limit=min(MOST_ROWS, self.limit * 2),
            skipped=0,
            pages=self.pages + 1,
            rows=self.rows + len(page.rows),
            unreadable=self.unreadable + page.unreadable,
            last_page=frozenset(row.id for row in page.rows),
        )
        size = len(page.rows) + page.unreadable
        if page.next_offset is None or size == 0:
            return replace(read, ended=True)
        if self._position.offset > 0 and not page.unreadable and read.last_page <= self.last_page:
            # Beyond its end, some lists show the last page again.
            return replace(read, ended=size < self.limit, endless=size >= self.limit)
        position, by_time = self._following(page, page.next_offset)
        return replace(read, position=position, by_time=by_time)

    def smaller(self) -> Walk:
        """The page cannot be read as it is: half of it may be, and a single row is left out."""
        if self.limit > 1:
            return replace(self, limit=self.limit // 2)
        following = replace(self._position, offset=self._position.offset + 1)
        return replace(self, position=following, unreadable=self.unreadable + 1, skipped=self.skipped + 1)

    @property
    def _position(self) -> RowQuery:
        return self.position or self.start

    def _following(self, page: RowPage, offset: int) -> tuple[RowQuery | None, bool]:
        """The next position, and whether the filter by time was honoured."""
        since, times = self._since(self._position), list(self._times(page.rows))
        if self.by_time and self.position is not None and since and times and min(times) < since - _TOLERANCE:
            return None, False  # this was the first page again
        if self.by_time and times and (since is None or max(times) > since):
            return self._from(max(times)), True
        return replace(self._position, offset=offset), self.by_time

    def _since(self, query: RowQuery) -> datetime | None:
        return query.created_since if self.start.changed_since is None else query.changed_since

    def _from(self, time: datetime) -> RowQuery:
        if self.start.changed_since is None:
            return replace(self.start, created_since=time)
        return replace(self.start, changed_since=time)

    def _times(self, rows: Iterable[Row]) -> Iterable[datetime]:
        texts = map(self._time, rows)
        return (datetime.fromisoformat(text) for text in texts if text is not None)

    def _time(self, row: Row) -> str | None:
        if self.start.changed_since is None:
            return row.created_at
        return row.deleted_at if self.start.deleted else row.phase_updated_at
