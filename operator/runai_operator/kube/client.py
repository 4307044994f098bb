"""The calls we make to the Kubernetes API: one method per need of the engine.

Admitted here: which request answers which need. What JSON means is in `wire`, what failures mean in `failures`. Every
call has a total timeout; after a 429 it waits once, as the answer says, and tries again; nothing else is retried here.
Bodies are requested only where they are read: writes are answered with metadata.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from runai_operator.codecs.json import TooDeep, Unreadable, decode_json
from runai_operator.domain.errors import (
    AccessDenied,
    KubernetesUnavailable,
    NotSelected,
    SourceUnusable,
    StaleObject,
    TooLarge,
    Vanished,
)
from runai_operator.domain.events import Event
from runai_operator.domain.model import PLURAL, CRDState, Meta, Orphan, Ref, SourceRef, SourceText, TableRow, Workload
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import repeat_call_after
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.failures import FOREIGN, Call, failure, retry_after
from runai_operator.kube.pages import PAGE_LIMIT, SKIPPED, PageSize, read_page_start, read_start
from runai_operator.kube.wire import (
    ACCESS_REVIEWS_PATH,
    CRD_NAME,
    CRD_PATH,
    GROUP_PATH,
    MAY_WE_READ_THE_CRD,
    MERGE_PATCH,
    METADATA,
    ORPHANS,
    TABLE,
    Answer,
    collection_path,
    configmaps_path,
    crd_from_metadata,
    decode_metadata,
    decode_workload,
    event_object,
    events_path,
    is_in_groups,
    is_watchable,
    meta_from_object,
    orphan_entry,
    orphans_of,
    page_of_table,
    source_path,
    source_text,
    workload_from_object,
    workload_path,
)
from runai_operator.selector import Selector

log = logging.getLogger(__name__)

FIELD_MANAGER = "runai-operator"

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
SMALL_BODY = 256 * 1024
"""Bytes that are parsed on the event loop; more than this would hold up others for milliseconds."""
BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of any answer. A single object has at most 1.5 MiB in etcd, about twice that when its text is escaped."""
PAGE = 250
RESTARTS = 5
"""How often a list may start over because its continue token was too old."""
MOST_ORPHANS = 1000
"""Entries in the record of orphans: a ConfigMap holds 1 MiB, and an entry less than 1 KiB."""

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

T = TypeVar("T")


