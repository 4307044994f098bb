"""Run:ai's JSON, read and written: answers to nouns of the domain, submissions to request bodies.

Admitted here: field names, bounds and shapes of the API; nothing that waits. The reader is tolerant: unknown fields
are dropped, enums stay the words Run:ai used, an optional field of the wrong type counts as missing. A required field
that is missing raises `Unreadable`. The writer is strict: what JSON cannot express exactly is refused with
`InvalidWorkload`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from runai_operator.codecs.json import Unreadable, decode_json
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.manifest import CONTENT, OWNER_ANNOTATIONS, read_content, read_mark
from runai_operator.domain.model import (
    Gvk,
    Json,
    Project,
    Remote,
    Row,
    RowPage,
    RowQuery,
    Submission,
    UnreadRow,
    is_later,
)
from runai_operator.text import clip, one_line

PROJECT_PAGE = 100
ENCODED_LIMIT = 2_097_152
"""Most characters of `manifestBase64Encoded` (Workloads V2 API)."""

_Item = TypeVar("_Item")

_WORD = 253
_SENTENCE = 4096
_MOST_MESSAGES = 10
_INT32_MAX = 2**31 - 1

_REMOTE_FIELDS = {
    "workload", "metadata", "desiredPhase", "syncInfo", "rawManifest", "workloadManifest", "id", "name", "projectId",
    "projectName", "clusterId", "departmentName", "gvk", "group", "version", "kind", "priority", "category",
    "preemptibility", "createdAt", "updatedAt", "deletedAt", "status", "message", "annotations", *OWNER_ANNOTATIONS, CONTENT,
}  # fmt: skip
_ROW_FIELDS = {
    "workloads", "next", "phase", "phaseMessage", "phaseUpdatedAt", "runningPods", "requestedPods", "number",
    "parallelism", "allocatedResources", "gpu", "priorityClassName", "completedAt", "pendingSchedulingMessages",
    "userMessage", "reason", "projects",
}  # fmt: skip
_TOKEN_FIELDS = {"access_token", "accessToken", "expires_in", "expiresIn", "exp", "iat"}
_ERROR_FIELDS = {"code", "message", "details", "error"}
_READ = frozenset(_REMOTE_FIELDS | _ROW_FIELDS | _TOKEN_FIELDS | _ERROR_FIELDS)

_SUMMARIES = ("message", "error_description", "detail", "title", "error", "reason", "msg")
"""Where error bodies of all kinds say what is wrong; the first one that is there."""
_PARTICULARS = ("details", "errors")
_PLACES = ("field", "path", "property")
_MOST_PARTICULARS = 10
_DEEPEST_ERROR = 16

_OAUTH_ERRORS = (
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "server_error", "temporarily_unavailable",
)  # fmt: skip

_JSON_TYPE = re.compile(r"(application/([\w.-]+\+)?json|text/json)\s*(;|$)", re.IGNORECASE)
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_FILTER_VALUE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,252}")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, reduced to what the operator uses."""

    status: int
    body: bytes | None = field(default=b"", repr=False)
    """None when it was larger than the caller allowed."""
    content_type: str = ""
    retry_after: str | None = None
    date: datetime | None = None
    """The `Date` header, UTC."""


def parse(answer: Answer) -> Json:
    """The answer's JSON object, reduced to the fields that this module reads.

    Dropping the rest while parsing keeps environments, commands and manifests out of memory. The hook also lets other
    threads run: without one, the parser holds the interpreter for the whole body (150 ms for 6 MiB, measured).
    """
    if answer.body is None:
        raise Unreadable("larger than expected")
    if answer.content_type and not _JSON_TYPE.match(answer.content_type):
        raise Unreadable(f"not JSON but {clip(one_line(answer.content_type), 64)}")
    return _json_object(answer.body)


def parse_whole(answer: Answer) -> Json:
    """The answer's JSON object with every field: the manifest of somebody's workload is among them, for a command that hands it
    to that person. Raises as `parse` does."""
    parse(answer)
    whole: Json = decode_json(answer.body or b"")
    return whole


