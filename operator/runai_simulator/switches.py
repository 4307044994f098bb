"""What nobody documents about the real control plane, and people must be able to try both ways."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Switches:
    """One field for each unknown; the defaults are the likeliest answers. Durations in seconds."""

    deleted_answers_404: bool = True
    """GET, PUT and DELETE of a deleted workload: 404; else 200 or 202, and GET shows it as Deleted."""
    raw_manifest_echo: bool = True
    """`rawManifest` and `workloadManifest` show what was submitted; else both are empty objects."""
    ids_equal: bool = True
    """The v1 list uses the V2 ids; else it has ids of its own."""
    writes_while_busy: bool = True
    """PUT and DELETE while Queued, Applying or Deleting are taken; else they answer 409."""
    dry_run: bool = True
    """`dryRun` is known; else it is ignored, and creates."""
    name_free_at_once: bool = False
    """A deleted workload's name is free with the DELETE; else when it is gone."""
    name_blocked_for: float = 0.0
    """Seconds for which the name stays taken after the workload is gone."""
    deleted_list: bool = True
    """The v1 list knows `deleted=true`; else it is empty then."""
    token_v2: bool = True
    """`/api/v2/token` exists; else it answers 404 and only `/api/v1/token` works."""
    token_lifetime: float = 3600.0
    """Seconds for which a token is valid."""
    list_lag: float = 0.3
    """Seconds until the v1 list shows what has happened."""
    sync_time: float = 0.3
    """Seconds in each of Queued and Applying."""
    phase_time: float = 0.5
    """Seconds in each of Creating, Pending and Initializing."""
    run_time: float = 2.0
    """Seconds from Running to Completed, for kinds that complete."""
    delete_time: float = 0.5
    """Seconds from DELETE until the workload is gone."""

    def changed(self, values: dict[str, Any]) -> Switches:
        """A copy with these values. Raises `ValueError` for an unknown name or a wrong type."""
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no switch is named {name}")
            if known[name] is bool and not isinstance(value, bool):
                raise ValueError(f"{name} is true or false")
            if known[name] is float and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"{name} is a number of seconds")
        return replace(self, **values)

    def shown(self) -> dict[str, Any]:
        return asdict(self)
