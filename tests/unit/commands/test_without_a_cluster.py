"""What the commands on RunaiWorkloads say where there is no cluster, and what their help costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from typed import rwl

COMMANDS = {
    "explain": ["explain", "train"],
    "wait": ["wait", "train"],
    "refresh": ["refresh", "train"],
    "pause": ["pause", "train"],
    "resume": ["resume", "-l", "app=train"],
    "orphan": ["orphan", "train"],
    "orphans": ["orphans", "list"],
}
EVERY = pytest.mark.parametrize("typed", COMMANDS.values(), ids=COMMANDS)


@EVERY
def test_without_a_kubeconfig_one_sentence_says_so(typed):
    done = rwl(*typed)

    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith("There is no kubeconfig: ")


@EVERY
def test_a_server_that_does_not_answer_is_named_in_one_sentence(typed, tmp_path):
    config = tmp_path / "config"
    cluster = {"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
    user = {"name": "a", "user": {"token": "a"}}
    config.write_text(
        json.dumps({"current-context": "a", "clusters": [cluster], "contexts": [context], "users": [user]})
    )
    done = rwl(*typed, kubeconfig=config)

    assert (done.code, done.out) == (3, "")
    assert done.sentence.startswith("The Kubernetes API cannot be reached to ")


OF_A_CLUSTER = {"asyncio", "aiohttp", "httpx", "yaml", "ssl", "runai_operator.domain", "runai_operator.kube"}
LISTED = """
import atexit, os, sys
sys.argv[1:] = {typed}
atexit.register(lambda: os.write(2, " ".join(sys.modules).encode()))
from runai_operator.__main__ import plugin
plugin()
"""


@EVERY
def test_help_imports_nothing_that_asks_a_cluster(typed):
    code = LISTED.format(typed=[typed[0], "--help"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})

    assert "\nExamples:\n" in done.stdout
    assert set(done.stderr.split()) & OF_A_CLUSTER == set()
