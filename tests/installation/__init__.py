"""The two ways to install the operator, for tests: the Helm chart with the real Helm, and kustomize with the real kubectl.

installed = install_chart(control_plane, namespace)
kubeconfig = control_plane.service_account_kubeconfig(installed.namespace, installed.service_account)
"""

from installation.access import may, soon
from installation.cleaning import CLUSTER_WIDE, CRD, PART_OF, remove_installations
from installation.helm import CHART, MINIMAL, Helm, HelmFailed, install_chart
from installation.kustomize import KUSTOMIZE, build, install_kustomization
from installation.objects import CREDENTIALS, Installed, environment, granted, is_hook, make_namespace, normalised, only

__all__ = [
    "CHART",
    "CLUSTER_WIDE",
    "CRD",
    "CREDENTIALS",
    "KUSTOMIZE",
    "MINIMAL",
    "PART_OF",
    "Helm",
    "HelmFailed",
    "Installed",
    "build",
    "environment",
    "granted",
    "install_chart",
    "install_kustomization",
    "is_hook",
    "make_namespace",
    "may",
    "normalised",
    "only",
    "remove_installations",
    "soon",
]
