"""docs/transcripts.md: its commands are typed, and what they print is what the page shows.

With UPDATE_TRANSCRIPTS set, the page is written anew.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import binaries
from stack import Installed, Operator, People, Workloads, manifest_of
from stack.processes import CLIENT_ID, CLIENT_SECRET
from stack.workloads import condition
from typed import BIN

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "transcripts.md"
BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```\n)", re.DOTALL)
NAMESPACE = "research"

REPLACED = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "2026-01-15T10:30:00Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "2026-01-15 10:30:00"),
    (re.compile(r"\bv1:[0-9a-f]{8,}(?:\.[0-9a-f]+)?"), "v1:0123456789abcdef"),
    (re.compile(r"\bv1\.\d+\.\d+(?:[-+][\w.]+)?"), "v1.37.2"),
    (re.compile(r"differ by \d+ s"), "differ by 0 s"),
    (re.compile(r"^ +(?:\d+m)?\d+s(?= ago)", re.MULTILINE), "      3s"),
    (re.compile(r"(?<=[\s(])(?:\d+m)?\d+s\b"), "3s"),
)
"""What differs from one run to the next."""
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def steady(text: str, ids: dict[str, str]) -> str:
    """Without what differs; ids are numbered as they come."""
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    text = UUID.sub(lambda found: ids.setdefault(found[0], f"00000000-0000-4000-8000-{len(ids) + 1:012}"), text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def filled(page: str, run: Callable[[str], str], wait: Callable[[], None]) -> str:
    """The page with what its commands print."""
    ids: dict[str, str] = {}

    def block(found: re.Match[str]) -> str:
        typed = [line.removeprefix("$ ") for line in found[0].splitlines() if line.startswith("$ ")]
        lines = [line for command in typed for line in (f"$ {command}", steady(run(command), ids)) if line]
        wait()
        return "\n".join(lines) + "\n"

    return BLOCK.sub(block, page)


@pytest.fixture
def session(fresh_control_plane, runai, tmp_path) -> Iterator[tuple[Callable[[str], str], Callable[[], None]]]:
    """Types a line in a folder with `train.yaml`; and waits until every object is settled."""
    plane = fresh_control_plane()
    plane.install_crds()
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    folder, programs = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    (programs / "kubectl").symlink_to(binaries.require("kubectl"))
    job = (ROOT / "docs" / "wrap.md").read_text().split("```yaml\n")[1].split("```")[0]
    (folder / "train.yaml").write_text(job.replace("# pytorchjob.yaml\n", "").replace("mnist", "train"))
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = NAMESPACE
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    env = {
        "PATH": f"{programs}:{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(tmp_path / "config"),
        "HOME": str(folder),
        "COLUMNS": "120",
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "RUNAI_CLIENT_ID": CLIENT_ID,
        "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
    }
    workloads, code = Workloads(plane.client, NAMESPACE), 0

    def run(line: str) -> str:
        nonlocal code
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1; (exit {code})\n{line}"],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        code = done.returncode
        return done.stdout

    def is_settled(item: dict[str, Any]) -> bool:
        is_well = all((condition(item, kind) or {}).get("status") == "True" for kind in ("Ready", "Synced"))
        return is_well and item["metadata"]["uid"] in reported()

    def reported() -> set[str]:
        """The UIDs of those that an event calls running."""
        events = plane.client.list_all(f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events")
        return {event["regarding"]["uid"] for event in events if event["reason"] == "Running"}

    runai.switch(run_time=1e6)
    with People(runai.url) as people, Operator(tmp_path, plane.kubeconfig, runai.url) as operator:
        for name in ("chat", "embed", "rank"):
            manifest = manifest_of("Deployment") if name == "chat" else manifest_of("Job")
            submitted = people.submit(name, manifest, project="2")
            people.wait_until_listed(1)
            if name == "rank":
                runai.set_phase(submitted, "Failed", "The image cannot be pulled.")
        people.wait_until_listed(2)
        operator.wait_ready()
        Installed(plane.client, NAMESPACE, runai.url).is_ready()
        yield run, lambda: operator.wait_until("all settled", lambda: all(map(is_settled, workloads.all())))


def test_the_page_shows_what_the_commands_print(session):
    page = PAGE.read_text()
    fresh = filled(page, *session)

    if os.environ.get("UPDATE_TRANSCRIPTS"):
        PAGE.write_text(fresh)
    assert "Traceback" not in fresh
    assert PAGE.read_text() == fresh, "run `make generate-transcripts`, look at the change and commit it"
