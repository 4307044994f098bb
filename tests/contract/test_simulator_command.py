"""The command `runai-simulator`: what it refuses before it listens, and how it ends."""

from __future__ import annotations

import signal

import pytest

from runai_simulator.main import main
from stack import Simulator


@pytest.mark.parametrize("told_by", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_on_a_signal_it_exits_with_zero_and_prints_nothing(told_by, tmp_path):
    with Simulator(tmp_path) as running:
        running.child.send_signal(told_by)

        assert running.wait() == 0
        assert running.output().count("\n") == 1


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
