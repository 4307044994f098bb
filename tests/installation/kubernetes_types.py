"""The types of Kubernetes that the chart's values pass on, as JSON Schema: every field is known, and no other is taken.

They come from the OpenAPI of a running API server. Run `make generate-types` after a change of the pinned Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controlplane import Client, ControlPlane

TYPES = Path(__file__).parents[2] / "deploy" / "helm" / "kubernetes-types.json"
DOCUMENTS = ("/openapi/v3/api/v1", "/openapi/v3/apis/networking.k8s.io/v1")
PASSED_ON = (
    "Affinity",
    "Container",
    "EnvFromSource",
    "EnvVar",
    "HostAlias",
    "NetworkPolicyEgressRule",
    "NetworkPolicyPeer",
    "PodDNSConfig",
    "PodSecurityContext",
    "ResourceClaim",
    "SecurityContext",
    "Toleration",
    "Volume",
    "VolumeMount",
)
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NARROWED = {
    # only in the template of a volume's claim, and all that is taken there
    "ObjectMeta": {
        "type": "object",
        "properties": {"annotations": STRINGS, "labels": STRINGS},
        "additionalProperties": False,
    },
}

Schema = dict[str, Any]


def version_of(client: Client) -> str:
    """Of the API server, as `1.37`."""
    found = client.get("/version")
    return f"{found['major']}.{found['minor']}"


def text(client: Client) -> str:
    """The file: one type a line."""
    served: dict[str, Schema] = {}
    for document in DOCUMENTS:
        for name, schema in client.get(document)["components"]["schemas"].items():
            served[_short(name)] = NARROWED.get(_short(name)) or _closed(schema)
    wanted = dict.fromkeys(PASSED_ON)
    for name in PASSED_ON:
        wanted |= dict.fromkeys(_reached(name, served))
    lines = ",\n".join(f'    "{name}": {json.dumps(served[name])}' for name in sorted(wanted))
    return f'{{\n  "kubernetes": "{version_of(client)}",\n  "types": {{\n{lines}\n  }}\n}}\n'


def _reached(name: str, served: dict[str, Schema]) -> Iterator[str]:
    """The type and all that it consists of."""
    yield name
    for inner in _references(served[name]):
        yield from _reached(inner, served)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield _short(node["$ref"].replace("/", "."))
        for inner in node.values():
            yield from _references(inner)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _closed(node: Schema) -> Schema:
    """One schema of the OpenAPI without its words, and without room for other keys."""
    match node:
        case {"allOf": [only]}:
            return _closed(only)
        case {"$ref": place}:
            return {"$ref": f"#/definitions/{_short(place)}"}
        case {"oneOf": ways}:
            return {"type": [way["type"] for way in ways]}
        case {"items": items}:
            return {"type": "array", "items": _closed(items)}
        case {"additionalProperties": values}:
            return {"type": "object", "additionalProperties": _closed(values)}
        case {"properties": properties}:
            made: Schema = {"type": "object", "properties": {key: _closed(one) for key, one in properties.items()}}
            return made | {key: node[key] for key in ("required",) if key in node} | {"additionalProperties": False}
    return {"type": node["type"]}


if __name__ == "__main__":
    with ControlPlane() as plane:
        TYPES.write_text(text(plane.client))
