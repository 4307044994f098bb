"""Whole objects of the Kubernetes API as JSON, for the commands that people run: with the rights of whoever calls.

Admitted here: which request answers which wish, and what failures mean to a person with a kubeconfig. The operator's own
calls are in `client`. Every call has a total timeout; nothing is retried, since a person can.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from runai_operator.codecs.json import Unreadable, decode_json
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    InvalidWorkload,
    KubernetesUnavailable,
    StaleObject,
    Vanished,
)
from runai_operator.domain.model import KIND
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.failures import FOREIGN, Call, failure, is_of_admission, is_terminating, message_of
from runai_operator.kube.pages import read_start
from runai_operator.kube.wire import (
    GROUP_PATH,
    MERGE_PATCH,
    METADATA_LIST,
    Answer,
    collection_path,
    decode_metadata,
)

FIELD_MANAGER = "rwl"
"""Flux undoes what managers have written whose names begin with `kubectl`."""
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
BODY_LIMIT = 256 * 1024 * 1024
PAGE = 250

WATCH_SECONDS = 240
"""How long the server keeps one watch open."""
SILENCE = 30.0
"""Seconds more without a word, after which it counts as broken."""
AGAIN_AFTER = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before the next watch: the first after one that ended as it should, the others after failures in a row."""

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace and name."""

_CONTENT_TYPES = {"PATCH": MERGE_PATCH, "POST": "application/json", "PUT": "application/json"}
_VERBS = {"GET": "get", "PATCH": "patch", "POST": "create", "PUT": "update", "DELETE": "delete"}


class _Expired(Exception):
    """The server no longer knows what happened since then."""


class Cluster:
    """One API server, as a command sees it; paths are those of the Kubernetes API."""

    def __init__(self, session: KubeSession, *, namespace: str) -> None:
        """`namespace`: the one that is meant when none is given."""
        self._session, self.namespace = session, namespace

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self._session.server

    def workloads(self, name: str | None = None, *, namespace: str | None = None, everywhere: bool = False) -> str:
        """Path of the RunaiWorkloads of a namespace or of all, or of one of them."""
        collection = collection_path(None if everywhere else namespace or self.namespace)
        return collection if name is None else f"{collection}/{quote(name, safe='')}"

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One object, or any other answer. Raises `Vanished` if there is none, and as `call` does."""
        return await self.call("GET", path, query=query)

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is no JSON, such as a log. Raises as `get` does."""
        call = _named("GET", path)
        answer = await self._send(call, "GET", path, query=query, body=None, accept="*/*")
        if answer.status >= 400:
            raise _refusal(call, path, answer)
        return (answer.body or b"").decode(errors="replace")

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Every object of a collection, page by page; `apiVersion` and `kind` are only on those of lists that name them."""
        async for page in self._pages(path, query, None):
            kind, version = str(page.get("kind", "")).removesuffix("List"), page.get("apiVersion")
            for item in page.get("items") or ():
                yield {"apiVersion": version, "kind": kind} | item if kind and version else item

    async def metadata(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """The metadata of every object of a collection, as `PartialObjectMetadata`."""
        async for page in self._pages(path, query, METADATA_LIST):
            for item in page.get("items") or ():
                yield item

    async def follow(
        self,
        path: str,
        query: Mapping[str, str],
        keep: Callable[[dict[str, Any]], T | None],
        troubled: Callable[[str | None], None] = lambda _: None,
    ) -> AsyncGenerator[Mapping[Key, T]]:
        """What `keep` takes of each object of a collection (None: nothing), now and again after every change.

        It is one mapping, which changes. A watch that is closed, cut or too old is replaced, with pauses, for as long as the
        caller wants; `troubled` gets why, once it fails again and again, and None when there is one again. Raises as `call`
        does until the first answer, and whenever access is denied.
        """
        kept, began = await self._snapshot(path, query, keep)
        yield kept
        version: str | None = began
        failures = 0
        while True:
            try:
                if version is None:
                    found, version = await self._snapshot(path, query, keep)
                    kept.clear()
                    kept.update(found)
                    yield kept
                watch = self._watch(path, {**query, "resourceVersion": version}, opened=lambda: troubled(None))
                async with aclosing(watch) as events:
                    async for event in events:
                        failures, version = 0, event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK" and _change(kept, event, keep):
                            yield kept
            except _Expired:
                version = None
            except KubernetesUnavailable as error:
                failures += 1
                if failures > 1:
                    troubled(error.message)
            await asyncio.sleep(AGAIN_AFTER[min(failures, len(AGAIN_AFTER) - 1)])

    async def _snapshot(
        self, path: str, query: Mapping[str, str], keep: Callable[[dict[str, Any]], T | None]
    ) -> tuple[dict[Key, T], str]:
        found: dict[Key, T] = {}
        version = ""
        async for page in self._pages(path, query, None):
            version = version or page["metadata"]["resourceVersion"]
            for item in page.get("items") or ():
                _change(found, {"type": "ADDED", "object": item}, keep)
        return found, version

    async def _watch(
        self, path: str, query: Mapping[str, str], *, opened: Callable[[], None]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The events of one watch, after `opened` was called. Raises `_Expired`, and as `call` does."""
        named = _named("GET", path)
        call = Call("watch", named.resource, named.namespace)
        params = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        patience = aiohttp.ClientTimeout(sock_connect=10, sock_read=WATCH_SECONDS + SILENCE)
        url = URL(self._session.server + path, encoded=True)
        try:
            async with self._session.http.get(
                url, timeout=patience, allow_redirects=False, headers={"Accept": "application/json"}, params=params
            ) as response:
                if response.status == 410:
                    raise _Expired
                if response.status >= 400:
                    raise _refusal(
                        call, path, Answer(response.status, (await read_start(response.content, BODY_LIMIT))[0])
                    )
                opened()
                async for line in _lines(response.content):
                    yield _event(call, line)
        except FOREIGN as error:
            raise failure(call, error) from error

    async def patch(self, path: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Merge patch (None removes a field); returns the object. With a `resourceVersion` it is guarded: `StaleObject`."""
        return await self.call("PATCH", path, body=changes)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Posts to a collection; `StaleObject` if there is one of that name."""
        return await self.call("POST", path, body=body)

    async def delete(self, path: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`options`: DeleteOptions, such as preconditions."""
        return await self.call("DELETE", path, body=options)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """The JSON object that is answered. Raises `Vanished`, `AccessDenied`, `StaleObject`, `InvalidWorkload`, `KubernetesUnavailable`."""
        call = _named(method, path)
        answer = await self._send(call, method, path, query=query, body=body, accept=accept)
        if answer.status >= 400:
            raise _refusal(call, path, answer)
        try:
            value = decode_metadata(answer.body) if accept == METADATA_LIST else decode_json(answer.body)
        except Unreadable as error:
            raise failure(call, error) from None
        if not isinstance(value, dict):
            raise failure(call, Unreadable("it is no object"))
        return value

    async def _pages(
        self, path: str, query: Mapping[str, str] | None, accept: str | None
    ) -> AsyncIterator[dict[str, Any]]:
        token = ""
        while True:
            page = await self.call(
                "GET",
                path,
                query={"limit": str(PAGE)} | ({"continue": token} if token else {}) | dict(query or {}),
                accept=accept or "application/json",
            )
            yield page
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def _send(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        accept: str,
    ) -> Answer:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = _CONTENT_TYPES.get(method, "application/json")
        params = dict(query or {}) | ({"fieldManager": FIELD_MANAGER} if method in _CONTENT_TYPES else {})
        url = URL(self._session.server + path, encoded=True)
        try:
            async with self._session.http.request(
                method,
                url,
                timeout=TIMEOUT,
                allow_redirects=False,
                headers=headers,
                params=params,
                data=None if body is None else _dump(body),
            ) as response:
                content, complete = await read_start(response.content, BODY_LIMIT)
                if not complete:
                    raise Unreadable(f"it is longer than {BODY_LIMIT // 1024 // 1024} MiB")
                return Answer(response.status, content)
        except FOREIGN as error:
            raise failure(call, error) from error


def _dump(body: Mapping[str, Any]) -> bytes:
    """As kubectl sends it: escaped, wide text would be up to three times as long, and the API server takes 3 MiB."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _change(kept: dict[Key, T], event: Mapping[str, Any], keep: Callable[[dict[str, Any]], T | None]) -> bool:
    """Whether anything that is kept has changed."""
    metadata = event["object"]["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    value = None if event["type"] == "DELETED" else keep(event["object"])
    before = kept.pop(key, None)
    if value is not None:
        kept[key] = value
    return before != value


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length: aiohttp's own may be 64 KiB long."""
    rest: list[bytes] = []
    async for chunk in stream.iter_any():
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for begun in others:
            yield b"".join(rest)
            rest = [begun]


def _event(call: Call, line: bytes) -> dict[str, Any]:
    """Raises `_Expired`, or what an error among the events means."""
    event: dict[str, Any] = decode_json(line)
    if event.get("type") == "ERROR":
        status = event.get("object") or {}
        if status.get("code") == 410:
            raise _Expired
        raise failure(call, Answer(int(status.get("code") or 500), json.dumps(status).encode()))
    return event


def _refusal(call: Call, path: str, answer: Answer) -> BridgeError:
    """In the words for a person with a kubeconfig, who is not the operator."""
    what = f"{call.resource} {call.name}" if call.name else call.resource
    place = f" in namespace {call.namespace}" if call.namespace else ""
    if is_of_admission(answer) or is_terminating(answer):
        return failure(call, answer)
    match answer.status:
        case 401:
            return AccessDenied("Kubernetes does not accept your credentials. Log in again, or choose another context.")
        case 403:
            return AccessDenied(f"You are not allowed to {call}. Ask an administrator for that right.")
        case 404 if path.startswith(GROUP_PATH) and not isinstance(failure(call, answer), Vanished):
            return KubernetesUnavailable(
                f"This cluster does not know {KIND}s. Have an administrator install the operator, or choose another context."
            )
        case 404:
            return Vanished(f"There is no {what}{place}.")
        case 400:
            return InvalidWorkload(f"Kubernetes does not understand the request to {call}: {message_of(answer)}.")
        case 409:
            return StaleObject(f"Somebody else has changed or created {what}{place} in the meantime. Try again.")
        case _:
            return failure(call, answer)


def _named(method: str, path: str) -> Call:
    """The request in the words of RBAC, read from its path: `/api/v1/...` or `/apis/GROUP/VERSION/...`."""
    parts = [part for part in path.split("/") if part]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    namespace = None
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    if not parts:
        return Call(_VERBS[method].lower(), path)
    name = parts[1] if len(parts) > 1 else None
    resource = "/".join([parts[0], *parts[2:]])
    verb = "list" if method == "GET" and name is None else _VERBS[method]
    return Call(verb, resource, namespace, name)
