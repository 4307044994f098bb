"""`python -m controlplane prepare [NAME ...]` fetches programs; `python -m controlplane run` runs a control plane."""

from __future__ import annotations

import argparse
import signal
import sys

from controlplane import binaries, gobuild
from controlplane.errors import BinaryMissing, StartFailed
from controlplane.server import ControlPlane


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    names = commands.add_parser("prepare", help="download or build what is missing").add_argument("names", nargs="*")
    names.help = f"any of {', '.join(gobuild.PROGRAMS)}; without a name, all but those of a node"
    commands.add_parser("run", help="run etcd and kube-apiserver with our CRDs until interrupted")
    arguments = parser.parse_args()
    try:
        return run() if arguments.command == "run" else prepare(arguments.names)
    except (BinaryMissing, StartFailed) as error:
        print(error, file=sys.stderr)
        return 1


def prepare(names: list[str]) -> int:
    for name, path in binaries.prepare(names or gobuild.CONTROL_PLANE).items():
        print(f"{name}: {path}")
    return 0


def run() -> int:
    binaries.prepare(["etcd", "kube-apiserver"])
    with ControlPlane() as control_plane:
        control_plane.install_crds()
        print(f"export KUBECONFIG={control_plane.kubeconfig}", flush=True)
        signal.sigwait([signal.SIGINT, signal.SIGTERM])
    return 0


if __name__ == "__main__":
    sys.exit(main())
