"""What the chart renders, without a cluster: every set of values, every value, and equality with kustomize."""

from __future__ import annotations

import copy
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from installation import CHART, KUSTOMIZE, MINIMAL, Helm, HelmFailed, build, granted, normalised, only
from runai_operator import __version__
from runai_operator.domain.access import Access, AccessRule, parse_access
from runai_operator.settings import VARIABLES, Settings, SettingsError

pytestmark = pytest.mark.installation

ROOT = CHART.parents[2]
MIB = 1024 * 1024
CI = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in (CHART / "ci").glob("*.yaml")
}
GENERATOR = runpy.run_path(str(ROOT / "deploy" / "helm" / "generate.py"))
VALUES = {value.path: value for value in GENERATOR["values"]()}
each_ci = pytest.mark.parametrize("values", CI.values(), ids=CI)
REACHED_BY = {
    "RUNAI_BASE_URL": ("runai.baseUrl", "https://other.run.ai"),
    "RUNAI_ALLOW_HTTP": ("runai.allowHttp", True),
    "HTTPS_PROXY": ("runai.proxy.https", "http://proxy.example.com:3128"),
    "HTTP_PROXY": ("runai.proxy.http", "http://proxy.example.com:3128"),
    "NO_PROXY": ("runai.proxy.noProxy", ".svc,10.0.0.0/8"),
    "OPERATOR_INSTALL_ID": ("installId", "old-cluster"),
    "OPERATOR_FORMER_INSTALL_IDS": ("formerInstallIds", ["cluster-a", "cluster-b"]),
    "OPERATOR_NAMESPACES": ("operator.watchNamespaces", ["team-a", "team-b"]),
    "OPERATOR_SELECTOR": ("operator.selector", "shard in (a,b),!legacy"),
    "OPERATOR_LISTEN": ("operator.port", 9090),
    "OPERATOR_LOG_FORMAT": ("operator.logFormat", "text"),
    "OPERATOR_LOG_LEVEL": ("operator.logLevel", "debug"),
    "OPERATOR_DELTA_INTERVAL": ("operator.deltaInterval", "2s"),
    "OPERATOR_SWEEP_INTERVAL": ("operator.sweepInterval", "1h"),
    "OPERATOR_STALLED_AFTER": ("operator.stalledAfter", "1h"),
    "OPERATOR_STALE_AFTER": ("operator.staleAfter", "3m"),
    "OPERATOR_GRACE_PERIOD": ("operator.gracePeriod", "2m"),
    "OPERATOR_DELETE_RATE": ("operator.deleteRate", 7),
    "OPERATOR_RELEASE_AFTER": ("operator.releaseAfter", "2h"),
    "OPERATOR_EVENTS": ("operator.events", False),
}
FROM_SECRETS_AND_FILES = {
    "RUNAI_CLIENT_ID",
    "RUNAI_CLIENT_SECRET",
    "RUNAI_CLIENT_SECRET_FILE",
    "RUNAI_CA_FILE",
    "RUNAI_ACCESS_FILE",
}
SHOWN_AS = {True: "true", False: "false", 9090: ":9090", 7: "7"}
KNOWN_TO_THE_POD = {"OPERATOR_RECORDS_NAMESPACE"}
MORE_GENERAL = {"ALL_PROXY", "SSL_CERT_FILE"}
"""The values set the more specific ones."""


def with_value(values: dict, path: str, value: object) -> dict:
    """A copy of the values with one more set."""
    made = copy.deepcopy(values)
    *folders, name = path.split(".")
    inner = made
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[name] = value
    return made


def without(values: dict, path: tuple[str, ...]) -> dict | None:
    """A copy of the values with one back at its default; None where it was not set."""
    made = copy.deepcopy(values)
    inner = made
    for folder in path[:-1]:
        inner = inner.get(folder, {})
    return made if inner.pop(path[-1], inner) is not inner else None


def environment(objects: list[dict]) -> dict[str, str | None]:
    container = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value") for variable in container["env"]}


@each_ci
def test_two_renders_are_the_same_byte_for_byte(values):
    assert Helm().template(values) == Helm().template(values)


CHANGING = (
    r"\b(lookup|gen[A-Z]\w+|now|date\w*|ago|rand\w+|uuidv4|bcrypt|htpasswd|shuffle|encryptAES|derivePassword"
    r"|getHostByName|env|expandenv|Capabilities|Revision|IsInstall|IsUpgrade)\b"
)
"""What answers differently in another moment, or in another place, such as beside Argo CD."""


OF_THE_CLUSTER = {"_names.tpl": ["Capabilities"]}
"""Whether it is OpenShift: the same answer every time in one cluster, and Argo CD asks the cluster as well."""


