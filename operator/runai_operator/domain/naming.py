"""The name of a workload in Run:ai: deterministic, so that a restore or a restart finds it again."""

from __future__ import annotations

import hashlib
import re

from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import Spec, Workload
from runai_operator.text import clip, one_line

NAME_LIMIT = 63
PREFIX_LIMIT = 54
"""Longest `namePrefix`: a dash and eight characters follow, and Run:ai takes 63."""

PROBE_PREFIX = "dry-run-probe-"
"""With it begins the name of what is sent to find out whether a connection has dry runs."""

NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
NAME_RULE = f"at most {NAME_LIMIT} lower-case letters, digits and '-', the first a letter, the last no '-'"


def external_name(*, name: str, spec: Spec, namespace: str, install: str) -> str:
    """`spec.name`, or `spec.namePrefix` with a short hash of who we are, or the object's own `name`.

    Raises `InvalidWorkload` for a name that Run:ai would refuse. Whoever adopts a workload needs none: that has its own.
    """
    if spec.name is not None:
        made = spec.name
    elif spec.name_prefix is not None:
        made = f"{spec.name_prefix}-{_short_hash(install, namespace, name)}"
    else:
        made = name
    error = name_error(made)
    if error is not None and spec.workload_id is None:
        raise error
    return made


def name_error(name: str) -> InvalidWorkload | None:
    """Why Run:ai would refuse the name for a new workload; None when it would not."""
    if len(name) <= NAME_LIMIT and NAME.fullmatch(name):
        return None
    shown = clip(one_line(name), NAME_LIMIT)
    return InvalidWorkload(
        f"The name {shown} cannot be used in Run:ai ({NAME_RULE}): set spec.name or spec.namePrefix."
    )


def nearest_name(text: str, *, limit: int = NAME_LIMIT) -> str:
    """A name that Run:ai takes, as much like `text` as can be; one that it takes already is not changed.

    What is too long is cut, and kept apart from others by a hash. Raises ValueError where nothing of it can be used.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") if not NAME.fullmatch(text) else text
    if not name:
        raise ValueError("it has neither letters nor digits")
    if not name[0].isalpha():
        name = f"w-{name}"
    if len(name) > limit:
        name = f"{name[: limit - 9].rstrip('-')}-{_short_hash(text)}"
    return name


def former_names(workload: Workload, former_installs: tuple[str, ...], *, but: str) -> set[str]:
    """The names other than `but` that an attempt under a former install id may have used."""
    ref, spec = workload.ref, workload.spec
    names = (external_name(name=ref.name, spec=spec, namespace=ref.namespace, install=each) for each in former_installs)
    return {name for name in names if name != but}


def probe_name(install: str, project_id: str) -> str:
    """The name of what an operator of this install sends into the project to find out whether dry runs create nothing there."""
    return PROBE_PREFIX + _short_hash(install, project_id)


def _short_hash(*parts: str) -> str:
    """Eight hex digits; a collision is reported as NameTaken and never shares a workload, since marks are compared."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
