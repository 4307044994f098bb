"""The commands that an installation puts on the PATH, and the same as modules: other people's scripts call them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runai_operator import __version__
from runai_operator.commands import orphans
from runai_operator.commands.cleaning import Cleaned
from runai_operator.domain.model import Orphan, OwnerMark

BIN = Path(sys.executable).parent
OPERATOR = {"as a command": [BIN / "runai-operator"], "as a module": [sys.executable, "-m", "runai_operator"]}
SIMULATOR = {"as a command": [BIN / "runai-simulator"], "as a module": [sys.executable, "-m", "runai_simulator"]}


def run(command, *arguments, **env):
    return subprocess.run(
        [*command, *arguments], env={"COLUMNS": "200"} | env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", OPERATOR.values(), ids=OPERATOR)
def test_the_operator_tells_its_version(command):
    done = run(command, "--version")

    assert (done.returncode, done.stdout) == (0, f"runai-operator {__version__}\n")


@pytest.mark.parametrize("command", OPERATOR.values(), ids=OPERATOR)
def test_without_access_to_runai_one_line_says_what_is_missing(command):
    done = run(command, "run")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    for name in ("RUNAI_BASE_URL", "RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET"):
        assert name in done.stderr


ACCESS = {"RUNAI_BASE_URL": "https://a.run.ai", "RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "b"}


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_a_port_that_is_in_use_ends_in_one_line_that_names_the_setting(taken_port, tmp_path):
    listen = f"127.0.0.1:{taken_port}"
    done = run(OPERATOR["as a module"], "run", **ACCESS, KUBECONFIG=str(kubeconfig(tmp_path)), OPERATOR_LISTEN=listen)

    assert done.returncode == 2
    assert done.stderr == (
        f"runai-operator: OPERATOR_LISTEN is {listen}, where nothing can listen: address already in use\n"
    )


@pytest.mark.parametrize("listen", ["no-such-host.invalid:0", "192.0.2.1:0", "[2001:db8::1]:0"])
def test_an_address_of_no_interface_ends_in_one_line_that_names_the_setting(listen, tmp_path):
    done = run(OPERATOR["as a module"], "run", **ACCESS, KUBECONFIG=str(kubeconfig(tmp_path)), OPERATOR_LISTEN=listen)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"OPERATOR_LISTEN is {listen}, where nothing can listen: " in done.stderr


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_without_an_api_server_to_ask_one_line_says_what_is_not_there(log_format):
    done = run(OPERATOR["as a module"], "run", **ACCESS, OPERATOR_LISTEN="127.0.0.1:0", OPERATOR_LOG_FORMAT=log_format)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "KUBECONFIG is not set, and this is no pod with a token of its ServiceAccount." in done.stderr


def test_a_port_in_use_is_named_by_the_simulator_too(taken_port):
    done = run(SIMULATOR["as a module"], "serve", "--port", str(taken_port))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"runai-simulator: cannot listen on 127.0.0.1, port {taken_port}: Address already in use\n"


def test_orphans_are_listed_without_access_to_runai(tmp_path):
    done = run(OPERATOR["as a module"], "orphans", KUBECONFIG=str(kubeconfig(tmp_path)))

    assert done.returncode == 1, "it got as far as asking Kubernetes"
    assert "The Kubernetes API cannot be reached" in done.stderr
    assert "RUNAI_" not in done.stderr


def test_deleting_orphans_needs_access_to_runai_and_says_all_that_is_wrong():
    done = run(OPERATOR["as a module"], "orphans", "--delete", OPERATOR_NAMESPACES="A")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    for name in ("OPERATOR_NAMESPACES", "RUNAI_BASE_URL", "RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET"):
        assert name in done.stderr


def test_deleting_orphans_without_the_table_of_access_that_is_named_is_refused(tmp_path):
    """It would delete where nobody may."""
    table = tmp_path / "access.yaml"
    table.write_text("[]")
    access = {"RUNAI_BASE_URL": "https://a.run.ai", "RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "a"}
    done = run(OPERATOR["as a module"], "orphans", "--delete", RUNAI_ACCESS_FILE=str(table), **access)

    assert done.returncode == 2
    assert "RUNAI_ACCESS_FILE must hold a list of entries" in done.stderr


def kubeconfig(folder):
    """Of a server that is not there."""
    path = folder / "config"
    cluster = {"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "runai"}}
    user = {"name": "a", "user": {"token": "a"}}
    path.write_text(json.dumps({"current-context": "a", "clusters": [cluster], "contexts": [context], "users": [user]}))
    return path


class OrphanBook:
    """A record of orphans."""

    def __init__(self, **known):
        self.known = known

    async def orphans(self):
        return dict(self.known)

    async def forget_orphan(self, uid):
        self.known.pop(uid, None)


LOST = Orphan(
    OwnerMark("install-1", "team-a", "train", "uid-1"),
    name="train",
    project_id="17",
    project_name=None,
    workload_id=None,
    why="RunaiUnavailable",
    released=datetime(2026, 1, 15, 10, 30, tzinfo=UTC),
)
LINE = "uid-1  team-a/train  project=17  name=train  id=unknown  since=2026-01-15T10:30:00+00:00  (RunaiUnavailable)\n"


async def test_every_orphan_has_a_line(capsys):
    await orphans.tend(OrphanBook(**{"uid-2": None, "uid-1": LOST}), None, forget=[])

    assert capsys.readouterr().out == f"{LINE}uid-2  unreadable entry: take it out with --forget uid-2\n"


async def test_what_is_forgotten_is_not_listed(capsys):
    record = OrphanBook(**{"uid-1": LOST})
    await orphans.tend(record, None, forget=["uid-1"])

    assert capsys.readouterr().out == "no orphans on record\n"
    assert record.known == {}


class CleanerThat:
    """Says the same of everything."""

    def __init__(self, cleaned):
        self._cleaned = cleaned

    async def clean(self, orphan):
        return self._cleaned


async def test_a_cleaner_says_what_became_of_each(capsys):
    code = await orphans.tend(OrphanBook(**{"uid-1": LOST}), CleanerThat(Cleaned("did it")), forget=[])

    assert (code, capsys.readouterr().out) == (0, f"{LINE}  did it\n")


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        pytest.param({"uid-1": LOST}, "uid-1", id="a workload that is kept"),
        pytest.param({"uid-1": None}, "uid-1", id="an entry that cannot be read"),
    ],
)
async def test_cleaning_up_fails_if_something_is_kept_and_says_what(record, kept, capsys):
    code = await orphans.tend(OrphanBook(**record), CleanerThat(Cleaned("not sure", kept=True)), forget=[])

    assert code == 1
    assert capsys.readouterr().out.endswith(f"\nkept 1 of 1, for the reasons above: {kept}\n")


async def test_only_listing_what_is_there_is_no_failure():
    assert await orphans.tend(OrphanBook(**{"uid-1": LOST, "uid-2": None}), None, forget=[]) == 0


@pytest.mark.parametrize("command", SIMULATOR.values(), ids=SIMULATOR)
def test_the_simulator_has_its_options(command):
    done = run(command, "serve", "--help")

    assert done.returncode == 0
    for option in ("--host", "--port", "--tls-cert", "--tls-key"):
        assert f"{option} " in done.stdout


STRUCK = """
import os, sys
from runai_operator.__main__ import main

