"""What RBAC lets a user do, as the API server itself judges."""

from __future__ import annotations

import time

from controlplane import ControlPlane


def may(plane: ControlPlane, user: str, verb: str, resource: str, namespace: str, *, name: str = "") -> bool:
    """Whether RBAC lets a user do that to `group/resource` or `group/resource/subresource`; ask `soon` after a change."""
    group, plural, *subresource = resource.split("/")
    asked = {"group": group, "resource": plural, "subresource": "".join(subresource)}
    attributes = {**asked, "verb": verb, "namespace": namespace, "name": name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    answer = plane.client.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
    return bool(answer["status"]["allowed"])


def soon(plane: ControlPlane, *question: str, name: str = "", allowed: bool = True) -> bool:
    """Whether `may` says so, with patience for the authorizer's watch."""
    deadline = time.monotonic() + 30
    while may(plane, *question, name=name) is not allowed:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
