"""`runai-operator orphans`: shows what stayed in Run:ai although its RunaiWorkload is gone, and cleans it up."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from runai_operator.commands.cleaning import Cleaner, OrphanRecord
from runai_operator.domain.model import Orphan

HELP = "list workloads that stayed in Run:ai although their RunaiWorkload had to be released"
DESCRIPTION = (
    "Lists workloads that stayed in Run:ai although their RunaiWorkload had to be released, because Run:ai could not be"
    " used for longer than OPERATOR_RELEASE_AFTER. Configured as `run` is; access to Run:ai is needed only by --delete."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--delete",
        action="store_true",
        help="delete in Run:ai those that are still ours; those that are gone leave the record; exit with 1 if any is kept",
    )
    parser.add_argument("--forget", metavar="UID", nargs="+", default=[], help="only take these out of the record")


async def tend(record: OrphanRecord, cleaner: Cleaner | None, *, forget: Sequence[str]) -> int:
    """Prints the record, without what is to be forgotten, and cleans it up where there is a cleaner.

    Exit code: 1 if something was to be cleaned up and was kept. Raises the errors of the Kubernetes API.
    """
    for uid in forget:
        await record.forget_orphan(uid)
    known = await record.orphans()
    kept = []
    for uid, orphan in sorted(known.items()):
        _say(_line(uid, orphan))
        if cleaner is None:
            continue
        cleaned = await cleaner.clean(orphan) if orphan is not None else None
        if cleaned is not None:
            _say(f"  {cleaned}")
        if cleaned is None or cleaned.kept:
            kept.append(uid)
    if not known:
        _say("no orphans on record")
    if kept:
        _say(f"kept {len(kept)} of {len(known)}, for the reasons above: {' '.join(kept)}")
    return 1 if kept else 0


def _line(uid: str, orphan: Orphan | None) -> str:
    if orphan is None:
        return f"{uid}  unreadable entry: take it out with --forget {uid}"
    project = orphan.project_name or orphan.project_id or "-"
    since = orphan.released.isoformat() if orphan.released else "-"
    owner = f"{orphan.mark.namespace}/{orphan.mark.name}"
    where = f"project={project}  name={orphan.name}  id={orphan.workload_id or 'unknown'}"
    return f"{uid}  {owner}  {where}  since={since}  ({orphan.why})"


def _say(line: str) -> None:
    print(line)  # noqa: T201 - what a person asked for goes to standard output, not to the log
