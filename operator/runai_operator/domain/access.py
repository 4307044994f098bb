"""Which projects of Run:ai the objects of a namespace may use, and whether they may adopt what others made there.

The operator's service account reaches more than the people who create RunaiWorkloads should. Without a table, whoever
may create one in any namespace can use every project that the account reaches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from runai_operator.codecs.yaml import TooMany, read_yaml
from runai_operator.text import clip

_MOST_VALUES = 20_000
_NAMESPACES, _PROJECTS, _ADOPTION = "namespaces", "projects", "adoption"
_PATTERNS = {_NAMESPACES: re.compile(r"[a-z0-9*-]{1,63}"), _PROJECTS: re.compile(r"[A-Za-z0-9._*-]{1,253}")}


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What some namespaces may do; a `*` in a pattern stands for any characters, or none."""

    namespaces: tuple[str, ...]
    projects: tuple[str, ...]
    adoption: bool = False
    """They may also adopt workloads of these projects that they did not submit."""


@dataclass(frozen=True, slots=True)
class Access:
    """The table; empty, it limits nothing."""

    rules: tuple[AccessRule, ...] = ()

    @property
    def limited(self) -> bool:
        return bool(self.rules)

    def allows(self, namespace: str, project: str | None, *, adoption: bool = False) -> bool:
        """Whether objects of the namespace may use the project of this name, and with `adoption` adopt what others made
        in it. None is a project whose name is not known."""
        if not self.limited:
            return True
        return project is not None and any(
            _match(rule.namespaces, namespace) and _match(rule.projects, project) and (rule.adoption or not adoption)
            for rule in self.rules
        )


def parse_access(text: str) -> Access:
    """The table in a YAML text; raises ValueError with the rest of a sentence about it.

    An empty table is refused: what was meant as a limit must not let everybody in.
    """
    try:
        entries = read_yaml(text, max_nodes=_MOST_VALUES)
    except TooMany:
        raise ValueError(f"holds more than {_MOST_VALUES} values") from None
    except ValueError as error:
        raise ValueError(f'is no table of access: {error} (a pattern that begins with * needs quotes: "*")') from None
    if not isinstance(entries, list) or not entries:
        raise ValueError("must hold a list of entries, each with namespaces and projects")
    return Access(tuple(_rule(number, entry) for number, entry in enumerate(entries, start=1)))


def _rule(number: int, entry: Any) -> AccessRule:
    if problem := _problem(entry):
        raise ValueError(f"cannot be used: entry {number} {problem}")
    return AccessRule(tuple(entry[_NAMESPACES]), tuple(entry[_PROJECTS]), entry.get(_ADOPTION, False))


def _problem(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return "is no map with namespaces and projects"
    if unknown := sorted(entry.keys() - {_NAMESPACES, _PROJECTS, _ADOPTION}):
        return f"has the unknown key {_quoted(unknown[0])}"
    for key, shape in _PATTERNS.items():
        listed = entry.get(key)
        if not isinstance(listed, list) or not listed:
            return f"needs {key}, a list of names or patterns"
        for pattern in listed:
            if not isinstance(pattern, str) or not shape.fullmatch(pattern):
                return f"has {_quoted(pattern)} in {key}, which is no name or pattern with *, or needs quotes"
    if not isinstance(adoption := entry.get(_ADOPTION, False), bool):
        return f"has {_ADOPTION}: {_quoted(adoption)}, but it must be true or false"
    return None


def _match(patterns: tuple[str, ...], name: str) -> bool:
    """None of the characters that mean something to `fnmatch`, but for the star, is let into a pattern."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _quoted(value: object) -> str:
    return repr(clip(str(value), 80))
