"""What a person with a kubeconfig is told of a refusal: a right that is missing is one thing, a policy another."""

from __future__ import annotations

import pytest

from fakes.apiserver import refusal
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, StaleObject, Vanished
from runai_operator.kube.objects import Cluster

WHAT = 'runaiworkloads.bridge.run.ai "w" is forbidden: '
TERMINATING = {"causes": [{"reason": "NamespaceTerminating", "message": "namespace is being terminated"}]}


@pytest.mark.parametrize(
    ("status", "message", "details", "error", "told"),
    [
        (403, f'{WHAT}User "a" cannot create it', {}, AccessDenied, "You are not allowed to create runaiworkloads"),
        (403, f"{WHAT}exceeded quota: q, limited: x=2", {}, InvalidWorkload, "exceeded quota: q, limited: x=2."),
        (403, f"{WHAT}policy 'p' denied request: no", {}, InvalidWorkload, "policy 'p' denied request: no."),
        (400, 'admission webhook "a.b" denied the request: no', {}, InvalidWorkload, "a.b denied the request: no."),
        (401, 'admission webhook "a.b" denied the request: no', {}, InvalidWorkload, "a.b denied the request: no."),
        (409, 'admission webhook "a.b" denied the request: no', {}, InvalidWorkload, "a.b denied the request: no."),
        (403, f"{WHAT}unable to create", TERMINATING, Vanished, "Namespace team-a is being deleted"),
        (409, "the object has been modified", {}, StaleObject, "Somebody else has changed or created"),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(fake, session, status, message, details, error, told):
    fake.fault = lambda _: refusal(status, message, **details)
    cluster = Cluster(session, namespace="team-a")

    with pytest.raises(error) as raised:
        await cluster.create(cluster.workloads(), {})
    assert told in raised.value.message


async def test_what_a_policy_says_has_no_field_that_is_none(fake, session):
    causes = [{"message": "policy 'p' denied request: no"}, {"field": "spec", "message": "is wrong"}]
    fake.fault = lambda _: refusal(422, "denied request", causes=causes)
    cluster = Cluster(session, namespace="team-a")

    with pytest.raises(InvalidWorkload, match=r"team-a: policy 'p' denied request: no; spec: is wrong\.$"):
        await cluster.create(cluster.workloads(), {})
