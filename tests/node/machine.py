"""The node's own processes. All of this runs inside the namespaces that `node.__main__` makes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import psutil

from controlplane import ControlPlane
from controlplane.certificates import write_secret
from controlplane.server import Server
from node.cgroups import GROUP
from node.dns import Dns
from node.prepare import PATH, PAUSE, PLUGINS

NAME, ADDRESS = "node-1", "172.30.0.1"
SERVICES, PODS = "10.96.0.0/24", "10.244.0.0/24"
KUBERNETES = "10.96.0.1"
STATE = Path("/run/node")
SOCKET = STATE / "containerd.sock"


class Node(ControlPlane):
    """A control plane with one node, on which pods run."""

    address = ADDRESS
    names = (KUBERNETES, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")

    def __init__(self, directory: Path, images: Iterable[Path]) -> None:
        super().__init__(directory)
        self._images = list(images)
        self._dns: Dns | None = None
        self.apiserver_flags = (
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICES}",
            f"--kubelet-client-certificate={directory}/apiserver.crt",
            f"--kubelet-client-key={directory}/apiserver.key",
            f"--kubelet-certificate-authority={directory}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
        )

    def __enter__(self) -> Self:
        network()
        super().__enter__()
        try:
            self._start_controllers()
            self.start_containerd()
            for image in self._images:
                self.containers("images", "import", str(image))
            self.start_kubelet()
            self._start_proxy()
            self._dns = Dns(ADDRESS, self.kubeconfig)
            self.client.wait(f"/api/v1/nodes/{NAME}", _is_ready, timeout=120)
            self.client.wait("/api/v1/namespaces/default/serviceaccounts/default", lambda item: item is not None)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self._dns is not None:
            self._dns.close()
        super().stop()

    def containers(self, *arguments: str) -> str:
        """Run containerd's own command-line client."""
        command = ["ctr", f"--address={SOCKET}", "--namespace=k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": PATH}).stdout

    def freeze_apiserver(self, seconds: float) -> None:
        """Let the API server answer nothing for a while, with its connections open."""
        server = self._servers["kube-apiserver"].served
        server.suspend()
        try:
            time.sleep(seconds)
        finally:
            server.resume()

    def crash(self) -> None:
        """Kill kubelet, containerd and every container at once, as a loss of power does; the control plane lives."""
        for name in ("kubelet", "containerd"):
            self._servers.pop(name).stop()
        for process in psutil.process_iter(["name"]):
            if process.info["name"].startswith("containerd-shim"):
                with contextlib.suppress(psutil.NoSuchProcess):
                    for contained in process.children(recursive=True):
                        contained.kill()
                    process.kill()

    def boot(self) -> None:
        """Start again after `crash`."""
        self.start_containerd()
        self.start_kubelet()

    def kill(self, words: str) -> None:
        """SIGKILL to the processes with these words in their command line, as the kernel does when memory is short."""
        for process in psutil.process_iter(["cmdline"]):
            if words in " ".join(process.info["cmdline"] or ()):
                process.send_signal(signal.SIGKILL)

    def _write_files(self) -> None:
        super()._write_files()
        self._authority.client("apiserver", group="system:masters").write(self.directory, "apiserver")

    def _start_controllers(self) -> None:
        admin = f"--kubeconfig={self.kubeconfig}"
        self._start(
            "kube-controller-manager",
            "https://127.0.0.1:10257/healthz",
            admin,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--root-ca-file={self.ca_file}",
            f"--service-account-private-key-file={self.directory}/service-account.key",
            *self._serving_flags(),
        )
        self._start(
            "kube-scheduler",
            "https://127.0.0.1:10259/healthz",
            admin,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            *self._serving_flags(),
        )

    def start_containerd(self) -> None:
        (self.directory / "cni").mkdir(exist_ok=True)
        (self.directory / "cni" / "10-ptp.conflist").write_text(json.dumps(NETWORK))
        file = self.directory / "containerd.toml"
        file.write_text(
            CONTAINERD.format(root=self.directory / "containers", conf=self.directory / "cni", plugins=PLUGINS)
        )
        log = self.directory / "containerd.log"
        server = Server("containerd", [f"--config={file}"], log, program=Path("/usr/bin/containerd"), path=PATH)
        self._servers["containerd"] = server
        server.wait_until(self._containers_answer)

    def _containers_answer(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return bool(self.containers("version"))
        return False

    def start_kubelet(self) -> None:
        kubeconfig = self._write_certificate_kubeconfig("kubelet", f"system:node:{NAME}", group="system:nodes")
        self._authority.server(ADDRESS, NAME).write(self.directory, "kubelet")
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{GROUP}",
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.ca_file)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{self.directory}/kubelet.crt",
            "tlsPrivateKeyFile": f"{self.directory}/kubelet.key",
            "clusterDNS": [ADDRESS],
            "clusterDomain": "cluster.local",
            "imageGCHighThresholdPercent": 100,  # nothing could be pulled again
            "evictionHard": {"memory.available": "100Mi"},
            "syncFrequency": "5s",  # a minute by default, and that long a test of a changed Secret would take
            "podLogsDir": f"{STATE}/logs",
            "volumePluginDir": f"{STATE}/volume-plugins",
        }
        (self.directory / "kubelet.json").write_text(json.dumps(config))
        self._start(
            "kubelet",
            "http://127.0.0.1:10248/healthz",
            f"--config={self.directory}/kubelet.json",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={STATE}/kubelet",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
            path=PATH,
        )

    def _start_proxy(self) -> None:
        kubeconfig = self._write_certificate_kubeconfig("kube-proxy", "system:kube-proxy", group="system:node-proxier")
        subject = {"kind": "User", "name": "system:kube-proxy", "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "ClusterRole", "name": "system:node-proxier", "apiGroup": "rbac.authorization.k8s.io"}
        self.client.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "kube-proxy"},
                "subjects": [subject],
                "roleRef": role,
            }
        )
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": NAME,
            "bindAddress": ADDRESS,
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": PODS,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "metricsBindAddress": "127.0.0.1:10249",
        }
        write_secret(self.directory / "kube-proxy.json", json.dumps(config).encode())
        self._start(
            "kube-proxy",
            f"http://{ADDRESS}:10256/livez",
            f"--config={self.directory}/kube-proxy.json",
            path=PATH,
        )


def network() -> None:
    """An interface with the node's address, and a default route that leads nowhere."""
    for command in (
        "link set lo up",
        "link add node0 type veth peer name nowhere",
        "link set nowhere up",
        f"address add {ADDRESS}/32 dev node0",
        "link set node0 up",
        "route add default dev node0",
    ):
        subprocess.run(["ip", *command.split()], env={"PATH": PATH}, check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def inside() -> bool:
    """Whether this process is in the node's namespaces."""
    return os.environ.get("NODE_IMAGES") is not None


def _is_ready(node: dict[str, object] | None) -> bool:
    conditions = ((node or {}).get("status") or {}).get("conditions", ())  # type: ignore[attr-defined]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


NETWORK = {
    "cniVersion": "1.0.0",
    "name": "node",
    "plugins": [
        {
            "type": "ptp",  # not a bridge: a pod reaches another by a Service without a module of the kernel
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "dataDir": f"{STATE}/addresses",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
# restrict_oom_score_adj: without CAP_SYS_RESOURCE no container would start.
CONTAINERD = f"""
version = 2
root = "{{root}}"
state = "{STATE}/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{plugins}}"
    conf_dir = "{{conf}}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
