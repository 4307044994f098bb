"""The one table of what can go wrong at Run:ai, and that nothing in it shows tokens, manifests or bodies."""

from __future__ import annotations

import inspect
import json
import traceback
from datetime import UTC, datetime

import httpx
import pytest

from fakes.scripted_runai import UUID, ScriptedRunai, api_error, workload
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.model import RowQuery, Submission
from runai_operator.runai.client import RunaiClient
from runai_operator.runai.failures import FOREIGN, Operation, failure
from runai_operator.runai.wire import Answer

READS = [Operation.GET, Operation.LIST, Operation.DETAIL, Operation.PROJECTS, Operation.PROJECT]
WRITES = [Operation.CREATE, Operation.DRY_RUN, Operation.UPDATE, Operation.DELETE]

# Every exception class that httpx exports: what it means for a write, and for a read.
EXCEPTIONS: dict[type[Exception], tuple[type[BridgeError], type[BridgeError]]] = {
    httpx.ConnectError: (Unavailable, Unavailable),
    httpx.ConnectTimeout: (Unavailable, Unavailable),
    httpx.PoolTimeout: (Unavailable, Unavailable),
    httpx.ProxyError: (Unavailable, Unavailable),
    httpx.UnsupportedProtocol: (Unavailable, Unavailable),
    httpx.InvalidURL: (Unavailable, Unavailable),
    httpx.HTTPError: (OutcomeUnknown, UnexpectedReply),
    httpx.RequestError: (OutcomeUnknown, UnexpectedReply),
    httpx.TransportError: (OutcomeUnknown, Unavailable),
    httpx.TimeoutException: (OutcomeUnknown, Unavailable),
    httpx.ReadTimeout: (OutcomeUnknown, Unavailable),
    httpx.WriteTimeout: (OutcomeUnknown, Unavailable),
    httpx.NetworkError: (OutcomeUnknown, Unavailable),
    httpx.ReadError: (OutcomeUnknown, Unavailable),
    httpx.WriteError: (OutcomeUnknown, Unavailable),
    httpx.CloseError: (OutcomeUnknown, Unavailable),
    httpx.ProtocolError: (OutcomeUnknown, Unavailable),
    httpx.LocalProtocolError: (OutcomeUnknown, Unavailable),
    httpx.RemoteProtocolError: (OutcomeUnknown, Unavailable),
    httpx.DecodingError: (OutcomeUnknown, UnexpectedReply),
    httpx.TooManyRedirects: (OutcomeUnknown, UnexpectedReply),
    httpx.HTTPStatusError: (OutcomeUnknown, UnexpectedReply),
    httpx.CookieConflict: (OutcomeUnknown, UnexpectedReply),
    httpx.StreamError: (OutcomeUnknown, UnexpectedReply),
    httpx.StreamConsumed: (OutcomeUnknown, UnexpectedReply),
    httpx.StreamClosed: (OutcomeUnknown, UnexpectedReply),
    httpx.ResponseNotRead: (OutcomeUnknown, UnexpectedReply),
    httpx.RequestNotRead: (OutcomeUnknown, UnexpectedReply),
    # Not httpx's, but let through by it: TLS alerts on a read, and our own deadline.
    OSError: (OutcomeUnknown, Unavailable),
    TimeoutError: (OutcomeUnknown, Unavailable),
}


def made(kind: type[Exception]) -> Exception:
    """An instance, whatever its constructor wants, with a request that carries secrets."""
    if not kind.__module__.startswith("httpx"):
        return kind("marker-in-the-text")
    request = httpx.Request(
        "POST", "https://runai.test", headers={"Authorization": "Bearer t0ken-marker"}, content=b"m"
    )
    wanted = {"request": request, "response": httpx.Response(500, request=request)}
    parameters = inspect.signature(kind).parameters
    error = kind(
        *(["marker-in-the-text"] if "message" in parameters else []),
        **{name: value for name, value in wanted.items() if name in parameters and name != "message"},
    )
    if isinstance(error, httpx.RequestError):
        error.request = request
    return error


def test_the_table_names_every_exception_of_httpx():
    exported = {
        value
        for name in httpx.__all__
        if inspect.isclass(value := getattr(httpx, name)) and issubclass(value, Exception)
    }

    assert exported <= EXCEPTIONS.keys()
    assert all(issubclass(kind, FOREIGN) for kind in exported)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_has_one_meaning_for_writes_and_one_for_reads(kind):
    on_write, on_read = EXCEPTIONS[kind]

    assert {type(failure(operation, made(kind))) for operation in WRITES} == {on_write}
    assert {type(failure(operation, made(kind))) for operation in READS} == {on_read}


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
async def test_no_exception_of_httpx_leaves_the_client(kind, client: RunaiClient, runai: ScriptedRunai, submission):
    runai.answer = made(kind)
    on_write, on_read = EXCEPTIONS[kind]

    for call, expected in ((lambda: client.create(submission), on_write), (lambda: client.get(UUID), on_read)):
        with pytest.raises(BridgeError) as raised:
            await call()
        assert type(raised.value) is expected
        assert raised.value.__context__ is None
        assert "marker" not in str(raised.value) or kind in (httpx.ConnectError, httpx.ProxyError)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
