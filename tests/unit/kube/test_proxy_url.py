"""The `proxy-url` of a kubeconfig: checked when it is read, and told in words."""

from __future__ import annotations

import pytest
import yaml

from runai_operator.domain.errors import KubernetesUnavailable
from runai_operator.kube.auth import KubeSession


def kubeconfig(path, proxy: str) -> str:
    cluster = {"server": "http://127.0.0.1:1", "proxy-url": proxy}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (path / "config").write_text(yaml.safe_dump(config))
    return str(path / "config")


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://me:s3cret@127.0.0.1:1080", "proxy-url is a SOCKS proxy, which is not supported"),
        ("http://me:s3cret#@127.0.0.1:3128", "proxy-url must be an address such as"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_and_not_repeated(tmp_path, proxy, why):
    with pytest.raises(KubernetesUnavailable, match=why) as raised:
        await KubeSession(kubeconfig(tmp_path, proxy)).open()

    assert "s3cret" not in raised.value.message
