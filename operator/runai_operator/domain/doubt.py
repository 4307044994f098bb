"""What an attempt in doubt may have made, where it is not tried again to find out."""

from __future__ import annotations

from runai_operator.domain.actions import FindRemote, Result, Verdict
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.marks import is_ours, is_unreadable
from runai_operator.domain.model import Candidate
from runai_operator.domain.naming import external_name
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State


def is_open(s: State) -> bool:
    """Nothing proves what an attempt has made: not even that lists were watched for long, where what has the name cannot be
    read and nothing is sent that its name would refuse."""
    return s.in_doubt or (s.workload_id is None and isinstance(s.found, tuple) and any(map(is_unreadable, s.found)))


def find_made(s: State) -> FindRemote | Result | Candidate | None:
    """What carries our mark under the object's own name, or what to read first, or why that is not known; None for nothing,
    which `absence_proven` believes only after a while."""
    match s.found:
        case None:
            return FindRemote(attempted_name(s), s.attempted_project or s.workload.spec.project_id)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case found:
            return _made(s, found)


def _made(s: State, found: tuple[Candidate, ...]) -> Result | Candidate | None:
    for candidate in found:
        if candidate.remote is not None and not candidate.remote.gone and is_ours(candidate.remote.mark, s.mark):
            return candidate
    if any(map(is_unreadable, found)):
        return Result(Verdict.RETRYING, holder_unreadable(attempted_name(s)), outstanding=True)
    return None


def attempted_name(s: State) -> str:
    """The name that an attempt in doubt used; the identity is frozen while there may have been one. Raises `InvalidWorkload`
    for one that could never be submitted."""
    ref = s.workload.ref
    return external_name(name=ref.name, spec=s.workload.spec, namespace=ref.namespace, install=s.install)


def holder_unreadable(name: str) -> BridgeError:
    """The error for what has the name, and may be ours."""
    return BridgeError(
        f"Run:ai lists a workload named {name} in the project but does not show it by its id, so whether it is ours is not"
        " known: remove it in Run:ai, or set spec.workloadId to its id.",
        reason=Reason.HOLDER_UNREADABLE,
    )
