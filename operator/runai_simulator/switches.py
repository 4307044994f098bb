"""What nobody documents about the real control plane, and people must be able to try both ways; and how fast it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

MOST_SECONDS = 315_360_000.0
"""Ten years: what a calendar can hold."""


@dataclass(frozen=True, slots=True)
class Switches:
    """One field for each unknown; the defaults are the likeliest answers. Durations in seconds."""

    deleted_answers_404: bool = True
    """A deleted workload answers 404; else as one that is being deleted does, and GET shows it as Deleted."""
    deleted_at_when_asked: bool = True
    """`deletedAt` is set with the DELETE; else when the workload is gone."""
    second_delete: bool = True
    """DELETE of what is being deleted is taken, without effect; else it answers 404."""
    raw_manifest_echo: bool = True
    """`rawManifest` and `workloadManifest` show what was submitted; else both are empty objects."""
    raw_annotations: bool = True
    """`rawManifest` and `workloadManifest` keep the manifest's annotations; else they come without."""
    ids_equal: bool = True
    """The v1 list uses the V2 ids; else it has ids of its own."""
    writes_while_busy: bool = True
    """PUT and DELETE while Queued or Applying are taken; else they answer 409."""
    put_while_deleting: bool = False
    """PUT of what is being deleted is taken, without effect; else it answers 409."""
    put_keeps_manifest: bool = True
    """PUT without a manifest keeps the old one; else it answers 400."""
    put_keeps_metadata: bool = True
    """PUT without priority and category keeps them; else both go back to their defaults."""
    put_reruns_failed: bool = True
    """A Failed workload runs again when a PUT changes its content; else it stays Failed."""
    put_reruns_completed: bool = False
    """A Completed workload runs again when a PUT changes its content; else it stays Completed."""
    put_known: bool = True
    """PUT exists; else it answers 405, as before 2.24."""
    v2_known: bool = True
    """The V2 API exists; else it answers 404 without an error body, as before 2.23."""
    errors_documented: bool = True
    """Refusals carry the documented error body; else `application/problem+json`, without `code` and `message`."""
    create_answers_201: bool = False
    """POST answers 201; else 202."""
    dry_run: bool = True
    """`dryRun` is known; else it is ignored, and creates."""
    sync_info: bool = True
    """GET shows `syncInfo`; else it is left out, as the schema allows."""
    sync_failure_recovers: bool = False
    """A failed sync is tried again, and then succeeds; else Failed is final until the next PUT."""
    cluster_connected: bool = True
    """The clusters take orders; else what is submitted stays Queued and what is deleted stays Deleting until they do."""
    name_free_at_once: bool = False
    """A deleted workload's name is free with the DELETE; else when it is gone."""
    name_blocked_for: float = 0.0
    """Seconds for which the name stays taken after the workload is gone."""
    failed_sync_frees_name: bool = False
    """A workload whose sync failed leaves its name to the next; else it keeps it."""
    conflict_names_workload: bool = True
    """A 409 for a name says which; else `Resource with this name already exists`."""
    unknown_project_403: bool = True
    """POST to a project that does not exist answers 403; else 400."""
    hidden_answers_404: bool = True
    """A project outside of the caller's scope, and a workload of it, answers 404; else 403."""
    deleted_list: bool = True
    """The v1 list knows `deleted=true`; else it is empty then."""
    deleted_keeps_phase: bool = True
    """A finished workload keeps its phase when it is deleted; else it is Deleting, as one that runs; `completedAt` stays."""
    filters_all_hold: bool = True
    """What a list shows fulfils all items of `filterBy`; else one is enough."""
    source_api: bool = True
    """The v1 list says `sourceApi: WorkloadsV2`; else null."""
    type_is_kind: bool = True
    """The v1 list's `type` is the kind; else `runai-` and the kind in small letters."""
    token_v2: bool = True
    """`/api/v2/token` exists; else it answers 404 and only `/api/v1/token` works."""
    token_v1: bool = True
    """`/api/v1/token` exists; else it answers 404."""
    token_expiry_told: bool = True
    """The answer says when the token expires; else only the token itself does."""
    token_lifetime: float = 3600.0
    """Seconds for which a token is valid."""
    date_header: bool = True
    """Answers carry `Date`."""
    clock_skew: float = 0.0
    """Seconds by which the control plane's clock is ahead; may be negative."""
    list_lag: float = 0.3
    """Seconds until the v1 list shows what has happened."""
    sync_time: float = 0.3
    """Seconds in each of Queued and Applying."""
    phase_time: float = 0.5
    """Seconds in each of Creating, Pending, Initializing, Stopping and Resuming."""
    scheduler_time: float = 0.0
    """Seconds that a workload is Pending before the v1 GET of it says why."""
    run_time: float = 2.0
    """Seconds from Running to Completed, for kinds that complete."""
    delete_time: float = 0.5
    """Seconds from DELETE until the workload is gone."""
    retention: float = 1_209_600.0
    """Seconds for which a deleted workload is remembered: 14 days."""

    def changed(self, values: dict[str, Any]) -> Switches:
        """A copy with these values. Raises `ValueError` for an unknown name or a wrong type."""
        known = {field.name: type(field.default) for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no switch is named {name}")
            if known[name] is bool and not isinstance(value, bool):
                raise ValueError(f"{name} is true or false")
            if known[name] is float and not _is_duration(value, signed=name == "clock_skew"):
                raise ValueError(f"{name} is a number of seconds")
        return replace(self, **values)

    def shown(self) -> dict[str, Any]:
        return asdict(self)


def _is_duration(value: object, *, signed: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (-MOST_SECONDS if signed else 0) <= value <= MOST_SECONDS
