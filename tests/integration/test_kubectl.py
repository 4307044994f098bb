"""docs/kubectl.md, tried: its commands are taken from the page and run by the real kubectl on a real API server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane import ControlPlane, binaries
from readers import Json
from readers.combinations import TABLE
from readers.live import LiveObject, life, one_of_each_row, workload
from runai_operator.domain.model import RECONCILE_ANNOTATION

PAGE = (Path(__file__).parents[2] / "docs" / "kubectl.md").read_text()
FUNCTION, ANNOTATING, REFRESHING = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"\| `(kubectl wait .*?)` \|", PAGE)
STATUSES = one_of_each_row()
KUBECTL = {row: entry["kubectl"] for row, entry in TABLE["situations"].items() if row in STATUSES}
HANG_GUARD = 60

Shell = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def shell(control_plane: ControlPlane, tmp_path) -> Shell:
    """Starts bash with kubectl as the administrator."""
    (tmp_path / "kubectl").symlink_to(binaries.require("kubectl"))
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "KUBECONFIG": str(control_plane.kubeconfig),
        "HOME": str(tmp_path),
    }

    def start(script: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(["bash", "-c", script], env=environment, stdout=pipe, stderr=pipe, text=True)

    return start


@pytest.fixture
def live(control_plane: ControlPlane, namespace) -> LiveObject:
    client, item = control_plane.client, workload("train", namespace)
    client.apply(item)
    made = LiveObject(client, item)
    made.add_finalizer()
    return made


def put(live: LiveObject, row: str) -> None:
    """Bring the object into the situation; a deletion counts as a generation of its own."""
    if row == "deleting":
        live.delete()
    live.write_status(STATUSES[row])


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=HANG_GUARD)
    return process.returncode, out, err


@pytest.mark.parametrize("row", KUBECTL)
def test_both_waits_end_as_the_status_table_says(control_plane: ControlPlane, live, row):
    put(live, row)
    met = {
        kind: control_plane.kubectl(
            "wait", "rwl/train", "--namespace", live.namespace, f"--for=condition={kind}", "--timeout=0", check=False
        ).returncode
        == 0
        for kind in ("Ready", "Stalled")
    }

    assert met == {"Ready": KUBECTL[row] == "ready", "Stalled": KUBECTL[row] == "fails"}


@pytest.mark.parametrize("told", [None, "an edit that nobody has seen"], ids=["just created", "just edited"])
def test_a_wait_does_not_believe_what_is_old(control_plane: ControlPlane, namespace, live, told):
    if told:
        live.write_status(STATUSES["running"])
        control_plane.client.apply(workload("train", namespace, priority="high"))
    arguments = ("wait", "rwl/train", "--namespace", namespace, "--for=condition=Ready", "--timeout=0")

    assert control_plane.kubectl(*arguments, check=False).returncode == 1


@pytest.mark.parametrize("row", [row for row, stands in KUBECTL.items() if stands != "waits"])
def test_the_two_way_wait_ends_at_once(live, shell, row):
    put(live, row)
    ready = STATUSES[row]["conditions"][0]
    failure = "" if KUBECTL[row] == "ready" else f"{ready['reason']}: {ready['message']}\n"
    ended, _, err = finish(shell(f"{FUNCTION}\nwait_for_workload train {live.namespace} 10m"))

    assert (ended, err) == (1 if failure else 0, failure)


@pytest.mark.parametrize(("row", "code"), [("running", 0), ("rejected", 1)])
def test_the_two_way_wait_ends_when_it_is_decided(live, shell, row, code):
    live.write_status(STATUSES["progressing"])
    waiting = shell(f"{FUNCTION}\necho waiting\nwait_for_workload train {live.namespace} 10m")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waiting\n"
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    live.write_status(STATUSES[row])

    assert finish(waiting)[0] == code


def test_the_two_way_wait_ends_when_the_object_goes(live, shell):
    live.write_status(STATUSES["progressing"])
    waiting = shell(f"{FUNCTION}\necho waiting\nwait_for_workload train {live.namespace} 10m")
    assert waiting.stdout is not None
    waiting.stdout.readline()
    live.delete()
    live.release()
    code, _, err = finish(waiting)

    assert code == 1
    assert "not found" in err


def test_the_two_way_wait_gives_up_when_time_is_up(live, shell):
    live.write_status(STATUSES["progressing"])
    code, _, err = finish(shell(f"{FUNCTION}\nwait_for_workload train {live.namespace} 1s"))

    assert code == 1
    assert re.fullmatch(r"\w+: .*\n", err)


def test_the_two_way_wait_fails_for_what_is_not_there(namespace, shell):
    code, _, err = finish(shell(f"{FUNCTION}\nwait_for_workload nothing {namespace} 10m"))

    assert code == 1
    assert "not found" in err


MET_BY = {
    "--for=condition=Ready": "running",
    "--for=condition=Completed": "completed",
    "--for=condition=Synced": "running",
    "--for=jsonpath='{.status.workloadId}'": "running",
    "--for=jsonpath='{.status.phase}'=Running": "running",
    "--for=delete": None,
}
"""What each wait of the page waits for, by a row of the status table; None is gone."""


def goal(command: str) -> str:
    (found,) = re.findall(r"--for=\S+", command)
    return str(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_wait_of_the_page_waits_for_what_it_says(live, shell, command):
    command = command.replace("NAME", "train").replace("kubectl wait", f"kubectl wait --namespace {live.namespace}")
    before = re.sub(r"--timeout=\S+", "--timeout=0", command)
    assert finish(shell(before))[0] == 1

    if row := MET_BY[goal(command)]:
        live.write_status(settled(row))
    else:
        live.delete()
        live.release()
    code, _, err = finish(shell(command))

    assert code == 0, err


def settled(row: str) -> Json:
    """The last of a life that ends there, which has run through all that comes before."""
    return life()[-1] if row == "completed" else life()[-2]


def test_the_page_shows_every_wait_that_is_tried():
    assert {goal(command) for command in COMMANDS} == set(MET_BY)


def test_pausing_and_going_on(live, shell):
    pause, resume = [line.replace("NAME", f"train -n {live.namespace}") for line in ANNOTATING.splitlines()]
    assert finish(shell(pause))[0] == 0
    assert live.read()["metadata"]["annotations"]["bridge.run.ai/paused"] == "true"

    assert finish(shell(resume))[0] == 0
    assert "bridge.run.ai/paused" not in live.read()["metadata"].get("annotations", {})
    assert live.read()["metadata"]["generation"] == 1


def test_a_refresh_is_waited_for_until_it_was_taken(control_plane: ControlPlane, live, shell):
    live.write_status(STATUSES["running"])
    refreshing = shell(f"set -e\n{REFRESHING.replace('rwl/NAME', f'rwl/train -n {live.namespace}')}")
    asked = control_plane.client.wait(
        live.path, lambda item: RECONCILE_ANNOTATION in item["metadata"].get("annotations", {})
    )
    assert asked is not None
    with pytest.raises(subprocess.TimeoutExpired):
        refreshing.wait(1)
    token = asked["metadata"]["annotations"][RECONCILE_ANNOTATION]
    live.write_status(STATUSES["running"] | {"lastHandledReconcileAt": token})
    code, _, err = finish(refreshing)

    assert code == 0, err
