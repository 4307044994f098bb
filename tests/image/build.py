"""Build the images of the Dockerfile and write each as an archive."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from image import base
from image.engines import Buildah, Engine, ImageFailed, choose

__all__ = ["NAMES", "ImageFailed", "build", "cache"]

ROOT = Path(__file__).parents[2]
VERSION = re.findall(r'__version__ = "(.+)"', (ROOT / "operator" / "runai_operator" / "__init__.py").read_text())[0]
NAMES = {target: f"ghcr.io/runai-operator/runai-{target}:{VERSION}" for target in ("operator", "simulator")}
"""The targets of the Dockerfile, and what the installations call their images."""


def cache() -> Path:
    """The folder for what takes minutes to make."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runai-operator" / "image"


def build(target: str, archive: Path, *, tag: str = "") -> str:
    """Build a target and write it to `archive`; the name of the engine. Raises `ImageFailed`.

    BUILDER and RUNTIME in the environment name other base images than the Dockerfile's.
    """
    engine = choose(cache())
    arguments = {"VERSION": VERSION, "REVISION": _revision(), **_bases(engine)}
    name = tag or NAMES[target]
    engine.build(ROOT, [name], target, arguments)
    archive.parent.mkdir(parents=True, exist_ok=True)
    engine.save(name, archive)
    return engine.name


def _bases(engine: Engine) -> dict[str, str]:
    wanted = dict(re.findall(r"^ARG (BUILDER|RUNTIME)=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    named = {name: os.environ[name] for name in wanted if os.environ.get(name)}
    missing = [image for image in {**wanted, **named}.values() if not engine.has(image)]
    if missing and not named and isinstance(engine, Buildah):
        base.make(engine, cache())
        return {"BUILDER": base.BUILDER, "RUNTIME": base.RUNTIME}
    if missing:
        raise ImageFailed(f"The base image {missing[0]} is not here and cannot be pulled.")
    return named


def _revision() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
