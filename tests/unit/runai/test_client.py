"""Each call of the client: what it sends, what it takes for success, and how much it reads."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import Awaitable
from dataclasses import astuple
from datetime import UTC, datetime

import httpx
import pytest

from fakes.scripted_runai import UUID, ScriptedRunai, api_error, workload
from runai_operator.domain.errors import (
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.manifest import OWNER_ANNOTATIONS
from runai_operator.domain.model import OwnerMark, Project, RowQuery, UnreadRow
from runai_operator.engine.ports import Runai
from runai_operator.runai.client import Credentials, RunaiClient, Timeouts

MIB = 1024 * 1024
OTHER = UUID.replace("1", "2")


def test_the_client_keeps_the_engines_port(client: RunaiClient):
    port: Runai = client  # mypy checks the signatures
    promised = {name for name in vars(Runai) if not name.startswith("_")}

    assert all(callable(getattr(port, name)) for name in promised)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_create_posts_the_workload(client, runai: ScriptedRunai, submission, status):
    runai.answer = httpx.Response(status, json=workload(name="train-a-x7"))

    created = await client.create(submission)

    assert (created.id, created.name) == (UUID, "train-a-x7")
    sent = runai.asked[0]
    assert (sent.method, sent.url.path, sent.url.query) == ("POST", "/api/v2/workloads", b"")
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Accept-Encoding"] == "identity"
    assert sent.headers["User-Agent"].startswith("runai-operator/")
    assert runai.body["manifest"] == submission.manifest


def marked(uid: str) -> dict:
    mark = OwnerMark("i", "team-a", "train-a", uid)
    return {"metadata": {"annotations": dict(zip(OWNER_ANNOTATIONS, astuple(mark), strict=True))}}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(workload(id=OTHER, projectId="18"), id="one of another project"),
        pytest.param(
            workload(id=OTHER) | {"rawManifest": marked("uid-2")}, id="one that is marked as another object's"
        ),
    ],
)
async def test_another_workload_in_answer_to_a_create_is_not_taken_for_the_one_submitted(
    client, runai: ScriptedRunai, submission, answer
):
    """As from a proxy that mixes up answers, or a server that shows what has the name already."""
    runai.answer = httpx.Response(202, json=answer)

    with pytest.raises(OutcomeUnknown, match="another workload than the one submitted"):
        await client.create(dataclasses.replace(submission, manifest=submission.manifest | marked("uid-1")))


async def test_the_mark_that_was_sent_shows_that_a_create_made_the_workload(client, runai: ScriptedRunai, submission):
    runai.answer = httpx.Response(202, json=workload() | {"rawManifest": marked("uid-1")})

    assert (await client.create(dataclasses.replace(submission, manifest=marked("uid-1")))).id == UUID


async def test_a_dry_run_asks_only_for_an_opinion(client, runai: ScriptedRunai, submission):
    for answer in (httpx.Response(200), httpx.Response(202, json=workload()), httpx.Response(204)):
        runai.answer = answer
        await client.dry_run(submission)
    assert runai.asked[0].url.query == b"dryRun=true"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(202, json=workload()), UUID),
        (httpx.Response(200, json={"workload": workload()}), UUID),
        (httpx.Response(202, json={}), None),
        (httpx.Response(204), None),
        (httpx.Response(200, text="<html>"), None),
        (httpx.Response(202, json={"metadata": {"id": "../projects"}}), None),
    ],
)
async def test_a_dry_run_tells_the_id_that_only_a_creation_has(client, runai: ScriptedRunai, submission, answer, told):
    runai.answer = answer

    assert await client.dry_run(submission) == told


async def test_a_dry_run_is_refused_as_a_creation_is(client, runai: ScriptedRunai, submission):
    runai.answer = api_error(400, "bad kind")
    with pytest.raises(InvalidWorkload, match="bad kind"):
        await client.dry_run(submission)


async def test_an_update_puts_the_whole_of_what_we_want(client, runai: ScriptedRunai, submission):
    assert (await client.update(UUID, dataclasses.replace(submission, priority="low"))).id == UUID

    sent = runai.asked[0]
    assert (sent.method, sent.url.path) == ("PUT", f"/api/v2/workloads/{UUID}")
    assert runai.body == {"metadata": {"priority": "low", "category": None}, "manifest": submission.manifest}


async def test_a_get_reads_workload_and_sync_state(client, runai: ScriptedRunai):
    runai.answer = httpx.Response(200, json={"workload": workload(), "syncInfo": {"status": "Synced"}})

    assert (await client.get(UUID.upper())).sync_status == "Synced"
    assert runai.asked[0].url.path == f"/api/v2/workloads/{UUID.upper()}"


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        pytest.param(httpx.Response(202, json=workload()), True, id="202 with the workload"),
        pytest.param(httpx.Response(202), True, id="202 with nothing"),
        pytest.param(httpx.Response(204), True, id="204"),
        pytest.param(api_error(404), False, id="404 of the API"),
    ],
)
async def test_a_delete_is_accepted_or_has_nothing_to_do(client, runai: ScriptedRunai, answer, accepted):
    runai.answer = answer

    assert await client.delete(UUID) is accepted
    assert (runai.asked[0].method, runai.asked[0].url.path) == ("DELETE", f"/api/v2/workloads/{UUID}")


@pytest.mark.parametrize("answer", [httpx.Response(200), httpx.Response(200, text="<html>")], ids=["empty", "HTML"])
async def test_a_login_page_is_no_accepted_delete(client, runai: ScriptedRunai, answer):
    runai.answer = answer

    with pytest.raises(OutcomeUnknown):
        await client.delete(UUID)


async def test_what_the_api_does_not_know_is_absent(client, runai: ScriptedRunai, submission):
    runai.answer = api_error(404, "workload not found")

    assert await client.get(UUID) is None
    assert await client.update(UUID, submission) is None
    assert await client.delete(UUID) is False
    assert await client.row(UUID) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(404, text="404 page not found"),
        httpx.Response(404, json={"message": "no Route matched with those values"}),
        httpx.Response(405, json={"code": 405, "message": "method not allowed"}),
        httpx.Response(301, headers={"Location": "https://elsewhere.test/"}),
        api_error(403),
        httpx.Response(401),
    ],
    ids=["empty 404", "Go's 404", "Kong's 404", "405", "a redirect", "403", "401"],
)
async def test_nothing_else_looks_like_a_deleted_workload(client, runai: ScriptedRunai, submission, answer):
    """A wrong base URL must never pass for the deletion of a workload that exists."""
    runai.answer = answer

    for call in (client.get(UUID), client.update(UUID, submission), client.delete(UUID)):
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any, but an answer must not come
            await call
        assert type(raised.value).__name__ in ("UnexpectedReply", "AccessDenied")
    assert len(runai.asked) == 3, "redirects are not followed"


async def test_the_record_of_another_workload_is_not_taken_for_this_one(client, runai: ScriptedRunai, submission):
    runai.answer = httpx.Response(200, json={"workload": workload(id=OTHER)})

    with pytest.raises(UnexpectedReply):
        await client.get(UUID)
    with pytest.raises(OutcomeUnknown):
        await client.update(UUID, submission)


async def test_conflicts(client, runai: ScriptedRunai, submission):
    runai.answer = api_error(409, "Resource with this name already exists")

    with pytest.raises(NameTaken, match="Resource with this name already exists"):
        await client.create(submission)
    with pytest.raises(Busy):
        await client.update(UUID, submission)
    with pytest.raises(Busy):
        await client.delete(UUID)


async def test_a_page_of_rows(client, runai: ScriptedRunai):
    item = {"id": UUID, "name": "train-a", "projectId": "17", "phase": "Running"}
    runai.answer = httpx.Response(
        200, json={"workloads": [item], "next": 500}, headers={"Date": "Thu, 15 Jan 2026 10:30:00 GMT"}
    )

    page = await client.rows(RowQuery(changed_since=datetime(2026, 1, 15, 10, tzinfo=UTC), name="train-a"))

    assert [row.phase for row in page.rows] == ["Running"]
    assert (page.next_offset, page.server_time) == (500, datetime(2026, 1, 15, 10, 30, tzinfo=UTC))
    sent = runai.asked[0].url
    assert sent.path == "/api/v1/workloads"
    assert dict(sent.params) == {
        "limit": "500",
        "offset": "0",
        "sortBy": "phaseUpdatedAt",
        "sortOrder": "asc",
        "filterBy": "phaseUpdatedAt>=2026-01-15T10:00:00.000Z,name==train-a",
    }
    assert b"filterBy=phaseUpdatedAt%3E%3D2026-01-15T10%3A00%3A00.000Z%2Cname%3D%3Dtrain-a" in sent.query


def rows_of(*names: str) -> list[dict[str, str]]:
    """Rows of project 17; the id of each is its name."""
    return [{"id": name, "name": name.split("-")[0], "projectId": "17"} for name in names]


def listed(pages: dict[str, dict]):
    """Answers a list by the offset that was asked for."""
    return lambda request: httpx.Response(200, json=pages[request.url.params["offset"]])


async def test_a_look_up_reads_every_page_and_keeps_what_has_the_name_and_the_project(client, runai: ScriptedRunai):
    elsewhere = {"id": "train-0", "name": "train", "projectId": "18"}
    runai.answer = listed(
        {
            "0": {"workloads": [*rows_of("other-1", "other-2"), elsewhere], "next": 3},
            "2": {"workloads": [elsewhere, *rows_of("train-1", "other-3")], "next": None},
        }
    )

    assert [row.id for row in await client.find(name="train", project_id="17")] == ["train-1"]
    assert runai.asked[0].url.params["filterBy"] == "name==train,projectId==17"


ENDS = {"workloads": rows_of("other-1")}


@pytest.mark.parametrize(
    ("pages", "error"),
    [
        pytest.param({"0": ENDS | {"next": "soon"}}, UnexpectedReply, id="a next page that is no number"),
        pytest.param({"0": ENDS | {"next": -1}}, UnexpectedReply, id="a next page before the first"),
        pytest.param({"0": {"workloads": [], "next": 500}}, UnexpectedReply, id="a next page after an empty one"),
        pytest.param(
            {"0": ENDS | {"next": 2}, "1": ENDS | {"next": 1}}, UnexpectedReply, id="a next page that was read already"
        ),
        pytest.param({"0": ENDS | {"next": 2}, "1": {"workloads": []}}, Busy, id="an empty page after a full one"),
        pytest.param(
            {"0": ENDS | {"next": 2}, "1": {"workloads": rows_of("other-3")}}, Busy, id="rows that moved meanwhile"
        ),
        pytest.param(
            {"0": {"workloads": [*rows_of("other-1"), {"name": "train"}]}},
            UnexpectedReply,
            id="an unreadable row of the name",
        ),
        pytest.param(
            {"0": {"workloads": [*rows_of("other-1"), {"id": 7}]}}, UnexpectedReply, id="a row without a name"
        ),
    ],
)
async def test_a_list_that_was_not_read_to_its_end_never_tells_absence(client, runai: ScriptedRunai, pages, error):
    runai.answer = listed(pages)

    with pytest.raises(error):
        await client.find(name="train", project_id="17")


async def test_a_list_without_an_end_is_given_up(client, runai: ScriptedRunai):
    def answer(request):
        offset = int(request.url.params["offset"])
        return httpx.Response(200, json={"workloads": rows_of(f"w-{offset}", f"w-{offset + 1}"), "next": offset + 2})

    runai.answer = answer

    with pytest.raises(UnexpectedReply):
        await client.find(name="train", project_id="17")
    assert len(runai.asked) < 100


async def test_an_unreadable_row_of_another_name_hides_nothing(client, runai: ScriptedRunai):
    runai.answer = listed({"0": {"workloads": [None, {"name": "other"}, *rows_of("train-1")]}})

    assert [row.id for row in await client.find(name="train", project_id="17")] == ["train-1"]


async def test_a_whole_project_is_listed_over_all_pages_without_what_is_of_others(client, runai: ScriptedRunai):
    elsewhere = {"id": "train-0", "name": "train", "projectId": "18"}
    runai.answer = listed(
        {
            "0": {"workloads": [*rows_of("other-1", "other-2"), elsewhere], "next": 3},
            "2": {"workloads": [elsewhere, *rows_of("train-1")]},
        }
    )

    rows, unread = await client.in_project("17")
    assert ([row.id for row in rows], unread) == (["other-1", "other-2", "train-1"], ())
    assert runai.asked[0].url.params["filterBy"] == "projectId==17"


NAMELESS = {"id": "x", "projectId": "17"}
ELSEWHERE = {"id": "y", "projectId": "18"}


@pytest.mark.parametrize(
    "pages",
    [
        {"0": [NAMELESS, "a", "b"]},
        {"0": ["a", NAMELESS, "b"]},
        {"0": ["a", "b", ELSEWHERE, NAMELESS]},
        {"0": [NAMELESS, NAMELESS, NAMELESS], "3": ["a", "b"]},
        {"0": ["a", NAMELESS, NAMELESS], "3": ["b"]},
        {"0": ["z", "a", NAMELESS], "1": ["a", NAMELESS, "b"]},
        {"0": ["z", "z", "a"], "2": ["new", "a", NAMELESS, "b"]},
    ],
)
async def test_rows_of_a_project_that_cannot_be_read_hide_none_of_the_others_wherever_they_are(
    client, runai: ScriptedRunai, pages
):
    whole = {at: [rows_of(row)[0] if isinstance(row, str) else row for row in rows] for at, rows in pages.items()}
    following = {"0": {"next": 3}} if len(pages) > 1 else {}
    runai.answer = listed({at: {"workloads": rows} | following.get(at, {}) for at, rows in whole.items()})

    rows, unread = await client.in_project("17")
    assert {"a", "b"} <= {row.id for row in rows}
    assert unread == (UnreadRow(None, "x", "17"),)


@pytest.mark.parametrize("raw", [{"kind": "Job", "spec": {"deep": {"er": [1, None]}}}, {}])
async def test_what_was_submitted_comes_with_every_field(client, runai: ScriptedRunai, raw):
    shown = workload()
    runai.answer = httpx.Response(200, json={"workload": shown | {"rawManifest": raw, "workloadManifest": {"x": 1}}})

    remote, manifest = await client.submitted(UUID)

    assert (remote.id, manifest) == (UUID, raw)


async def test_nothing_was_submitted_under_an_id_that_runai_reports_missing(client, runai: ScriptedRunai):
    runai.answer = api_error(404)

    assert await client.submitted(UUID) is None


async def test_a_read_of_what_was_submitted_that_shows_another_workload_is_refused(client, runai: ScriptedRunai):
    runai.answer = httpx.Response(200, json=workload())

    with pytest.raises(UnexpectedReply):
        await client.submitted("00000000-0000-4000-8000-000000000000")


async def test_the_schedulers_message_comes_with_the_single_read_of_v1(client, runai: ScriptedRunai):
    workload = {"id": UUID, "name": "a", "projectId": "1", "phase": "Pending"}
    runai.answer = httpx.Response(200, json=workload | {"pendingSchedulingMessages": [{"userMessage": "No GPU left"}]})

    row = await client.row(UUID)

    assert (row.phase_message, row.by_scheduler) == ("No GPU left", True)
    assert runai.asked[0].url.path == f"/api/v1/workloads/{UUID}"


async def test_projects_are_found_by_their_exact_name_over_all_pages(client, runai: ScriptedRunai):
    pages = {
        "0": {
            "projects": [{"id": "1", "name": "team-a", "clusterId": "c1"}, {"id": "2", "name": "team-ab"}],
            "next": 2,
        },
        "2": {"projects": [{"id": "3", "name": "team-a", "clusterId": "c2"}]},
    }
    runai.answer = lambda request: httpx.Response(200, json=pages[request.url.params["offset"]])

    assert await client.projects(name="team-a", cluster_id=None) == (
        Project("1", "team-a", "c1"),
        Project("3", "team-a", "c2"),
    )
    assert runai.asked[0].url.params["filterBy"] == "name==team-a"
    assert await client.projects(name="team-a", cluster_id="c2") == (Project("3", "team-a", "c2"),)
    assert runai.asked[-1].url.params["filterBy"] == "name==team-a,clusterId==c2"
    assert await client.projects(name="nobody", cluster_id=None) == ()
    assert [project.id for project in await client.projects(name=None, cluster_id=None)] == ["1", "2", "3"]
    assert "filterBy" not in runai.asked[-1].url.params


async def test_a_project_is_read_by_exactly_its_id(client, runai: ScriptedRunai):
    runai.answer = httpx.Response(200, json={"id": "17", "name": "team-a", "clusterId": "c1", "status": {}})

    assert await client.project("17") == Project("17", "team-a", "c1")
    assert runai.asked[0].url.path == "/api/v1/org-unit/projects/17"
    assert await client.project("017") is None, "an answer about another project says nothing of this one"
    runai.answer = api_error(404)
    assert await client.project("17") is None
    runai.answer = httpx.Response(404)
    with pytest.raises(UnexpectedReply):
        await client.project("17")
    asked = len(runai.asked)
    with pytest.raises(InvalidWorkload):
        await client.project("../workloads")
    assert len(runai.asked) == asked


@pytest.mark.parametrize("behind", [[], [{"id": "1", "name": "team-a"}]], ids=["empty", "the first page again"])
async def test_a_list_of_projects_that_names_a_next_page_after_its_last_one_ends(client, runai, behind):
    def answer(request):
        offset = int(request.url.params["offset"])
        return httpx.Response(
            200, json={"projects": behind if offset else [{"id": "1", "name": "team-a"}], "next": offset + 1}
        )

    runai.answer = answer

    assert await client.projects(name="team-a", cluster_id=None) == (Project("1", "team-a", None),)
    assert len(runai.asked) == 2


@pytest.mark.parametrize("workload_id", ["", "..", "a/b"], ids=repr)
async def test_a_bad_id_is_refused_before_anything_is_sent(client, runai: ScriptedRunai, submission, workload_id):
    for call in (
        client.get(workload_id),
        client.update(workload_id, submission),
        client.delete(workload_id),
        client.row(workload_id),
    ):
        with pytest.raises(InvalidWorkload):
            await call
    assert runai.asked == []


class Flood:
    """A body of `size` bytes that remembers how much of it was taken."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0

    async def __aiter__(self):
        yield b'{"workload": "'
        while self.taken < self.size:
            self.taken += 65_536
            yield b"x" * 65_536
        yield b'"}'


