"""A value that is null: what an empty key of YAML means, and Helm's own way of taking a default back."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from installation import CHART, MINIMAL, Helm, HelmFailed

pytestmark = pytest.mark.installation

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
ALL_OBJECTS: dict[str, Any] = {
    "runai": MINIMAL["runai"] | {"caBundle": {"configMap": "ca"}, "access": [{"namespaces": ["*"], "projects": ["*"]}]},
    "serviceMonitor": {"enabled": True},
    "podMonitor": {"enabled": True},
    "networkPolicy": {"enabled": True},
}
"""Everything that a default value could go into is rendered."""
PASSED_ON = {"resources", "podSecurityContext", "securityContext", "nodeSelector"}
"""Maps whose keys are not ours: here null leaves out."""
NEEDED = {
    ("runai",): {"runai.baseUrl is not set", "runai.existingSecret is not set"},
    ("runai", "baseUrl"): {"runai.baseUrl is not set"},
    ("runai", "existingSecret"): {"runai.existingSecret is not set"},
}
NEEDED_BY_KUBERNETES = ("podSecurityContext", "seccompProfile", "type")


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every branch and every leaf."""
    for key, inner in values.items():
        yield (*above, key)
        if isinstance(inner, dict):
            yield from paths(inner, (*above, key))


def with_null(path: tuple[str, ...]) -> dict[str, Any]:
    made = copy.deepcopy(ALL_OBJECTS)
    folder = made
    for name in path[:-1]:
        folder = folder.setdefault(name, {})
    folder[path[-1]] = None
    return made


def without(path: tuple[str, ...]) -> dict[str, Any]:
    """As if the path had never been set."""
    made = copy.deepcopy(ALL_OBJECTS)
    folder: dict[str, Any] = made
    for name in path[:-1]:
        folder = folder.get(name, {})
    folder.pop(path[-1], None)
    return made


def rendered(values: dict[str, Any]) -> str:
    try:
        return Helm().template(values)
    except HelmFailed as refused:
        return str(refused)


@pytest.fixture(scope="module")
def with_nulls() -> dict[tuple[str, ...], str]:
    """What each path renders to, or is refused with, when it is null."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        every = list(paths(DEFAULTS))
        return dict(zip(every, pool.map(lambda path: rendered(with_null(path)), every), strict=True))


def test_a_value_that_is_null_is_its_default(with_nulls):
    as_it_was = rendered(ALL_OBJECTS)
    others = {}
    for path, text in with_nulls.items():
        if path[0] in PASSED_ON or path in NEEDED:
            continue
        expected = as_it_was if without(path) == ALL_OBJECTS else rendered(without(path))
        if text != expected:
            others[".".join(path)] = text

    assert others == {}


def test_a_needed_value_that_is_null_is_asked_for(with_nulls):
    found = {path: set(re.findall(r"^- (\S+ is not set)", with_nulls[path], re.MULTILINE)) for path in NEEDED}

    assert found == NEEDED


def test_what_is_passed_on_is_left_out_where_it_is_null(with_nulls):
    as_it_was = deployment(rendered(ALL_OBJECTS))
    for path, text in with_nulls.items():
        if path[0] in PASSED_ON and path != NEEDED_BY_KUBERNETES:
            assert found(deployment(text), path) in ({}, None), path
            assert found(as_it_was, path) not in ({}, None), path

    assert "at '/podSecurityContext/seccompProfile': missing property 'type'" in with_nulls[NEEDED_BY_KUBERNETES]


def deployment(text: str) -> dict[str, Any]:
    return yaml.safe_load(next(part for part in text.split("---\n") if "\nkind: Deployment" in part))


def found(made: dict[str, Any], path: tuple[str, ...]) -> Any:
    """What the Deployment holds for such a value."""
    pod = made["spec"]["template"]["spec"]
    place = pod if path[0] == "nodeSelector" else pod["containers"][0]
    if path[0] == "podSecurityContext":
        place, path = pod, ("securityContext", *path[1:])
    for name in path:
        place = (place or {}).get(name)
    return place


def test_every_template_begins_with_the_defaults():
    """Whichever Helm renders first."""
    for path in [path for path in (CHART / "templates").rglob("*") if path.suffix in (".yaml", ".txt")]:
        assert path.read_text().startswith('{{- include "runai-operator.defaults" . '), path.name
