"""What all commands have in common: help, endings, completion, and what is imported for it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from runai_operator import __version__
from runai_operator.commands import cli, doctor
from runai_operator.commands.completion import complete_for_kubectl
from runai_operator.commands.exits import MEANINGS, CommandError, ExitCode
from runai_operator.commands.frame import PLUGIN, Command
from runai_operator.domain.diagnosis import Finding, Severity
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, KubernetesUnavailable
from runai_operator.settings import SettingsError
from stack.processes import HANG_GUARD
from typed import BIN, rwl

ENTRIES = pytest.mark.parametrize("entry", cli.COMMANDS, ids=lambda entry: entry.name)


@ENTRIES
def test_every_command_says_of_itself_what_the_list_says(entry):
    assert entry.load().short_help == entry.short_help


@ENTRIES
def test_every_command_has_help_and_examples_of_itself(entry):
    command = entry.load()

    assert isinstance(command, Command)
    assert command.help
    assert command.examples
    for example in command.examples:
        assert f"{PLUGIN} {entry.name}" in example.line


@ENTRIES
def test_every_option_is_explained(entry):
    for parameter in entry.load().params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_help_lists_every_command_and_every_exit_code():
    done = rwl("--help")

    assert (done.code, done.err) == (0, "")
    for entry in cli.COMMANDS:
        assert f"\n  {entry.name} " in done.out
    for code in MEANINGS:
        assert f"\n  {int(code)} " in done.out


def test_every_exit_code_has_a_meaning():
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("program", ["kubectl-rwl", "runai-operator"])
def test_both_programs_have_the_commands_and_tell_their_version(program):
    shown = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True)
    helped = subprocess.run([BIN / program, "version", "--help"], capture_output=True, text=True, check=True)

    called = program.replace("-rwl", " rwl")
    assert shown.stdout == f"{called} {__version__}\n"
    assert f"\n  {called} version --client -o json\n" in helped.stdout


def test_the_program_on_machines_lists_what_the_operator_itself_does():
    done = subprocess.run([BIN / "runai-operator", "--help"], capture_output=True, text=True, check=True)

    for name in cli.OF_THE_OPERATOR:
        assert f"\n  {name} " in done.stdout


IMPORTS = "import sys; sys.argv[1:] = {arguments}; from runai_operator.__main__ import {main}; {main}()"
LISTED = """
import atexit, json, os, sys
atexit.register(lambda: os.write(2, ("\\n" + json.dumps(sorted(sys.modules))).encode()))
"""


def imported(*arguments, main="plugin", before=""):
    code = before + LISTED + IMPORTS.format(arguments=list(arguments), main=main)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})
    return set(json.loads(done.stderr.splitlines()[-1])), done


COSTLY = {"asyncio", "aiohttp", "httpx", "kopf", "kubernetes", "rich", "yaml", "runai_operator.domain", "ssl"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["version", "--help"], ["version", "--client"], ["completion", "bash"]]
)
def test_what_asks_no_cluster_imports_nothing_that_could(arguments):
    modules, done = imported(*arguments)

    assert done.stdout
    assert modules & COSTLY == set()


def test_the_operator_runs_without_click_as_far_as_it_is_ours():
    blocked = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("runai_operator.commands.") and name.endswith((".cli", ".frame", ".cluster")):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
"""
    modules, done = imported("run", main="main", before=blocked)

    assert "RUNAI_BASE_URL is not set" in done.stderr
    assert "runai_operator.commands.cli" not in modules


def test_without_the_extra_one_sentence_says_how_to_get_it():
    _, done = imported("version", before="import sys; sys.modules['click'] = None\n")

    assert done.stderr.splitlines()[0] == (
        "kubectl rwl: the commands for people need more: pip install 'runai-operator[cli]'"
    )


ENDINGS = {
    "a sentence of a command": (CommandError("No such thing.", ExitCode.TIMEOUT), 4, "No such thing."),
    "wrong usage": (click.UsageError("Give one."), 2, "Give one."),
    "a file that is not there": (FileNotFoundError(2, "No such file or directory", "a.yaml"), 2, "a.yaml: No such file or directory."),
    "a disk that is full": (OSError(28, "No space left on device"), 1, "No space left on device."),
    "wrong settings": (SettingsError(["RUNAI_CLIENT_ID is not set"]), 2, "RUNAI_CLIENT_ID is not set"),
    "no rights": (AccessDenied("You are not allowed."), 3, "You are not allowed."),
    "no cluster": (KubernetesUnavailable("It cannot be reached."), 3, "It cannot be reached."),
    "a refusal": (InvalidWorkload("It is refused."), 1, "It is refused."),
    "a message of several lines": (CommandError("One.\nTwo."), 1, "One. Two."),
}  # fmt: skip


@pytest.fixture
def command_that(monkeypatch):
    """Makes `version` do something else."""

    def install(act):
        @click.command(cls=Command)
        def command():
            return act()

        monkeypatch.setattr(cli.LazyCommand, "load", lambda entry: command)

    return install


@pytest.mark.parametrize(("error", "code", "sentence"), ENDINGS.values(), ids=ENDINGS)
def test_every_error_ends_in_one_sentence_and_its_exit_code(error, code, sentence, command_that, capsys):
    def fail():
        raise error

    command_that(fail)

    assert cli.main(["version"]) == code
    assert capsys.readouterr().err.startswith(f"kubectl rwl: {sentence}")