def changing_calls(template: str) -> list[str]:
    without_comments = re.sub(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", "", template)
    actions = re.findall(r"\{\{.*?\}\}", without_comments, re.DOTALL)
    return [call for action in actions for call in re.findall(CHANGING, re.sub(r'"[^"]*"', "", action))]


def test_no_template_asks_for_what_changes_between_renders():
    """But for the one that looks for another operator, and can only refuse."""
    texts = {path.name: path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()}
    assert changing_calls(texts.pop("_others.tpl")) == ["lookup"]

    assert texts
    assert {name: found for name, text in texts.items() if (found := changing_calls(text))} == OF_THE_CLUSTER


@pytest.mark.parametrize(
    "action",
    [
        "now | date",
        'lookup "v1" "Secret" "a" "b"',
        'genCA "a" 1',
        "randAlphaNum 8",
        "uuidv4",
        ".Release.Revision",
        "shuffle .a",
    ],
)
def test_such_a_call_would_be_found(action):
    assert changing_calls(f"a: {{{{ {action} }}}}")


@each_ci
def test_the_linter_has_nothing_to_say(values):
    said = Helm().run("lint", "--strict", str(CHART), values=values)

    assert re.findall(r"^\[\w+\].*", said, re.MULTILINE) == []


FOR_PARENTS = {"enabled"}
"""Helm looks at it when another chart has this one as a dependency with a condition; to the chart itself it says nothing."""


def test_every_value_has_an_effect():
    without_effect = set(VALUES)
    for values in CI.values():
        rendered = Helm().template(values)
        for path in list(without_effect):
            changed = without(values, path)
            if changed is not None and rendering_or_refusal(changed) != rendered:
                without_effect.discard(path)

    assert {".".join(path) for path in without_effect} == FOR_PARENTS


def rendering_or_refusal(values: dict, *flags: str) -> str:
    try:
        return Helm().template(values, *flags)
    except HelmFailed as refused:
        return str(refused)


def test_every_setting_of_the_operator_is_reached_by_a_value():
    elsewhere = FROM_SECRETS_AND_FILES | KNOWN_TO_THE_POD | MORE_GENERAL | {"KUBECONFIG"}
    assert REACHED_BY.keys() | elsewhere == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize(
    ("variable", "path", "value"), [(name, *how) for name, how in REACHED_BY.items()], ids=REACHED_BY
)
def test_a_value_sets_its_variable(variable, path, value):
    values = with_value({**MINIMAL, "installId": "a"}, path, value)
    shown = ",".join(value) if isinstance(value, list) else SHOWN_AS.get(value, value)

    assert environment(Helm().objects(values))[variable] == shown


def test_credentials_come_from_the_secret():
    pod = only(Helm().objects(), "Deployment")["spec"]["template"]["spec"]
    variables = {variable["name"]: variable for variable in pod["containers"][0]["env"]}
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "credentials"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "credentials"]

    assert variables["RUNAI_CLIENT_ID"]["valueFrom"]["secretKeyRef"] == {"name": "runai-credentials", "key": "clientId"}
    assert volume["secret"]["items"] == [{"key": "clientSecret", "path": "clientSecret"}]
    assert variables["RUNAI_CLIENT_SECRET_FILE"]["value"] == f"{mount['mountPath']}/clientSecret"
    assert "subPath" not in mount, "kubelet would never bring a rotated secret"
    assert "Secret" not in {item["kind"] for item in Helm().objects()}


PAGE = (ROOT / "docs" / "install.md").read_text()
WITHOUT_A_SECRET = [
    yaml.safe_load(block)
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.partition("## Credentials without a Secret")[2], re.DOTALL)
]


@pytest.mark.parametrize("values", WITHOUT_A_SECRET, ids=["a volume", "an agent"])
def test_credentials_come_without_a_secret_as_the_page_shows(values):
    values = with_value(values, "runai.baseUrl", "https://example.run.ai")
    objects = Helm().objects(values)
    template = only(objects, "Deployment")["spec"]["template"]
    mounted = [mount["mountPath"] for mount in template["spec"]["containers"][0]["volumeMounts"]]
    variables = environment(objects)

    assert variables["RUNAI_CLIENT_ID"] == "YOUR_CLIENT_ID"
    assert variables["RUNAI_CLIENT_SECRET_FILE"] == values["runai"]["clientSecretFile"]
    assert not [volume for volume in template["spec"]["volumes"] if "secret" in volume]
    assert "secretKeyRef" not in json.dumps(template)
    assert "kubectl get secret" not in Helm().install("--dry-run=client", values=values)
    if "podAnnotations" in values:
        assert template["metadata"]["annotations"]["vault.hashicorp.com/agent-inject-template-runai"] == (
            '{{ with secret "secret/data/runai" }}{{ .Data.data.clientSecret }}{{ end }}'
        )
    else:
        assert "/mnt/runai" in mounted


