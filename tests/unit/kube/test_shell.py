"""The kopf shell against an API server that fails in every way that ends or misleads kopf alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time

import pytest
from aiohttp import web

from fakes.apiserver import COLLECTION, an_object, refusal
from fakes.shell import Shell, until
from runai_operator import handlers
from runai_operator.domain.requeue import SOON_CEILING
from runai_operator.kube import watch
from runai_operator.kube.watch import WatchState
from runai_operator.selector import parse_selector


@pytest.fixture
def shell(session, client, monkeypatch):
    """Not started yet; pauses are short, since they are not what is tested."""
    monkeypatch.setattr(handlers, "SERVED_INTERVAL", 0.05)
    monkeypatch.setattr(handlers, "reconnect_after", lambda failures, jitter: 0.05)
    monkeypatch.setattr(watch, "WATCH_INTERVAL", 0.05)
    return Shell(session, client)


async def test_objects_of_the_list_and_changes_are_observed(fake, shell):
    fake.add("a", "b")
    async with shell:
        await shell.established()
        fake.emit("ADDED", an_object("c", version=200))
        fake.emit("DELETED", an_object("a", version=201))
        await shell.observed("ADDED", "c")
        await shell.observed("DELETED", "a")

    assert {(None, "a"), (None, "b")} <= set(shell.seen)


async def test_what_we_have_just_written_ourselves_is_not_observed_again(fake, shell, session):
    """Kopf would handle each of these events for nothing: the answer to the write has told it all."""
    async with shell:
        await shell.established()
        fake.emit("ADDED", an_object("a", version=300))
        await shell.observed("ADDED", "a")
        session.echoes.expect("301")
        fake.emit("MODIFIED", an_object("a", version=301))
        fake.emit("MODIFIED", an_object("b", version=302))
        await shell.observed("MODIFIED", "b")
        assert ("MODIFIED", "a") not in shell.seen
        fake.emit("MODIFIED", an_object("a", version=303))
        await shell.observed("MODIFIED", "a")


async def test_what_is_known_of_a_list_does_not_go_through_kopf_and_its_changes_do(fake, shell):
    fake.add("known", "changed", "new")
    meta = {name: each["metadata"] for name, each in fake.objects.items()}
    shell.known = {meta["known"]["uid"]: meta["known"]["resourceVersion"], meta["changed"]["uid"]: "1"}
    async with shell:
        await shell.established()
        await shell.observed(None, "changed")
        await shell.observed(None, "new")
        fake.emit("MODIFIED", an_object("known", version=300))
        await shell.observed("MODIFIED", "known")
        fake.emit("DELETED", an_object("known", version=301))
        await shell.observed("DELETED", "known")

    assert (None, "known") not in shell.seen


@pytest.mark.parametrize("odd", [None, "x", {}, {"metadata": None}, {"metadata": {"uid": 1}}], ids=repr)
async def test_what_is_odd_in_a_list_is_not_known(odd):
    response = object.__new__(watch.WatchedResponse)
    response.is_known = lambda uid, version: True
    assert not response._shows_known(odd)


async def test_kopf_asks_for_metadata_only(fake, shell):
    async with shell:
        await shell.established()

    wanted = {request.headers["Accept"] for request in fake.asked(COLLECTION)}
    assert wanted == {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    }


async def test_lists_and_watches_ask_for_what_is_selected(fake, session, shell):
    object.__setattr__(shell.watcher, "selector", parse_selector("shard in (a,b),!legacy"))
    async with shell:
        await shell.established()

    own = [request for request in fake.asked(COLLECTION) if request.headers["User-Agent"].startswith("kopf")]
    assert {request.query.get("watch") for request in own} == {None, "true"}
    assert {request.query["labelSelector"] for request in own} == {"shard in (a,b),!legacy"}


async def test_kopf_differs_from_us_by_its_user_agent(fake, shell):
    async with shell:
        await shell.established()

    assert all(request.headers["User-Agent"].startswith("kopf via runai-operator/") for request in fake.lists())
    ours = {r.headers["User-Agent"] for r in fake.requests if not r.headers["User-Agent"].startswith("kopf")}
    assert ours == {fake.requests[0].headers["User-Agent"]}
    assert fake.requests[0].headers["User-Agent"].startswith("runai-operator/")


async def test_an_empty_list_comes_as_null_and_is_read(fake, shell):
    async with shell:
        await shell.established()

    assert shell.seen == []


async def test_every_page_of_the_list_is_observed(fake, shell, monkeypatch):
    monkeypatch.setattr(handlers, "CHUNK", 2)
    fake.add("a", "b", "c", "d", "e")
    async with shell:
        await shell.established()

    assert len(fake.lists()) == 3
    assert {name for _, name in shell.seen} == {"a", "b", "c", "d", "e"}


async def test_an_expired_continue_token_starts_the_list_anew(fake, shell, monkeypatch):
    monkeypatch.setattr(handlers, "CHUNK", 2)
    monkeypatch.setattr(handlers, "RELIST_INTERVAL", 0.05)
    fake.add("a", "b", "c")
    expired = iter([refusal(410, reason="Expired"), refusal(410, reason="Expired")])
    fake.fault = lambda r: next(expired, None) if "continue" in r.query else None
    async with shell:
        await shell.established()
        await shell.observed(None, "c")

    assert len([r for r in fake.lists() if "continue" not in r.query]) == 3
    assert shell.state.listed == 1


@pytest.mark.parametrize("status", [500, 503, 504, 403, 429], ids=lambda status: f"answered {status}")
@pytest.mark.parametrize("what", ["list", "watch"])
async def test_it_outlasts_any_row_of_refusals(fake, shell, what, status):
    refused = iter([True] * 15)  # kopf's own patience ends after 9

    def fault(request):
        hit = request.path == COLLECTION and ("watch" in request.query) == (what == "watch")
        return refusal(status, "not now") if hit and next(refused, False) else None

    fake.fault = fault
    fake.add("a")
    async with shell:
        await shell.established()
        fake.emit("MODIFIED", an_object("a", version=300))
        await shell.observed("MODIFIED", "a")

    assert len([r for r in fake.lists() if "watch" not in r.query]) == (16 if what == "list" else 1)


@pytest.mark.usefixtures("shell")
async def test_a_namespace_that_may_not_be_watched_keeps_no_other_from_being_ready(
    fake, session, client, shell, caplog
):
    """It, or its RoleBinding, is gone. It is tried again, and logged once."""
    caplog.set_level(logging.INFO)
    refused = True
    fake.fault = lambda r: refusal(403) if refused and "/namespaces/gone/" in r.path else None
    fake.add("a")
    async with Shell(session, client, ("stays", "gone")) as watching:
        await watching.established()
        await until(lambda: len([r for r in fake.requests if "/namespaces/gone/" in r.path]) > 5)
        assert watching.state.forbidden == ["gone"]
        assert watching.seen == [(None, "a")]

        refused = False
        await until(lambda: len(watching.seen) == 2)
        await until(lambda: not watching.state.forbidden)
        await watching.established()

    said = [record.getMessage() for record in caplog.records if "gone" in record.getMessage()]
    assert said == [
        "watching RunaiWorkloads in stays, gone",
        "may not watch RunaiWorkloads in gone: is the namespace gone, or a RoleBinding?",
        "may watch RunaiWorkloads in gone again",
    ]


@pytest.mark.usefixtures("shell")
async def test_where_nothing_may_be_watched_it_is_not_ready(fake, session, client):
    fake.fault = lambda r: refusal(403) if "/namespaces/" in r.path else None
    async with Shell(session, client, ("a", "b")) as watching:
        await until(lambda: sorted(watching.state.forbidden) == ["a", "b"])
        assert not watching.state.established


async def test_a_lost_connection_is_opened_again_and_shows_meanwhile(fake, shell):
    def hang_up(request):
        request.transport.abort()
        return web.Response()

    async with shell:
        await shell.established()
        fake.fault = hang_up
        fake.end_watches()
        await until(lambda: not shell.state.established)
        fake.fault = lambda _: None
        await shell.established()


async def test_the_watch_goes_on_where_it_was_after_it_came_to_its_end(fake, shell):
    async with shell:
        await shell.established()
        fake.emit("ADDED", an_object("a", version=250))
        await shell.observed("ADDED", "a")
        fake.end_watches()
        await until(lambda: len(fake.asked(COLLECTION, watch="true")) == 2)

    assert fake.asked(COLLECTION, watch="true")[1].query["resourceVersion"] == "250"
    assert shell.state.listed == 1


async def test_a_watch_that_lost_its_place_lists_anew_and_says_so(fake, shell, monkeypatch):
    monkeypatch.setattr(handlers, "RELIST_INTERVAL", 0.05)
    async with shell:
        await shell.established()
        fake.add("late")
        fake.emit("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
        await shell.observed(None, "late")
        await shell.established(listed=2)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(410, id="410 in place of a watch"),
        pytest.param(400, id="a refusal that kopf does not know"),
    ],
)
async def test_what_ends_kopf_begins_it_again(fake, shell, status):
    answers = iter([refusal(status)])
    fake.fault = lambda r: next(answers, None) if r.query.get("watch") == "true" else None
    async with shell:
        fake.add("a")
        await shell.established(listed=1)
        fake.emit("MODIFIED", an_object("a", version=300))
        await shell.observed("MODIFIED", "a")

    assert len(fake.lists()) == 2


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"type": "ERROR", "object": {"kind": "Status", "code": 500}}', id="an error other than 410"),
        pytest.param(b"<html>bad gateway</html>", id="a line that is no JSON"),
    ],
)
async def test_a_watch_that_breaks_kopf_begins_it_again(fake, shell, line):
    async with shell:
        await shell.established()
        fake.emit_line(line)
        await shell.established(listed=2)
        fake.emit("ADDED", an_object("a", version=300))
        await shell.observed("ADDED", "a")


async def test_a_line_cut_off_by_the_end_of_the_watch_is_left_out(fake, shell):
    async with shell:
        await shell.established()
        for queue in fake.watches:
            queue.put_nowait(b'{"type": "ADDED", "object": {"metad')
        fake.end_watches()
        await until(lambda: len(fake.asked(COLLECTION, watch="true")) == 2)
        await shell.established()

    assert shell.state.listed == 1


async def test_what_is_nested_deeply_reaches_kopf_without_it(fake, shell):
    deep = b'{"a":' * 5000 + b"{}" + b"}" * 5000
    hostile = json.dumps(an_object("hostile", version=300, managedFields="@")).encode().replace(b'"@"', b"[%s]" % deep)
    fake.add("good")
    listing = json.dumps({"kind": "List", "metadata": {"resourceVersion": "100"}, "items": ["@", fake.objects["good"]]})

    def fault(request):
        is_list = request.path == COLLECTION and "watch" not in request.query
        body = listing.encode().replace(b'"@"', hostile)
        return web.Response(body=body, content_type="application/json") if is_list else None

    fake.fault = fault
    async with shell:
        await shell.established()
        await shell.observed(None, "good")
        await shell.observed(None, "hostile")
        fake.emit_line(b'{"type": "MODIFIED", "object": %s}' % hostile)
        fake.emit("MODIFIED", an_object("good", version=301))
        await shell.observed("MODIFIED", "good")
        await shell.observed("MODIFIED", "hostile")

    assert shell.state.listed == 1


async def test_a_watch_closed_at_once_is_not_opened_again_in_a_hot_loop(fake, shell, monkeypatch):
    monkeypatch.setattr(watch, "WATCH_INTERVAL", 0.2)
    fake.fault = lambda r: web.Response() if r.query.get("watch") == "true" else None
    async with shell:
        await until(lambda: fake.asked(COLLECTION, watch="true"))
        begun, before = time.monotonic(), len(fake.asked(COLLECTION, watch="true"))
        await until(lambda: len(fake.asked(COLLECTION, watch="true")) >= before + 5)
        opened, passed = len(fake.asked(COLLECTION, watch="true")) - before, time.monotonic() - begun

    assert opened <= passed / 0.2 + 1


async def test_it_waits_for_the_resource_and_waits_again_when_it_vanishes(fake, shell):
    fake.served = False
    fake.add("a")
    async with shell:
        await until(lambda: len(fake.requests) >= 3)
        assert not fake.lists()
        fake.served = True
        await shell.established()
        fake.served = False
        fake.end_watches()
        await until(lambda: not shell.state.established)
        fake.served = True
        await shell.established(listed=2)


async def test_a_kopf_that_found_nothing_to_watch_is_begun_again(fake, shell, monkeypatch):
    monkeypatch.setattr(handlers, "DEAF", 0.2)
    monkeypatch.setattr(handlers, "CHECK_INTERVAL", 0.05)
    deaf = iter([web.json_response({"groups": []})])

    def fault(request):
        from_kopf = request.headers["User-Agent"].startswith("kopf")
        return next(deaf, None) if from_kopf and request.path == "/apis" else None

    fake.fault = fault
    async with shell:
        await shell.established()

    assert len([r for r in fake.asked("/apis") if r.headers["User-Agent"].startswith("kopf")]) == 2


async def test_a_refused_token_makes_no_loop_of_logins(fake, shell, session):
    fake.add("a")
    async with shell:
        await shell.established()
        fake.tokens = {"second"}
        fake.end_watches()
        await until(lambda: not shell.state.established)
        before = len(fake.requests)
        await asyncio.sleep(1)
        assert len(fake.requests) - before < 50, "without the guard there are thousands"
        fake.token_file.write_text("second")
        await shell.established()
        fake.emit("MODIFIED", an_object("a", version=300))
        await shell.observed("MODIFIED", "a")


async def test_it_stops_and_leaves_our_own_tasks_alone(fake, shell):
    ours = []

    async def work():
        await asyncio.sleep(60)

    async with shell:
        await shell.established()
        ours.append(asyncio.create_task(work()))

    assert not ours[0].done()
    assert not shell.state.established
    ours[0].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ours[0]
    others = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    assert not {name for name in others if "watch" in name or "kopf" in name}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_signals_are_ours(shell, number):
    async with shell:
        await shell.established()
        os.kill(os.getpid(), number)
        await until(shell.stop.is_set)


@pytest.mark.parametrize("path", ["/apis", COLLECTION], ids=["discovery", "the list"])
async def test_it_stops_while_the_api_server_does_not_answer(fake, shell, path):
    fake.silent_at = path
    async with shell:
        await until(lambda: any(request.path.startswith(path) for request in fake.requests))


async def test_kopf_cannot_write(fake, session):
    state = WatchState()
    lent = session.lend(user_agent="kopf", middlewares=[watch.WatchGuard(state, session.server, session.echoes)])
    async with lent:
        with pytest.raises(RuntimeError, match="must only read"):
            await lent.patch(f"{session.server}{COLLECTION}/a", json={})

    assert not fake.requests


async def test_a_finalizer_of_kopf_on_an_object_is_left_alone(fake, shell):
    fake.add("a")
    fake.objects["a"]["metadata"]["finalizers"] = ["kopf.zalando.org/KopfFinalizerMarker"]
    async with shell:
        await shell.established()
        await shell.observed(None, "a")
        fake.emit("MODIFIED", an_object("a", version=300, finalizers=["kopf.zalando.org/KopfFinalizerMarker"]))
        await shell.observed("MODIFIED", "a")
        fake.emit("MODIFIED", an_object("b", version=301))
        await shell.observed("MODIFIED", "b")

    assert {request.method for request in fake.requests} == {"GET"}


async def test_an_observer_that_fails_stops_nothing(fake, shell, caplog):
    told = []

    def observe(kind, meta):
        told.append(meta.ref.name)
        raise ValueError(meta.ref.name)

    object.__setattr__(shell.watcher, "observe", observe)
    async with shell:
        await shell.established()
        fake.emit("ADDED", an_object("a", version=300))
        await until(lambda: "a" in told)
        fake.emit("MODIFIED", an_object("a", version=301))
        await until(lambda: told == ["a", "a"])

    assert shell.state.listed == 1


async def test_kopf_does_not_speak_of_objects(fake, shell, caplog):
    caplog.set_level(logging.DEBUG)
    fake.add("a")
    fake.objects["a"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "the-secret"}
    async with shell:
        await shell.established()
        await shell.observed(None, "a")

    assert "the-secret" not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("kopf") and record.levelname == "DEBUG"]


async def test_settings_do_not_kill_the_process_after_a_restart_of_kopf():
    """kopf's default sends SIGKILL ten minutes after its tasks were cancelled, whatever the process does by then."""
    import kopf

    settings = kopf.OperatorSettings()
    handlers.configure(settings)

    assert settings.process.ultimate_exiting_timeout is None


def test_backoffs_are_endless_jittered_and_bounded():
    many = [pause for pause, _ in zip(handlers.Backoffs(), range(2000), strict=False)]

    assert 0.5 <= many[0] <= 1
    assert all(0.5 * SOON_CEILING <= pause <= SOON_CEILING for pause in many[10:])
    assert len(set(many[10:])) > 1000
