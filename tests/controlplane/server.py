"""Start, watch and stop etcd and kube-apiserver (and, where a test needs it, kube-controller-manager) on loopback.

Everything lives in one temporary folder: certificates, data, logs, kubeconfigs. Loopback and RBAC are as in production;
only etcd's fsync is off, since nothing here must survive a power cut.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil
import yaml

from controlplane import binaries, supervisor
from controlplane.certificates import Authority, new_key, private_pem, public_pem, write_secret
from controlplane.client import Client, Object
from controlplane.errors import KubectlFailed, StartFailed
from controlplane.ports import LOOPBACK, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
CRDS = REPOSITORY / "crds"
ISSUER = "https://kubernetes.default.svc.cluster.local"

START_TRIES = 3
"""A free port may be taken by somebody else before the server binds it; then the server ends at once and we try again."""
READY_SECONDS = 120.0
"""Guard against hanging; a start takes a few seconds."""
POLL_SECONDS = 0.05
LOG_TAIL = 4000
AUDIT_LOG_MEGABYTES = 10_000
"""Above any test's log: a rotated file would hide its first part from `audit_events`."""
TOKEN_SECONDS = 24 * 3600

CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class Server:
    """One supervised server process; its output goes to `log`."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, *, program: Path | None = None, path: str = os.defpath
    ) -> None:
        self.name = name
        self._log = log
        program = program or binaries.require(name)
        command = [sys.executable, "-I", supervisor.__file__, str(program), *arguments]
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**quiet_environment(log.parent), "PATH": path},
                start_new_session=True,  # Ctrl-C is the harness's to handle, so that all stops in order
            )

    def stop(self) -> None:
        """Kill the server and wait until it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    @property
    def served(self) -> psutil.Process:
        """The server itself, to be frozen or killed."""
        (process,) = psutil.Process(self._process.pid).children()
        return process

    def wait_ready(self, url: str) -> None:
        """Poll `url` until it answers 200. Raises `StartFailed`, with the server stopped."""
        with httpx.Client(verify=False, trust_env=False) as http:  # only readiness: real clients verify
            self.wait_until(lambda: _is_ok(http, url))

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Poll until it is `ready`. Raises `StartFailed`, with the server stopped."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if self._process.poll() is not None:
                self.stop()
                raise StartFailed(f"{self.name} ended while starting:\n{self.output()[-LOG_TAIL:]}")
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"{self.name} was not ready in time:\n{self.output()[-LOG_TAIL:]}")
            time.sleep(POLL_SECONDS)

    def output(self) -> str:
        """Return what this process has logged."""
        return self._log.read_bytes()[self._log_start :].decode(errors="replace")


