"""`kubernetes.config`, the package's loader of kubeconfigs and in-cluster configuration, without the package's rest.

Admitted here: how that package is laid out. Importing it the ordinary way runs `kubernetes/__init__`, and with it the
API client, its models, pydantic, websockets and requests: 15 MiB and a third of the work of a start, none of it ever
used here (`make bench-memory` measures). So stand-ins replace the two packages above the loader while it is imported,
and are removed again: whoever imports `kubernetes` later gets the real one. If the layout differs from the one known
here, the ordinary import is done.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes import config
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException

log = logging.getLogger(__name__)

__all__ = ["ConfigException", "Configuration", "config"]


def _load() -> tuple[ModuleType, Any]:
    """`kubernetes.config` and the class `Configuration` that it fills."""
    if "kubernetes" not in sys.modules:
        loaded = set(sys.modules)
        try:
            return _load_alone()
        except Exception as error:  # noqa: BLE001 - whatever a future version raises, its ordinary import works
            log.debug("imports all of kubernetes: %r", error)
            for name in set(sys.modules) - loaded:
                if name.partition(".")[0] == "kubernetes":
                    del sys.modules[name]
    return import_module("kubernetes.config"), import_module("kubernetes.client").Configuration


def _load_alone() -> tuple[ModuleType, Any]:
    stand_ins: dict[str, Any] = {}
    try:
        for name in ("kubernetes", "kubernetes.client", "requests_oauthlib"):
            if name not in sys.modules:
                stand_ins[name] = sys.modules[name] = _unexecuted(name)
        client = stand_ins["kubernetes.client"]
        client.Configuration = import_module("kubernetes.client.configuration").Configuration
        # Both are called when an OpenID Connect token is to be renewed, and by nothing else that we use.
        client.ApiClient = _later("kubernetes.client", "ApiClient")
        if oauth := stand_ins.get("requests_oauthlib"):
            oauth.OAuth2Session = _later("requests_oauthlib", "OAuth2Session")
        return import_module("kubernetes.config"), client.Configuration
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _unexecuted(package: str) -> ModuleType:
    """The package, whose modules can be imported, without running its `__init__`."""
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"there is no {package}")
    return module_from_spec(spec)


def _later(module: str, name: str) -> Callable[..., Any]:
    """Stands for a class; the first call imports it."""

    def make(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return make


if not TYPE_CHECKING:
    config, Configuration = _load()
    ConfigException = config.ConfigException