async def test_without_a_token_nothing_was_sent(kind, client: RunaiClient, runai: ScriptedRunai, submission):
    """However the token endpoint fails, a create is never in doubt."""
    runai.token = made(kind)

    with pytest.raises((Unavailable, UnexpectedReply)) as raised:
        await client.create(submission)

    assert raised.value.scope is Scope.CONNECTION
    assert raised.value.__context__ is None
    assert runai.asked == []


JSON = "application/json"


def answer(status, message="the reason", **more):
    return Answer(status, json.dumps({"code": status, "message": message, **more}).encode(), JSON)


def html(status):
    return Answer(status, b"<html>marker</html>", "text/html")


ANSWERS = [
    (Operation.CREATE, answer(400), InvalidWorkload, "Run:ai refused the workload: the reason."),
    (Operation.CREATE, answer(422), InvalidWorkload, "Run:ai refused the workload: the reason."),
    (Operation.CREATE, answer(400, details="spec.x"), InvalidWorkload, "refused the workload: the reason (spec.x)."),
    (Operation.CREATE, answer(400, "line one\n\tline two."), InvalidWorkload, "workload: line one line two."),
    (Operation.CREATE, answer(400, ""), InvalidWorkload, "Run:ai refused the workload without a reason"),
    (Operation.CREATE, html(400), InvalidWorkload, "without a reason that can be shown (HTTP 400 with text/html)."),
    (Operation.CREATE, answer(409), NameTaken, "already exists in the project: the reason."),
    (Operation.CREATE, html(409), NameTaken, "already exists in the project."),
    (
        Operation.CREATE,
        answer(400, "workload with name 'a' already exists in this project"),
        NameTaken,
        "workload with name 'a' already exists",
    ),
    (Operation.UPDATE, answer(400, "x already exists"), InvalidWorkload, "refused"),
    (Operation.CREATE, answer(413), InvalidWorkload, "too large"),
    (Operation.CREATE, html(404), UnexpectedReply, "Check RUNAI_BASE_URL and that Run:ai has the Workloads V2 API"),
    (Operation.CREATE, answer(404, "no project"), UnexpectedReply, "no project"),
    (Operation.CREATE, html(405), UnexpectedReply, "Workloads V2 API"),
    (Operation.CREATE, html(307), UnexpectedReply, "redirects to another address. Check RUNAI_BASE_URL."),
    (Operation.CREATE, html(415), UnexpectedReply, "HTTP 415"),
    (Operation.CREATE, html(408), OutcomeUnknown, "HTTP 408"),
    (Operation.CREATE, html(206), OutcomeUnknown, "HTTP 206"),
    (Operation.DRY_RUN, answer(409), NameTaken, "already exists"),
    (Operation.UPDATE, answer(409), Busy, "cannot update the workload now: the reason."),
    (Operation.UPDATE, answer(422), InvalidWorkload, "refused"),
    (Operation.UPDATE, html(405), UnexpectedReply, "2.24"),
    (Operation.DELETE, answer(409), Busy, "cannot delete the workload now"),
    (Operation.DELETE, answer(400), UnexpectedReply, "HTTP 400: the reason."),
    (Operation.DELETE, html(404), UnexpectedReply, "HTTP 404"),
    (Operation.GET, html(404), UnexpectedReply, "HTTP 404"),
    (Operation.GET, answer(400), UnexpectedReply, "HTTP 400: the reason."),
    (Operation.GET, answer(409), UnexpectedReply, "HTTP 409"),
    (Operation.GET, html(302), UnexpectedReply, "redirects"),
    (Operation.GET, html(408), Unavailable, "HTTP 408"),
    (Operation.GET, html(204), UnexpectedReply, "HTTP 204"),
    *((op, answer(401), AccessDenied, "token: the reason. Check the operator's") for op in [*READS, *WRITES]),
    *((op, answer(403), AccessDenied, f"denies the permission to {op.purpose}: the") for op in [*READS, *WRITES]),
    *((op, html(403), AccessDenied, f"denies the permission to {op.purpose}. Give") for op in [*READS, *WRITES]),
    *((op, html(407), Unavailable, "proxy") for op in [*READS, *WRITES]),
    *((op, html(429), Throttled, "fewer requests") for op in [*READS, *WRITES]),
    *((op, html(code), Unavailable, f"HTTP {code}") for op in READS for code in (500, 501, 502, 503, 504, 599)),
    *((op, html(code), OutcomeUnknown, f"HTTP {code}") for op in WRITES for code in (500, 501, 502, 503, 504, 599)),
    (Operation.TOKEN, answer(400), AccessDenied, "refuses the operator's credentials. Check"),
    (Operation.TOKEN, answer(401), AccessDenied, "refuses the operator's credentials. Check"),
    (Operation.TOKEN, answer(403), AccessDenied, "refuses the operator's credentials. Check"),
    (Operation.TOKEN, Answer(401, b'{"error": "invalid_client"}', JSON), AccessDenied, "(invalid_client)"),
    (Operation.TOKEN, Answer(400, b'{"error": "temporarily_unavailable"}', JSON), Unavailable, "HTTP 400"),
    (Operation.TOKEN, html(429), Throttled, "fewer requests"),
    (Operation.TOKEN, html(503), Unavailable, "HTTP 503"),
    (Operation.TOKEN, html(404), UnexpectedReply, "HTTP 404. Check RUNAI_BASE_URL."),
    (Operation.TOKEN, html(302), UnexpectedReply, "HTTP 302. Check RUNAI_BASE_URL."),
]


