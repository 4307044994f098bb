"""The manifests that a command is given: files, folders, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from runai_operator.codecs.documents import Document, documents_of, wanted_line
from runai_operator.codecs.json import Unreadable
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.output import say

F = TypeVar("F", bound=Callable[..., Any])

STDIN, PIPED = "-", "<stdin>"
"""What is typed for standard input, and what it is called."""
SUFFIXES = (".yaml", ".yml", ".json")
"""What is taken from a folder, and from those within."""
FILE_LIMIT = 256 * 1024 * 1024
"""Bytes, at most, in one file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and where, as compilers say it."""

    file: str
    line: int
    message: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Item:
    """An object in a file."""

    file: str
    document: Document
    value: Any
    path: tuple[str | int, ...] = ()
    """Where in the document it is, if that is a list of objects."""

    def problem(self, message: str, *path: str | int) -> Problem:
        """At this path of the object, or the nearest that there is."""
        return Problem(self.file, self.document.line_of((*self.path, *path)), message)


def files_argument(*, required: bool = True) -> Callable[[F], F]:
    """`FILE...`: files, folders, or `-` for standard input; the function gets them as `files`."""
    return click.argument("files", nargs=-1, required=required, metavar="FILE...", type=click.Path())


def read_items(files: Sequence[str]) -> Iterator[Item | Problem]:
    """Every object in the files, those of lists one by one, or what keeps a document, or a file in a folder, from being read.

    Raises `CommandError` or `OSError` for a file that was given and cannot be read at all.
    """
    for name, text in _texts(files):
        if isinstance(text, Problem):
            yield text
            continue
        if name == PIPED and not text.strip():
            yield Problem(name, 1, "there is nothing on standard input: what writes to it may have failed")
        for document in documents_of(text):
            try:
                value = document.read()
            except Unreadable as error:
                yield Problem(name, wanted_line(error) or document.line, str(error))
                continue
            if _is_list(value):
                items = value["items"] or ()
                yield from (Item(name, document, item, ("items", at)) for at, item in enumerate(items))
            else:
                yield Item(name, document, value)


def _is_list(value: object) -> bool:
    return (
        isinstance(value, dict)
        and str(value.get("kind", "")).endswith("List")
        and isinstance(value.get("items"), list | None)
        and "items" in value
    )


def _texts(files: Sequence[str]) -> Iterator[tuple[str, str | Problem]]:
    """Name and text of every file, those of folders in the order of their names, or why one of these cannot be read."""
    if list(files).count(STDIN) > 1:
        raise CommandError("Standard input can be read only once: give - once.", ExitCode.USAGE)
    for name in files:
        if name == STDIN:
            yield PIPED, _text_of(PIPED, sys.stdin.buffer)
            continue
        path = Path(name)
        if not path.is_dir():
            with path.open("rb") as file:
                text = _text_of(name, file)
            yield name, text
            continue
        found = sorted(_below(path))
        if not found:
            raise CommandError(f"{name} has no files that end in {', '.join(SUFFIXES)}.", ExitCode.USAGE)
        for one in map(str, found):
            yield one, _text_or_problem(one)


def _below(folder: Path) -> Iterator[Path]:
    """But for hidden folders, such as `.git`, and links to folders, which may lead anywhere. Raises `OSError` for a folder that
    cannot be read."""
    for one in sorted(folder.iterdir()):
        if one.is_dir():
            if one.is_symlink() and not one.name.startswith("."):
                say(f"{one} is a link to a folder, and is passed over: give it, too, if it is meant")
            elif not one.name.startswith("."):
                yield from _below(one)
        elif one.suffix in SUFFIXES and (one.is_file() or not one.exists()):
            yield one  # a link may lead to what is not there


def _text_or_problem(name: str) -> str | Problem:
    try:
        with Path(name).open("rb") as file:
            return _text(file)
    except Unreadable as error:
        return Problem(name, 1, str(error))
    except OSError as error:
        return Problem(name, 1, f"cannot be read: {error.strerror}")


def _text_of(name: str, file: BinaryIO) -> str:
    try:
        return _text(file)
    except Unreadable as error:
        raise CommandError(f"{name} is {error}.", ExitCode.USAGE) from None


def _text(file: BinaryIO) -> str:
    data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise Unreadable(f"larger than {FILE_LIMIT / 2**20:g} MiB: give it in parts")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from None
