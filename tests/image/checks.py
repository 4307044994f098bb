"""What an image must not have, found by looking at its files: nothing is run."""

from __future__ import annotations

import re
import stat
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from image.archive import Archive

INSTALLERS = re.compile(r"(pip|uv|uvx|easy_install|conda|poetry)(\d[\d.]*)?")
COMPILERS = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|cpp|ld|as|make|go|rustc)(-[\d.]+)?")
BINARIES = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "app/bin")
MODULES = {"pip", "ensurepip", "setuptools", "wheel"}
CODE = "app"


def complaints(image: Archive) -> Iterator[str]:
    """One sentence for each thing that is wrong."""
    if not re.fullmatch(r"[1-9]\d*(:\d+)?", image.user):
        yield f"the user is {image.user or 'root'!r}: runAsNonRoot needs a number other than 0"
    for path, entry in image.files.items():
        yield from (f"/{path} {words}" for words in _wrong(PurePosixPath(path), entry))


def _wrong(path: PurePosixPath, entry: tarfile.TarInfo) -> Iterator[str]:
    if str(path.parent) in BINARIES and INSTALLERS.fullmatch(path.name):
        yield "is an installer"
    if str(path.parent) in BINARIES and COMPILERS.fullmatch(path.name):
        yield "is a compiler"
    if entry.isdir() and path.name in MODULES and re.fullmatch(r"(site|dist)-packages|python3[\d.]*", path.parent.name):
        yield "is an installer's module"
    if path.name == ".lock":
        yield "is what an installer left"
    if not (entry.isfile() or entry.isdir()):
        return
    if entry.isfile() and entry.mode & (stat.S_ISUID | stat.S_ISGID):
        yield "is run with its owner's rights (setuid or setgid)"
    if entry.mode & stat.S_IWOTH and not (entry.isdir() and entry.mode & stat.S_ISVTX):
        yield "can be written by everybody"
    if path.parts[:1] == (CODE,) and (entry.uid or entry.gid or entry.mode & stat.S_IWGRP):
        yield "is code that somebody other than root may write"