def row_id(value):
    if isinstance(value, Answer):
        return f"{value.status} {'with' if value.content_type == JSON else 'without'} an API error"
    return value.__name__ if inspect.isclass(value) else str(value)[:24]


@pytest.mark.parametrize(("operation", "given", "kind", "text"), ANSWERS, ids=row_id)
def test_every_answer_has_one_meaning(operation, given, kind, text):
    error = failure(operation, given)

    assert type(error) is kind
    assert text in error.message
    assert "marker" not in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("operation", Operation, ids=str)
def test_every_status_is_mapped_for_every_operation(operation):
    for status in range(200, 600):
        for given in (answer(status), html(status), Answer(status, None)):
            error = failure(operation, given)
            assert isinstance(error, BridgeError)
            if status >= 500 and operation.writes:
                assert isinstance(error, OutcomeUnknown)
            if isinstance(error, OutcomeUnknown):
                assert operation.writes


@pytest.mark.parametrize(
    ("operation", "given", "scope"),
    [
        (Operation.CREATE, answer(401), Scope.CONNECTION),
        (Operation.CREATE, answer(403), Scope.OBJECT),
        (Operation.CREATE, answer(400), Scope.OBJECT),
        (Operation.CREATE, html(429), Scope.CONNECTION),
        (Operation.CREATE, html(503), Scope.CONNECTION),
        (Operation.CREATE, html(302), Scope.CONNECTION),
        (Operation.GET, html(404), Scope.OBJECT),
        (Operation.LIST, html(404), Scope.CONNECTION),
        (Operation.TOKEN, html(404), Scope.CONNECTION),
        (Operation.TOKEN, answer(401), Scope.CONNECTION),
    ],
    ids=row_id,
)
def test_failures_of_the_connection_differ_from_those_of_one_object(operation, given, scope):
    assert failure(operation, given).scope is scope


SERVER_NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retry_after", "date", "after"),
    [
        ("7", None, 7.0),
        ("0", None, 0.0),
        ("-3", None, 0.0),
        ("999999", None, 3600.0),
        ("nan", None, None),
        ("inf", None, None),
        ("1e400", None, None),
        ("9" * 400, None, None),
        ("-1e9", None, 0.0),
        ("0x10", None, None),
        ("", None, None),
        ("7, 8", None, None),
        ("soon", None, None),
        (None, None, None),
        pytest.param("Thu, 15 Jan 2026 10:30:20 GMT", SERVER_NOW, 20.0, id="a date, by the server's clock"),
        pytest.param("Thu, 15 Jan 2026 10:00:00 GMT", SERVER_NOW, 0.0, id="a date that has passed"),
        pytest.param("Thu, 15 Jan 2026 10:30:20 GMT", None, None, id="a date without the server's clock"),
        pytest.param("Thu, 15 Jan 9999 23:59:59 GMT", SERVER_NOW, 3600.0, id="a date that never comes"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -2300", SERVER_NOW, None, id="a date after the last"),
        pytest.param("Thu, 99 Foo 2026 10:30:20 GMT", SERVER_NOW, None, id="a date that is none"),
    ],
)
def test_the_servers_hint_how_long_to_wait(retry_after, date, after):
    error = failure(Operation.GET, Answer(429, b"", retry_after=retry_after, date=date))

    assert isinstance(error, Throttled)
    assert error.after == after


