"""Events of the watch that only repeat what this process has just written, and knows from the answer.

Admitted here: which events those are. Most events of a workload's life are; each would go all the way through kopf for
nothing.
"""

from __future__ import annotations

import re

MOST = 4096
"""How many versions are remembered: more than events are late."""
_MODIFIED = re.compile(rb'\{"type": ?"MODIFIED",')
_VERSION = re.compile(rb'"resourceVersion": ?"(\d{1,20})"')


class Echoes:
    """The versions that our own writes have made, until the watch shows them."""

    def __init__(self) -> None:
        self._expected: dict[str, None] = {}

    def expect(self, resource_version: str) -> None:
        """One of our writes has made this version."""
        self._expected[resource_version] = None
        if len(self._expected) > MOST:
            del self._expected[next(iter(self._expected))]

    def is_one(self, line: bytes) -> bool:
        """Whether an event, as the API server writes it, shows a version that is expected. No event shows it again."""
        if not self._expected or not _MODIFIED.match(line):
            return False
        versions = _VERSION.findall(line)
        if len(versions) != 1 or (version := versions[0].decode()) not in self._expected:
            return False
        del self._expected[version]
        return True
