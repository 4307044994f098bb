"""What the chart accepts as values: the schema knows every key, and what is wrong is refused with its path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import jsonschema
import pytest
import yaml

from controlplane import ControlPlane
from installation import CHART, MINIMAL, Helm, HelmFailed, kubernetes_types
from runai_operator.domain.access import parse_access
from runai_operator.settings import VARIABLES, Settings, SettingsError, parse_duration

pytestmark = pytest.mark.installation

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
KUBERNETES = json.loads(kubernetes_types.TYPES.read_text())
OPEN_BY_INTENT = {
    "/properties/global",
    "/properties/global/properties/compatibility",
    "/properties/global/properties/compatibility/properties/openshift",
    "/properties/extraObjects/items",
    "/properties/podSpecExtra",
    "/definitions/monitor/properties/endpointExtra",
}
"""What is shared with other charts, objects of any kind, and the ways out for fields that the chart has no value for."""
SCALARS = {"string", "integer", "number", "boolean", "null"}


def schemas(node: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every schema that a value can meet, with its place in the file."""
    yield path, node
    for section in ("definitions", "properties", "patternProperties"):
        for name, inner in node.get(section, {}).items():
            yield from schemas(inner, f"{path}/{section}/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from schemas(node[key], f"{path}/{key}")


def takes_unknown_keys(schema: dict) -> bool:
    """Whether a value may hold a key that nobody has thought of. Maps of the user's own keys have a schema for the values."""
    if "$ref" in schema or "enum" in schema:
        return False
    kinds = schema.get("type", "object")
    if kinds == "array":
        return "items" not in schema
    return (
        not ({kinds} if isinstance(kinds, str) else set(kinds)) <= SCALARS
        and schema.get("additionalProperties", True) is True
    )


def resolved(node: dict) -> dict:
    while "$ref" in node:
        node = SCHEMA["definitions"][node["$ref"].rpartition("/")[2]]
    return node


def keys_of_values(values: object, path: str = "") -> Iterator[str]:
    """Every key at every level."""
    if isinstance(values, dict):
        for key, inner in values.items():
            yield f"{path}/{key}"
            yield from keys_of_values(inner, f"{path}/{key}")


def keys_of_schema(schema: dict, path: str = "") -> Iterator[str]:
    """Every key that is the chart's own; inside of Kubernetes' types they are not."""
    if schema.get("$ref", "").rpartition("/")[2] in KUBERNETES["types"]:
        return
    for key, inner in resolved(schema).get("properties", {}).items():
        yield f"{path}/{key}"
        yield from keys_of_schema(inner, f"{path}/{key}")


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_no_level_takes_unknown_keys():
    assert {path for path, schema in schemas(SCHEMA) if takes_unknown_keys(schema)} == OPEN_BY_INTENT


@pytest.mark.parametrize(
    ("schema", "lax"),
    [
        pytest.param({}, True, id="nothing said"),
        pytest.param({"type": "object"}, True, id="any object"),
        pytest.param({"type": ["object", "string"]}, True, id="any object, or text"),
        pytest.param({"type": "array"}, True, id="a list of anything"),
        pytest.param({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, True, id="openly open"),
        pytest.param({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False, id="closed"),
        pytest.param({"type": "object", "additionalProperties": {"type": "string"}}, False, id="a map of texts"),
        pytest.param({"type": ["boolean", "null"]}, False, id="scalars"),
    ],
)
def test_a_lax_schema_would_be_found(schema, lax):
    assert takes_unknown_keys(schema) == lax


def test_the_types_of_kubernetes_are_those_of_the_api_server(control_plane: ControlPlane):
    """If not: run `make generate-types`."""
    if kubernetes_types.version_of(control_plane.client) != KUBERNETES["kubernetes"]:
        pytest.skip("the API server is of another version")

    assert kubernetes_types.TYPES.read_text() == kubernetes_types.text(control_plane.client)


def test_every_definition_is_used():
    text = json.dumps(SCHEMA)

    assert [name for name in SCHEMA["definitions"] if f'"#/definitions/{name}"' not in text] == []


def test_every_key_of_the_values_is_in_the_schema():
    """Since no level takes unknown ones."""
    assert [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(DEFAULTS)] == []


def test_every_key_of_the_schema_is_in_the_values():
    """But for Kubernetes' `claims`, which has no default."""
    missing = set(keys_of_schema(SCHEMA)) - set(keys_of_values(DEFAULTS))

    assert missing == {"/resources/claims"}


BAD = {
    "an unknown key at the top": ("replicas=2", "at '': additional properties 'replicas' not allowed"),
    "a key in the wrong case": ("runai.baseURL=https://a.run.ai", "at '/runai': additional properties 'baseURL'"),
    "a key one level too high": ("baseUrl=https://a.run.ai", "at '': additional properties 'baseUrl' not allowed"),
    "a key one level too low": ("operator.installId=a", "at '/operator': additional properties 'installId'"),
    "a misspelt section": ("serviceMonitors.enabled=true", "at '': additional properties 'serviceMonitors'"),
    "a misspelt switch": ("serviceMonitor.enable=true", "at '/serviceMonitor': additional properties 'enable'"),
    "a misspelt image key": ("image.tags=v1", "at '/image': additional properties 'tags' not allowed"),
    "a misspelt Secret key": ("runai.secretKeys.id=a", "at '/runai/secretKeys': additional properties 'id'"),
    "a misspelt CA key": ("runai.caBundle.configmap=a", "at '/runai/caBundle': additional properties 'configmap'"),
    "a misspelt proxy": ("runai.proxy.no_proxy=a", "at '/runai/proxy': additional properties 'no_proxy'"),
    "an entry of access without projects": (
        "runai.access[0].namespaces={a}",
        "at '/runai/access/0': missing property 'projects'",
    ),
    "an entry of access without namespaces": (
        "runai.access[0].namespaces=a,runai.access[0].projects={a}",
        "at '/runai/access/0/namespaces': got string, want array",
    ),
    "a pattern of access that is none": (
        "runai.access[0].namespaces={Team?},runai.access[0].projects={a}",
        "at '/runai/access/0/namespaces/0': 'Team?' does not match pattern",
    ),
    "a misspelt right to adopt": (
        "runai.access[0].namespaces={a},runai.access[0].projects={a},runai.access[0].adopt=true",
        "at '/runai/access/0': additional properties 'adopt' not allowed",
    ),
    "a misspelt probe": ("probes.live.periodSeconds=1", "at '/probes': additional properties 'live' not allowed"),
    "an address family that is none": ("service.ipFamilies={IPv5}", "at '/service/ipFamilies/0': value must be one of 'IPv4', 'IPv6'"),
    "a setting of a probe that is not ours to give": (
        "probes.liveness.httpGet.path=/",
        "at '/probes/liveness': additional properties 'httpGet' not allowed",
    ),
    "a misspelt resource section": ("resources.limit.cpu=1", "at '/resources': additional properties 'limit'"),
    "a misspelt egress rule": (
        "networkPolicy.egress.runai.cidr=10.0.0.0/8",
        "at '/networkPolicy/egress/runai': additional properties 'cidr' not allowed",
    ),
    "a misspelt CRD switch": ("crds.enabled=true", "at '/crds': additional properties 'enabled' not allowed"),
    "a misspelt right": ("rbac.secrets=true", "at '/rbac': additional properties 'secrets' not allowed"),
    "an unknown key of a toleration": (
        "tolerations[0].keys=a",
        "at '/tolerations/0': additional properties 'keys' not allowed",
    ),
    "a pull secret without a name": ("imagePullSecrets[0].secret=a", "at '/imagePullSecrets/0': missing property 'name'"),
    "a pull secret as plain text": ("imagePullSecrets[0]=a", "at '/imagePullSecrets/0': got string, want object"),
    "an environment as a map": ("extraEnv.A=b", "at '/extraEnv': got object, want array"),
    "an environment variable that is a number": ("extraEnv[0].name=A,extraEnv[0].value=1", "at '/extraEnv/0/value': got number, want string"),
    "a Secret's name with capitals": ("runai.existingSecret=Runai", "at '/runai/existingSecret': 'Runai' does not match"),
    "a file that is none": ("runai.clientSecretFile=secret", "at '/runai/clientSecretFile': 'secret' does not match pattern"),
    "a switch as text": ("crds.install=yes", "at '/crds/install': got string, want boolean"),
    "a number as text": ("operator.port=http", "at '/operator/port': got string, want integer"),
    "a port out of range": ("operator.port=70000", "at '/operator/port': maximum: got 70,000, want 65,535"),
    "namespaces as text": ("operator.watchNamespaces=team-a", "at '/operator/watchNamespaces': got string, want array"),
    "a namespace that cannot be": (
        "operator.watchNamespaces={Team_A}",
        "at '/operator/watchNamespaces/0': 'Team_A' does not match",
    ),
    "a namespace twice": ("operator.watchNamespaces={a,a}", "at '/operator/watchNamespaces': items at 0 and 1 are equal"),
    "a duration without a unit": ("operator.deltaInterval=5", "at '/operator/deltaInterval': got number, want string"),
    "a duration in days": ("operator.stalledAfter=1d", "at '/operator/stalledAfter': '1d' does not match pattern"),
    "a log level of another world": ("operator.logLevel=trace", "at '/operator/logLevel': value must be one of 'debug'"),
    "a log format of another world": ("operator.logFormat=logfmt", "at '/operator/logFormat': value must be one of 'json'"),
    "a pull policy that is none": ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of 'Always'"),
    "a digest that is too short": ("image.digest=sha256:abc", "at '/image/digest': 'sha256:abc' does not match pattern"),
    "an install id with a space": ("installId=my cluster", "at '/installId': 'my cluster' does not match pattern"),
    "an address range without a length": (
        "networkPolicy.egress.runai.cidrs={10.0.0.1}",
        "at '/networkPolicy/egress/runai/cidrs/0': '10.0.0.1' does not match",
    ),
    "a scrape interval without a unit": ("podMonitor.interval=30", "at '/podMonitor/interval': got number, want string"),
    "a label that is a switch": ("podLabels.a=true", "at '/podLabels/a': got boolean, want string"),
    "an affinity as a list": ("affinity[0]=a", "at '/affinity': got array, want object"),
    "a misspelt affinity": ("affinity.nodeAffinty.x=1", "at '/affinity': additional properties 'nodeAffinty' not allowed"),
    "a misspelt term of an affinity": (
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpression=a",
        "at '/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0': additional properties 'matchExpression'",
    ),
    "a pod that would run as root": ("podSecurityContext.runAsNonroot=true", "at '/podSecurityContext': additional properties 'runAsNonroot'"),
    "a root that would stay writable": (
        "securityContext.readOnlyRootFileSystem=true",
        "at '/securityContext': additional properties 'readOnlyRootFileSystem' not allowed",
    ),
    "capabilities that would stay": ("securityContext.capabilities.drops={ALL}", "at '/securityContext/capabilities': additional properties 'drops'"),
    "a user by name": ("podSecurityContext.runAsUser=nobody", "at '/podSecurityContext/runAsUser': got string, want integer"),
    "a misspelt DNS setting": ("dnsConfig.nameserver={10.0.0.1}", "at '/dnsConfig': additional properties 'nameserver' not allowed"),
    "a DNS policy that is none": ("dnsPolicy=Cluster", "at '/dnsPolicy': value must be one of ''"),
    "a resource that is none": ("resources.limits.ram=1Gi", "at '/resources/limits': additional properties 'ram' not allowed"),
    "a misspelt source of a variable": (
        "extraEnv[0].name=A,extraEnv[0].valueFrom.secretRef.name=a",
        "at '/extraEnv/0/valueFrom': additional properties 'secretRef' not allowed",
    ),
    "a misspelt source of variables": ("extraEnvFrom[0].configMap.name=a", "at '/extraEnvFrom/0': additional properties 'configMap'"),
    "a misspelt volume": (
        "extraVolumes[0].name=a,extraVolumes[0].configmap.name=a",
        "at '/extraVolumes/0': additional properties 'configmap' not allowed",
    ),
    "a mount without a path": ("extraVolumeMounts[0].name=a", "at '/extraVolumeMounts/0': missing property 'mountPath'"),
    "a misspelt field deep in a container": (
        "extraContainers[0].name=a,extraContainers[0].livenessProbe.httpGet.ports=80",
        "at '/extraContainers/0/livenessProbe/httpGet': missing property 'port'",
    ),
    "a misspelt peer": ("networkPolicy.ingress.from[0].namespaceselector.x=1", "at '/networkPolicy/ingress/from/0': additional properties 'namespaceselector'"),
    "a misspelt relabeling": ("serviceMonitor.relabelings[0].source_labels={a}", "at '/serviceMonitor/relabelings/0': additional properties 'source_labels'"),
    "a relabeling that is none": ("podMonitor.metricRelabelings[0].action=remove", "at '/podMonitor/metricRelabelings/0/action': value must be one of 'replace'"),
    "a quantity in a unit of no meaning": ("resources.limits.memory=1GiB", "at '/resources/limits/memory': '1GiB' does not match pattern"),
    "a label that cannot be": ("commonLabels.a=no label!", "at '/commonLabels/a': 'no label!' does not match pattern"),
    "a label's name that cannot be": ("podLabels.a b=c", "at '/podLabels': additional properties 'a b' not allowed"),
    "an annotation's name that cannot be": ("podAnnotations.a b=c", "at '/podAnnotations': additional properties 'a b' not allowed"),
    "a negative number": ("revisionHistoryLimit=-1", "at '/revisionHistoryLimit': minimum: got -1, want 0"),
}  # fmt: skip


@pytest.mark.parametrize(("setting", "said"), BAD.values(), ids=BAD)
def test_refused_with_its_path(setting, said):
    with pytest.raises(HelmFailed) as refused:
        Helm().template(MINIMAL, "--set", setting)

    assert said in str(refused.value)


def test_a_field_of_a_newer_kubernetes_gets_through_by_the_flag_of_the_readme():
    flag = "--skip-schema-validation"
    values = {**MINIMAL, "securityContext": {"ofTheFuture": True}}

    assert f"`{flag}`" in (CHART / "README.md").read_text()
    assert "ofTheFuture: true" in Helm().template(values, flag)


TOGETHER = {
    "no address": ({"baseUrl": ""}, {}, "runai.baseUrl is not set"),
    "no credentials": ({"existingSecret": ""}, {}, "runai.existingSecret is not set"),
    "an address without its scheme": ({"baseUrl": "tenant.run.ai"}, {}, "runai.baseUrl must be an address such as"),
    "plain http": ({"baseUrl": "http://a.example.com"}, {}, "runai.baseUrl is plain http"),
    "two Secrets": ({"createSecret": True, "clientId": "a", "clientSecret": "b"}, {}, "are both set: keep one of them"),
    "a Secret of nothing": ({"createSecret": True, "existingSecret": ""}, {}, "needs runai.clientId and"),
    "an inline secret by mistake": ({"clientSecret": "s3cr3t"}, {}, "is used only with runai.createSecret=true"),
    "a file and a Secret of values": (
        {"createSecret": True, "existingSecret": "", "clientId": "a", "clientSecret": "b", "clientSecretFile": "/a"},
        {},
        "runai.clientSecretFile and runai.createSecret are both set",
    ),
    "a file without a client id": ({"existingSecret": "", "clientSecretFile": "/a"}, {}, "or set runai.clientId and runai.clientSecretFile"),
    "a Secret for nothing": ({"clientId": "a", "clientSecretFile": "/a"}, {}, "runai.existingSecret is not used with both"),
    "two CA bundles": ({"caBundle": {"configMap": "a", "secret": "b"}}, {}, "runai.caBundle.secret are both set"),
    "namespaces without an id": ({}, {"operator": {"watchNamespaces": ["a"]}}, "installId is not set"),
    "a monitor of no Service": (
        {},
        {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}},
        "serviceMonitor.enabled needs service.enabled",
    ),
    "two operators": ({}, {"replicaCount": 2}, "replicaCount is more than 1: one operator serves all"),
    "rights for every pod": ({}, {"serviceAccount": {"create": False}}, "serviceAccount.name is not set"),
    "a variable of the chart": (
        {},
        {"extraEnv": [{"name": "OPERATOR_LOG_LEVEL", "value": "debug"}]},
        "extraEnv sets OPERATOR_LOG_LEVEL, which the chart sets itself",
    ),
    "a client secret beside its file": (
        {},
        {"extraEnv": [{"name": "RUNAI_CLIENT_SECRET", "value": "s3cr3t"}]},
        "extraEnv sets RUNAI_CLIENT_SECRET, which the chart sets itself",
    ),
    "a client id of nothing": ({"clientId": " "}, {}, "at '/runai/clientId'"),
    "a client secret of nothing": (
        {"createSecret": True, "existingSecret": "", "clientId": "a", "clientSecret": "\n"},
        {},
        "at '/runai/clientSecret'",
    ),
    "a Secret by a template of nothing": (
        {"existingSecret": "{{ .Values.global.secret }}"},
        {},
        'runai.existingSecret is a template of "", which cannot be a name',
    ),
    "a CA bundle by a template of no name": (
        {"caBundle": {"secret": "{{ .Release.Name }}_ca"}},
        {},
        'runai.caBundle.secret is a template of "runai-operator_ca", which cannot be a name',
    ),
    "a ServiceAccount by a template of nothing": (
        {},
        {"serviceAccount": {"create": False, "name": "{{ .Values.global.account }}"}},
        "serviceAccount.name is a template of",
    ),
    "a variable twice": ({}, {"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv has A twice"),
    "a volume of the chart": ({}, {"extraVolumes": [{"name": "tmp"}]}, "extraVolumes sets tmp, which the chart sets itself"),
    "a volume twice": ({}, {"extraVolumes": [{"name": "a"}, {"name": "a"}]}, "extraVolumes has a twice"),
    "a mount over one of the chart": (
        {},
        {"extraVolumeMounts": [{"name": "credentials", "mountPath": "/tmp"}]},
        "extraVolumeMounts sets /tmp, which the chart sets itself",
    ),
    "a mount of no volume": (
        {},
        {"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]},
        "extraVolumeMounts mounts a, which is not among extraVolumes",
    ),
    "a mount of a volume that this installation has not": (
        {},
        {"extraVolumeMounts": [{"name": "ca", "mountPath": "/a"}]},
        "extraVolumeMounts mounts ca, which is not among extraVolumes",
    ),
    "a container of the chart's name": (
        {},
        {"extraContainers": [{"name": "operator"}]},
        "extraContainers or extraInitContainers sets operator, which the chart sets itself",
    ),
    "a container twice": (
        {},
        {"extraContainers": [{"name": "a"}], "extraInitContainers": [{"name": "a"}]},
        "extraContainers or extraInitContainers has a twice",
    ),
    "a field of the pod that the chart sets": (
        {},
        {"podSpecExtra": {"nodeSelector": {}}},
        "podSpecExtra sets nodeSelector, which the chart sets itself",
    ),
    "a registry with a slash": ({}, {"image": {"registry": "reg:5000/"}}, "reg:5000//runai-operator/runai-operator:"),
    "a registry with a scheme": ({}, {"global": {"imageRegistry": "https://reg"}}, "https://reg/runai-operator/runai-operator:"),
    "a repository in capitals": ({}, {"image": {"repository": "Mine/x"}}, "ghcr.io/Mine/x:0.1.0 cannot be the name of an image"),
    "a repository with its registry": ({}, {"image": {"repository": "quay.io/x/y"}}, "ghcr.io/quay.io/x/y:0.1.0 has two registries"),
    "a name of no Service": ({}, {"fullnameOverride": "1abc"}, "1abc cannot be the name of a Service"),
    "a misspelt global": ({}, {"global": {"imageregistry": "a"}}, "global.imageregistry is not known: it is global.imageRegistry"),
}  # fmt: skip


@pytest.mark.parametrize(("runai", "others", "said"), TOGETHER.values(), ids=TOGETHER)
def test_refused_together(runai, others, said):
    with pytest.raises(HelmFailed) as refused:
        Helm().template({"runai": {**MINIMAL["runai"], **runai}, **others})

    assert said in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


A_WORKLOAD = {"apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    "entries",
    [
        "", "*", ".svc, *.example.com,example.com:443", "10.0.0.0/8,fd00::/8,::1,[::1],[fd00::1]:443,10.0.0.1:80", "10.*",
        "http://example.com", "a b", "*a.com", "10.0.0.0/32", "10.0.0.0/33", "10.0.0/8", "1.2.3.256/8", "fd00::/128", "[fd00::]/8",
        "fd00::/129", "1:2:3:4", "[1:2:3:4]:1", "1:2:3:4:5:6:7:8", "[10.0.0.1]:80", "[::ffff:1.2.3.4]",
    ],
)  # fmt: skip
def test_the_chart_takes_the_exemptions_that_the_operator_takes(entries):
    proxied = {
        "RUNAI_BASE_URL": "https://a.run.ai",
        "RUNAI_CLIENT_ID": "a",
        "RUNAI_CLIENT_SECRET": "b",
        "HTTPS_PROXY": "b",
    }
    try:
        Settings.from_environment({**proxied, "NO_PROXY": entries})
        taken = True
    except SettingsError:
        taken = False

    assert (refusal("runai.proxy.noProxy", entries) == "") == taken


@pytest.mark.parametrize("given", [A_WORKLOAD, f"# one\n{yaml.safe_dump(A_WORKLOAD)}"], ids=["a map", "a string"])
def test_a_runaiworkload_beside_its_definition_is_refused_with_what_to_do(given):
    values = {**MINIMAL, "extraObjects": [given]}
    with pytest.raises(HelmFailed, match=r"extraObjects has a RunaiWorkload.*: apply it after .*, or install the"):
        Helm().template(values)

    by_itself = Helm().objects({**values, "crds": {"install": False}})
    assert any(item["kind"] == "RunaiWorkload" for item in by_itself)


def test_all_problems_are_reported_at_once():
    with pytest.raises(HelmFailed) as refused:
        Helm().template({"operator": {"watchNamespaces": ["a"]}})

    lines = [line for line in str(refused.value).splitlines() if line.startswith("- ")]
    told = ["- runai.baseUrl is not set", "- runai.existingSecret is not set", "- installId is not set"]
    assert [line[: len(start)] for line, start in zip(lines, told, strict=True)] == told


AS_THE_OPERATOR = [
    ("/properties/installId", "OPERATOR_INSTALL_ID", ["a", "A.b-c_9", "x" * 63, "x" * 64, "-a", "a b", "ä"]),
    ("/properties/formerInstallIds", "OPERATOR_FORMER_INSTALL_IDS", ["a", "A.b-c_9", "x" * 64, "-a", "a b"]),
    ("/properties/operator/watchNamespaces", "OPERATOR_NAMESPACES", ["a", "team-a", "0", "A", "a_b", "-a", "x" * 64]),
    ("/properties/operator/deltaInterval", "OPERATOR_DELTA_INTERVAL", ["5s", "1m30s", "0.5h", "2000ms", "5", "1d", "s"]),
    ("/properties/operator/logLevel", "OPERATOR_LOG_LEVEL", ["debug", "error", "trace"]),
    ("/properties/operator/logFormat", "OPERATOR_LOG_FORMAT", ["json", "text", "xml"]),
]  # fmt: skip


@pytest.mark.parametrize("place", ["namespaces", "projects"])
@pytest.mark.parametrize("pattern", ["a", "team-*", "*", "A.b_c", "a?", "[a]", "", "a b", "x" * 63, "x" * 64, 17, True])
def test_the_schema_and_the_operator_agree_on_access(place, pattern):
    table = [{"namespaces": ["a"], "projects": ["a"]} | {place: [pattern]}]
    try:
        parse_access(yaml.safe_dump(table))
        taken = True
    except ValueError:
        taken = False
    validator = jsonschema.Draft7Validator({**SCHEMA["properties"]["runai"]["properties"]["access"]})

    assert validator.is_valid(table) == taken


@pytest.mark.parametrize(("where", "variable", "values"), AS_THE_OPERATOR, ids=[row[1] for row in AS_THE_OPERATOR])
def test_the_schema_and_the_operator_agree(where, variable, values):
    """What one takes the other takes, so that a value that Helm accepts does not keep the pod from starting."""
    node = SCHEMA
    for key in where.strip("/").split("/"):
        node = node[key] if key in node else node["properties"][key]
    validator = jsonschema.Draft7Validator({**node, "definitions": SCHEMA["definitions"]})
    for value in values:
        assert validator.is_valid([value] if node.get("type") == "array" else value) == taken({variable: value}), value


def taken(settings: dict[str, str]) -> bool:
    """By the operator."""
    access = {"RUNAI_BASE_URL": "https://a.run.ai", "RUNAI_CLIENT_ID": "a", "RUNAI_CLIENT_SECRET": "b"}
    try:
        Settings.from_environment(access | settings)
    except SettingsError:
        return False
    return True


def refusal(path: str, value: object) -> str:
    """What Helm says to this value; empty if it renders."""
    try:
        Helm().template(MINIMAL, f"--set-json={path}={json.dumps(value)}")
    except HelmFailed as refused:
        return str(refused)
    return ""


ADDRESSES = {
    "runai.baseUrl": ("RUNAI_BASE_URL", "runai.baseUrl must be an address such as https://tenant.run.ai", [
        "https://a.run.ai", "https://a.run.ai/", "HTTPS://A.run.ai:8443", "https://[::1]:1", "https://[]", "https://[:::]", "https://[a::b::c]",
        "https://[1:2:3:4:5:6:7:8]", "https://[1:2:3:4:5:6:7]", "https://[1:2:3:4:5:6:7::8]", "https://[::1.2.3.4]", "https://a:65535", "https://a:65536",
        "https://a:0", "https://a:", "a.run.ai", "ftp://a", "https://user@a.run.ai", "https://a.run.ai/path", "https://a.run.ai?x",
    ]),
    "runai.proxy.https": ("HTTPS_PROXY", "runai.proxy.https must be the address of an HTTP proxy", [
        "http://a:3128", "https://a", "a:3128", "http://me:x%23@a:1/", "http://[::1]:3128", "http://[:::]:1", "http://a:65535", "a:65536", "a:0",
        "socks5://a:1", "ftp://a", "http://a#", "http://a/b", "http://a b",
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("path", "variable", "said", "values"), [(path, *row) for path, row in ADDRESSES.items()])
def test_the_chart_and_the_operator_refuse_the_same_addresses_and_repeat_none(path, variable, said, values):
    for value in values:
        answer = refusal(path, value)

        assert (answer == "") == taken({variable: value}), value
        assert not answer or (said in answer and value not in answer)


BOUNDED = {
    "operator." + re.sub(r"_(\w)", lambda match: match[1].upper(), variable.name.lower().partition("_")[2]): variable
    for variable in VARIABLES
    if variable.bounds
}
"""By the path of the value."""


def at_the_ends(low: str, high: str) -> list[str]:
    """At both bounds, the same in another unit, just below and just above; and nothing at all."""
    if low.isdecimal():
        return [low, str(int(low) - 1), high, str(int(high) + 1)]
    seconds = parse_duration(low)
    return [low, f"{seconds * 1000:.0f}ms", f"{seconds - 0.001:.3f}s", "0s", high, f"{high}0ms", f"{high}1ms"]


@pytest.mark.parametrize("path", BOUNDED)
def test_the_chart_and_the_operator_have_the_same_bounds(path):
    """So that what Helm takes does not keep the new pod from starting when the old one is gone."""
    variable = BOUNDED[path]
    for value in at_the_ends(*variable.bounds):
        answer = refusal(path, int(value) if variable.bounds[0].isdecimal() else value)

        assert (answer == "") == taken({variable.name: value}), value
        assert not answer or path in answer.replace("/operator/", "operator.")


@pytest.mark.parametrize("path", BOUNDED)
def test_the_description_of_a_value_says_its_bounds(path):
    section, name = path.split(".")
    said = "From {} to {}.".format(*BOUNDED[path].bounds)

    assert SCHEMA["properties"][section]["properties"][name]["description"].endswith(said)


def test_all_problems_of_durations_are_told_in_the_operators_words():
    said = refusal("operator", {"deltaInterval": "2h", "sweepInterval": "1s"})

    assert "- operator.deltaInterval is 2h, but must be from 1s to 1h\n" in said
    assert "- operator.sweepInterval is 1s, but must be from 10s to 24h\n" in said
