"""The command `runai-simulator`: what it refuses before it listens, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from runai_simulator.main import main
from stack import Process, Simulator

EITHER = pytest.mark.parametrize("told_by", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
STRUCK = """
import os, sys
from runai_simulator.main import main

number, (module, _, function), again = int(sys.argv[1]), sys.argv[2].partition(":"), sys.argv[3] == "again"
begun = False

def strike(frame, event, _):
    global begun
    if event != "call" or not (begun or frame.f_code.co_qualname == function) or frame.f_code.co_name == "_hear":
        return
    if begun or frame.f_globals["__name__"] == module:
        begun = again
        sys.setprofile(strike if again else None)
        os.kill(os.getpid(), number)

sys.setprofile(strike)
sys.exit(main(["serve", "--port", "0"]))
"""
"""The command, struck by a signal when a function is first called; or then and with every later call of any."""


def struck(tmp_path, told_by, moment, *, again=False):
    command = [sys.executable, "-c", STRUCK, str(int(told_by)), moment, "again" if again else "once"]
    return Process(command, env={}, log=tmp_path / "simulator.log")


@EITHER
def test_on_a_signal_it_exits_with_zero_and_prints_nothing(told_by, tmp_path):
    with Simulator(tmp_path) as running:
        running.child.send_signal(told_by)

        assert running.wait() == 0
        assert running.output().count("\n") == 1


@EITHER
@pytest.mark.parametrize(
    ("moment", "lines"),
    [
        ("runai_simulator.main:_parser", 0),
        ("uvicorn:<module>", 0),
        ("runai_simulator.app:Simulator.__init__", 0),
        ("runai_simulator.server:listen", 0),
        ("asyncio.runners:Runner.run", 1),
        ("uvicorn.server:Server.startup", 1),
        ("uvicorn.server:Server.main_loop", 1),
    ],
)
def test_told_to_stop_while_it_starts_it_ends_in_the_same_way(told_by, moment, lines, tmp_path):
    with struck(tmp_path, told_by, moment) as running:
        assert running.wait() == 0
        assert running.output().count("\n") == lines


@EITHER
def test_told_to_stop_over_and_over_it_ends_in_the_same_way(told_by, tmp_path):
    with struck(tmp_path, told_by, "uvicorn.server:Server.startup", again=True) as running:
        assert running.wait() == 0
        assert running.output().count("\n") == 1


def test_told_to_stop_it_cuts_a_request_that_has_no_end(tmp_path):
    with Simulator(tmp_path) as running, ThreadPoolExecutor() as beside:
        running.fault("timeout", count=1)
        asked = beside.submit(httpx.get, f"{running.url}/api/v1/workloads", timeout=None, trust_env=False)
        running.wait_until("the request", lambda: not running.admin("GET", "faults")[0]["count"])
        running.child.send_signal(signal.SIGTERM)

        assert running.wait() == 0
        assert running.output().count("\n") == 1
        assert isinstance(asked.exception(), httpx.RemoteProtocolError)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # listen() leaves one that it cannot bind
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--switch", "ids_equal"], "NAME=VALUE"),
        (["--switch", "nope=true"], "no switch is named nope"),
        (["--switch", "ids_equal=1"], "ids_equal is true or false"),
        (["--switch", "list_lag=true"], "list_lag is a number of seconds"),
        (["--switch", "list_lag=inf"], "list_lag is a number of seconds"),
        (["--switch", "list_lag=soon"], "list_lag is true, false or a number"),
        (["--port", "99999"], "port must be 0-65535"),
        (["--host", "192.0.2.1"], "assign requested address"),
        (["--tls-cert", "no-such-file.pem", "--tls-key", "no-such-file.pem"], "No such file"),
    ],
)
def test_bad_arguments_are_explained_in_one_line(arguments, says, capsys):
    assert main(["serve", "--port", "0", *arguments]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert says in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_one_sentence_says_what_to_install(missing):
    bare = (
        f"import sys; sys.modules[{missing!r}] = None; from runai_simulator.main import main; sys.exit(main(['serve']))"
    )
    done = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"runai-simulator: {missing} is missing: pip install 'runai-operator[simulator]'\n"