number, (module, _, function) = int(sys.argv[1]), sys.argv[2].partition(":")

def strike(frame, event, _):
    if event == "call" and frame.f_code.co_qualname == function and frame.f_globals["__name__"] == module:
        sys.setprofile(None)
        os.kill(os.getpid(), number)

if function != "<module>":
    import runai_operator.main  # watched, that would take twice as long
sys.argv[1:] = ["run"]
sys.setprofile(strike)
sys.exit(main())
"""
"""The command, struck by a signal when a function is first called."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize(
    "moment",
    [
        "runai_operator.main:<module>",
        "runai_operator.main:run_operator",
        "runai_operator.settings:Environment.check",
        "asyncio.runners:Runner.run",
        "runai_operator.main:Operator.run",
        "runai_operator.telemetry.server:TelemetryServer.__aenter__",
        "runai_operator.main:Operator._bridge",
        "runai_operator.kube.auth:KubeSession.close",
        "runai_operator.stopping:StopSignals.ignore",
    ],
)
def test_told_to_stop_at_any_moment_it_ends_with_zero(number, moment, tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(NOBODY_THERE))
    env = os.environ | {
        "RUNAI_BASE_URL": "http://127.0.0.1:9",
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": "a",
        "RUNAI_CLIENT_SECRET": "b",
        "OPERATOR_LISTEN": "127.0.0.1:0",
        "OPERATOR_INSTALL_ID": "i",
        "KUBECONFIG": str(kubeconfig),
    }
    command = [sys.executable, "-c", STRUCK, str(int(number)), moment]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        if moment.startswith(("runai_operator.kube.auth", "runai_operator.stopping")):
            assert child.stdout is not None
            child.stdout.readline()  # it runs; the second stop comes while it ends
            child.send_signal(signal.SIGTERM)
        try:
            output, _ = child.communicate(timeout=60)
        finally:
            child.kill()

    assert child.returncode == 0, output
    assert "Traceback" not in output


NOBODY_THERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "x",
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "x", "user": {"token": "t"}}],
}