@pytest.mark.parametrize(
    ("given", "variable", "key"),
    [
        ({"clientId": "a"}, "RUNAI_CLIENT_SECRET_FILE", "clientSecret"),
        ({"clientSecretFile": "/a"}, "RUNAI_CLIENT_ID", "clientId"),
    ],
)
def test_the_secret_needs_only_what_does_not_come_from_elsewhere(given, variable, key):
    values = {"runai": MINIMAL["runai"] | given}
    said = Helm().install("--dry-run=client", values=values)
    used = re.findall(r"^ +-? ?key: \"?(\w+)\"?$", Helm().template(values), re.MULTILINE)

    assert used == [key]
    assert f"It needs the Secret runai-credentials with the key {key}:" in said


def test_names_and_annotations_may_be_templates():
    """As an umbrella chart needs it, where names begin with that of the release."""
    name = "{{ .Release.Name }}-%s"
    annotations = {"example.com/of": name % "x"}
    values = {
        "runai": {**MINIMAL["runai"], "existingSecret": name % "credentials", "caBundle": {"configMap": name % "ca"}},
        "serviceAccount": {"name": name % "sa", "annotations": annotations},
        "deploymentAnnotations": annotations,
        "podAnnotations": annotations,
        "service": {"annotations": annotations},
    }
    helm = Helm(release="ours")
    objects = {item["kind"]: item for item in helm.objects(values)}
    template = objects["Deployment"]["spec"]["template"]
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    bindings = [item for item in helm.objects(values) if item["kind"].endswith("Binding")]

    assert volumes["credentials"]["secret"]["secretName"] == "ours-credentials"
    assert volumes["ca"]["configMap"]["name"] == "ours-ca"
    assert template["spec"]["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"] == "ours-sa"
    assert {binding["subjects"][0]["name"] for binding in bindings} == {"ours-sa"}
    for item in (objects["ServiceAccount"], objects["Service"], objects["Deployment"], template):
        assert item["metadata"]["annotations"]["example.com/of"] == "ours-x"
    assert "kubectl get secret ours-credentials" in helm.install("--dry-run=client", values=values)


def test_the_table_of_access_reaches_the_operator_as_it_is_and_a_change_restarts_it():
    objects = Helm().objects(CI["everything"])
    template = only(objects, "Deployment")["spec"]["template"]
    (table,) = [item for item in objects if item["kind"] == "ConfigMap" and "access.yaml" in item.get("data", ())]
    (volume,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "access"]
    (mount,) = [each for each in template["spec"]["containers"][0]["volumeMounts"] if each["name"] == "access"]
    rule = {"namespaces": ["*"], "projects": ["*"]}
    changed = only(Helm().objects(with_value(CI["everything"], "runai.access", [rule])), "Deployment")

    assert parse_access(table["data"]["access.yaml"]) == Access(
        (
            AccessRule(("team-a", "team-a-*"), ("team-a",)),
            AccessRule(("platform",), ("*",), adoption=True),
        )
    )
    assert volume["configMap"]["name"] == table["metadata"]["name"]
    assert environment(objects)["RUNAI_ACCESS_FILE"] == f"{mount['mountPath']}/access.yaml"
    assert changed["spec"]["template"]["metadata"]["annotations"] != template["metadata"]["annotations"]
    assert "RUNAI_ACCESS_FILE" not in environment(Helm().objects()), "without a table nothing is limited"


def test_a_secret_made_from_values_is_in_nothing_but_the_secret():
    values = CI["created-secret"]
    secret = only(Helm().objects(values), "Secret")

    assert secret["data"].keys() == {"clientId", "clientSecret"}
    assert Helm().template(values).count("bm90LWEtc2VjcmV0LW9mLWFueW9uZQ==") == 1
    assert "not-a-secret-of-anyone" not in Helm().template(values)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({}, f"ghcr.io/runai-operator/runai-operator:{__version__}", id="by default this version"),
        pytest.param({"tag": "v9"}, "ghcr.io/runai-operator/runai-operator:v9", id="a tag"),
        pytest.param(
            {"tag": "v9", "digest": "sha256:" + "0" * 64},
            "ghcr.io/runai-operator/runai-operator@sha256:" + "0" * 64,
            id="a digest goes before the tag",
        ),
        pytest.param({"registry": ""}, f"runai-operator/runai-operator:{__version__}", id="no registry"),
        pytest.param(
            {"registry": "", "repository": "reg:5000/x/y"}, f"reg:5000/x/y:{__version__}", id="all in the repository"
        ),
        pytest.param(
            {"registry": "harbor.example.com/ghcr.io"},
            f"harbor.example.com/ghcr.io/runai-operator/runai-operator:{__version__}",
            id="a mirror of a registry",
        ),
        pytest.param(
            {"registry": "[::1]:5000"}, f"[::1]:5000/runai-operator/runai-operator:{__version__}", id="an IPv6 address"
        ),
    ],
)
def test_the_image_is(image, expected):
    objects = Helm().objects({**MINIMAL, "image": image})
    pods = [only(objects, "Deployment")["spec"]["template"], only(objects, "Pod")]

    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {expected}


