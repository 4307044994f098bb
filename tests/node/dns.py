"""A DNS server for the names of Services, in place of CoreDNS: nothing else is known here."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path

import httpx

from controlplane import ApiError, Client

ADDRESS_TYPE, ANSWERED, UNKNOWN = 1, 0x8580, 0x8583


class Dns:
    """Answers SERVICE.NAMESPACE.svc[.cluster.local]; from what it knew where the API server does not answer."""

    def __init__(self, address: str, kubeconfig: Path) -> None:
        self._client = Client(kubeconfig, timeout=2)
        self._known: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        self._client.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                query, peer = self._socket.recvfrom(4096)
                with contextlib.suppress(IndexError, struct.error, UnicodeDecodeError):
                    self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        position, labels = 12, []
        while length := query[position]:
            labels.append(query[position + 1 : position + 1 + length].decode())
            position += 1 + length
        (kind,) = struct.unpack("!H", query[position + 1 : position + 3])
        address = self._find(".".join(labels).lower())
        found = address is not None and kind == ADDRESS_TYPE
        header = struct.pack("!HHHHH", ANSWERED if address else UNKNOWN, 1, int(found), 0, 0)
        answer = query[:2] + header + query[12 : position + 5]
        if address is not None and found:
            answer += b"\xc0\x0c" + struct.pack("!HHIH", ADDRESS_TYPE, 1, 5, 4) + socket.inet_aton(address)
        return answer

    def _find(self, name: str) -> str | None:
        match name.removesuffix(".cluster.local").split("."):
            case [service, namespace, "svc"]:
                path = f"/api/v1/namespaces/{namespace}/services/{service}"
            case _:
                return None
        with contextlib.suppress(ApiError, httpx.TransportError):
            item = self._client.find(path)
            self._known.pop(path, None)
            if item is not None and item["spec"].get("clusterIP", "None") != "None":
                self._known[path] = item["spec"]["clusterIP"]
        return self._known.get(path)
