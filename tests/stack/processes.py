"""Child processes that are started, watched, killed and read."""

from __future__ import annotations

import abc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from controlplane.ports import free_port

CLIENT_ID = "operator"
CLIENT_SECRET = "not-a-secret-of-anyone"
HANG_GUARD = 60.0
"""Seconds after which a step that should take one or two is called hanging."""


class Process:
    """One child process with its output in a file."""

    def __init__(self, command: list[str], *, env: Mapping[str, str], log: Path) -> None:
        self._command, self._env, self.log = command, env, log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self._command,
                env=self.environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        return self

    @property
    def environment(self) -> dict[str, str]:
        return {**_quiet(os.environ), **self._env}

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:  # a stop may come while it starts
            self.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def child(self) -> subprocess.Popen[bytes]:
        assert self._child is not None, "not started"
        return self._child

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a crash or a lost node would."""
        if self.alive:
            self.child.kill()
            self.child.wait(HANG_GUARD)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(HANG_GUARD)

    def wait(self) -> int:
        """The exit code of a process that ends by itself."""
        return self.child.wait(HANG_GUARD)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def resident_bytes(self) -> int:
        return int(psutil.Process(self.child.pid).memory_info().rss)

    def peak_bytes(self) -> int:
        """The most it ever took; what it takes now where the kernel keeps no such mark (macOS)."""
        status = Path(f"/proc/{self.child.pid}/status")
        mark = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
        return int(mark[1]) * 1024 if mark else self.resident_bytes()

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.child.pid).cpu_times()
        return float(times.user + times.system)

    def wait_until(self, what: str, ready: Callable[[], Any], *, timeout: float = HANG_GUARD) -> Any:
        """The first true answer of `ready`; fails with the process's output when it dies or takes too long."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if answer := ready():
                return answer
            if not self.alive:
                raise AssertionError(f"ended with {self.child.returncode} before {what}:\n{self.output()[-4000:]}")
            time.sleep(0.05)
        raise AssertionError(f"no {what} after {timeout} s:\n{self.output()[-4000:]}")


QUICK = {"list_lag": 0.1, "sync_time": 0.05, "phase_time": 0.1, "run_time": 0.5, "delete_time": 0.2}
"""Switches of a control plane that is in a hurry."""


class Runai(abc.ABC):
    """What a test asks the simulator, and tells it, wherever it runs."""

    @abc.abstractmethod
    def admin(self, method: str, path: str, json: Any = None) -> Any:
        """One call of the admin endpoint."""

    def all(self) -> list[dict[str, Any]]:
        """Every workload it remembers, deleted ones too."""
        shown: list[dict[str, Any]] = self.admin("GET", "workloads")
        return shown

    def live(self) -> list[dict[str, Any]]:
        return [entry for entry in self.all() if entry["live"]]

    def manifest(self, workload_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.admin("GET", f"workloads/{workload_id}")["manifest"]
        return shown

    def calls(self, method: str, path: str = "/api/v2/workloads") -> int:
        """How many requests of that method to the path or below were answered."""
        requests = self.admin("GET", "counters")["requests"]
        return sum(one["count"] for one in requests if one["method"] == method and one["path"].startswith(path))

    def effective_creates(self) -> int:
        """How many POSTs made a workload."""
        return len(self.admin("GET", "counters")["creates"])

    def fault(self, kind: str, **rule: Any) -> None:
        self.admin("POST", "faults", {"kind": kind, **rule})

    def heal(self) -> None:
        """No faults any more."""
        self.admin("DELETE", "faults")

    def switch(self, **values: Any) -> None:
        self.admin("POST", "switches", values)

    def set_phase(self, workload_id: str, phase: str, message: str = "") -> None:
        self.admin("POST", f"workloads/{workload_id}", {"phase": phase, "message": message})

    def delete_outside(self, workload_id: str) -> None:
        self.admin("POST", f"workloads/{workload_id}", {"deleted": True})

    def purge(self, workload_id: str) -> None:
        self.admin("DELETE", f"workloads/{workload_id}")


class Simulator(Process, Runai):
    """`runai-simulator serve` on a free port of loopback."""

    def __init__(self, directory: Path, *, host: str = "127.0.0.1", port: int = 0, **switches: bool | float) -> None:
        command = [sys.executable, "-m", "runai_simulator", "serve"]
        command += ["--host", host, "--port", str(port or free_port())]
        for name, value in switches.items():
            command += ["--switch", f"{name}={str(value).lower()}"]
        super().__init__(command, env={}, log=directory / "simulator.log")
        self.url = ""

    def start(self) -> Self:
        super().start()
        found = self.wait_until("listening", lambda: re.findall(r"listening on (http\S+)", self.output()))
        self.url = str(found[-1])
        return self

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def admin(self, method: str, path: str, json: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}/_admin/{path}", json=json, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json()


class Operator(Process):
    """`runai-operator run` against a control plane and a Run:ai URL."""

    def __init__(self, directory: Path, kubeconfig: Path, runai_url: str, **settings: str) -> None:
        self.port = free_port()
        env = {
            "KUBECONFIG": str(kubeconfig),
            "RUNAI_BASE_URL": runai_url,
            "RUNAI_CLIENT_ID": CLIENT_ID,
            "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
            "RUNAI_ALLOW_HTTP": "true",
            "OPERATOR_LISTEN": f"127.0.0.1:{self.port}",
            "OPERATOR_DELTA_INTERVAL": "1s",
            "OPERATOR_GRACE_PERIOD": "3s",
            **settings,
        }
        super().__init__([sys.executable, "-m", "runai_operator", "run"], env=env, log=directory / "operator.log")

    def wait_ready(self, *, timeout: float = HANG_GUARD) -> Self:
        self.wait_until("readiness", lambda: self.probe("readyz") == 200, timeout=timeout)
        return self

    def probe(self, path: str) -> int:
        """Status code of a probe; 0 when nobody listens."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/{path}", timeout=5).status_code
        except httpx.TransportError:
            return 0

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text

    def metric(self, name: str) -> float:
        """Sum over all samples of one metric name."""
        lines = [line for line in self.metrics().splitlines() if re.match(rf"{name}(\{{| )", line)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def _quiet(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead loopback traffic elsewhere."""
    return {key: value for key, value in env.items() if key.lower() not in {"http_proxy", "https_proxy", "all_proxy"}}
