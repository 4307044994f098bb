"""`kubectl wait`: which conditions are met (kubectl, pkg/cmd/wait: condition.go and json.go)."""

from __future__ import annotations

from readers import Json


def condition_met(item: Json, kind: str, wanted: str = "True") -> bool:
    """Whether `--for=condition=KIND=WANTED` ends now: names and values are compared without case."""
    for entry in (item.get("status") or {}).get("conditions") or []:
        if entry["type"].lower() != kind.lower():
            continue
        observed = entry.get("observedGeneration", item["status"].get("observedGeneration"))
        if observed is not None and observed < item["metadata"]["generation"]:
            return False
        return bool(entry["status"].lower() == wanted.lower())
    return False


def jsonpath_met(item: Json, path: str, wanted: str) -> bool:
    """Whether `--for=jsonpath='{.a.b}'=WANTED` ends now. The generation plays no part in it."""
    value: object = item
    for key in path.strip("{}").strip(".").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value is not None and str(value) == wanted


def two_way(item: Json) -> str:
    """How the recipe of docs/kubectl.md stands, which waits for Ready and for Stalled at once."""
    ready, stalled = condition_met(item, "Ready"), condition_met(item, "Stalled")
    if ready and stalled:
        return "contradiction"
    return "ready" if ready else "fails" if stalled else "waits"
