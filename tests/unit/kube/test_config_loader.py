"""The loader of Kubernetes' configuration, alone: what stays out, and that every way to credentials still works."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from controlplane.certificates import Authority
from runai_operator.lean import absent

UNUSED = ("kubernetes", "kubernetes.client", "kubernetes.client.models", "kubernetes.client.api_client", "pydantic")
UNUSED += ("requests", "requests_oauthlib", "websocket", "pykube", "kubernetes_asyncio", "click", "rich", "pygments")


def tells(code, **env):
    """What a fresh interpreter prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_unused_is_loaded():
    loaded = tells("import json, sys, runai_operator.main; print(json.dumps(sorted(sys.modules)))")

    assert "kubernetes.config" in loaded
    assert not set(UNUSED) & set(loaded)


def test_who_imports_kubernetes_later_gets_the_real_one():
    assert tells("""
        from runai_operator.kube.config_loader import ConfigException, Configuration
        import json, kubernetes, kubernetes.client
        pod = kubernetes.client.V1Pod
        print(json.dumps([
            kubernetes.client.Configuration is Configuration,
            kubernetes.config.ConfigException is ConfigException,
            isinstance(kubernetes.client.ApiClient, type),
        ]))
    """) == [True, True, True]


BROKEN = {
    "a package that is not where it was": "importlib.util.module_from_spec = fail",
    "a module that needs more": "importlib.import_module = lambda name, *of, **package: fail() if name == after else real(name, *of, **package)",
    "loaded before": "import kubernetes.client",
}


@pytest.mark.parametrize("layout", BROKEN.values(), ids=BROKEN)
def test_where_the_layout_is_another_the_whole_package_is_imported(layout):
    assert tells(f"""
        import importlib, importlib.util, json, sys
        real, after, failed = importlib.import_module, "kubernetes.config", []
        def fail(*_):
            if failed:
                return real(after)
            failed.append(True)
            raise AttributeError("not here")
        {layout}
        from runai_operator.kube.config_loader import Configuration, config
        import kubernetes
        print(json.dumps([
            config is kubernetes.config,
            Configuration is kubernetes.client.Configuration,
            config.kube_config.ApiClient is kubernetes.client.ApiClient,
        ]))
    """) == [True, True, True]


def test_what_is_absent_comes_back(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with absent("colorsys", "json"):
        with pytest.raises(ImportError):
            import colorsys
        import json as loaded_already
    import colorsys

    assert colorsys.rgb_to_hls
    assert loaded_already is json


AUTHORIZE = """
    import json, sys
    from runai_operator.kube.auth import _Access
    access = _Access(sys.argv[1] if len(sys.argv) > 1 else None)
    print(json.dumps([access.server, access.namespace, access.loaded_authorization, access.authorization()]))
"""


def kubeconfig(directory, user, **cluster):
    path = directory / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "one", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one", "namespace": "team-a"}}],
        "current-context": "one",
    }
    path.write_text(yaml.safe_dump(config))
    return path


def access_of(path, **env):
    return tells(f"import sys; sys.argv.append({str(path)!r})\n" + textwrap.dedent(AUTHORIZE), **env)


def test_a_token(tmp_path):
    path = kubeconfig(tmp_path, {"token": "mine"})

    assert access_of(path) == ["https://127.0.0.1:1", "team-a", "Bearer mine", "Bearer mine"]


def test_a_client_certificate(tmp_path):
    authority = Authority()
    pair = authority.client("someone", "people")
    written = {"client-certificate-data": pair.certificate_pem, "client-key-data": pair.key_pem}
    data = {name: base64.b64encode(value).decode() for name, value in written.items()}
    trust = base64.b64encode(authority.pair.certificate_pem).decode()
    path = kubeconfig(tmp_path, data, **{"certificate-authority-data": trust})

    assert access_of(path) == ["https://127.0.0.1:1", "team-a", None, None]


def test_a_plugin_is_asked_again_when_its_token_has_run_out(tmp_path):
    plugin = tmp_path / "plugin"
    plugin.write_text(f"""#!{sys.executable}
import json, pathlib
asked = pathlib.Path({str(tmp_path / "asked")!r})
asked.write_text((asked.read_text() if asked.exists() else "") + "x")
status = {{"token": f"token-{{len(asked.read_text())}}", "expirationTimestamp": "2020-01-01T00:00:00Z"}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
""")
    plugin.chmod(0o755)
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}

    _, _, first, then = access_of(kubeconfig(tmp_path, {"exec": spec}))

    assert first.startswith("Bearer token-")
    assert then.startswith("Bearer token-")
    assert first != then


def test_inside_a_cluster(tmp_path):
    (tmp_path / "token").write_text("mounted")
    (tmp_path / "ca.crt").write_bytes(Authority().pair.certificate_pem)
    patched = f"""
        from runai_operator.kube.config_loader import config
        config.incluster_config.SERVICE_TOKEN_FILENAME = {str(tmp_path / "token")!r}
        config.incluster_config.SERVICE_CERT_FILENAME = {str(tmp_path / "ca.crt")!r}
    """
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    server, _, first, _ = tells(textwrap.dedent(patched) + textwrap.dedent(AUTHORIZE), **env)

    assert (server, first.lower()) == ("https://10.0.0.1:443", "bearer mounted")


class Issuer(BaseHTTPRequestHandler):
    """An OpenID Connect issuer that renews every token."""

    def do_GET(self):
        self.answer({"token_endpoint": f"http://127.0.0.1:{self.server.server_port}/token"})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"id_token": jwt(4102444800), "refresh_token": "next", "access_token": "a", "token_type": "bearer"})

    def answer(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def jwt(expires):
    parts = ({"alg": "none"}, {"exp": expires}, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def test_an_openid_connect_token_is_renewed_with_what_was_left_out(tmp_path):
    with HTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {
            "client-id": "operator",
            "client-secret": "not-a-secret",
            "id-token": jwt(1),
            "idp-issuer-url": f"http://127.0.0.1:{server.server_port}",
            "refresh-token": "first",
        }
        user = {"auth-provider": {"name": "oidc", "config": settings}}

        _, _, first, _ = access_of(kubeconfig(tmp_path, user), OAUTHLIB_INSECURE_TRANSPORT="1")
        server.shutdown()

    assert first == f"Bearer {jwt(4102444800)}"