IDS = {"runAsUser", "runAsGroup", "fsGroup"}
ON_OPENSHIFT = "--api-versions=security.openshift.io/v1"


@pytest.mark.parametrize(
    ("adapt", "flags", "left_to_the_cluster"),
    [
        pytest.param(None, [], False, id="elsewhere"),
        pytest.param(None, [ON_OPENSHIFT], True, id="OpenShift is recognised"),
        pytest.param("auto", [ON_OPENSHIFT], True, id="auto"),
        pytest.param("force", [], True, id="force"),
        pytest.param("disabled", [ON_OPENSHIFT], False, id="disabled"),
    ],
)
def test_on_openshift_the_cluster_chooses_user_and_group(tmp_path, adapt, flags, left_to_the_cluster):
    """Also where a parent chart says so in its own values, from which Helm drops what is null."""
    helm = parent(tmp_path)
    values = {"runai-operator": {**MINIMAL, "securityContext": {"runAsUser": 65532}}}
    if adapt:
        values |= {"global": {"compatibility": {"openshift": {"adaptSecurityContext": adapt}}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))

    objects = helm.objects({}, *flags)

    for spec in (only(objects, "Deployment")["spec"]["template"]["spec"], only(objects, "Pod")["spec"]):
        contexts = [spec["securityContext"], *(container["securityContext"] for container in spec["containers"])]
        chosen = {key for context in contexts for key in context} & IDS
        assert chosen == (set() if left_to_the_cluster else IDS)
        assert spec["securityContext"]["runAsNonRoot"] is True


def test_another_version_of_the_chart_alone_does_not_restart_the_operator(tmp_path):
    newer = shutil.copytree(CHART, tmp_path / "chart")
    file = newer / "Chart.yaml"
    file.write_text(re.sub(r"^version: .*$", "version: 99.0.0+abc", file.read_text(), flags=re.MULTILINE))

    ours, theirs = (only(helm.objects(), "Deployment") for helm in (Helm(), Helm(chart=newer)))

    assert theirs["metadata"]["labels"]["helm.sh/chart"] == "runai-operator-99.0.0_abc"
    assert theirs["spec"] == ours["spec"]


def test_without_rbac_there_is_no_role_at_all_not_even_for_people():
    objects = Helm().objects(with_value(MINIMAL, "rbac.create", False))

    assert not [item["kind"] for item in objects if "Role" in item["kind"]]


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ({}, False),
        ({"tag": "v1"}, False),
        ({"tag": "latest"}, True),
        ({"tag": "latest", "digest": "sha256:" + "0" * 64}, False),
    ],
)
def test_the_notes_warn_of_an_image_that_changes_under_its_name(image, warned):
    said = Helm().install("--dry-run=client", values={**MINIMAL, "image": image})

    assert ("image.tag is latest" in said) == warned


def test_braces_that_are_not_for_helm_get_through_as_the_reference_says():
    (way,) = re.findall(r"``(.*?)``", VALUES["extraObjects",].description)
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "a"},
        "spec": {"summary": way},
    }

    assert only(Helm().objects({**MINIMAL, "extraObjects": [rule]}), "PrometheusRule")["spec"] == {
        "summary": "{{ $labels.namespace }}"
    }


@pytest.mark.parametrize(
    ("section", "kind", "endpoints", "labels"),
    [
        ("serviceMonitor", "ServiceMonitor", "endpoints", "targetLabels"),
        ("podMonitor", "PodMonitor", "podMetricsEndpoints", "podTargetLabels"),
    ],
)
def test_a_monitor_in_another_namespace_still_looks_into_the_operators(section, kind, endpoints, labels):
    more = {
        "enabled": True,
        "namespace": "monitoring",
        "jobLabel": "app.kubernetes.io/name",
        "targetLabels": ["team"],
        "sampleLimit": 100,
        "endpointExtra": {"scheme": "https", "tlsConfig": {"serverName": "a"}, "port": "tls", "honorLabels": True},
    }
    monitor = only(Helm(namespace="here").objects({**MINIMAL, section: more}), kind)

    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["here"]}
    assert monitor["spec"][endpoints] == [
        {"port": "tls", "path": "/metrics", "honorLabels": True, "scheme": "https", "tlsConfig": {"serverName": "a"}}
    ]
    assert (monitor["spec"]["jobLabel"], monitor["spec"][labels], monitor["spec"]["sampleLimit"]) == (
        "app.kubernetes.io/name", ["team"], 100,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["startup", "liveness", "readiness"])
def test_a_probe_can_be_delayed_and_left_out(name):
    probe = f"{name}Probe"
    without = only(Helm().objects(with_value(MINIMAL, f"probes.{name}.enabled", False)), "Deployment")
    delayed = only(Helm().objects(with_value(MINIMAL, f"probes.{name}.initialDelaySeconds", 7)), "Deployment")
    normal = only(Helm().objects(), "Deployment")
    ours, theirs, late = (item["spec"]["template"]["spec"]["containers"][0] for item in (normal, without, delayed))

    assert theirs == {key: value for key, value in ours.items() if key != probe}
    assert late[probe] == ours[probe] | {"initialDelaySeconds": 7}


