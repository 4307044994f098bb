"""Logs: one line per record, nothing secret in it, and libraries kept quiet."""

import io
import json
import logging
import re
import warnings

import kopf
import pytest

from runai_operator.telemetry import logs
from runai_operator.telemetry.logs import EXCEPTION_LIMIT, EXTRA_LIMIT, MESSAGE_LIMIT, QUIET_LOGGERS, configure, redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJl-X_y"
SECRET = "hunter2-hunter2"
FORMATS = ["json", "text"]

log = logging.getLogger("runai_operator.engine.reconcile")


@pytest.fixture(autouse=True)
def _restored_logging():
    """Leave logging as it was found."""
    named = [logging.getLogger(name) for name in ("", "runai_operator", *QUIET_LOGGERS)]
    levels = [logger.level for logger in named]
    handlers = logging.getLogger().handlers[:]
    yield
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers
    for logger, level in zip(named, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def as_json(output):
    """JSON logging at debug level; a function that returns the records so far."""
    configure("json", "debug", stream=output)
    return lambda: [json.loads(line, parse_constant=pytest.fail) for line in output.getvalue().splitlines()]


def fail(message):
    """Log an exception that was raised with this message."""
    try:
        int(message)
    except ValueError as error:
        error.args = (message,)
        log.exception("the pass failed")


def test_a_json_line_says_when_how_bad_who_and_what(as_json):
    log.info(
        "%s",
        "Submitted",
        extra={"namespace": "team-a", "object": "train", "uid": "u-1", "action": "Create", "reason": None},
    )

    (record,) = as_json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("ts"))
    assert record == {
        "level": "info",
        "logger": "runai_operator.engine.reconcile",
        "message": "Submitted",
        "namespace": "team-a",
        "name": "train",
        "uid": "u-1",
        "action": "Create",
    }


def test_a_text_line_reads_well(output):
    configure("text", "info", stream=output)
    log.warning("waiting", extra={"object": "train", "after": 1.5, "why": 'said "no"', "empty": ""})

    assert re.fullmatch(
        r"\S+Z WARNING runai_operator\.engine\.reconcile: waiting name=train after=1\.5 "
        r'why="said \\"no\\"" empty=""\n',
        output.getvalue(),
    )


def test_the_object_that_kopf_speaks_of_is_named_and_nothing_else_of_it_is_shown(as_json):
    reference = {
        "apiVersion": "bridge.run.ai/v1alpha1",
        "kind": "RunaiWorkload",
        "name": "train",
        "namespace": "a",
        "uid": None,
    }
    extra = {"k8s_ref": reference, "k8s_skip": False, "settings": kopf.OperatorSettings()}
    logging.getLogger("kopf.objects").error("oh", extra=extra)

    (record,) = as_json()
    assert (record["namespace"], record["name"]) == ("a", "train")
    assert "settings" not in record
    assert "uid" not in record


def test_extras_that_could_be_bodies_are_left_out(as_json):
    log.info("x", extra={"body": {"kind": "Job"}, "items": [1], "raw": b"bytes", "count": 3, "ok": True})

    (record,) = as_json()
    assert record.keys() - {"ts", "level", "logger", "message"} == {"count", "ok"}


def test_extras_cannot_pass_for_something_else(as_json):
    log.info("true", extra={"level": "critical", "ts": "never", "logger": "me"})

    (record,) = as_json()
    assert (record["level"], record["logger"]) == ("info", log.name)
    assert record["ts"] != "never"


def test_whatever_is_logged_stays_valid_json_on_one_line(as_json):
    log.info("a\nb\u2028c\ud800 %s", "ü\x00", extra={"nan": float("nan"), "inf": float("inf"), "text": "x\ny"})

    (record,) = as_json()
    assert record["message"] == "a\nb\u2028c\ud800 ü\x00"
    assert (record["nan"], record["inf"], record["text"]) == ("nan", "inf", "x\ny")


def test_in_text_no_message_starts_a_new_line_or_moves_the_cursor(output):
    configure("text", "info", stream=output)
    log.info("one\r\ntwo\x1b[2J\u2028three", extra={"why": "a\nb"})

    assert output.getvalue().count("\n") == 1
    assert "one\\r\\ntwo\\x1b[2J\\u2028three why=a\\nb" in output.getvalue().replace("\\\\", "\\")


def test_an_exception_is_part_of_its_json_line(as_json):
    fail("it broke")

    (record,) = as_json()
    assert record["exception"].startswith("Traceback")
    assert record["exception"].endswith("ValueError: it broke")


def test_in_text_a_traceback_is_set_off_so_that_no_part_of_it_passes_for_a_record(output):
    configure("text", "info", stream=output)
    fail("first\n2026-01-01T00:00:00.000Z INFO forged: line\x1b[2J")

    first, *rest = output.getvalue().splitlines()
    assert first.endswith("the pass failed")
    assert len(rest) > 3
    assert all(line.startswith("    | ") for line in rest)
    assert "\x1b" not in output.getvalue()