@pytest.mark.parametrize(("status", "limit"), [(200, 6 * MIB), (404, 65_536), (500, 65_536)])
async def test_no_more_is_read_of_an_answer_than_its_bound(client, runai: ScriptedRunai, submission, status, limit):
    flood = Flood(64 * MIB)

    async def answer(request):
        if request.url.path.endswith("/token"):
            return await runai(request)
        return httpx.Response(status, content=flood)

    client._transport.http._transport = httpx.MockTransport(answer)
    with pytest.raises((UnexpectedReply, Unavailable)):
        await client.get(UUID)
    assert flood.taken <= limit + 2 * 65_536

    flood.taken = 0
    with pytest.raises((OutcomeUnknown, UnexpectedReply)):
        await client.create(submission)
    assert flood.taken <= limit + 2 * 65_536


async def test_an_answer_with_two_large_manifests_is_taken(client, runai: ScriptedRunai):
    manifest = {"metadata": {"name": "a"}, "spec": {"data": ["x" * 100] * 14_000}}
    answer = {"workload": {**workload(), "rawManifest": manifest, "workloadManifest": manifest}}
    runai.answer = httpx.Response(200, json=answer)
    assert 2.7 * MIB < len(runai.answer.content) < 6 * MIB

    assert (await client.get(UUID)).id == UUID


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"\xff", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"[" * 50_000 + b"]" * 50_000],
    ids=["empty", "HTML", "a list", "no UTF-8", "50,000 objects deep", "50,000 lists deep"],
)
async def test_garbage_leaves_a_write_in_doubt_and_a_read_unexpected(client, runai: ScriptedRunai, submission, body):
    runai.answer = httpx.Response(200, content=body, headers={"Content-Type": "application/json"})

    for call in (lambda: client.create(submission), lambda: client.update(UUID, submission)):
        with pytest.raises(OutcomeUnknown):
            await call()
    for call in (
        lambda: client.get(UUID),
        lambda: client.rows(RowQuery()),
        lambda: client.projects(name="a", cluster_id=None),
        lambda: client.project("a"),
        lambda: client.row(UUID),
    ):
        with pytest.raises(UnexpectedReply):
            await call()