class ControlPlane:
    """An etcd and a kube-apiserver of their own, as a context manager.

    `directory` takes all files and is kept; without it they go to a temporary folder. `audit_log` may lie elsewhere.
    Raises `binaries.BinaryMissing` where a binary is not there, `StartFailed` where a server does not start.
    """

    address = LOOPBACK
    """Where the API server listens; etcd is on loopback."""
    names: tuple[str, ...] = ("localhost", "kubernetes.default.svc")
    """What else its certificate is for."""
    apiserver_flags: tuple[str, ...] = (
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",  # nobody looks for this server in its own Endpoints
    )

    def __init__(self, directory: Path | None = None, *, audit_log: Path | None = None) -> None:
        self._temporary = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="controlplane-")) if directory is None else directory
        self.kubeconfig = self.directory / "admin.kubeconfig"
        self.audit_log = audit_log or self.directory / "audit.log"
        self.ca_file = self.directory / "ca.crt"
        self.url = ""
        """The API server's address, `https://127.0.0.1:<port>`; it stays the same over `stop_apiserver`."""
        self._etcd_url = ""
        self._servers: dict[str, Server] = {}
        self._client: Client | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._authority = Authority()
            self._write_files()
            _on_a_free_port(self._start_etcd)
            _on_a_free_port(self._start_apiserver)
            self._write_admin_kubeconfig()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything and, unless a directory was given, remove its files."""
        for name in reversed(list(self._servers)):
            self._servers.pop(name).stop()
        if self._client is not None:
            self._client.close()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def client(self) -> Client:
        """The cluster administrator's client."""
        if self._client is None:
            self._client = Client(self.kubeconfig)
        return self._client

    def stop_apiserver(self) -> None:
        """Kill the API server as a crash would; etcd, its data and the URL are kept."""
        self._servers.pop("kube-apiserver").stop()

    def start_apiserver(self) -> None:
        """Start the API server again at the same URL."""
        self._start_apiserver(int(self.url.rpartition(":")[2]))

    def start_controller_manager(self, controllers: Sequence[str] = CONTROLLERS) -> None:
        """Run these controllers of kube-controller-manager until the control plane stops."""

        def start(port: int) -> None:
            self._start(
                "kube-controller-manager",
                f"https://{LOOPBACK}:{port}/healthz",
                f"--kubeconfig={self.kubeconfig}",
                f"--controllers={','.join(controllers)}",
                "--leader-elect=false",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={port}",
                *self._serving_flags(),
                f"--root-ca-file={self.ca_file}",
                f"--service-account-private-key-file={self.directory}/service-account.key",
            )

        _on_a_free_port(start)

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator. Raises `KubectlFailed` with its error text, unless `check` is False."""
        command = [str(binaries.require("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        environment = quiet_environment(self.directory)
        done = subprocess.run(command, input=input, env=environment, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done

    def install_crds(self, directory: Path = CRDS) -> None:
        """Apply every CustomResourceDefinition in `directory` and wait until the API server serves it."""
        documents = (item for file in sorted(directory.glob("*.yaml")) for item in yaml.safe_load_all(file.read_text()))
        for crd in [item for item in documents if item["kind"] == "CustomResourceDefinition"]:
            self.client.apply(crd)
            self.client.wait(self.client.path_of(crd), _established)
            for version in crd["spec"]["versions"]:
                path = f"/apis/{crd['spec']['group']}/{version['name']}/{crd['spec']['names']['plural']}"
                self.client.wait(path, lambda collection: collection is not None)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a fresh token of this ServiceAccount, which must exist (else `ApiError`)."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        spec = {"expirationSeconds": TOKEN_SECONDS}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token = self.client.request("POST", path, body=request)["status"]["token"]
        return self._write_kubeconfig(f"{namespace}.{name}", {"token": token}, namespace)

    def audit_events(self, word: str) -> list[Object]:
        """Return what the audit log so far has with `word` anywhere in it, as a user agent or the name of a namespace.

        It holds one event per finished request, at level Metadata (no bodies). They become too many to read, or to keep,
        all of them.
        """
        wanted = word.encode()
        with self.audit_log.open("rb") as log:
            return [json.loads(line) for line in log if wanted in line and line.endswith(b"\n")]

    def _start_etcd(self, port: int) -> None:
        self._etcd_url = f"http://{LOOPBACK}:{port}"
        self._start(
            "etcd",
            f"{self._etcd_url}/readyz",
            f"--data-dir={self.directory}/etcd",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls=http://{LOOPBACK}:0",  # nobody joins
            "--unsafe-no-fsync",
            "--log-level=warn",
        )

    def _start_apiserver(self, port: int) -> None:
        self.url = f"https://{self.address}:{port}"
        self._start(
            "kube-apiserver",
            f"{self.url}/readyz",
            f"--etcd-servers={self._etcd_url}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={port}",
            "--allow-privileged",
            *self.apiserver_flags,
            f"--client-ca-file={self.ca_file}",
            *self._serving_flags(),
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={self.directory}/service-account.pub",
            f"--service-account-signing-key-file={self.directory}/service-account.key",
            f"--audit-policy-file={self.directory}/audit-policy.json",
            f"--audit-log-path={self.audit_log}",
            f"--audit-log-maxsize={AUDIT_LOG_MEGABYTES}",
        )

    def _serving_flags(self) -> list[str]:
        return [
            f"--tls-cert-file={self.directory}/server.crt",
            f"--tls-private-key-file={self.directory}/server.key",
        ]

    def _start(self, name: str, ready_url: str, *flags: str, path: str = os.defpath) -> None:
        server = Server(name, flags, self.directory / f"{name}.log", path=path)
        self._servers[name] = server
        try:
            server.wait_ready(ready_url)
        except StartFailed:
            del self._servers[name]
            raise

    def _write_files(self) -> None:
        self.ca_file.write_bytes(self._authority.pair.certificate_pem)
        self._authority.server(self.address, *self.names).write(self.directory, "server")
        tokens = new_key()
        write_secret(self.directory / "service-account.key", private_pem(tokens))
        (self.directory / "service-account.pub").write_bytes(public_pem(tokens))
        (self.directory / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))

    def _write_admin_kubeconfig(self) -> None:
        self._write_certificate_kubeconfig("admin", "admin", group="system:masters")

    def _write_certificate_kubeconfig(self, name: str, user: str, *, group: str) -> Path:
        pair = self._authority.client(user, group=group)
        data = {
            "client-certificate-data": base64.b64encode(pair.certificate_pem).decode(),
            "client-key-data": base64.b64encode(pair.key_pem).decode(),
        }
        return self._write_kubeconfig(name, data, "default")

    def _write_kubeconfig(self, name: str, user: Object, namespace: str) -> Path:
        authority = base64.b64encode(self._authority.pair.certificate_pem).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": "local", "user": name, "namespace": namespace}}],
            "current-context": name,
        }
        path = self.directory / f"{name}.kubeconfig"
        write_secret(path, yaml.safe_dump(config).encode())
        return path


def quiet_environment(home: Path) -> dict[str, str]:
    """Environment for programs that must see only this control plane: no proxies, no configuration of the user's."""
    return {"PATH": os.defpath, "HOME": str(home)}


def _on_a_free_port(start: Callable[[int], None]) -> None:
    """Call `start` with a free port; again with another one where somebody took it in between."""
    for remaining in reversed(range(START_TRIES)):
        try:
            start(free_port())
        except StartFailed as error:
            if not remaining or "address already in use" not in str(error):
                raise
        else:
            return


def _is_ok(http: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return http.get(url).status_code == 200
    return False


def _established(crd: Object | None) -> bool:
    conditions = (crd or {}).get("status", {}).get("conditions") or []  # null in a new one
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)
