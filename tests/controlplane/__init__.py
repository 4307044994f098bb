"""A real Kubernetes control plane for tests and the demo: etcd and kube-apiserver on loopback, and a small client.

    with ControlPlane() as control_plane:
        control_plane.install_crds()
        control_plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})

`python -m controlplane prepare` fetches or builds the binaries; `python -m controlplane run` keeps one running.
"""

from controlplane.binaries import locate, prepare
from controlplane.client import ApiError, Client
from controlplane.errors import BinaryMissing, KubectlFailed, StartFailed
from controlplane.server import ControlPlane

__all__ = ["ApiError", "BinaryMissing", "Client", "ControlPlane", "KubectlFailed", "StartFailed", "locate", "prepare"]