def test_a_defect_says_where_it_is_and_nothing_that_it_quotes(command_that, capsys):
    def fail():
        raise ValueError("a secret")

    command_that(fail)

    assert cli.main(["version"]) == 70
    told = capsys.readouterr().err
    assert "ValueError at test_command_line.py:" in told
    assert "secret" not in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (ExitCode.FAILED, 1)])
def test_a_command_returns_its_exit_code(returned, code, command_that):
    command_that(lambda: returned)

    assert cli.main(["version"]) == code


def test_ctrl_c_is_quiet(command_that, capsys):
    def interrupt():
        raise KeyboardInterrupt

    command_that(interrupt)

    assert cli.main(["version"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def not_ignored_here():
    """The tests may run under `nohup` themselves."""
    before = {each: signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize(
    ("ignored", "sent", "code"),
    [
        ("", signal.SIGINT, 130),
        ("", signal.SIGTERM, 143),
        ("", signal.SIGHUP, 129),
        ("trap '' INT; ", signal.SIGTERM, 143),
        ("trap '' HUP; ", signal.SIGHUP, 1),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_who_stops_it_is_told_so_by_the_exit_code_alone(ignored, sent, code, not_ignored_here):
    """What is ignored, as under `nohup` or behind `&`, is ignored still."""
    typed = f'{ignored}exec "$0" validate -'
    with subprocess.Popen(
        ["sh", "-c", typed, BIN / "kubectl-rwl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        _until_it_reads(running.pid)
        running.send_signal(sent)
        out, err = running.communicate(timeout=HANG_GUARD)

    assert running.returncode == code
    assert bool(out) is (code == 1)
    assert err == (b"" if code > 1 else b"0 RunaiWorkloads, 1 problem\n")


def _until_it_reads(pid):
    """By what it has caught: a signal that comes before would end Python itself."""
    deadline = time.monotonic() + HANG_GUARD
    while not _catches(pid, signal.SIGTERM):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _catches(pid, number):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[1], 16)
    return bool(caught & 1 << (number - 1))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("version --client >&-", 0),
        ("version --client >&- 2>&-", 0),
        ("version --nothing >&- 2>&-", 2),
        ("validate - <&-", 1),
        ("validate nothing.yaml <&- >&- 2>&-", 2),
        ("--help >&-", 0),
    ],
)
def test_streams_that_are_closed_are_no_error_to_speak_of(typed, code):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" {typed}', BIN / "kubectl-rwl"], capture_output=True, text=True, check=False
    )

    assert done.returncode == code, done.stderr
    assert "rror" not in done.stderr


def test_a_reader_that_stops_reading_is_no_error_to_speak_of():
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [BIN / "kubectl-rwl", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["vresion"], "There is no command vresion. Did you mean version? See kubectl rwl --help."),
        (["nonsense"], "There is no command nonsense. See kubectl rwl --help."),
        (
            ["version", "--cliemt"],
            "No such option '--cliemt'. Did you mean '--client'? See kubectl rwl version --help.",
        ),
        (["completion"], "Missing argument '{bash|zsh|fish}'."),
    ],
)
def test_wrong_usage_says_what_could_be_meant(typed, sentence):
    done = rwl(*typed)

    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith(sentence)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_completes_both_programs(shell):
    script = rwl("completion", shell).out

    for program in ("kubectl-rwl", "runai-operator"):
        assert program in script


def test_bash_completes_commands_by_the_script():
    script = rwl("completion", "bash").out
    ask = "COMP_WORDS=(kubectl-rwl ver); COMP_CWORD=1; _kubectl_rwl_completion kubectl-rwl; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"],
        env={"PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["version"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["ver"], "version\tShow the versions of this program, the operator and the CRD.\n:4\n"),
        (["completion", "f"], "fish\n:4\n"),
        (["version", "--cl"], "--client\tOnly of this program; asks no cluster.\n:4\n"),
        (["version", "-o", ""], "table\njson\nyaml\n:4\n"),
    ],
)
def test_kubectl_is_told_what_could_come_next(typed, offered, capsys):
    assert complete_for_kubectl(cli.command_line(), typed) == 0
    assert capsys.readouterr().out == offered


def test_kubectl_finds_the_program_that_completes():
    done = subprocess.run([BIN / "kubectl_complete-rwl", "comp"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("completion\t")


def test_without_a_kubeconfig_one_sentence_says_so(tmp_path):
    done = rwl("version", HOME=str(tmp_path))

    assert done.code == 0
    assert f"neither --kubeconfig nor KUBECONFIG is given, and {tmp_path}/.kube/config does not exist" in done.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--kubeconfig", "/nonexistent/config"], "There is no kubeconfig /nonexistent/config. Correct --kubeconfig."),
        (["--kubeconfig", Path(__file__)], "There is no access to Kubernetes: the kubeconfig cannot be read"),
    ],
)
def test_a_kubeconfig_that_is_none_is_named(given, said):
    assert said in rwl("version", *given).out


def test_what_others_say_cannot_move_the_cursor_of_who_reads_what_doctor_found(capsys):
    found = Finding(
        "objects", Severity.ERROR, "one \x1b[2J", remedy="do\nthat \x1b[A", detail="said \x1b]0;x\x07 \x9b2J"
    )
    doctor._print([found])

    out = capsys.readouterr().out
    assert not any((char < " " and char != "\n") or "\x7f" <= char < "\xa0" for char in out)
    assert out.splitlines()[-3:] == ["- one \\x1b[2J", "  said \\x1b]0;x\\x07 \\x9b2J", "  do that \\x1b[A"]
