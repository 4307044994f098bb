"""The part of a kubelet that shows logs, since no pod runs beside the tests' API server."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from controlplane import Client
from controlplane.certificates import Authority

HOST = "127.0.0.1"


class Kubelet:
    """A node whose containers have written `log`, and `previous` before they were restarted."""

    def __init__(self, client: Client, folder: Path, node: str, *, log: str, previous: str) -> None:
        self._client, self.node = client, node

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                body = (previous if query.get("previous") == ["true"] else log).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*Authority().server(HOST).write(folder, "kubelet"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}
        self._client.apply(node)
        status = {
            "addresses": [{"type": "InternalIP", "address": HOST}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        path = f"{self._client.path_of(node)}/status"
        self._client.request("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.delete(f"/api/v1/nodes/{self.node}")
        self._server.shutdown()
        self._server.server_close()