async def test_every_call_is_counted_with_its_outcome(client, runai: ScriptedRunai, submission):
    for answer, call in (
        (httpx.Response(202, json=workload()), lambda: client.create(submission)),
        (httpx.ReadTimeout("x"), lambda: client.update(UUID, submission)),
        (httpx.ConnectError("x"), lambda: client.delete(UUID)),
        (httpx.ReadError("x"), lambda: client.get(UUID)),
        (httpx.Response(503), lambda: client.rows(RowQuery())),
        (api_error(404), lambda: client.row(UUID)),
        (httpx.Response(429), lambda: client.projects(name="a", cluster_id=None)),
        (api_error(404), lambda: client.project("a")),
    ):
        runai.answer = answer
        with contextlib.suppress(BridgeError):
            await call()

    assert runai.calls == [
        ("token", "200"),
        ("create", "202"),
        ("update", "timeout"),
        ("delete", "unreachable"),
        ("get", "reset"),
        ("list", "503"),
        ("detail", "404"),
        ("projects", "429"),
        ("project", "404"),
    ]


async def test_cookies_are_not_kept(client, runai: ScriptedRunai):
    runai.answer = httpx.Response(200, json={"workload": workload()}, headers={"Set-Cookie": "session=1; Path=/"})

    await client.get(UUID)
    await client.get(UUID)

    assert "Cookie" not in runai.asked[1].headers


