"""`python -m image build|check`: build the images, and say what they are made of or what is wrong with them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from image.archive import Archive, read
from image.build import NAMES, build
from image.checks import complaints
from image.engines import ImageFailed

FOLDER = Path(__file__).parents[2] / "build" / "image"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m image", description=__doc__)
    parser.add_argument("command", choices=("build", "check"))
    parser.add_argument("--tag", default="", help="another name for the operator's image")
    given = parser.parse_args()
    try:
        images = {target: _built(target, given.tag) for target in NAMES}
    except ImageFailed as error:
        print(error, file=sys.stderr)
        return 1
    if given.command == "build":
        return 0
    found = [f"{target}: {words}" for target, image in images.items() for words in complaints(image)]
    print("\n".join(found) or "Nothing is in the images that should not be.")
    return 1 if found else 0


def _built(target: str, tag: str) -> Archive:
    started = time.monotonic()
    archive = FOLDER / f"runai-{target}.tar"
    name = tag if tag and target == "operator" else NAMES[target]
    engine = build(target, archive, tag=name)
    image = read(archive)
    print(f"{name}: {image.size / 1e6:.0f} MB, user {image.user}, {len(image.layers)} layers; ", end="")
    print(f"{engine}, {time.monotonic() - started:.0f} s, {archive}")
    for layer in image.layers:
        print(f"  {layer.size / 1e6:7.1f} MB  {' '.join(layer.made_by.split())[:100]}")
    return image


if __name__ == "__main__":
    sys.exit(main())
