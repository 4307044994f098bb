"""An image as `docker save` writes it: its configuration and the files that all its layers leave."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

REMOVED, EMPTIED = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True)
class Layer:
    """What one layer adds."""

    made_by: str
    size: int


@dataclass(frozen=True)
class Archive:
    """`files` has an entry for everything that a container sees, by its path without the first slash."""

    config: dict[str, Any]
    layers: list[Layer]
    files: dict[str, tarfile.TarInfo]

    @property
    def user(self) -> str:
        return str(self.config.get("config", {}).get("User", ""))

    @property
    def size(self) -> int:
        """Bytes of all layers, unpacked, as engines show it."""
        return sum(layer.size for layer in self.layers)


def read(path: Path) -> Archive:
    """Read the first image of an archive."""
    with tarfile.open(path) as outer:
        (manifest, *_) = json.load(_member(outer, "manifest.json"))
        config = json.load(_member(outer, manifest["Config"]))
        makers = [step.get("created_by", "") for step in config.get("history", ()) if not step.get("empty_layer")]
        layers, files = [], dict[str, tarfile.TarInfo]()
        for index, name in enumerate(manifest["Layers"]):
            with tarfile.open(fileobj=_member(outer, name)) as inner:
                members = inner.getmembers()
            made_by = makers[index] if index < len(makers) else ""
            layers.append(Layer(made_by, sum(member.size for member in members)))
            _lay_over(files, members)
    return Archive(config, layers, files)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"the archive has no {name}")
    return content


def _lay_over(files: dict[str, tarfile.TarInfo], members: list[tarfile.TarInfo]) -> None:
    """Whiteouts speak of the layers below only."""
    for member in members:
        place = _place(member)
        if place.name == EMPTIED:
            _remove_below(files, str(place.parent))
        elif place.name.startswith(REMOVED):
            gone = str(place.parent / place.name.removeprefix(REMOVED))
            files.pop(gone, None)
            _remove_below(files, gone)
    for member in members:
        place = _place(member)
        if not place.name.startswith(REMOVED):
            files[str(place)] = member


def _remove_below(files: dict[str, tarfile.TarInfo], folder: str) -> None:
    for name in [name for name in files if name.startswith(f"{folder}/")]:
        del files[name]


def _place(member: tarfile.TarInfo) -> PurePosixPath:
    return PurePosixPath(member.name.removeprefix("./").lstrip("/"))
