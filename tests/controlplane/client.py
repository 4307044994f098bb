"""A small Kubernetes API client for tests and the demo, so that neither needs kubectl.

Objects are plain dictionaries, as in YAML. Everything is addressed by the API's own paths; `path_of` finds the path of
an object from its kind. Synchronous: call it through `asyncio.to_thread` where an event loop must go on.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import httpx
import yaml

Object: TypeAlias = dict[str, Any]

PAGE = 500
FIELD_MANAGER = "controlplane-client"
POLL_SECONDS = 0.1
THROTTLED_TRIES = 10
"""As client-go does."""


class ApiError(Exception):
    """The API server answered with an error.

    `status` is the HTTP code, `reason` Kubernetes' CamelCase word for it, `message` its sentence, `body` its Status.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        try:
            self.body: Object = response.json()
        except json.JSONDecodeError:
            self.body = {"message": response.text}
        self.reason = str(self.body.get("reason", ""))
        self.message = str(self.body.get("message", ""))
        super().__init__(f"{response.request.method} {response.request.url.path}: {self.status} {self.message}")


class Client:
    """One user's access to one API server."""

    def __init__(self, kubeconfig: Path, *, user_agent: str = FIELD_MANAGER, timeout: float = 30.0) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        headers = {"User-Agent": user_agent}
        if "token" in user:
            headers["Authorization"] = f"Bearer {user['token']}"
        self._http = httpx.Client(
            base_url=cluster["server"],
            verify=tls_context(cluster, user),
            headers=headers,
            timeout=timeout,
            trust_env=False,
        )
        self._resources: dict[str, dict[str, Object]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request; return the decoded answer. Raises `ApiError` for 4xx and 5xx, httpx errors otherwise."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": content_type}
        for _ in range(THROTTLED_TRIES):
            response = self._http.request(method, path, params=params, content=content, headers=headers)
            if response.status_code != 429:  # "storage is (re)initializing", just after a CRD has come
                break
            time.sleep(float(response.headers.get("Retry-After", 1)))
        if response.is_error:
            raise ApiError(response)
        answer: Object = response.json()
        return answer

    def text(self, path: str) -> str:
        """Read a path that does not answer in JSON, such as `/readyz` or `/metrics`."""
        response = self._http.get(path)
        if response.is_error:
            raise ApiError(response)
        return response.text

    def send_text(self, method: str, path: str, text: str) -> None:
        """Send JSON that Python itself could not write or read back, such as one nested very deeply."""
        headers = {"Content-Type": "application/json"}
        response = self._http.request(method, path, content=text.encode(), headers=headers)
        if response.is_error:
            raise ApiError(response)

    def get(self, path: str, **params: str | int) -> Object:
        return self.request("GET", path, params=params)

    def find(self, path: str) -> Object | None:
        """Like `get`, but None for what does not exist."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list_all(self, path: str, **params: str | int) -> list[Object]:
        """Return the items of a collection, page by page until there are no more."""
        items: list[Object] = []
        page: dict[str, str | int] = {"limit": PAGE, **params}
        while True:
            answer = self.get(path, **page)
            items += answer.get("items") or []
            token = answer["metadata"].get("continue")
            if not token:
                return items
            page["continue"] = token

    def create(self, item: Object, *, dry_run: bool = False) -> Object:
        return self.request("POST", self.collection_of(item), params=_dry_run(dry_run), body=item)

    def replace(self, item: Object) -> Object:
        return self.request("PUT", self.path_of(item), body=item)

    def apply(
        self, item: Object, *, field_manager: str = FIELD_MANAGER, force: bool = True, dry_run: bool = False
    ) -> Object:
        """Server-side apply."""
        params: dict[str, str | bool] = {"fieldManager": field_manager, "force": force, **_dry_run(dry_run)}
        content_type = "application/apply-patch+yaml"  # JSON is YAML
        return self.request("PATCH", self.path_of(item), params=params, body=item, content_type=content_type)

    def merge_patch(self, path: str, patch: object) -> Object:
        return self.request("PATCH", path, body=patch, content_type="application/merge-patch+json")

    def json_patch(self, path: str, operations: list[Object]) -> Object:
        return self.request("PATCH", path, body=operations, content_type="application/json-patch+json")

    def patch_status(self, path: str, status: Object) -> Object:
        """Merge `status` into the object's status subresource."""
        return self.merge_patch(f"{path}/status", {"status": status})

    def delete(self, path: str, *, propagation: str = "Background") -> Object:
        return self.request("DELETE", path, body={"propagationPolicy": propagation})

    def wait(self, path: str, until: Callable[[Object | None], object], *, timeout: float = 60.0) -> Object | None:
        """Poll until `until(object, or None if it does not exist)` is true; return what it saw last.

        Raises TimeoutError with the last state. The time is a guard against hanging, so be generous.
        """
        deadline = time.monotonic() + timeout
        while True:
            item = self.find(path)
            if until(item):
                return item
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is after {timeout:.0f} s still {json.dumps(item)}")
            time.sleep(POLL_SECONDS)

    def wait_gone(self, path: str, *, timeout: float = 60.0) -> None:
        self.wait(path, lambda item: item is None, timeout=timeout)

    def path_of(self, item: Object) -> str:
        """Return the path of an object, by its apiVersion, kind, namespace and name."""
        return f"{self.collection_of(item)}/{item['metadata']['name']}"

    def collection_of(self, item: Object) -> str:
        """Return the path of the collection an object belongs to."""
        resource = self._resource(item["apiVersion"], item["kind"])
        root = _group_path(item["apiVersion"])
        if not resource["namespaced"]:
            return f"{root}/{resource['name']}"
        return f"{root}/namespaces/{item['metadata'].get('namespace', 'default')}/{resource['name']}"

    def _resource(self, api_version: str, kind: str) -> Object:
        if kind not in self._resources.get(api_version, {}):
            served = self.get(_group_path(api_version))["resources"]
            self._resources[api_version] = {entry["kind"]: entry for entry in served if "/" not in entry["name"]}
        try:
            return self._resources[api_version][kind]
        except KeyError:
            raise LookupError(f"the API server serves no {kind} in {api_version}") from None


def _group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _dry_run(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def tls_context(cluster: Object, user: Object) -> ssl.SSLContext:
    """Trust and client certificate of a kubeconfig's cluster and user."""
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile(suffix=".pem") as pem:  # the ssl module reads files only
            pem.write(base64.b64decode(user["client-certificate-data"]))
            pem.write(base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
    return context
