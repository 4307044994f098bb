"""The two programs that build images, each with the few commands that are needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PULL_SECONDS = 120
LOG_TAIL = 3000


class ImageFailed(Exception):
    """An image could not be built; the message says why, and what to do."""


class Engine(Protocol):
    """What builds images."""

    name: str

    def has(self, image: str) -> bool:
        """Whether an image is there, or can be pulled."""

    def build(self, context: Path, tags: Sequence[str], target: str, arguments: Mapping[str, str]) -> None:
        """Build a target of the Dockerfile in `context`."""

    def save(self, tag: str, archive: Path) -> None:
        """Write an image as `docker save` does."""


class Docker:
    """Docker, or what answers in its place."""

    name = "docker"

    @staticmethod
    def answers() -> bool:
        """The client alone does not count."""
        asked = ["docker", "version", "--format", "{{.Server.Version}}"]
        return shutil.which("docker") is not None and _succeeds(asked, PULL_SECONDS)

    def has(self, image: str) -> bool:
        return _succeeds(["docker", "image", "inspect", image], PULL_SECONDS) or _succeeds(
            ["docker", "pull", "--quiet", image], PULL_SECONDS
        )

    def build(self, context: Path, tags: Sequence[str], target: str, arguments: Mapping[str, str]) -> None:
        run(["docker", "build", *_build_flags(tags, target, arguments), str(context)])

    def save(self, tag: str, archive: Path) -> None:
        run(["docker", "save", "--output", str(archive), tag])


class Buildah:
    """buildah with a storage of its own, so that the machine's is left alone. Needs no service."""

    name = "buildah"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "containers.conf"  # or networks are set up in /etc
        settings.write_text(f'[network]\nnetwork_config_dir = "{folder / "networks"}"\n')
        self._variables = {"CONTAINERS_CONF": os.environ.get("CONTAINERS_CONF", str(settings))}

    @staticmethod
    def answers() -> bool:
        return shutil.which("buildah") is not None

    def has(self, image: str) -> bool:
        return self._succeeds("inspect", "--type=image", image) or (
            not image.startswith("localhost/") and self._succeeds("pull", "--quiet", image)
        )

    def build(self, context: Path, tags: Sequence[str], target: str, arguments: Mapping[str, str]) -> None:
        flags = ["--isolation=chroot", "--pull-never", "--layers", "--format=docker"]
        self.run("bud", *flags, *_build_flags(tags, target, arguments), str(context))

    def save(self, tag: str, archive: Path) -> None:
        archive.unlink(missing_ok=True)  # it would be added to
        self.run("push", "--quiet", tag, f"docker-archive:{archive}:{tag}")

    def run(self, *arguments: str) -> str:
        """One command of buildah's; its output."""
        return run([*self._command, *arguments], **self._variables)

    def _succeeds(self, *arguments: str) -> bool:
        return _succeeds([*self._command, *arguments], PULL_SECONDS, **self._variables)

    @property
    def _command(self) -> list[str]:
        alone = ["unshare", "--mount"] if os.geteuid() == 0 else []  # what it mounts goes with it
        return [*alone, "buildah", f"--root={self._folder / 'storage'}", f"--runroot={self._folder / 'run'}"]


def choose(folder: Path) -> Engine:
    """Docker where it answers, else buildah. Raises `ImageFailed`."""
    if Docker.answers():
        return Docker()
    if Buildah.answers():
        return Buildah(folder)
    raise ImageFailed("There is neither a Docker engine nor buildah here: start the one, or install the other.")


def run(command: Sequence[str], **variables: str) -> str:
    """Run a program; its output. Raises `ImageFailed` with the end of what it said."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise ImageFailed(f"{' '.join(command)} failed:\n{done.stdout[-LOG_TAIL:]}")
    return done.stdout


def _build_flags(tags: Sequence[str], target: str, arguments: Mapping[str, str]) -> list[str]:
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    return [*(f"--tag={tag}" for tag in tags), f"--target={target}", *given]


def _succeeds(command: Sequence[str], seconds: float, **variables: str) -> bool:
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