def read_message(answer: Answer) -> str:
    """What an error answer says, on one line, in whatever form it says it; empty when that is nothing for people.

    What it says proves nothing: see `is_absent`.
    """
    if answer.body is None:
        return ""
    if answer.content_type.lower().startswith("text/plain"):
        text = one_line(answer.body.decode(errors="replace"))
        return "" if text.startswith("<") else text
    try:
        body = decode_json(answer.body, max_depth=_DEEPEST_ERROR)
    except Unreadable:
        return ""
    return one_line("; ".join(dict.fromkeys(_told(body))))


def _told(said: Any) -> Iterator[str]:
    """The texts in an error body, the summary first. Other fields are left out: they may show what was sent."""
    if isinstance(said, str):
        yield from filter(None, [said.strip()])
    elif isinstance(said, list):
        for one in said[:_MOST_PARTICULARS]:
            yield from _told(one)
    elif isinstance(said, dict):
        summary = next((text for key in _SUMMARIES if (text := "; ".join(_told(said.get(key))))), "")
        place = next((where for key in _PLACES if isinstance(where := said.get(key), str)), "")
        if place and summary:
            summary = f"{place}: {summary}"
        particulars = "; ".join(text for key in _PARTICULARS for text in _told(_by_field(said.get(key))))
        yield from filter(None, [f"{summary} ({particulars})" if summary and particulars else summary or particulars])


def _by_field(errors: Any) -> Any:
    """Errors as a list, where they come as a mapping from fields to what is wrong with them."""
    if not isinstance(errors, dict) or not errors.keys().isdisjoint((*_SUMMARIES, *_PARTICULARS)):
        return errors
    return [{"field": name, "message": text} for name, text in errors.items() if isinstance(text, str | list)]


def read_oauth_error(answer: Answer) -> str | None:
    """The OAuth 2.0 error word of a token endpoint; only words of the standard: any other text may echo the request."""
    try:
        word = parse(answer).get("error")
    except Unreadable:
        return None
    return word if word in _OAUTH_ERRORS else None


def is_absent(answer: Answer) -> bool:
    """Whether Run:ai itself reports that the workload does not exist.

    Only a 404 with the API's error body counts. Any other 404 comes from a wrong base URL, a gateway or a release
    without the route, and must never look like a deleted workload.
    """
    if answer.status != 404:
        return False
    try:
        body = parse(answer)
    except Unreadable:
        return False
    if type(body.get("code")) is not int or not isinstance(body.get("message"), str):
        return False
    # With a kind it is a Kubernetes Status: the base URL points at an API server.
    return body["code"] == 404 and isinstance(body.get("details"), str | None) and "kind" not in body


def read_remote(body: Json) -> Remote:
    """A V2 workload: wrapped with `syncInfo` as GET answers, or bare as POST, PUT and DELETE do."""
    inner = body.get("workload")
    workload = inner if isinstance(inner, dict) else body
    metadata = _mapping(workload.get("metadata"))
    if metadata is None:
        raise Unreadable("no metadata")
    sync = _mapping(body.get("syncInfo")) or _mapping(workload.get("syncInfo")) or {}
    manifests = [m for m in (workload.get("rawManifest"), workload.get("workloadManifest")) if _shows_annotations(m)]
    return Remote(
        id=_required_id(metadata),
        name=_required(metadata, "name", _name),
        project_id=_required(metadata, "projectId", _identifier),
        project_name=_word(metadata.get("projectName")),
        cluster_id=_word(metadata.get("clusterId")),
        department_name=_word(metadata.get("departmentName")),
        gvk=_gvk(metadata.get("gvk")),
        priority=_word(metadata.get("priority")),
        category=_word(metadata.get("category")),
        preemptibility=_word(metadata.get("preemptibility")),
        desired_phase=_word(workload.get("desiredPhase")),
        created_at=_moment(metadata.get("createdAt")),
        updated_at=_moment(metadata.get("updatedAt")),
        deleted_at=_moment(metadata.get("deletedAt")),
        sync_status=_word(sync.get("status")),
        sync_message=_sentence(sync.get("message")),
        mark=next(filter(None, map(read_mark, manifests)), None),
        content=next(filter(None, map(read_content, manifests)), None),
        mark_readable=bool(manifests),
    )


