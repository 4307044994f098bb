"""The images, built with the engine that is here and read without running them.

`python -m image build` is `make image`, `python -m image check` is `make image-check`.
"""

from image.archive import Archive, read
from image.build import NAMES, ImageFailed, build, cache

__all__ = ["NAMES", "Archive", "ImageFailed", "build", "cache", "read"]