def test_long_records_are_clipped_and_a_traceback_keeps_both_ends(as_json):
    log.info("m" * 100_000, extra={"why": "w" * 100_000})
    fail("e" * 100_000 + " the end")

    message, failure = as_json()
    assert len(message["message"]) == MESSAGE_LIMIT
    assert len(message["why"]) == EXTRA_LIMIT
    assert len(failure["exception"]) <= EXCEPTION_LIMIT + 3
    assert failure["exception"].startswith("Traceback")
    assert failure["exception"].endswith("the end")


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(f"Authorization: Bearer {SECRET}", id="an Authorization header"),
        pytest.param(f"authorization: Basic {SECRET}", id="one with basic credentials"),
        pytest.param(f"{{'Authorization': 'Bearer {SECRET}'}}", id="headers as a dict"),
        pytest.param(f"sent bearer\t{SECRET}", id="a bearer token in prose"),
        pytest.param(f'{{"grantType": "x", "clientSecret": "{SECRET}"}}', id="the token request of Run:ai"),
        pytest.param(f'{{\\"client_secret\\": \\"{SECRET}\\"}}', id="JSON within JSON"),
        pytest.param(f"client_id=a&client_secret={SECRET}&grant_type=b", id="a form"),
        pytest.param(f"RUNAI_CLIENT_SECRET={SECRET}", id="the variable"),
        pytest.param(f"accessToken: {SECRET}, expiresIn: 300", id="the answer with a token"),
        pytest.param(f"refresh_token = {SECRET}", id="a refresh token"),
        pytest.param(f"password='{SECRET} {SECRET}'", id="a quoted password with a blank"),
        pytest.param(f"via https://proxy:{SECRET}@10.0.0.1:3128", id="a password in an address"),
    ],
)
def test_credentials_are_scrubbed_wherever_they_stand(output, log_format, leak):
    configure(log_format, "debug", stream=output)
    log.info(leak)
    log.info("argument %s", leak)
    log.info("extra", extra={"why": leak, "apiKey": SECRET, "token": SECRET})
    fail(leak)

    assert SECRET not in output.getvalue()
    assert "***" in output.getvalue()


def test_a_token_that_is_cut_in_two_by_the_limit_is_still_recognised(as_json):
    log.info("%s %s", "x" * (MESSAGE_LIMIT - 20), JWT)
    log.info("x", extra={"why": "x" * (EXTRA_LIMIT - 20) + " " + JWT})

    message, extra = as_json()
    assert "eyJ" not in message["message"]
    assert "eyJ" not in extra["why"]


@pytest.mark.parametrize(
    "around",
    ["{}", "token {} refused", "a={};b", "https://tenant.run.ai/?t={}", "({})", "'{}'", "x\n{}\ny"],
)
def test_a_jwt_is_recognised_by_itself(around):
    assert redact(around.format(JWT)) == around.format("***")


@pytest.mark.parametrize(
    "text",
    [
        "RUNAI_CLIENT_SECRET and RUNAI_CLIENT_SECRET_FILE are both set: keep one of them",
        "401 from Run:ai: the client secret was not accepted",
        "GET https://tenant.run.ai:8443/api/v1/workloads?filterBy=name==train failed",
        "image nvcr.io/nvidia/pytorch:24.01-py3@sha256:0123456789abcdef not found",
        "eyJ is how they start",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert redact(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part", ["eyJ-", "eyJabcdef.", "://", "://a:b", "bearer ", "password=\"'", "client_secret ", '\\"']
)
def test_hostile_text_is_scrubbed_in_linear_time(part):
    """A quadratic pattern would need hours for this; it must not stop the event loop."""
    text = part * (2_000_000 // len(part))

    assert len(redact(text)) <= len(text)


@pytest.mark.parametrize("name", [*QUIET_LOGGERS, "kopf.objects", "kopf._cogs.clients.watching", "some.library"])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_say_nothing_below_a_warning(output, name, level):
    """At debug level kopf, httpx and the Kubernetes client log bodies."""
    configure("json", level, stream=output)
    library = logging.getLogger(name)

    library.debug("body")
    library.info("request")
    assert output.getvalue() == ""

    library.warning("careful")
    assert "careful" in output.getvalue()


@pytest.mark.parametrize("name", QUIET_LOGGERS)
def test_the_noisy_libraries_stay_quiet_even_if_somebody_opens_the_root_logger(output, name):
    configure("json", "debug", stream=output)
    logging.getLogger().setLevel(logging.DEBUG)

    logging.getLogger(f"{name}.part").info("body")

    assert output.getvalue() == ""


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_our_own_loggers_follow_the_level(output, level, said):
    configure("json", level, stream=output)
    for each in ("debug", "info", "warning", "error"):
        log.log(logging.getLevelNamesMapping()[each.upper()], each)

    assert [json.loads(line)["message"] for line in output.getvalue().splitlines()] == said


def test_at_error_level_libraries_are_no_louder_than_we_are(output):
    configure("json", "error", stream=output)
    logging.getLogger("kopf.objects").warning("careful")

    assert output.getvalue() == ""


def test_warnings_of_python_become_records(as_json):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way\nof doing it", stacklevel=1)

    (record,) = as_json()
    assert record["level"] == "warning"
    assert "old way" in record["message"]


def test_configuring_again_replaces_the_output(output):
    configure("text", "info", stream=io.StringIO())
    configure("json", "info", stream=output)
    log.info("once")

    assert len(output.getvalue().splitlines()) == 1


@pytest.mark.parametrize(("log_format", "level"), [("xml", "info"), ("json", "loud")])
def test_an_unknown_format_or_level_is_an_error(log_format, level):
    with pytest.raises(KeyError):
        logs.configure(log_format, level)