class KubeClient:
    """Implements the engine's `Kube` port over a `KubeSession`, and what `main` and the shell need besides."""

    def __init__(
        self,
        session: KubeSession,
        *,
        namespaces: Sequence[str] = (),
        selector: Selector | None = None,
        records_namespace: str = "default",
        instance: str = FIELD_MANAGER,
        page: int = PAGE,
    ) -> None:
        """No namespaces means the whole cluster, no selector all objects there. `records_namespace` holds the operator's own records; `instance` names this
        process in Events; `page` is the number of objects per list call."""
        self._session, self._selector = session, selector
        self._records_namespace, self._instance = records_namespace, instance
        self.scopes: Sequence[str | None] = tuple(namespaces) or (None,)
        self._page = PageSize(page)
        self._skipped: dict[str | None, int] = {}

    async def read(self, ref: Ref, *, large: bool) -> Workload | None:
        """The whole object; None when it is gone or has another UID. Raises `NotSelected`.

        With `large` false, raises `TooLarge` for a body above 256 KiB or nested deeply. With `large` true any body is
        parsed, off the event loop; a manifest nested too deeply is then missing from the spec and named by `spec_error`.
        """
        call = Call("get", PLURAL, ref.namespace, ref.name)
        try:
            if large:
                answer = await self._call(call, workload_path(ref))
                workload = await asyncio.to_thread(_decoded, call, answer, decode_workload)
            else:
                answer = await self._call(call, workload_path(ref), limit=SMALL_BODY)
                workload = _decoded(call, answer, _small_workload)
        except Vanished:
            return None
        if workload.ref.uid != ref.uid:
            return None
        if self._selector is not None and not self._selector.matches(workload.labels):
            raise NotSelected(f"The object {ref} is served by another release.")
        return workload

    async def write_finalizers(self, ref: Ref, finalizers: tuple[str, ...], *, resource_version: str) -> str:
        """Replaces the finalizers if nobody wrote since `resource_version`; returns the new one.

        Raises `StaleObject` on a conflict, `Vanished`, `InvalidWorkload` when the API server refuses the object.
        """
        call = Call("patch", PLURAL, ref.namespace, ref.name)
        patch = {"metadata": {"resourceVersion": resource_version, "finalizers": list(finalizers)}}
        return await self._patch(call, ref, workload_path(ref), patch)

    async def write_status(self, ref: Ref, patch: Mapping[str, Any], *, resource_version: str) -> str:
        """Merge patch of `status` (None removes a field) if nobody wrote since `resource_version`; returns the new one.

        Raises as `write_finalizers` does.
        """
        call = Call("patch", f"{PLURAL}/status", ref.namespace, ref.name)
        body = {"metadata": {"resourceVersion": resource_version}, "status": patch}
        return await self._patch(call, ref, f"{workload_path(ref)}/status", body)

    async def list_all(self, scope: str | None) -> AsyncIterator[TableRow]:
        """Every RunaiWorkload in the scope, in pages of `Table` rows, without bodies.

        A list whose continue token has expired starts over: objects may then come twice.
        """
        skipped: set[str] = set()
        async for page in self._pages(scope, skipped):
            for listed in page:
                yield listed
        self._skipped[scope] = len(skipped)

    @property
    def skipped(self) -> int:
        """Objects that the last lists left out, since each alone is larger than a page may be."""
        return sum(self._skipped.values())

    async def read_source(self, namespace: str, source: SourceRef) -> SourceText:
        """The text of a `manifestFrom`. Raises `SourceUnusable` when it, its key or the right to it is missing."""
        try:
            call, path = _source_call(namespace, source)
            answer = await self._call(call, path)
        except Vanished:
            raise SourceUnusable(
                f"There is no {source.kind} {source.name} in namespace {namespace}. Create it, or correct"
                " spec.manifestFrom.",
                reason=Reason.SOURCE_NOT_FOUND,
            ) from None
        except AccessDenied:
            raise SourceUnusable(
                f"The operator is not allowed to read {source.kind} {source.name} in namespace {namespace}. Ask an"
                " administrator to allow it, or give the manifest in another way.",
                reason=Reason.SOURCE_FORBIDDEN,
            ) from None
        return _decoded(call, answer, lambda body: source_text(decode_metadata(body), source))

    async def source_version(self, namespace: str, source: SourceRef) -> str:
        """resourceVersion of the source by a metadata-only read, or the reason when it is missing or forbidden."""
        try:
            return await self._metadata(*_source_call(namespace, source), "resourceVersion")
        except Vanished:
            return Reason.SOURCE_NOT_FOUND
        except AccessDenied:
            return Reason.SOURCE_FORBIDDEN
        except SourceUnusable as error:
            return error.version

    async def read_crd(self) -> CRDState | None:
        """The CustomResourceDefinition of RunaiWorkloads; None where it may not be read.

        An installation for single namespaces usually may not: it asks first, since audit logs count denied calls."""
        if self.scopes != (None,) and not await self._may_read_crd():
            return None
        call = Call("get", "customresourcedefinitions", name=CRD_NAME)
        try:
            answer = await self._call(call, CRD_PATH, accept=METADATA)
        except AccessDenied:
            return None
        except Vanished:
            return CRDState(deleting=True, confirmed=False)
        return _decoded(call, answer, lambda body: crd_from_metadata(decode_metadata(body)["metadata"]))

    async def _may_read_crd(self) -> bool:
        """A SelfSubjectAccessReview, which Kubernetes allows everybody."""
        call = Call("create", "selfsubjectaccessreviews")
        try:
            answer = await self._call(call, ACCESS_REVIEWS_PATH, post=json.dumps(MAY_WE_READ_THE_CRD).encode())
        except AccessDenied:
            return False
        return _decoded(call, answer, lambda body: decode_json(body)["status"]["allowed"] is True)

    async def record_orphan(self, orphan: Orphan) -> bool:
        """Writes it into the record in our own namespace; False when that is full."""
        known = await self.orphans()
        if orphan.mark.uid not in known and len(known) >= MOST_ORPHANS:
            return False
        try:
            await self._patch_record({orphan.mark.uid: orphan_entry(orphan)})
        except Vanished:
            await self._create_record({orphan.mark.uid: orphan_entry(orphan)})
        return True

    async def orphans(self) -> dict[str, Orphan | None]:
        """The whole record by the UID of the RunaiWorkload; None for an entry that cannot be read."""
        call, path = self._record_call("get")
        try:
            answer = await self._call(call, path)
        except Vanished:
            return {}
        return _decoded(call, answer, lambda body: orphans_of(decode_metadata(body)))

    async def forget_orphan(self, uid: str) -> None:
        """Removes one entry from the record."""
        await self._patch_record({uid: None})

    def _record_call(self, verb: str) -> tuple[Call, str]:
        return Call(
            verb, "configmaps", self._records_namespace, ORPHANS
        ), f"{configmaps_path(self._records_namespace)}/{ORPHANS}"

    async def _patch_record(self, data: Mapping[str, str | None]) -> None:
        call, path = self._record_call("patch")
        query = {"fieldManager": FIELD_MANAGER}
        await self._call(call, path, accept=METADATA, query=query, patch=json.dumps({"data": data}).encode())

    async def _create_record(self, data: Mapping[str, str]) -> None:
        call = Call("create", "configmaps", self._records_namespace)
        record = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ORPHANS}, "data": data}
        query = {"fieldManager": FIELD_MANAGER}
        try:
            path = configmaps_path(self._records_namespace)
            await self._call(call, path, accept=METADATA, query=query, post=json.dumps(record).encode())
        except StaleObject:  # another process created it in the meantime
            await self._patch_record(data)
        except Vanished:
            raise KubernetesUnavailable(
                f"There is no namespace {self._records_namespace} to record orphans in. Create it, or correct"
                " OPERATOR_RECORDS_NAMESPACE."
            ) from None

    async def record_event(self, about: Meta, event: Event, when: datetime) -> None:
        """Makes an Event of `events.k8s.io/v1`, which `kubectl describe` shows with the object."""
        call, path = Call("create", "events", about.ref.namespace), events_path(about.ref.namespace)
        body = json.dumps(event_object(about, event, when, controller=FIELD_MANAGER, instance=self._instance)).encode()
        await self._call(call, path, accept=METADATA, query={"fieldManager": FIELD_MANAGER}, post=body)

    async def namespace_uid(self, name: str) -> str:
        """UID of a namespace; that of `kube-system` identifies the cluster. Raises `Vanished`, `AccessDenied`."""
        return await self._metadata(Call("get", "namespaces", name=name), f"/api/v1/namespaces/{name}", "uid")

    async def resource_served(self) -> bool:
        """Whether RunaiWorkloads can be watched: both lists of resources that kopf reads contain them."""
        call = Call("get", GROUP_PATH)
        version = await self._call(call, GROUP_PATH, accepted=(404,))
        if version.status == 404 or not _decoded(call, version, lambda body: is_watchable(decode_json(body))):
            return False
        groups = await self._call(call, "/apis")
        return _decoded(call, groups, lambda body: is_in_groups(decode_json(body)))

    async def _pages(self, namespace: str | None, skipped: set[str]) -> AsyncIterator[list[TableRow]]:
        call, path = Call("list", PLURAL, namespace), collection_path(namespace)
        token, begun = "", 0
        while True:
            expired = (410,) if token and begun < RESTARTS else ()
            query = {"limit": str(self._page.limit)} | ({"continue": token} if token else {})
            if self._selector is not None:
                query["labelSelector"] = str(self._selector)
            answer = await self._call(
                call, path, accept=TABLE, query=query, accepted=expired, limit=PAGE_LIMIT, only_start=True
            )
            if answer.status == 410:
                token, begun = "", begun + 1
                continue
            if not answer.complete and self._page.shrink(answer.body):
                continue
            if answer.complete:
                self._page.restore(len(answer.body))
                rows, token = await self._table(call, answer)
                yield rows
            else:
                start = _decoded(call, answer, read_page_start)
                token = start.metadata.get("continue") or ""
                skipped.add(start.first)
                log.warning(SKIPPED, start.first)
            if not token:
                return

    @staticmethod
    async def _table(call: Call, answer: Answer) -> tuple[list[TableRow], str]:
        def read(body: bytes) -> tuple[list[TableRow], str]:
            return page_of_table(decode_metadata(body, lean=True))

        if len(answer.body) > SMALL_BODY:
            return await asyncio.to_thread(_decoded, call, answer, read)
        return _decoded(call, answer, read)

    async def _metadata(self, call: Call, path: str, name: str) -> str:
        answer = await self._call(call, path, accept=METADATA)
        return _decoded(call, answer, lambda body: str(decode_metadata(body)["metadata"][name]))

    async def _patch(self, call: Call, ref: Ref, path: str, patch: Mapping[str, Any]) -> str:
        query = {"fieldManager": FIELD_MANAGER}
        answer = await self._call(call, path, accept=METADATA, query=query, patch=json.dumps(patch).encode())
        meta = _decoded(call, answer, lambda body: meta_from_object(decode_metadata(body)["metadata"]))
        if meta.ref.uid != ref.uid:
            raise Vanished(f"The object {ref} was deleted and created again by somebody else.")
        self._session.echoes.expect(meta.resource_version)
        return meta.resource_version

    async def _call(
        self,
        call: Call,
        path: str,
        *,
        accept: str = "application/json",
        query: Mapping[str, str] | None = None,
        patch: bytes | None = None,
        post: bytes | None = None,
        limit: int = BODY_LIMIT,
        only_start: bool = False,
        accepted: Sequence[int] = (),
    ) -> Answer:
        """GET, or PATCH or POST of what is given. Raises the domain's errors, for every status of 400 and above not in
        `accepted` too; `TooLarge` for a body of more than `limit` bytes, of which `only_start` asks for the start."""
        method = "PATCH" if patch is not None else "POST" if post is not None else "GET"
        content_type = {"PATCH": MERGE_PATCH, "POST": "application/json"}.get(method)
        headers = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        body = patch if patch is not None else post

        async def send() -> Answer:
            return await self._send(
                call, method, path, headers=headers, params=query, data=body, limit=limit, only_start=only_start
            )

        answer = await send()
        if answer.status == 429:
            await asyncio.sleep(repeat_call_after(retry_after(answer)))
            answer = await send()
        if answer.status >= 400 and answer.status not in accepted:
            raise failure(call, answer)
        return answer

    async def _send(
        self, call: Call, method: str, path: str, *, limit: int, only_start: bool, **options: Any
    ) -> Answer:
        http = self._session.http
        url = URL(self._session.server + path, encoded=True)
        try:
            async with http.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options) as response:
                body, complete = await read_start(response.content, limit)
                if not complete and not only_start:
                    raise _too_long(limit)
                return Answer(response.status, body, response.headers.get("Retry-After"), complete)
        except FOREIGN as error:
            raise failure(call, error) from error
        except RuntimeError as error:
            if not http.closed:
                raise
            raise failure(call, aiohttp.ClientConnectionError("closed")) from error


def _too_long(limit: int) -> Exception:
    if limit < BODY_LIMIT:
        return TooLarge(f"The object has more than {limit // 1024} KiB.")
    return Unreadable(f"it is longer than {limit // 1024} KiB")


def _decoded(call: Call, answer: Answer, read: Callable[[bytes], T]) -> T:
    try:
        return read(answer.body)
    except Unreadable as error:
        raise failure(call, error) from None
    except (KeyError, TypeError, AttributeError, ValueError):
        raise failure(call, Unreadable("it is not what was asked for")) from None


def _small_workload(body: bytes) -> Workload:
    try:
        return workload_from_object(decode_json(body))
    except TooDeep as error:
        raise TooLarge(f"The object is {error}.") from None


def _source_call(namespace: str, source: SourceRef) -> tuple[Call, str]:
    """The request for a source. An invalid name could make another path of it: two dots would list all Secrets."""
    if not _DNS_NAME.fullmatch(source.name):
        raise SourceUnusable(
            f"The name of the {source.kind} in spec.manifestFrom is not valid. Correct it.", reason=Reason.INVALID_SPEC
        )
    resource = "secrets" if source.kind == "Secret" else "configmaps"
    return Call("get", resource, namespace, source.name), source_path(namespace, source)