def test_fields_that_the_chart_has_no_value_for_reach_the_pod():
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
    values = {**MINIMAL, "podSpecExtra": {"topologySpreadConstraints": spread}, "schedulerName": "mine"}
    spec = only(Helm().objects(values), "Deployment")["spec"]["template"]["spec"]

    assert (spec["topologySpreadConstraints"], spec["schedulerName"]) == (spread, "mine")


def test_the_service_can_have_both_ip_families():
    values = {**MINIMAL, "service": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]}}
    spec = only(Helm().objects(values), "Service")["spec"]

    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])


def test_there_is_one_operator_at_a_time():
    spec = only(Helm().objects(), "Deployment")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_a_value_stops_the_operator_and_the_notes_say_so():
    stopped = {**MINIMAL, "replicaCount": 0}
    said = Helm().install("--dry-run=client", values=stopped).partition("\nNOTES:\n")[2]

    assert only(Helm().objects(stopped), "Deployment")["spec"]["replicas"] == 0
    assert "The operator is stopped (replicaCount is 0)" in said
    assert "rollout status" not in said
    assert "stopped" not in Helm().install("--dry-run=client", values=MINIMAL).partition("\nNOTES:\n")[2]


def test_namespaced_mode_makes_nothing_cluster_wide():
    objects = Helm(namespace="bridge").objects(CI["namespaced"])
    roles = {item["metadata"]["namespace"] for item in objects if item["kind"] == "Role"}

    assert all(item["metadata"].get("namespace") for item in objects)
    assert not {item["kind"] for item in objects} & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    assert roles == {"team-a", "team-b", "bridge"}


def test_secrets_are_readable_only_when_asked_for():
    asked = with_value(MINIMAL, "rbac.manifestFromSecrets", True)
    namespaced = with_value(CI["namespaced"], "rbac.manifestFromSecrets", True)

    assert not [row for row in granted(Helm().objects()) if row[1] == "secrets"]
    assert [row for row in granted(Helm().objects(asked)) if row[1] == "secrets"] == [("get", "secrets", "cluster")]
    assert {row for row in granted(Helm().objects(namespaced)) if row[1] == "secrets"} == {
        ("get", "secrets", "watched namespaces")
    }


def test_no_rule_has_a_wildcard():
    rules = [rule for item in Helm().objects() if "Role" in item["kind"] for rule in item.get("rules", ())]

    assert rules
    assert "*" not in json.dumps(rules)


def test_the_page_on_permissions_lists_every_one_and_no_other():
    page = (ROOT / "docs" / "rbac.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)` \| `([\w/]+)` \| (.+?) \| .+ \|$", page, re.MULTILINE))
    expected = granted(Helm().objects(with_value(MINIMAL, "rbac.manifestFromSecrets", True)))
    namespaced = granted(Helm().objects(with_value(CI["namespaced"], "rbac.manifestFromSecrets", True)))

    assert rows == {(verb, resource, written(scope)) for verb, resource, scope in expected}
    assert {row for row in namespaced if "own" not in row[2]} == {
        (verb, resource, "watched namespaces") for verb, resource, scope in expected if scope == "cluster"
    }


def written(scope: str) -> str:
    return "cluster or watched namespaces" if scope == "cluster" else scope


def test_the_pages_table_of_roles_for_people_is_true():
    page = (ROOT / "docs" / "rbac.md").read_text()
    rows = {
        name: re.findall(r"`(\w+)`", verbs)
        for name, verbs in re.findall(r"^\| `(view|edit|admin)` \| (.+?) \|$", page, re.MULTILINE)
    }
    roles = {
        item["metadata"]["name"].rpartition("-")[2]: item["rules"][0]["verbs"]
        for item in Helm().objects()
        if item["kind"] == "ClusterRole" and any("aggregate-to" in label for label in item["metadata"]["labels"])
    }

    assert rows == roles


@each_ci
def test_every_selector_finds_the_pod_and_no_hook(values):
    objects = Helm().objects(values)
    deployment = only(objects, "Deployment")
    pod = deployment["spec"]["template"]["metadata"]["labels"]
    hooks = [item["metadata"]["labels"] for item in objects if item["kind"] == "Pod"]
    hooks += [item["spec"]["template"]["metadata"]["labels"] for item in objects if item["kind"] == "Job"]
    services = [item for item in objects if item["kind"] == "Service"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], *(item["spec"]["selector"] for item in services)]
    selectors += [item["spec"]["podSelector"]["matchLabels"] for item in objects if item["kind"] == "NetworkPolicy"]

    for selector in selectors:
        assert selector.items() <= pod.items()
        assert not any(selector.items() <= labels.items() for labels in hooks)
    for monitor in [item for item in objects if item["kind"] == "ServiceMonitor"]:
        labels = services[0]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_labels_of_the_user_cannot_break_a_selector():
    ours = {"app.kubernetes.io/name": "mine", "app.kubernetes.io/instance": "mine"}
    objects = Helm().objects({**MINIMAL, "commonLabels": ours, "podLabels": ours})
    spec = only(objects, "Deployment")["spec"]

    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@each_ci
