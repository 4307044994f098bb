"""Label selectors, as kubectl takes them and as the API server reads them.

Pure. The API server applies them to lists and watches; here they are only checked, and applied to single objects.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<lacking>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<equal>==?|!=)\s*(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\((?P<values>\s*{_VALUE}\s*(?:,\s*{_VALUE}\s*)*)\))?)\s*"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one label has to be."""

    key: str
    values: frozenset[str] | None
    """None: any."""
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """An object without the label has none of the values."""
        value = labels.get(self.key)
        has_one = value is not None and (self.values is None or value in self.values)
        return has_one is not self.negated

    def contradicts(self, other: Requirement) -> bool:
        """Whether no label fulfils both."""
        if self.key != other.key:
            return False
        if self.negated and other.negated:
            return False
        if self.negated:
            return other.contradicts(self)
        if other.negated:  # what is to be has to be among what may not
            return other.values is None or (self.values is not None and self.values <= other.values)
        return self.values is not None and other.values is not None and not self.values & other.values


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements have to hold."""

    text: str
    requirements: tuple[Requirement, ...]

    def __str__(self) -> str:
        """As it was written, and as the API server takes it."""
        return self.text

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def excludes(self, other: Selector) -> bool:
        """Whether surely no object is selected by both."""
        return any(
            one.contradicts(another) for one, another in itertools.product(self.requirements, other.requirements)
        )


def parse_selector(text: str) -> Selector:
    """Raises `ValueError`, with the rest of a sentence, for what is no selector or selects everything."""
    found, place = [], 0
    while match := _REQUIREMENT.match(text, place):
        found.append(_requirement(match))
        place = match.end()
        if place == len(text):
            return Selector(text.strip(), tuple(found))
        if text[place] != ",":
            break
        place += 1
    raise ValueError(
        f"cannot be read at character {place + 1}: write it as for kubectl, such as shard=a or team in (a,b)"
    )


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["lacking"], None, negated=True)
    if match["equal"]:
        return Requirement(match["key"], frozenset([match["value"]]), negated=match["equal"] == "!=")
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], values, negated=match["set"] == "notin")
    return Requirement(match["key"], None, negated=False)