def read_remote_of(workload_id: str) -> Callable[[Json], Remote]:
    """A reader that refuses any workload but this one."""

    def read(body: Json) -> Remote:
        remote = read_remote(body)
        if remote.id.lower() != workload_id.lower():
            raise Unreadable("another workload than the one asked for")
        return remote

    return read


def read_submitted(workload_id: str) -> Callable[[Json], tuple[Remote, Json]]:
    """A reader of an answer from `parse_whole`: this workload, with its manifest as it was submitted. That is empty where Run:ai
    does not show it; what was applied in its place has fields that the platform added."""

    def read(body: Json) -> tuple[Remote, Json]:
        inner = body.get("workload")
        workload = inner if isinstance(inner, dict) else body
        return read_remote_of(workload_id)(body), _mapping(workload.get("rawManifest")) or {}

    return read


def read_created(submission: Submission) -> Callable[[Json], Remote]:
    """A reader of the answer to a POST, which refuses a workload of another project, or with another mark than was sent: it
    would be taken for ours. Its name may be another: the answer says which one it got."""

    def read(body: Json) -> Remote:
        remote = read_remote(body)
        is_marked_otherwise = remote.mark is not None and remote.mark != read_mark(submission.manifest)
        if remote.project_id != submission.project_id or is_marked_otherwise:
            raise Unreadable("another workload than the one submitted")
        return remote

    return read


def told_id(answer: Answer) -> str | None:
    """The id of a workload in an accepted dry run's answer, which need not have one, nor any body."""
    try:
        body = parse(answer)
    except Unreadable:
        return None
    workload = body.get("workload", body)
    metadata = workload.get("metadata") if isinstance(workload, dict) else None
    found = metadata.get("id") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def read_page(query: RowQuery, date: datetime | None) -> Callable[[Json], RowPage]:
    """A reader of one page of the v1 list. Name and project are compared again: how filters combine is not stated.

    One bad row must not hide the others, so it is counted; but a look-up by name that finds only bad ones is an error.
    """

    def read(body: Json) -> RowPage:
        found, unreadable = _read_all(body, "workloads", _read_row)
        if unreadable and not found and query.name is not None:
            raise Unreadable("nothing readable among its workloads")
        wanted = (row for row in found if query.name in (None, row.name) and query.project_id in (None, row.project_id))
        return RowPage(_each_once(wanted), _next_offset(body, query.offset), date, unreadable)

    return read