def test_every_object_has_the_common_labels_once(values):
    for text in Helm().template(values).split("\n---\n"):
        assert len(re.findall(r"^    app.kubernetes.io/name:", text, re.MULTILINE)) <= 2, "once more as a selector"
    ours = [item for item in Helm().objects(values) if not item["metadata"]["name"].endswith(("-map", "-text"))]

    assert all(item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm" for item in ours)


class Strict(yaml.SafeLoader):
    """Refuses a key that comes twice, as server-side apply does with what it makes of that."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice in {keys}"
        return super().construct_mapping(node, deep=deep)


OURS_BY_THE_USER = {
    "commonLabels": {"app.kubernetes.io/part-of": "platform", "helm.sh/chart": "mine"},
    "podLabels": {"app.kubernetes.io/version": "mine"},
    "podAnnotations": {"kubectl.kubernetes.io/default-container": "more"},
    "crds": {"annotations": {"helm.sh/resource-policy": "keep"}, "labels": {"app.kubernetes.io/name": "mine"}},
    "service": {"labels": {"app.kubernetes.io/name": "mine"}},
    "serviceMonitor": {"enabled": True, "labels": {"app.kubernetes.io/instance": "mine"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "global": {"nodeSelector": {"kubernetes.io/os": "linux"}},
}


@pytest.mark.parametrize("values", [*CI.values(), {**MINIMAL, **OURS_BY_THE_USER}], ids=[*CI, "labels of ours"])
def test_no_key_comes_twice(values):
    assert list(yaml.load_all(Helm().template(values), Strict))


def test_an_annotation_of_the_user_replaces_ours():
    template = only(Helm().objects({**MINIMAL, **OURS_BY_THE_USER}), "Deployment")["spec"]["template"]

    assert template["metadata"]["annotations"] == OURS_BY_THE_USER["podAnnotations"]


def test_without_its_tests_the_chart_holds_no_pod_for_kubectl_to_start():
    assert "Pod" in {item["kind"] for item in Helm().objects()}
    assert "Pod" not in {item["kind"] for item in Helm().objects({**MINIMAL, "tests": {"enabled": False}})}


@each_ci
def test_the_notes_describe_what_is_installed_and_nothing_else(values):
    objects = Helm().objects(values)
    kinds = {item["kind"] for item in objects}
    deployment = only(objects, "Deployment")["metadata"]
    runs = values.get("replicaCount") != 0
    said = Helm().install("--dry-run=client", values=values).partition("\nNOTES:\n")[2]

    rollout = f"rollout status deployment/{deployment['name']} --namespace {deployment['namespace']}\n"
    assert (rollout in said) == runs
    assert ("helm test runai-operator" in said) == ("Pod" in kinds and runs)
    assert ("kubectl get secret runai-credentials" in said) == ("existingSecret" in values["runai"])
    assert ("--show-only templates/crds.yaml" in said) == ("CustomResourceDefinition" not in kinds)
    assert "not-a-secret-of-anyone" not in said
    assert ("set runai.access to limit that" in said) != bool(values["runai"].get("access"))
    for namespace in values.get("operator", {}).get("watchNamespaces", []):
        assert namespace in said


@pytest.mark.parametrize("version", ["1.30.14", "1.31.0", "1.31.4-gke.100", "1.37.2"])
def test_kubernetes_before_1_31_is_refused(version):
    said = rendering_or_refusal(MINIMAL, f"--kube-version={version}")

    assert ("chart requires kubeVersion: >=1.31.0-0" in said) == version.startswith("1.30")


def test_more_objects_are_templates():
    objects = Helm(namespace="here").objects(CI["everything"])
    maps = {item["metadata"]["name"]: item for item in objects if item["kind"] == "ConfigMap"}

    assert maps.keys() == {"bridge-map", "runai-operator-text", "bridge-access"}
    assert maps["bridge-map"]["data"] == {"namespace": "here"}


def test_the_crd_is_the_source_with_metadata_added():
    source = yaml.safe_load((ROOT / "crds" / "runaiworkloads.yaml").read_text())
    rendered = only(Helm().objects(CI["everything"]), "CustomResourceDefinition")

    assert rendered["spec"] == source["spec"]
    assert rendered["metadata"].pop("labels")["example.com/team"] == "platform"
    assert rendered["metadata"].pop("annotations") == {
        "helm.sh/resource-policy": "keep",
        "argocd.argoproj.io/sync-options": "ServerSideApply=true,Prune=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    assert rendered["metadata"] == source["metadata"]


NEVER_PRUNED = {
    "argocd.argoproj.io/sync-options": "Prune=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def test_argo_cd_and_flux_are_told_not_to_prune_the_crd_of_kustomize():
    assert only(build(ROOT / "crds"), "CustomResourceDefinition")["metadata"]["annotations"] == NEVER_PRUNED


@pytest.mark.parametrize(
    ("crds", "annotations"),
    [
        pytest.param({"keep": False}, [None], id="not kept: no annotation"),
        pytest.param({}, [{"helm.sh/resource-policy": "keep"} | NEVER_PRUNED], id="kept by default"),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/sync-options": "Prune=confirm"}},
            [{"helm.sh/resource-policy": "keep"} | NEVER_PRUNED | {"argocd.argoproj.io/sync-options": "Prune=confirm"}],
            id="pruned as the user says",
        ),
        pytest.param({"install": False}, [], id="not installed"),
    ],
)
def test_crds(crds, annotations):
    objects = Helm().objects({**MINIMAL, "crds": crds})

    found = [item["metadata"].get("annotations") for item in objects if item["kind"] == "CustomResourceDefinition"]
    assert found == annotations


def test_nothing_outgrows_where_kubernetes_and_helm_keep_it():
    for path in (CHART / "files" / "crds").glob("*.yaml"):
        compact = json.dumps(yaml.safe_load(path.read_text()), separators=(",", ":"))
        assert max(path.stat().st_size, len(compact)) < 256 * 1024, "client-side apply keeps it in an annotation"
    everything = sum(path.stat().st_size for path in CHART.rglob("*") if path.is_file() and path.parent.name != "ci")

    assert everything + len(Helm().template(CI["everything"])) < MIB, "a release is kept in one Secret"


def test_the_copies_of_crds_are_all_there_are():
    source = {path.name for path in (ROOT / "crds").glob("*.yaml")} - {"kustomization.yaml"}

    assert {path.name for path in (CHART / "files" / "crds").iterdir()} == source


def test_chart_and_kustomization_install_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    container = only(build(), "Deployment")["spec"]["template"]["spec"]["containers"][0]

    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert container["image"].endswith(f":{__version__}")


def test_defaults_are_the_operators_own():
    settings = dict(
        line.split("=", 1) for line in (KUSTOMIZE / "base" / "settings.env").read_text().splitlines() if "=" in line
    )
    own = {variable.name: variable.default for variable in VARIABLES if variable.default}
    del own["RUNAI_ALLOW_HTTP"]
    chart = {name: value for name, value in environment(Helm().objects()).items() if name in own}

    assert own == chart
    assert own | {"RUNAI_BASE_URL": settings["RUNAI_BASE_URL"]} == settings


@pytest.mark.parametrize(
    ("folder", "to_fill_in"),
    [("base", {"RUNAI_BASE_URL"}), ("overlays/namespaced", {"RUNAI_BASE_URL", "OPERATOR_INSTALL_ID"})],
)
def test_a_kustomization_that_nobody_has_edited_is_refused_before_a_secret_is_sent(folder, to_fill_in):
    """The address of an example would be somebody's."""
    settings = only(build(KUSTOMIZE / folder), "ConfigMap")["data"]
    given = {"RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "b"}

    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(settings | given)

    assert {problem.split()[0] for problem in refused.value.problems} == to_fill_in


def filled_in(items: list[Any]) -> dict[tuple[str, str, str], Any]:
    """What a kustomization installs once its user has put the chart's values in place of what is to be filled in."""
    answers = {"RUNAI_BASE_URL": MINIMAL["runai"]["baseUrl"], "OPERATOR_INSTALL_ID": "cluster-a"}
    for item in [item for item in items if item["kind"] == "ConfigMap"]:
        for name in [name for name, value in item["data"].items() if value.startswith("<")]:
            item["data"][name] = answers[name]
    return normalised(items)


def test_kustomize_installs_what_the_chart_does():
    assert filled_in(build()) == normalised(Helm().objects())


def test_the_namespaced_overlay_installs_what_the_namespaced_chart_does():
    values = with_value(CI["namespaced"], "operator.watchNamespaces", ["team-a"])

    assert filled_in(build(KUSTOMIZE / "overlays" / "namespaced")) == normalised(Helm().objects(values))


def test_the_monitoring_overlay_installs_what_the_chart_with_a_monitor_does():
    values = with_value(MINIMAL, "serviceMonitor.enabled", True)

    assert filled_in(build(KUSTOMIZE / "overlays" / "monitoring")) == normalised(Helm().objects(values))


GUARDED = {**MINIMAL, "uninstallGuard": {"enabled": True}}


def parent(folder: Path, **dependency: str) -> Helm:
    """Another chart, `platform`, that has ours as a dependency."""
    facts = {"name": "runai-operator", "version": __version__, "repository": "", **dependency}
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [facts]}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (folder / "charts").mkdir()
    (folder / "charts" / "runai-operator").symlink_to(CHART)
    return Helm(chart=folder)


def test_the_chart_goes_into_another_chart_with_globals_of_its_own(tmp_path):
    values = {"global": {"team": "platform", "imageRegistry": "mirror.example.com"}, "runai-operator": MINIMAL}

    deployment = only(parent(tmp_path).objects(values), "Deployment")

    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"mirror.example.com/runai-operator/runai-operator:{__version__}"


@pytest.mark.parametrize("null", ["global", "runai-operator.global", "runai-operator.operator", "global.compatibility"])
def test_what_is_null_in_a_parent_chart_is_the_default(tmp_path, null):
    helm = parent(tmp_path)
    values = {"runai-operator": MINIMAL}

    assert helm.template(with_value(values, null, None)) == helm.template(values)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("name", ["runai-operator", "bridge"])
def test_a_parent_chart_switches_the_chart_on_and_off_by_a_condition(tmp_path, name, enabled):
    helm = parent(tmp_path, condition=f"{name}.enabled", **({} if name == "runai-operator" else {"alias": name}))

    kinds = {item["kind"] for item in helm.objects({name: MINIMAL | {"enabled": enabled}})}

    assert ("Deployment" in kinds) == enabled


def test_under_an_alias_it_is_still_known_as_an_operator_of_ours(tmp_path):
    """By this label Helm finds a second one, and people clean up."""
    objects = parent(tmp_path, alias="bridge").objects({"bridge": MINIMAL})

    parts = {item["kind"]: item["metadata"]["labels"]["app.kubernetes.io/part-of"] for item in objects}
    assert set(parts.values()) == {"runai-operator"}


@pytest.mark.parametrize("word", ["123", "on", "null", "true"])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(word):
    """A namespace may be called `123`."""
    assert json.dumps(called(word)) == json.dumps(called("zebra")).replace("zebra", word)


def called(word: str) -> list[dict]:
    """What the chart renders to where everything that has a name has this one."""
    values = {
        "runai": {
            "baseUrl": "https://a.run.ai",
            "existingSecret": word,
            "secretKeys": {"clientId": word, "clientSecret": word},
            "caBundle": {"configMap": word, "key": word},
        },
        "installId": "a",
        "operator": {"watchNamespaces": [word]},
        "crds": {"install": False},
        "service": {"enabled": False},
        "serviceAccount": {"name": word},
        "podMonitor": {"enabled": True, "namespace": "monitoring", "jobLabel": word},
        "priorityClassName": word,
        "runtimeClassName": word,
        "schedulerName": word,
        "uninstallGuard": {"enabled": True},
        "nameOverride": word,
        "fullnameOverride": word,
    }
    return Helm(release=word, namespace=word).objects(values)


def test_a_large_number_stays_a_whole_number():
    """Helm reads numbers as floating point, and prints 3000000 as 3e+06."""
    probe = {"initialDelaySeconds": 3_000_000}
    values = {
        **MINIMAL,
        "serviceMonitor": {"enabled": True, "sampleLimit": 3_000_000},
        "terminationGracePeriodSeconds": 3_000_000,
        "revisionHistoryLimit": 3_000_000,
        "probes": {"startup": probe},
    }

    assert "e+06" not in Helm().template(values)


@pytest.mark.parametrize("name", ["fullnameOverride", "nameOverride"])
def test_the_longest_name_still_leaves_room_for_that_of_a_hook(name):
    """A Job's name is a label of its pod, and hooks are made long after the installation: at its end."""
    objects = Helm(release="b" * 53).objects({**GUARDED, name: "a" * 63})

    hooks = [item for item in objects if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert {item["kind"] for item in hooks} == {"Job", "Pod"}
    for item in hooks:
        assert all(len(text) <= 63 for text in [item["metadata"]["name"], *item["metadata"]["labels"].values()])


class Probes(BaseHTTPRequestHandler):
    """Answers 200, except for the path in `failing`."""

    failing = ""

    def do_GET(self) -> None:
        self.send_response(503 if self.path == self.failing else 200)
        self.end_headers()
        self.wfile.write(b"no watch on RunaiWorkloads")

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def probes() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Probes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("failing", "code"),
    [("", 0), ("/healthz", 1), ("/readyz", 1), ("/metrics", 1)],
    ids=lambda value: str(value or "all well"),
)
def test_helms_test_passes_only_when_all_is_well(probes, monkeypatch, failing, code):
    """The command of the test's pod, run against a server in place of the operator."""
    monkeypatch.setattr(Probes, "failing", failing)
    _python, *arguments = only(Helm().objects(), "Pod")["spec"]["containers"][0]["command"]
    where = {**os.environ, "OPERATOR_URL": f"http://127.0.0.1:{probes.server_port}", "no_proxy": "127.0.0.1"}

    done = subprocess.run(
        [sys.executable, *arguments], env=where, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == code, done.stderr
    assert ("no watch" in done.stdout) == bool(failing)