async def test_after_closing_calls_fail_softly_and_closing_again_is_harmless(client, runai: ScriptedRunai):
    await client.aclose()
    await client.aclose()

    with pytest.raises(Unavailable):
        await client.get(UUID)
    assert runai.asked == []


def opened(**settings) -> RunaiClient:
    return RunaiClient(credentials=Credentials("operator", secret="x"), **settings)


@pytest.mark.parametrize(
    "base_url",
    ["", "runai.test", "ftp://runai.test", "https://", "https://u:p@runai.test", "https://runai.test?x=1"],
)
def test_a_base_url_that_cannot_be_one_is_refused_by_name(base_url):
    with pytest.raises(ValueError, match="RUNAI_BASE_URL"):
        opened(base_url=base_url)


def test_plain_http_needs_consent():
    with pytest.raises(ValueError, match="RUNAI_ALLOW_HTTP"):
        opened(base_url="http://runai.test")

    opened(base_url="http://runai.test", allow_http=True)


@pytest.mark.parametrize("content", [None, "not a certificate"], ids=["missing", "no certificate"])
def test_a_useless_ca_file_is_refused_by_name(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)

    with pytest.raises(ValueError, match="RUNAI_CA_FILE"):
        opened(base_url="https://runai.test", ca_file=file)


async def test_a_base_url_may_have_a_path(runai: ScriptedRunai):
    client = opened(base_url="https://gateway.test/runai/", transport=httpx.MockTransport(runai))
    runai.answer = httpx.Response(200, json={"workload": workload()})

    await client.get(UUID)

    assert str(runai.asked[0].url) == f"https://gateway.test/runai/api/v2/workloads/{UUID}"


