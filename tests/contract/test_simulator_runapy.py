"""The vendor's own client works against the simulator, through a whole life."""

from __future__ import annotations

import pytest

# The vendor's client is imported where it is used: it makes a thousand classes, which takes seconds.


@pytest.fixture
def vendor(api):
    from runai.api_client import ApiClient
    from runai.configuration import Configuration
    from runai.runai_client import RunaiClient

    configuration = Configuration(client_id="a", client_secret="b", runai_base_url=api.url, retry_enabled=False)
    client = ApiClient(configuration)
    yield RunaiClient(client)
    client.close()


def request(name: str, kind: str = "Job"):
    from runai import models

    metadata = models.WorkloadV2MetadataCreateParams(name=name, projectId="1", priority="low", category="Train")
    return models.WorkloadV2CreateRequest(metadata=metadata, manifest={"apiVersion": "batch/v1", "kind": kind})


def data(answer):
    return answer.data if hasattr(answer, "data") else answer


def test_create_read_update_and_delete(vendor):
    from runai import models
    from runai.exceptions import ConflictException, NotFoundException

    workloads = vendor.workloads.workloads_v2
    made = data(workloads.create_workload_v2(request("train")))
    workload_id = made["metadata"]["id"]

    assert made["metadata"]["projectName"] == "team-a"
    with pytest.raises(ConflictException):
        workloads.create_workload_v2(request("train"))

    read = data(workloads.get_workload_v2_by_id(workload_id))
    assert read["workload"]["metadata"]["priority"] == "low"
    assert read["syncInfo"]["status"]

    update = models.WorkloadV2UpdateRequest(metadata=models.WorkloadV2MetadataUpdateParams(priority="high"))
    assert data(workloads.update_workload_v2(workload_id, update))["metadata"]["priority"] == "high"
    assert data(workloads.delete_workload_v2(workload_id))["desiredPhase"] == "Deleted"
    with pytest.raises(NotFoundException):
        workloads.get_workload_v2_by_id("00000000-0000-4000-8000-000000000000")


def test_lists_with_filters(vendor):
    vendor.workloads.workloads_v2.create_workload_v2(request("train-a"))
    vendor.workloads.workloads_v2.create_workload_v2(request("train-b"))
    rows = data(vendor.workloads.workloads.get_workloads(filter_by=["name==train-b", "projectId==1"]))

    assert [row["name"] for row in rows["workloads"]] == ["train-b"]


def test_projects_by_name(vendor):
    found = data(vendor.organizations.projects.get_projects(filter_by=["name==team-a"]))

    assert [project["id"] for project in found["projects"]] == ["1"]


def test_a_project_by_id(vendor):
    from runai.exceptions import NotFoundException

    assert data(vendor.organizations.projects.get_project("2"))["name"] == "team-b"
    with pytest.raises(NotFoundException):
        vendor.organizations.projects.get_project("99")