def _each_once(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Of two rows of one workload the one that changed last: each poll would take both for news."""
    latest: dict[str, Row] = {}
    for row in rows:
        known = latest.get(row.id)
        if known is None or not is_later(known.phase_updated_at, row.phase_updated_at):
            latest[row.id] = row
    return tuple(latest.values())


@dataclass(frozen=True, slots=True)
class WholePage:
    """All rows that a page shows, also those of others."""

    rows: tuple[Row, ...]
    following: int | None
    """Offset of the next page."""
    unread: tuple[UnreadRow, ...] = ()
    tail: int = 0
    """How many of the unread are behind the last of the rows."""


def read_whole_page(query: RowQuery) -> Callable[[Json], WholePage]:
    """A reader of a page of a look-up.

    What is missed would pass for absent, so an unreadable row that may be of the name, and a next page that leads nowhere,
    raise `Unreadable`. Where no name is asked for, unreadable rows are listed.
    """

    def read(body: Json) -> WholePage:
        items = body.get("workloads")
        if not isinstance(items, list):
            raise Unreadable("no list of workloads")
        rows, unread, tail = list[Row](), list[UnreadRow](), 0
        for item in items:
            try:
                rows.append(_read_row(item))
                tail = 0
            except Unreadable:
                if query.name is not None and item is not None and _may_be_named(query.name, item):
                    raise
                unread.append(_unread(item))
                tail += 1
        following = _next_offset(body, query.offset)
        if following is None and body.get("next") not in (None, 0, ""):
            raise Unreadable("its next page leads nowhere")
        return WholePage(tuple(rows), following, tuple(unread), tail)

    return read


def read_projects_from(offset: int) -> Callable[[Json], tuple[list[Project], int | None]]:
    """A reader of the page of projects at `offset`, with the offset of the next."""

    def read(body: Json) -> tuple[list[Project], int | None]:
        found, unreadable = _read_all(body, "projects", read_project)
        if unreadable and not found:
            raise Unreadable("nothing readable among its projects")
        return found, _next_offset(body, offset)

    return read


def read_project(item: Any) -> Project:
    """One project, out of a list or alone."""
    project = _mapping(item)
    if project is None:
        raise Unreadable("no object")
    return Project(
        id=_required(project, "id", _identifier),
        name=_required(project, "name", _name),
        cluster_id=_word(project.get("clusterId")),
    )


def read_row_of(row_id: str) -> Callable[[Json], Row]:
    """A reader of one v1 workload that refuses any but this one. The scheduler's words are its message if it has none."""

    def read(body: Json) -> Row:
        row = _read_row(body)
        if row.id.lower() != row_id.lower():
            raise Unreadable("another workload than the one asked for")
        said = "; ".join(_scheduling_messages(body))
        return row if row.phase_message or not said else replace(row, phase_message=said, by_scheduler=True)

    return read


def _scheduling_messages(body: Json) -> tuple[str, ...]:
    """`pendingSchedulingMessages` of a v1 workload: each once, the text for users before the reason word."""
    listed = body.get("pendingSchedulingMessages")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    said = (_word(entry.get("userMessage"), _SENTENCE) or _word(entry.get("reason")) for entry in entries)
    return tuple(dict.fromkeys(clip(one_line(text), 512) for text in said if text))[:_MOST_MESSAGES]


def list_params(query: RowQuery) -> dict[str, str | int]:
    """Query of `GET /api/v1/workloads`: oldest first, so that what changes meanwhile moves behind the reader."""
    changed = "deletedAt" if query.deleted else "phaseUpdatedAt"
    conditions = []
    if query.changed_since is not None:
        conditions.append(f"{changed}>={_stamp(query.changed_since)}")
    if query.created_since is not None:
        conditions.append(f"createdAt>={_stamp(query.created_since)}")
    conditions += _equals(phase=query.phase, name=query.name, projectId=query.project_id)
    params: dict[str, str | int] = {"limit": query.limit, "offset": query.offset, "sortOrder": "asc"}
    params["sortBy"] = changed if query.changed_since is not None else "createdAt"
    if query.latest:
        params |= {"limit": 1, "sortBy": changed, "sortOrder": "desc"}
    if query.deleted:
        params["deleted"] = "true"
    if conditions:
        params["filterBy"] = ",".join(conditions)
    return params


def project_params(name: str | None, cluster_id: str | None, offset: int) -> dict[str, str | int]:
    """Query of `GET /api/v1/org-unit/projects`."""
    conditions = _equals(name=name, clusterId=cluster_id)
    params: dict[str, str | int] = {"limit": PROJECT_PAGE, "offset": offset, "sortBy": "name"}
    return params | ({"filterBy": ",".join(conditions)} if conditions else {})


def safe_id(workload_id: str) -> str:
    """The id, safe in a URL: an empty one or one with dots and slashes would address something else."""
    if not _ID.fullmatch(workload_id):
        raise InvalidWorkload(
            "The workload id is not a UUID. Copy it from Run:ai, where the workload's details show it."
        )
    return workload_id


def safe_project_id(project_id: str) -> str:
    """The id, safe in a URL."""
    if not _FILTER_VALUE.fullmatch(project_id):
        raise InvalidWorkload("The project id has characters that no id of Run:ai has. Correct spec.projectId.")
    return project_id


def create_body(submission: Submission) -> bytes:
    """`WorkloadV2CreateRequest`; what is not set is left out, so that Run:ai's defaults apply."""
    chosen = {
        "priority": submission.priority,
        "category": submission.category,
        "preemptibility": submission.preemptibility,
        "configuration": {"mnnvl": submission.mnnvl} if submission.mnnvl else None,
    }
    metadata: Json = {"name": submission.name, "projectId": submission.project_id}
    metadata |= {key: value for key, value in chosen.items() if value is not None}
    return _request_body(metadata, submission)


def update_body(submission: Submission) -> bytes:
    """`WorkloadV2UpdateRequest`; always complete, since it is not documented what a missing field would keep."""
    return _request_body({"priority": submission.priority, "category": submission.category}, submission)


def read_date(header: str | None) -> datetime | None:
    """An HTTP date, aware and in UTC."""
    try:
        date = parsedate_to_datetime(header or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_jwt(token: str) -> Json:
    """The claims of a JWT, unverified: only to learn how long it lives. Empty when it is none."""
    try:
        _, claims, _ = token.split(".")
        return _json_object(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except ValueError:
        return {}


def number(value: Any) -> float | None:
    """A finite number; also one written as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def _json_object(body: bytes) -> Json:
    read = decode_json(body, object_hook=_known_fields)
    if not isinstance(read, dict):
        raise Unreadable("no JSON object")
    return read


def _known_fields(entry: Json) -> Json:
    return {key: value for key, value in entry.items() if key in _READ}


def _request_body(metadata: Json, submission: Submission) -> bytes:
    manifest = _dump(submission.manifest)
    if not submission.encoded:
        return b'{"metadata":%b,"manifest":%b}' % (_dump(metadata), manifest)
    encoded = base64.b64encode(manifest)
    if len(encoded) > ENCODED_LIMIT:
        raise InvalidWorkload(
            f"The manifest is too large: {len(encoded):,} characters in base64, and Run:ai accepts {ENCODED_LIMIT:,}. "
            "Move large data out of it, for example into a volume."
        )
    return b'{"metadata":%b,"manifestBase64Encoded":"%b"}' % (_dump(metadata), encoded)


def _dump(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError:
        problem = "it is nested too deeply or contains itself"
    except (ValueError, TypeError):
        problem = "it holds a value that JSON cannot express (a number that is not finite, a broken character, a loop)"
    # Raised here, not above: the original error would travel along, and may hold the whole manifest.
    raise InvalidWorkload(f"The manifest cannot be sent as JSON: {problem}. Correct it.")


def _read_all(body: Json, key: str, read: Callable[[Any], _Item]) -> tuple[list[_Item], int]:
    """Every readable item, and how many are not: one bad item must not hide the others."""
    items = body.get(key)
    if not isinstance(items, list):
        raise Unreadable(f"no list of {key}")
    found = []
    for item in items:
        with suppress(Unreadable):
            found.append(read(item))
    return found, len(items) - len(found)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_row(item: Any) -> Row:
    row = _mapping(item)
    if row is None:
        raise Unreadable("no object")
    pods = _mapping(row.get("requestedPods")) or {}
    requested = _count(pods.get("number"))
    return Row(
        id=_required_id(row),
        name=_required(row, "name", _name),
        project_id=_required(row, "projectId", _identifier),
        project_name=_word(row.get("projectName")),
        cluster_id=_word(row.get("clusterId")),
        department_name=_word(row.get("departmentName")),
        phase=_word(row.get("phase")),
        phase_message=_sentence(row.get("phaseMessage")),
        phase_updated_at=_moment(row.get("phaseUpdatedAt")),
        running_pods=_count(row.get("runningPods")),
        requested_pods=_count(pods.get("parallelism")) if requested is None else requested,
        allocated_gpus=_decimal((_mapping(row.get("allocatedResources")) or {}).get("gpu")),
        priority=_word(row.get("priorityClassName")),
        category=_word(row.get("category")),
        created_at=_moment(row.get("createdAt")),
        completed_at=_moment(row.get("completedAt")),
        deleted_at=_moment(row.get("deletedAt")),
    )


def _may_be_named(name: str, item: Any) -> bool:
    """Whether a row that cannot be read may be of this name."""
    return _unread(item).name in (None, name)


def _unread(item: Any) -> UnreadRow:
    row = _mapping(item) or {}
    return UnreadRow(_name(row.get("name")), _identifier(row.get("id")), _identifier(row.get("projectId")))


def _next_offset(body: Json, offset: int) -> int | None:
    """Offset of the next page; None for one that does not lead forward, which would never end."""
    read = number(body.get("next"))
    following = None if read is None else int(read)
    return following if following is not None and offset < following <= _INT32_MAX else None


def _equals(**wanted: str | None) -> list[str]:
    conditions = []
    for name, value in wanted.items():
        if value is None:
            continue
        if not _FILTER_VALUE.fullmatch(value):
            raise InvalidWorkload(
                f"The {name} {clip(one_line(value), 64)!r} has characters that Run:ai cannot look up. Correct it."
            )
        conditions.append(f"{name}=={value}")
    return conditions


def _shows_annotations(manifest: Any) -> bool:
    """Only then does a missing mark mean something: whatever we submit has annotations."""
    metadata = _mapping(manifest.get("metadata")) if isinstance(manifest, dict) else None
    return metadata is not None and isinstance(metadata.get("annotations"), dict)


def _mapping(value: Any) -> Json | None:
    return value if isinstance(value, dict) else None


def _required(entry: Json, key: str, read: Callable[[Any], str | None]) -> str:
    value = read(entry.get(key))
    if value is None:
        raise Unreadable(f"no usable {key}")
    return value


def _required_id(entry: Json) -> str:
    """A UUID is the same in any case; ids are compared as we write them."""
    value = _required(entry, "id", _identifier)
    if not _ID.fullmatch(value):
        raise Unreadable("no usable id")
    return value.lower() if _UUID.fullmatch(value) else value


def _identifier(value: Any) -> str | None:
    """Ids are strings even if numeric; one that came as a number means the same."""
    return _name(str(value) if type(value) is int else value)


def _name(value: Any) -> str | None:
    """Names are compared, so never shortened: a name that is too long is unusable."""
    return value if isinstance(value, str) and 0 < len(value) <= _WORD else None


def _word(value: Any, limit: int = _WORD) -> str | None:
    return clip(value, limit) if isinstance(value, str) and value else None


def _sentence(value: Any) -> str | None:
    """People read it in a terminal, so what moves the cursor is left out."""
    return (clip(one_line(value).strip(), _SENTENCE) or None) if isinstance(value, str) else None


def _moment(value: Any) -> str | None:
    """RFC 3339 in UTC, as a `date-time` of the CRD takes it. Year 1 is how Go writes "never"."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat().replace("+00:00", "Z") if moment.year > 1 else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _INT32_MAX else None


def _decimal(value: Any) -> str | None:
    """GPUs as the shortest decimal, rounded to millionths: sums of fractions carry noise."""
    read = None if isinstance(value, str) else number(value)
    if read is None or not 0 <= read <= _INT32_MAX:
        return None
    return f"{read:.6f}".rstrip("0").rstrip(".")


def _gvk(value: Any) -> Gvk | None:
    gvk = _mapping(value) or {}
    version, kind = _word(gvk.get("version")), _word(gvk.get("kind"))
    return Gvk(_word(gvk.get("group")) or "", version, kind) if version and kind else None