def test_a_missing_certificate_authority_says_which_setting_helps():
    error = failure(Operation.GET, httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get issuer"))

    assert "RUNAI_CA_FILE" in error.message


@pytest.mark.parametrize("text", ["certificate has expired", "Hostname mismatch, certificate is not valid for 'a'"])
def test_another_authority_is_not_advised_where_it_would_not_help(text):
    error = failure(Operation.GET, httpx.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {text} (_ssl.c:1000)"))

    assert text in error.message
    assert "RUNAI_CA_FILE" not in error.message


def test_a_long_message_of_the_api_is_clipped():
    assert len(failure(Operation.CREATE, answer(400, "x" * 50_000, details="y" * 50_000)).message) < 600


TOKEN_MARKER = "t0ken-mark3r"
SECRET_MARKER = "s3cret-mark3r"
MANIFEST_MARKER = "man1fest-mark3r"
BODY_MARKER = "b0dy-mark3r"
MARKERS = (TOKEN_MARKER, SECRET_MARKER, MANIFEST_MARKER, BODY_MARKER)

NASTY_ANSWERS = [
    *(
        httpx.Response(code, text=f"<p>{BODY_MARKER}</p>")
        for code in (200, 202, 302, 400, 401, 403, 404, 409, 429, 503)
    ),
    *(api_error(code, rawManifest=BODY_MARKER) for code in (400, 401, 403, 405, 409, 422, 429, 500)),
    httpx.Response(202, json={"metadata": {"id": BODY_MARKER * 9}}),
    httpx.Response(202, json=[BODY_MARKER]),
    httpx.Response(202, content=b'{"a": "' + BODY_MARKER.encode() + b"\xff"),
    httpx.Response(202, content=BODY_MARKER.encode() * 700_000),
    httpx.Response(404, json={"code": 404, "message": "gone", "rawManifest": BODY_MARKER}),
]


async def raised_by(call) -> BridgeError | None:
    try:
        await call()
    except BridgeError as error:
        return error
    return None


@pytest.mark.parametrize("at_the_token", [False, True], ids=["the API", "the token endpoint"])
async def test_no_failure_shows_token_secret_manifest_or_body(at_the_token, client, runai: ScriptedRunai, caplog):
    """Every failure there is, with markers everywhere; then the text, the repr, the chain and the log are searched."""
    caplog.set_level("DEBUG")
    client._auth._credentials = type(client._auth._credentials)("operator", secret=SECRET_MARKER)
    submission = Submission("train-a", "17", {"metadata": {"name": MANIFEST_MARKER}})
    token = httpx.Response(200, json={"access_token": TOKEN_MARKER, "expires_in": 3600})
    seen = 0
    for trouble in [*NASTY_ANSWERS, *map(made, EXCEPTIONS)]:
        runai.now += 10_000  # a new token each time
        runai.token = trouble if at_the_token else token
        runai.answer = trouble
        for call in (
            lambda: client.create(submission),
            lambda: client.dry_run(submission),
            lambda: client.update(UUID, submission),
            lambda: client.delete(UUID),
            lambda: client.get(UUID),
            lambda: client.rows(RowQuery()),
            lambda: client.row(UUID),
            lambda: client.projects(name="a", cluster_id=None),
            lambda: client.project("a"),
        ):
            error = await raised_by(call)
            if error:
                seen += 1
                said = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
                assert not [marker for marker in MARKERS if marker in said]
                assert error.__context__ is None
                assert error.__cause__ is None

    assert seen > 200
    assert not [marker for marker in MARKERS if marker in caplog.text]
    everything = repr(submission) + repr(client._auth._credentials) + repr(client._auth._token) + repr(vars(client))
    assert not [marker for marker in MARKERS if marker in everything]


async def test_a_workload_in_an_answer_is_kept_without_its_manifests(client, runai: ScriptedRunai):
    manifest = {"metadata": {"name": "a"}, "spec": {"env": [{"name": "KEY", "value": BODY_MARKER}]}}
    runai.answer = httpx.Response(200, json={"workload": {**workload(), "rawManifest": manifest}})

    assert BODY_MARKER not in repr(await client.get(UUID))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("operation", [*WRITES, Operation.GET, Operation.DETAIL])
def test_without_quotes_nothing_is_left_of_what_the_api_says_of_a_workload_but_code_and_fields(operation, status):
    said = "spec.password: Invalid value: hunter2 already exists"
    body = json.dumps({"code": status, "message": said, "details": "hunter2"}).encode()
    error = failure(operation, Answer(status, body, "application/json"))
    bare = error.within("reads").without_quotes()

    assert (type(bare), bare.condition_reason, bare.scope) == (type(error), error.condition_reason, error.scope)
    assert bare.circuit == "reads"
    assert "hunter2" not in f"{bare.message} {bare} {bare!r}"
    assert bare.message.endswith(".")
    if "hunter2" in error.message:
        assert "spec.password" in bare.message
        assert f"HTTP {status}" in bare.message
