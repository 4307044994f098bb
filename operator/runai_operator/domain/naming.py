"""The name of a workload in Run:ai: deterministic, so that a restore or a restart finds it again."""

from __future__ import annotations

import hashlib
import re

from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import Spec

PREFIX_LIMIT = 54
"""Longest `namePrefix`: a dash and eight characters follow, and Run:ai takes 63."""

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def external_name(*, name: str, spec: Spec, namespace: str, install: str) -> str:
    """`spec.name`, or `spec.namePrefix` with a short hash of who we are, or the object's own `name`.

    Raises `InvalidWorkload` for a name that Run:ai would refuse.
    """
    if spec.name is not None:
        made = spec.name
    elif spec.name_prefix is not None:
        made = f"{spec.name_prefix}-{_short_hash(install, namespace, name)}"
    else:
        made = name
    if not _NAME.fullmatch(made):
        raise InvalidWorkload(
            f"{made} cannot be a name in Run:ai (at most 63 lower-case letters, digits and '-', the first a letter, the"
            " last no '-'): set spec.name or spec.namePrefix"
        )
    return made


def _short_hash(*parts: str) -> str:
    """Eight hex digits; a collision is told by NameTaken and never shares a workload, since marks are compared."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
