"""Imports without what is not used: memory that an idle operator would hold for nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Within, modules of these names cannot be imported: to libraries, optional ones look as if not installed.

    One that is loaded already is left alone.
    """
    hidden = [name for name in names if name not in sys.modules]
    # None is how Python itself marks a module that must not be imported.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