def test_every_timeout_is_stated():
    client = opened(base_url="https://runai.test", timeouts=Timeouts(connect=1, read=2, write=3, pool=4))

    assert client._transport.http.timeout == httpx.Timeout(connect=1, read=2, write=3, pool=4)
    assert not client._transport.http.trust_env, "only the settings read the environment"
    assert not client._transport.http.follow_redirects


async def test_a_manifest_nested_too_deeply_to_send_is_the_users_to_mend(client, runai: ScriptedRunai, submission):
    deep: dict = {}
    for _ in range(50_000):
        deep = {"a": deep}

    with pytest.raises(InvalidWorkload, match="nested too deeply"):
        await client.create(dataclasses.replace(submission, manifest=deep))
    assert runai.asked == []


async def test_a_large_answer_does_not_hold_up_the_event_loop(client, runai: ScriptedRunai):
    """While 6 MiB are parsed the loop gets its turns; the quietest of a few tries counts, the machine has other work."""
    manifest = {
        "metadata": {"name": "a"},
        "spec": {"env": [{"name": f"e{i}", "value": "v" * 20} for i in range(50_000)]},
    }
    body = json.dumps({"workload": {**workload(), "rawManifest": manifest, "workloadManifest": manifest}}).encode()
    runai.answer = httpx.Response(200, content=body, headers={"Content-Type": "application/json"})
    assert 5 * MIB < len(body) < 6 * MIB

    shares = [await longest_stall(client.get(UUID)) for _ in range(5)]

    assert min(shares) < 0.25


async def longest_stall(call: Awaitable[object]) -> float:
    """The longest time that the event loop stood still during the call, as a share of the whole."""
    stalls = [0.0]

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            stalls.append(time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    started = time.perf_counter()
    await call
    took = time.perf_counter() - started
    await asyncio.sleep(0)
    ticking.cancel()
    return max(stalls) / took


@pytest.mark.parametrize("encoded", [False, True], ids=["as an object", "encoded"])
async def test_a_small_manifest_is_sent_like_any_other_without_another_thread(
    client, runai: ScriptedRunai, submission, monkeypatch, encoded
):
    submission = dataclasses.replace(submission, encoded=encoded)
    await client.create(submission)
    sent = runai.asked[-1].content
    monkeypatch.setattr(asyncio, "to_thread", None)

    await client.create(dataclasses.replace(submission, small=True))

    assert runai.asked[-1].content == sent
