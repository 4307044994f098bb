"""Request bodies: JSON, and manifests as objects or as base64 of YAML. What cannot be read is refused, never a crash."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from typing import Any, NoReturn

import yaml

from runai_simulator.rules import Refused

Json = dict[str, Any]

ENCODED_LIMIT = 2_097_152
"""Characters of base64, as documented."""
MOST_NODES = 1_000_000
"""Of one YAML text with its aliases written out; more is an alias bomb."""


def read_object(body: bytes) -> Json:
    """A JSON object. Raises `Refused`."""
    try:
        value = _load_json(body)
    except (ValueError, RecursionError):
        raise Refused(400, "Failed to read request body") from None
    if not isinstance(value, dict):
        raise Refused(400, "Failed to read request body")
    return value


def read_metadata(body: Json) -> Json:
    """`metadata` of a request; absent and null are empty. Raises `Refused`."""
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise Refused(400, "Failed to read request body")
    return metadata


def read_manifest(body: Json) -> Json | None:
    """The manifest in either form, or None. Raises `Refused`."""
    manifest, encoded = body.get("manifest"), body.get("manifestBase64Encoded")
    if manifest is not None and encoded is not None:
        raise Refused(400, "manifest and manifestBase64Encoded are mutually exclusive, provide only one")
    if encoded is not None:
        manifest = _decode(encoded)
    elif manifest is None:
        return None
    if not isinstance(manifest, dict):
        raise Refused(400, "failed to unmarshal JSON manifest")
    return manifest


def _decode(encoded: object) -> object:
    if not isinstance(encoded, str) or len(encoded) > ENCODED_LIMIT:
        raise Refused(400, f"manifestBase64Encoded must be at most {ENCODED_LIMIT} characters")
    try:
        text = base64.b64decode(encoded, validate=True)
        return _load_text(text)
    except (binascii.Error, ValueError, TypeError, yaml.YAMLError, RecursionError):
        raise Refused(400, "failed to convert YAML to JSON") from None


def _load_text(text: bytes) -> object:
    """YAML; where it is JSON as well, many times faster."""
    if text.lstrip()[:1] == b"{":
        with contextlib.suppress(ValueError):
            return _load_json(text)
    return _load_yaml(text)


def _load_json(text: bytes) -> object:
    """Raises `ValueError` or `RecursionError`, also for what cannot be written again: infinity, half a character."""
    value: object = json.loads(text, parse_constant=_refuse_constant)
    json.dumps(_wrapped(value), allow_nan=False, ensure_ascii=False).encode()
    return value


def _wrapped(value: object) -> object:
    """A few levels deeper than any answer that shows it: what passes here can be written there."""
    for _ in range(30):
        value = [value]
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the class is chosen at run time
    """Dates stay strings, as in every Kubernetes tool."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way of configuration
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _load_yaml(text: bytes) -> object:
    value = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader
    _check_size(value)
    return _load_json(json.dumps(value, allow_nan=False).encode())  # keys become strings


def _check_size(value: object) -> None:
    """Raises `ValueError` when written out it would be too large; an alias to itself ends here as well."""
    left, waiting = MOST_NODES, [value]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError("too large")
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
