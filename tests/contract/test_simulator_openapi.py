"""Every answer of the simulator fits the vendor's own description of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fakes.simulated_runai import FINISHED, GONE, RUNNING, SYNCED, job

DESCRIPTION = Path(__file__).parents[3] / "shared" / "reference" / "runai-openapi-subset.json"

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason="the vendor's API description is not at hand")


@pytest.fixture(scope="module")
def description() -> Any:
    return json.loads(DESCRIPTION.read_text())


def as_json_schema(node: Any) -> Any:
    """OpenAPI's `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: as_json_schema(value) for key, value in node.items() if key not in ("nullable", "example")}
    if "pattern" in made and not isinstance(made["pattern"], str):
        del made["pattern"]
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


def check(description: Any, method: str, path: str, answer: Any) -> None:
    operation = description["paths"][path][method]
    response = operation["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    jsonschema.validate(
        answer.json(), {**as_json_schema(schema), "components": as_json_schema(description["components"])}
    )


def test_the_four_operations_and_their_refusals(api, description):
    one = "/api/v2/workloads/{WorkloadV2Id}"
    made = api.create("a", priority="low", category="Train", preemptibility="preemptible")
    check(description, "post", "/api/v2/workloads", made)
    check(description, "post", "/api/v2/workloads", api.create("a"))
    check(description, "post", "/api/v2/workloads", api.create(""))
    path = f"/api/v2/workloads/{made.json()['metadata']['id']}"
    check(description, "get", one, api.http.get(path))
    check(description, "put", one, api.http.put(path, json={"metadata": {"priority": "high"}}))
    check(description, "delete", one, api.http.delete(path))
    check(description, "get", one, api.http.get("/api/v2/workloads/00000000-0000-4000-8000-000000000000"))


ANSWERS_LESS = {
    "raw_manifest_echo": False,
    "sync_info": False,
    "source_api": False,
    "type_is_kind": False,
    "token_expiry_told": False,
}


@pytest.mark.parametrize("switches", [{}, ANSWERS_LESS], ids=["as is", "answering less"])
@pytest.mark.parametrize("steering", [{}, {"sync": "fail"}, {"pending": "true"}, {"end": "Failed"}], ids=str)
def test_one_workload_through_its_life(api, description, switches, steering):
    api.switch(deleted_answers_404=False, **switches)
    workload_id = api.created(manifest=job(**steering))
    for seconds in (0, SYNCED, RUNNING, FINISHED):
        api.wait(seconds)
        check_reads(api, description, workload_id)
    api.delete(workload_id)
    check_reads(api, description, workload_id)
    api.wait(GONE)
    check_reads(api, description, workload_id)


def check_reads(api, description, workload_id):
    one, v1 = "/api/v2/workloads/{WorkloadV2Id}", "/api/v1/workloads"
    check(description, "get", one, api.read(workload_id))
    check(description, "get", v1, api.http.get(v1))
    check(description, "get", v1, api.http.get(f"{v1}?deleted=true"))
    check(description, "get", f"{v1}/{{workloadId}}", api.detail(workload_id))
    check(description, "get", f"{v1}/{{workloadId}}/events", api.http.get(f"{v1}/{workload_id}/events"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/org-unit/projects",
        "/api/v1/clusters",
        "/api/v1/workload-types",
        "/api/v1/workload-priorities",
        "/api/v1/workload-categories",
    ],
)
def test_the_organisation_endpoints(api, description, path):
    check(description, "get", path, api.http.get(path))


@pytest.mark.parametrize("told", [True, False])
def test_the_token_endpoints(api, description, told):
    api.switch(token_expiry_told=told)
    form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    check(description, "post", "/api/v2/token", api.http.post("/api/v2/token", data=form))
    check(description, "post", "/api/v2/token", api.http.post("/api/v2/token", data={**form, "client_secret": "wrong"}))
    body = {"grantType": "client_credentials", "clientID": "a", "clientSecret": "b"}
    check(description, "post", "/api/v1/token", api.http.post("/api/v1/token", json=body))
