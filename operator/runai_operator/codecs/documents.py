"""Streams of YAML documents as people keep them in files: each document with its text and its place.

A document is read by `yaml.read_yaml`, so as kubectl reads it. Its text is kept, since what is written anew has lost its
comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from runai_operator.codecs.json import Unreadable
from runai_operator.codecs.yaml import read_yaml

_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)[ \t]*", re.MULTILINE)
"""Wherever such a line begins, YAML has a new document: not even a block of text may hold one."""
_DIRECTIVES = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*(?:%[^\n]*(?:\n|\Z))+")
_NOTHING = re.compile(r"(?:[ \t]*(?:#[^\n]*)?(?:\n|\Z))*")
_COMMENTS = re.compile(r"(?:[ \t]*\n|#[^\n]*(?:\n|\Z))*")
_PLACE = re.compile(r"\(line (\d+), ")

Path = Sequence[str | int]
"""The way to a value: keys of mappings and positions in lists."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream."""

    text: str
    """Without markers and directives; lines end with a line feed."""
    line: int
    """Of the stream, counted from one, on which the text begins."""

    def read(self) -> Any:
        """The value. Raises `Unreadable` with the line in the stream."""
        try:
            return read_yaml(self.text)
        except Unreadable as error:
            raise Unreadable(_PLACE.sub(self._moved, str(error))) from None

    def line_of(self, path: Path) -> int:
        """The line of the stream on which the key or item at the end of the path stands, or of its nearest parent."""
        try:
            node = yaml.compose(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, RecursionError):
            return self.line
        found = node.start_mark.line if node is not None else 0
        for part in path:
            key, node = _step(node, part)
            if node is None:
                break
            found = (key or node).start_mark.line
        return self.line + found

    def comments(self) -> tuple[str, str]:
        """The comments and empty lines at its beginning, and the rest."""
        found = _COMMENTS.match(self.text)
        end = found.end() if found else 0  # it always matches
        return self.text[:end].lstrip("\n"), self.text[end:]

    def within(self, path: Path) -> str | None:
        """The text of a mapping within it, moved to the left; None where it does not have its lines to itself."""
        try:
            node: Any = yaml.compose(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, RecursionError):
            return None
        for part in path:
            _, node = _step(node, part)
        if not isinstance(node, yaml.MappingNode):
            return None
        begin, end, column = node.start_mark.line, node.end_mark.line, node.start_mark.column
        lines = self.text.splitlines(keepends=True)[begin : end + 1 if node.flow_style or node.end_mark.column else end]
        if lines and lines[0][:column].strip():
            return None
        return "".join(line[column:] if not line[:column].strip(" ") else line.lstrip(" ") for line in lines)

    def without(self, path: Path) -> Document | None:
        """A document without the lines of one field, where these hold nothing else; None where that cannot be done."""
        try:
            node: Any = yaml.compose(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, RecursionError):
            return None
        key = None
        for part in path:
            key, node = _step(node, part)
        if key is None or node is None:
            return None
        lines = self.text.splitlines(keepends=True)
        first, last = key.start_mark.line, node.end_mark.line
        if first != last or lines[first][: key.start_mark.column].strip():
            return None
        return Document("".join(lines[:first] + lines[last + 1 :]), self.line)

    def _moved(self, found: re.Match[str]) -> str:
        return f"(line {int(found[1]) + self.line - 1}, "


def documents_of(text: str) -> Iterator[Document]:
    """Every document that holds something; comments alone are none."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    begin, line, counted = 0, 1, 0
    for end, following in _cuts(text):
        if found := _DIRECTIVES.match(text, begin, end):
            begin = found.end()
        if text.startswith("\n", begin, end):
            begin += 1
        if not _NOTHING.fullmatch(text, begin, end):
            line += text.count("\n", counted, begin)
            counted = begin
            yield Document(text[begin:end], line)
        begin = following


def wanted_line(error: Unreadable) -> int | None:
    """The line that an error names."""
    found = _PLACE.search(str(error))
    return int(found[1]) if found else None


def indented(text: str, by: int) -> str:
    """The text with every line but the empty ones moved to the right: the same YAML, as a value within another."""
    return re.sub(r"^(?=[^\n])", " " * by, text, flags=re.MULTILINE)


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    """Where one document ends and the next one begins."""
    for marker in _MARKER.finditer(text):
        yield marker.start(), marker.end()
    yield len(text), len(text)


def _step(node: Any, part: str | int) -> tuple[Any, Any]:
    """The key, where it is a mapping, and the value; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None, None
