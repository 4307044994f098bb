# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write what an Argo CD installation takes up: a patch of argocd-cm for kustomize, and values for the argo-cd chart."""

from __future__ import annotations

from pathlib import Path

import yaml

HERE = Path(__file__).parent
GROUP, KIND = "bridge.run.ai", "RunaiWorkload"
SCRIPTS = HERE / "resource_customizations" / GROUP / KIND
ACTIONS = ("refresh", "pause", "resume")
PATCH, VALUES = HERE / "argocd-cm.yaml", HERE / "argo-cd-values.yaml"

IGNORED_UPDATES = {
    "jsonPointers": ["/status", "/metadata/finalizers"],
    "jqPathExpressions": [f'.metadata.annotations."{GROUP}/reconcile-requested-at"'],
}
"""What the operator and the refresh action write: no reason to compare the Application with Git again."""

NOTE = "# Written by generate.py from resource_customizations/.\n"


class _Block(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a script looks like one."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Block.add_representer(str, _text)


def dump(value: object) -> str:
    """YAML with scripts as blocks."""
    return yaml.dump(value, Dumper=_Block, sort_keys=False, width=1000)


def settings() -> dict[str, str]:
    """The keys for argocd-cm."""
    actions = {
        "discovery.lua": (SCRIPTS / "actions" / "discovery.lua").read_text(),
        "definitions": [
            {"name": name, "action.lua": (SCRIPTS / "actions" / name / "action.lua").read_text()} for name in ACTIONS
        ],
    }
    key = f"{GROUP}_{KIND}"
    return {
        f"resource.customizations.health.{key}": (SCRIPTS / "health.lua").read_text(),
        f"resource.customizations.actions.{key}": dump(actions),
        f"resource.customizations.ignoreResourceUpdates.{key}": dump(IGNORED_UPDATES),
    }


def files() -> dict[Path, str]:
    """All files and what they hold."""
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": settings()}
    return {PATCH: NOTE + dump(patch), VALUES: NOTE + dump({"configs": {"cm": settings()}})}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
