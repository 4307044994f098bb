"""The control planes against which all is tried: as it most likely is, and with every unknown the other way."""

from __future__ import annotations

OTHER_WAY: dict[str, bool | float] = {
    "deleted_answers_404": False,
    "deleted_at_when_asked": False,
    "second_delete": False,
    "writes_while_busy": False,
    "put_while_deleting": True,
    "put_keeps_manifest": False,
    "put_keeps_metadata": False,
    "create_answers_201": True,
    "sync_failure_recovers": True,
    "name_blocked_for": 1.0,
    "conflict_names_workload": False,
    "unknown_project_403": False,
    "hidden_answers_404": False,
    "deleted_list": False,
    "source_api": False,
    "type_is_kind": False,
    "token_v2": False,
    "token_expiry_told": False,
    "date_header": False,
    "list_lag": 0.8,
}
"""Those under which a lost answer can always be cleared up; the others have tests of their own."""

WORLDS: dict[str, dict[str, bool | float]] = {"as is": {}, "the other way": OTHER_WAY}
