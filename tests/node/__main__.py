"""`python -m node [ARGUMENT ...]`: prepare a node, start pytest in namespaces of its own, and leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from controlplane import BinaryMissing
from image import ImageFailed, cache
from image.engines import Docker
from node import cgroups
from node.prepare import PATH, NotHere, check, prepare

ROOT = Path(__file__).parents[2]
ARCHIVES, LOGS = ROOT / "build" / "image", ROOT / "build" / "node-logs"
NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
INSIDE, LIFELINE = "NODE_IMAGES", "NODE_LIFELINE"
EMPTY = ("/run", "/var/log")
COVERED = ("/var/lib", "/etc", "/opt")
"""Where programs write whatever they are told: what they do there is seen in here only."""


def main(arguments: list[str]) -> int:
    if os.environ.get(INSIDE):
        return first_process(arguments)
    try:
        check()
        _wait_for_others()
        images = prepare(ARCHIVES)
    except NotHere as error:
        if not (Docker.answers() and shutil.which("kind")):
            print(f"No tests were run: {error}.", file=sys.stderr)
            return 1
        print(f"On kind: {error}.", flush=True)
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    except (BinaryMissing, ImageFailed) as error:
        print(error, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _end)
    work = ROOT / "build" / "node"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    work.mkdir()
    environment = {**os.environ, INSIDE: os.pathsep.join(map(str, images)), "NODE_WORK": str(work)}
    command = ["unshare", *NAMESPACES, sys.executable, "-m", "node", *arguments]
    try:
        with cgroups.group():
            return _run(command, environment)
    finally:
        LOGS.mkdir(exist_ok=True)
        for log in work.glob("node/*.log"):
            shutil.copy(log, LOGS)
        shutil.rmtree(work, ignore_errors=True)


def _wait_for_others() -> None:
    """One node at a time; the lock goes with this process."""
    cache().mkdir(parents=True, exist_ok=True)
    lock = os.open(cache() / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another node is running on this machine; waiting for its end ...", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run it to its end, which comes with ours at the latest: the other end of a pipe is held here."""
    watched, _held = os.pipe()
    environment = {**environment, LIFELINE: str(watched)}
    with subprocess.Popen(command, env=environment, pass_fds=[watched]) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # pytest hears it too, and ends in good order
                continue
            except BaseException:
                process.kill()
                raise


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def first_process(arguments: list[str]) -> int:
    """Set the scene, start pytest, and bury whatever dies. When this process ends, so does everything in here."""
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_end_with, args=[int(os.environ[LIFELINE])], daemon=True).start()
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    for place in EMPTY:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    for place in COVERED:
        upper, scratch = Path("/run/upper", place[1:]), Path("/run/scratch", place[1:])
        for folder in (upper, scratch):
            folder.mkdir(parents=True)
        layers = f"lowerdir={place},upperdir={upper},workdir={scratch}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, place], check=True)
    Path("/run/lock").mkdir()
    subprocess.run(["hostname", "node-1"], check=True)
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment = {**os.environ, "PATH": PATH, "HOME": os.environ["NODE_WORK"], "XDG_CACHE_HOME": caches}
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=environment)
    while True:
        pid, status = os.wait()
        if pid == tests.pid:
            return os.waitstatus_to_exitcode(status)


def _end_with(watched: int) -> None:
    os.read(watched, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
