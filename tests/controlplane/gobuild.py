"""Build the control plane's programs with Go, from modules pinned with their checksums in `modules/`.

One module for each upstream project, since their dependencies clash. A version is raised by editing the module's go.mod
and running `go mod tidy` there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from controlplane.errors import BuildFailed

MODULES = Path(__file__).parent / "modules"
LOG_TAIL = 3000
HEARTBEAT_SECONDS = 30.0
"""Where the output is no terminal, a long build says that often that it goes on."""


@dataclass(frozen=True)
class Program:
    """One program: its main `package` and how many `minutes` a first build takes on two cores."""

    name: str
    module: str
    package: str
    minutes: float

    @cached_property
    def version(self) -> str:
        """The version pinned in go.mod, such as `v1.37.2`."""
        for path, version in re.findall(r"^\s*(?:require )?(\S+) (v\d\S+)", self._go_mod.read_text(), re.MULTILINE):
            if f"{self.package}/".startswith(f"{path}/"):
                return str(version)
        raise LookupError(f"{self._go_mod} does not pin {self.package}")

    @property
    def folder(self) -> str:
        """The folder in the cache that this version is kept in."""
        return f"{self.module}-{self.version}"

    @property
    def link_flags(self) -> str:
        """Flags that state the version: without them a kube-apiserver calls itself v0.0.0 and Helm refuses it."""
        if self.module == "kubernetes":
            major, minor, _ = self.version.removeprefix("v").split(".")
            values = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
            packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            return "".join(f" -X {package}.{name}={values[name]}" for package in packages for name in values)
        return f" -X helm.sh/helm/v4/internal/version.version={self.version}" if self.module == "helm" else ""

    @property
    def _go_mod(self) -> Path:
        return MODULES / self.module / "go.mod"


PROGRAMS = {
    program.name: program
    for program in (
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", minutes=1),
        Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", minutes=5),
        Program("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", minutes=1),
        Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", minutes=2),
        Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", minutes=2),
        Program("kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet", minutes=4),
        Program("kube-proxy", "kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", minutes=1),
        Program("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", minutes=1),
    )
}
NODE = ("kubelet", "kube-proxy", "kube-scheduler")
"""What only a node with running pods needs; Linux only."""
CONTROL_PLANE = tuple(name for name in PROGRAMS if name not in NODE)


def build(program: Program, target: Path, console: Console) -> None:
    """Build `program` into the file `target`, whole or not at all. Raises `BuildFailed`."""
    go = shutil.which("go")
    if go is None:
        raise BuildFailed(f"{program.name} cannot be built: there is no Go on the PATH")
    title = f"Building {program.name} {program.version} with Go"
    console.print(f"{title}: about {program.minutes:g} min on two cores, only once ...")
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:
        unfinished, log = Path(work, program.name), Path(work, "log")
        command = [go, "build", "-trimpath", "-ldflags", f"-s -w{program.link_flags}", "-o", str(unfinished)]
        with log.open("wb") as output, _clock(title, program.minutes, console):
            code = _run([*command, program.package], MODULES / program.module, output.fileno(), title, console)
        if code != 0:
            raise BuildFailed(f"{program.name} cannot be built: {log.read_text(errors='replace')[-LOG_TAIL:]}")
        unfinished.replace(target)
    console.print(f"Built {program.name} in {time.monotonic() - started:.0f} s")


def _clock(title: str, minutes: float, console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn(title), TimeElapsedColumn(), TextColumn(f"of about {minutes:g} min"))
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task(title, total=None)
    return progress


def _run(command: list[str], directory: Path, output: int, title: str, console: Console) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH")}
    environment |= {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    started = time.monotonic()
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output) as process:
        try:
            while True:
                try:
                    return process.wait(HEARTBEAT_SECONDS)
                except subprocess.TimeoutExpired:
                    if not console.is_terminal:
                        console.print(f"{title}: {time.monotonic() - started:.0f} s so far ...")
        except BaseException:
            process.kill()
            raise
