"""What the refusals of the Kubernetes API mean."""

from __future__ import annotations

import json

import pytest

from runai_operator.domain.errors import AccessDenied, InvalidWorkload, KubernetesUnavailable
from runai_operator.kube.failures import Call, failure
from runai_operator.kube.wire import Answer

PATCH = Call("patch", "runaiworkloads/status", "ns", "w")
BY_WEBHOOK = 'admission webhook "check.policies.example" denied the request: label "team=\\"x\\"" is missing.'
BY_POLICY = (
    "runaiworkloads.bridge.run.ai \"w\" is forbidden: ValidatingAdmissionPolicy 'frozen' with binding 'frozen-all' denied"
    " request: no writes today"
)


def refused(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"kind": "Status", "message": message, "details": {"name": "w"}}).encode())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (BY_WEBHOOK, 'admission webhook check.policies.example denied the request: label "…" is missing.'),
        (BY_POLICY, "ValidatingAdmissionPolicy 'frozen' with binding 'frozen-all' denied request: no writes today."),
    ],
    ids=["a webhook", "a policy"],
)
def test_what_admission_refuses_is_no_missing_right_and_no_outage_whatever_its_status(status, message, shown):
    error = failure(PATCH, refused(status, message))

    assert type(error) is InvalidWorkload
    assert error.message.startswith("Kubernetes refuses to patch runaiworkloads/status in namespace ns: ")
    assert error.message.endswith(shown)


def test_a_missing_right_is_told_as_one():
    message = (
        'runaiworkloads.bridge.run.ai "w" is forbidden: User "operator" cannot patch resource "runaiworkloads/status"'
    )

    assert type(failure(PATCH, refused(403, message))) is AccessDenied


@pytest.mark.parametrize("message", ["the server rejected our request", 'failed calling webhook "check": timed out'])
@pytest.mark.parametrize("status", [400, 500])
def test_any_other_failure_passes(status, message):
    assert type(failure(PATCH, refused(status, message))) is KubernetesUnavailable
