"""The environment, read once: every variable the operator knows, all checked together before anything starts.

Only `main` and the commands import this, and pass the values on; nothing else reads the environment. Settings come in
groups, so that a command asks only for what it needs. `VARIABLES` is the one table of names, defaults and meanings; the
reader takes its defaults from it and the documentation is held to it by a test.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeVar

from runai_operator.proxy import bypasses, proxy_url
from runai_operator.selector import Selector, parse_selector
from runai_operator.text import clip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable; an empty one counts as not set."""

    name: str
    default: str
    meaning: str
    bounds: tuple[str, str] | None = None
    """The lowest and the highest that is accepted; None: this is not a matter of more or less."""

    def within(self, low: str, high: str) -> Variable:
        """The same with bounds; its meaning says which."""
        return replace(self, meaning=f"{self.meaning} From {low} to {high}.", bounds=(low, high))


VARIABLES = (
    Variable(
        "RUNAI_BASE_URL",
        "",
        "Address of the Run:ai control plane, such as `https://tenant.run.ai`; no path. Required.",
    ),
    Variable("RUNAI_CLIENT_ID", "", "Client ID of the Run:ai application or service account. Required."),
    Variable("RUNAI_CLIENT_SECRET", "", "Its client secret. Required, unless `RUNAI_CLIENT_SECRET_FILE` is set."),
    Variable(
        "RUNAI_CLIENT_SECRET_FILE",
        "",
        "File that holds the client secret; read again when it changes. Not together with `RUNAI_CLIENT_SECRET`.",
    ),
    Variable(
        "RUNAI_CA_FILE",
        "",
        "PEM file with the certificate authorities to trust for the control plane, in place of the built-in ones; read "
        "again when it changes.",
    ),
    Variable("SSL_CERT_FILE", "", "The same, where `RUNAI_CA_FILE` is not set."),
    Variable(
        "HTTPS_PROXY",
        "",
        "HTTP proxy on the way to an `https://` address of Run:ai, such as `http://proxy.example.com:3128`. SOCKS is not "
        "supported. This and the next three may be written in small letters.",
    ),
    Variable("HTTP_PROXY", "", "The same for an `http://` address."),
    Variable("ALL_PROXY", "", "The same for both, where the one for the scheme is not set."),
    Variable(
        "NO_PROXY",
        "",
        "Where no proxy is used, separated by commas, as in Go: `*`, names (`example.com` with all below it; `.example.com` "
        "or `*.example.com` only below it), IPv4 and IPv6 addresses, each also with a `:port`, and networks "
        "(`10.0.0.0/8`, `fd00::/8`). None is used for this machine itself.",
    ),
    Variable(
        "RUNAI_ALLOW_HTTP",
        "false",
        "`true` accepts a plain `http://` address. The client secret then travels unencrypted: for tests only.",
    ),
    Variable(
        "RUNAI_ACCESS_FILE",
        "",
        "YAML file that says which namespaces may use which Run:ai projects; read at start. Empty: all may use every "
        "project that the client reaches.",
    ),
    Variable(
        "OPERATOR_INSTALL_ID",
        "",
        "Name of this installation in the owner marks: 1 to 63 letters, digits, `-`, `_` and `.`. Set the old one when "
        "you restore into a new cluster. Without it: the UID of the namespace `kube-system`.",
    ),
    Variable(
        "OPERATOR_FORMER_INSTALL_IDS",
        "",
        "Ids that this installation had before, separated by commas: workloads marked with one of them count as its own. No "
        "other installation may use them any more.",
    ),
    Variable(
        "OPERATOR_NAMESPACES",
        "",
        "Namespaces to watch, separated by commas. Empty: the whole cluster.",
    ),
    Variable(
        "OPERATOR_SELECTOR",
        "",
        "Labels of the RunaiWorkloads to serve, as for `kubectl --selector`, such as `shard=a`: the others are left to other "
        "releases, which must have the same installation id. Empty: all.",
    ),
    Variable(
        "OPERATOR_LISTEN",
        ":8080",
        "Where `/healthz`, `/readyz` and `/metrics` are served: `:8080`, `127.0.0.1:8080` or `[::1]:8080`.",
    ),
    Variable("OPERATOR_LOG_FORMAT", "json", "`json` (one object per line) or `text`."),
    Variable("OPERATOR_LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`."),
    Variable(
        "OPERATOR_DELTA_INTERVAL",
        "5s",
        "How often Run:ai is asked what has changed.",
    ).within("1s", "1h"),
    Variable(
        "OPERATOR_SWEEP_INTERVAL",
        "5m",
        "How often everything is listed, as a safety net; it grows with the number of workloads.",
    ).within("10s", "24h"),
    Variable(
        "OPERATOR_STALLED_AFTER",
        "10m",
        "How long Run:ai may be out of reach before waiting workloads are shown as stalled.",
    ).within("1s", "24h"),
    Variable(
        "OPERATOR_STALE_AFTER",
        "60s",
        "How long Run:ai may give no useful answer before what was last seen there is shown as unknown.",
    ).within("1s", "24h"),
    Variable(
        "OPERATOR_GRACE_PERIOD",
        "60s",
        "How long a workload that Run:ai's lists do not show may exist all the same; must exceed the lag of the lists.",
    ).within("1s", "1h"),
    Variable(
        "OPERATOR_DELETE_RATE",
        "100",
        "How many workloads that have not finished are deleted in Run:ai within a minute, at most; further deletions are "
        "rate-limited, so that an accident can be stopped. 0 deletes none at all.",
    ).within("0", "100000"),
    Variable(
        "OPERATOR_RELEASE_AFTER",
        "24h",
        "How long a deletion waits for a Run:ai that cannot be used, before its workload is recorded as an orphan and "
        "the finalizer is removed.",
    ).within("1s", "8760h"),
    Variable(
        "OPERATOR_EVENTS",
        "true",
        "`false` makes no Kubernetes Events; the right to create them is then not needed.",
    ),
    Variable(
        "OPERATOR_RECORDS_NAMESPACE",
        "",
        "Namespace of the operator's own records. Empty: that of the pod, or of the kubeconfig's context.",
    ),
    Variable(
        "KUBECONFIG",
        "",
        "Configuration of the access to Kubernetes. Empty: the service account of the pod.",
    ),
)
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
_BOUNDS = {variable.name: variable.bounds for variable in VARIABLES if variable.bounds}
_OWN_PREFIX = "OPERATOR_"

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_INSTALL_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_HOST = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
BASE_URL = re.compile(
    rf"(?P<scheme>https?)://(?:\[(?P<ipv6>[^]]*)\]|(?P<host>{_HOST}))(?::(?P<port>[0-9]{{1,5}}))?/?", re.IGNORECASE
)
_PORTS = {"https": 443, "http": 80}
_LISTEN = re.compile(rf"(?:\[(?P<ipv6>[^]]*)\]|(?P<host>{_HOST})?):(?P<port>[0-9]{{1,5}})", re.IGNORECASE)
_DURATION = re.compile(r"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:h|ms|m|s|us|ns))+")
_DURATION_PART = re.compile(r"([0-9.]+)(h|ms|m|s|us|ns)")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SECRET_LIMIT = 64 * 1024
_ACCESS_LIMIT = 1024 * 1024


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SettingsError(Exception):
    """The configuration cannot be used; the message is one line naming every wrong setting and why.

    It never repeats a value that is or may hold a credential.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen; without a host, on every address of the machine."""

    host: str | None
    port: int

    def __str__(self) -> str:
        """As it is written in the setting."""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        return f"{host}:{self.port}"


class SettingsGroup:
    """Settings that are needed together."""

    __slots__ = ()

    @classmethod
    def read(cls, environment: Environment) -> Self:
        """The group; what is wrong is noted in `environment`, and then the group is not to be used."""
        raise NotImplementedError

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Reads and checks the group, the named files included; raises `SettingsError` with all that is wrong."""
        environment = Environment(env)
        group = cls.read(environment)
        environment.check()
        return group


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeAccess(SettingsGroup):
    """How to reach the Kubernetes API, and where to look."""

    kubeconfig: str | None
    """A path, or several as `KUBECONFIG` joins them; None: in-cluster."""
    namespaces: tuple[str, ...]
    """Empty: the whole cluster."""
    selector: Selector | None
    """None: all objects there."""
    records_namespace: str | None
    """None: that of the pod or of the kubeconfig's context."""

    @classmethod
    def read(cls, environment: Environment) -> Self:
        return cls(
            kubeconfig=environment.optional("KUBECONFIG", _kubeconfig),
            namespaces=environment.optional("OPERATOR_NAMESPACES", _namespaces) or (),
            selector=environment.optional("OPERATOR_SELECTOR", _selector),
            records_namespace=environment.optional("OPERATOR_RECORDS_NAMESPACE", _namespace),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunaiAccess(SettingsGroup):
    """How to reach the Run:ai control plane, and who may use what of it."""

    base_url: str
    """`scheme://host[:port]`, lower case, without a trailing slash; plain http only where that was allowed."""
    client_id: str
    client_secret: str | None = field(repr=False)
    """Exactly one of this and `client_secret_file` is set."""
    client_secret_file: Path | None
    ca_file: Path | None
    proxy: str | None = field(repr=False)
    """None: directly, also where `NO_PROXY` says so."""
    table: str | None
    """The text of the table of which namespaces may use which projects; None: no limits."""

    @classmethod
    def read(cls, environment: Environment) -> Self:
        client_secret, client_secret_file = environment.client_secret()
        base_url = environment.base_url()
        return cls(
            base_url=base_url,
            client_id=environment.value("RUNAI_CLIENT_ID", _required, ""),
            client_secret=client_secret,
            client_secret_file=client_secret_file,
            ca_file=environment.ca_file(),
            proxy=environment.proxy(base_url),
            table=environment.optional("RUNAI_ACCESS_FILE", _access_file),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging(SettingsGroup):
    """What is said while it runs."""

    log_format: LogFormat
    log_level: LogLevel

    @classmethod
    def read(cls, environment: Environment) -> Self:
        return cls(
            log_format=environment.value("OPERATOR_LOG_FORMAT", _log_format, LogFormat.JSON),
            log_level=environment.value("OPERATOR_LOG_LEVEL", _log_level, LogLevel.INFO),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(SettingsGroup):
    """How the operator works. Intervals are seconds."""

    install_id: str | None
    """None: the UID of the namespace `kube-system`."""
    former_install_ids: tuple[str, ...]
    listen: Listen
    delta_interval: float
    sweep_interval: float
    stalled_after: float
    stale_after: float
    grace_period: float
    release_after: float
    delete_rate: int
    """Within a minute."""
    events: bool

    @classmethod
    def read(cls, environment: Environment) -> Self:
        return cls(
            install_id=environment.optional("OPERATOR_INSTALL_ID", _install_id),
            former_install_ids=environment.optional("OPERATOR_FORMER_INSTALL_IDS", _install_ids) or (),
            listen=environment.value("OPERATOR_LISTEN", _listen, Listen(None, 0)),
            delta_interval=environment.interval("OPERATOR_DELTA_INTERVAL"),
            sweep_interval=environment.interval("OPERATOR_SWEEP_INTERVAL"),
            stalled_after=environment.interval("OPERATOR_STALLED_AFTER"),
            stale_after=environment.interval("OPERATOR_STALE_AFTER"),
            grace_period=environment.interval("OPERATOR_GRACE_PERIOD"),
            release_after=environment.interval("OPERATOR_RELEASE_AFTER"),
            delete_rate=environment.whole("OPERATOR_DELETE_RATE"),
            events=environment.value("OPERATOR_EVENTS", _boolean, stand_in=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(SettingsGroup):
    """Everything that `run` needs."""

    runai: RunaiAccess
    kube: KubeAccess
    operation: Operation
    logging: Logging

    @classmethod
    def read(cls, environment: Environment) -> Self:
        return cls(
            runai=RunaiAccess.read(environment),
            kube=KubeAccess.read(environment),
            operation=Operation.read(environment),
            logging=Logging.read(environment),
        )


def unknown_variables(env: Mapping[str, str] = os.environ) -> list[str]:
    """One sentence for each `OPERATOR_*` variable that nobody reads, with the nearest known name where there is one."""
    known = [name.removeprefix(_OWN_PREFIX) for name in _DEFAULTS if name.startswith(_OWN_PREFIX)]
    sentences = []
    for name in sorted(name for name in env if name.startswith(_OWN_PREFIX) and name not in _DEFAULTS):
        nearest = difflib.get_close_matches(name.removeprefix(_OWN_PREFIX), known, n=1)
        hint = f"; did you mean {_OWN_PREFIX}{nearest[0]}?" if nearest else ""
        sentences.append(f"{name} is not a known setting and is ignored{hint}")
    return sentences


def parse_duration(text: str) -> float:
    """Seconds in a duration as Kubernetes writes them (`500ms`, `1m30s`, `1.5h`); raises ValueError for other text."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"is {_quoted(text)}, not a duration such as 500ms, 5s or 1m30s")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


class Environment:
    """Reads variable by variable and collects what is wrong.

    Where something is wrong a stand-in is returned, so that reading goes on; whoever reads calls `check` before using it.
    """

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        self.problems: list[str] = []

    def check(self) -> None:
        """Raises `SettingsError` if anything was wrong."""
        if self.problems:
            raise SettingsError(self.problems)

    def text(self, name: str) -> str:
        return self._env.get(name, "").strip() or _DEFAULTS.get(name, "")

    def value(self, name: str, parse: Callable[[str], T], stand_in: T) -> T:
        """What `parse` makes of the variable; it raises ValueError with the rest of a sentence about it."""
        try:
            return parse(self.text(name))
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            return stand_in

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        return self.value(name, parse, None) if self.text(name) else None

    def interval(self, name: str) -> float:
        low, high = _BOUNDS[name]

        def parse(text: str) -> float:
            seconds = parse_duration(text)
            if not parse_duration(low) <= seconds <= parse_duration(high):
                raise ValueError(f"is {_quoted(text)}, but must be from {low} to {high}")
            return seconds

        return self.value(name, parse, 0.0)

    def whole(self, name: str) -> int:
        low, high = _BOUNDS[name]

        def parse(text: str) -> int:
            is_number = text.isascii() and text.isdecimal() and len(text) <= len(high)
            if not (is_number and int(low) <= int(text) <= int(high)):
                raise ValueError(f"is {_quoted(text)}, but must be a whole number from {low} to {high}")
            return int(text)

        return self.value(name, parse, 0)

    def base_url(self) -> str:
        allow_http = self.value("RUNAI_ALLOW_HTTP", _boolean, stand_in=False)
        return self.value("RUNAI_BASE_URL", lambda text: _base_url(text, allow_http=allow_http), "")

    def ca_file(self) -> Path | None:
        return self.optional(self._first("RUNAI_CA_FILE", "SSL_CERT_FILE"), _ca_file)

    def proxy(self, base_url: str) -> str | None:
        """The one to use for this address; a stand-in for it needs none."""
        general = ("ALL_PROXY", "all_proxy")
        proxies = {
            "https": self._first("HTTPS_PROXY", "https_proxy", *general),
            "http": self._first("HTTP_PROXY", "http_proxy", *general),
        }
        match, exempt = BASE_URL.fullmatch(base_url), self._first("NO_PROXY", "no_proxy")
        url = self.optional(proxies[match["scheme"]], proxy_url) if match else None
        if match is None or url is None:
            return None
        host, port = match["ipv6"] or match["host"], int(match["port"] or _PORTS[match["scheme"]])
        return None if self.value(exempt, lambda text: bypasses(text, host, port), stand_in=True) else url

    def _first(self, *names: str) -> str:
        """The first of these that is set, or else the first."""
        return next(filter(self.text, names), names[0])

    def client_secret(self) -> tuple[str | None, Path | None]:
        secret = self.optional("RUNAI_CLIENT_SECRET", str)
        if secret and self.text("RUNAI_CLIENT_SECRET_FILE"):
            self.problems.append("RUNAI_CLIENT_SECRET and RUNAI_CLIENT_SECRET_FILE are both set: keep one of them")
            return None, None
        file = self.optional("RUNAI_CLIENT_SECRET_FILE", _secret_file)
        if not secret and not self.text("RUNAI_CLIENT_SECRET_FILE"):
            self.problems.append("RUNAI_CLIENT_SECRET is not set, nor is RUNAI_CLIENT_SECRET_FILE")
        return secret, file


def _required(text: str) -> str:
    if not text:
        raise ValueError("is not set")
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"is {_quoted(text)}, but must be true or false")
    return text.lower() == "true"


def _base_url(text: str, *, allow_http: bool) -> str:
    match = BASE_URL.fullmatch(_required(text))
    port = match and match["port"]
    if not match or (match["ipv6"] is not None and not _is_ipv6(match["ipv6"])) or (port and not _is_port(port)):
        # The value is not repeated: it may hold a password.
        raise ValueError("must be an address such as https://tenant.run.ai, without user, path or query")
    if match["scheme"].lower() == "http" and not allow_http:
        raise ValueError(
            "is plain http, which sends the client secret unencrypted: use https, or for tests set RUNAI_ALLOW_HTTP=true"
        )
    return text.lower().removesuffix("/")


def _listen(text: str) -> Listen:
    match = _LISTEN.fullmatch(text)
    if not match or (match["ipv6"] is not None and not _is_ipv6(match["ipv6"])) or int(match["port"]) > 65535:
        raise ValueError(f"is {_quoted(text)}, not an address such as :8080, 127.0.0.1:8080 or [::1]:8080")
    return Listen(match["ipv6"] or match["host"], int(match["port"]))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return 0 < int(text) <= 65535


def _install_id(text: str) -> str:
    if not _INSTALL_ID.fullmatch(text):
        raise ValueError(
            f"is {_quoted(text)}, but must be 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        )
    return text


def _install_ids(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_install_id(name.strip()) for name in text.split(",")))


def _namespace(text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise ValueError(f"is {_quoted(text)}, which cannot be the name of a namespace")
    return text


def _namespaces(text: str) -> tuple[str, ...]:
    """An empty entry is refused, so that a stray comma never widens the scope to the whole cluster."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    wrong = [_quoted(name) for name in names if not _DNS_LABEL.fullmatch(name)]
    if wrong:
        raise ValueError(
            f"names {', '.join(wrong[:3])}, not a namespace: list names separated by commas, or leave it empty for the whole cluster"
        )
    return names


def _selector(text: str) -> Selector:
    try:
        return parse_selector(text)
    except ValueError as error:
        raise ValueError(f"is {_quoted(text)}, which {error}") from None


def _log_format(text: str) -> LogFormat:
    return LogFormat(_one_of(text, LogFormat))


def _log_level(text: str) -> LogLevel:
    return LogLevel(_one_of(text, LogLevel))


def _one_of(text: str, words: type[StrEnum]) -> str:
    if text.lower() not in set(words):
        raise ValueError(f"is {_quoted(text)}, but must be one of {', '.join(words)}")
    return text.lower()


def _secret_file(text: str) -> Path:
    # The path is not repeated: the secret itself is set here by mistake often enough.
    try:
        with Path(text).open("rb") as file:
            content = file.read(_SECRET_LIMIT).decode()
    except UnicodeDecodeError:
        raise ValueError("names a file that is not text") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"names a file that cannot be read ({_why(error)})") from None
    if not content.strip():
        raise ValueError("names an empty file")
    return Path(text)


def _access_file(text: str) -> str:
    try:
        with Path(text).open("rb") as file:
            content = file.read(_ACCESS_LIMIT + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"is {_quoted(text)}, which cannot be read ({_why(error)})") from None
    if len(content) > _ACCESS_LIMIT:
        raise ValueError(f"is {_quoted(text)}, which is larger than {_ACCESS_LIMIT} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"is {_quoted(text)}, which is not text") from None


def _ca_file(text: str) -> Path:
    try:
        ssl.create_default_context(cafile=text)
    except ssl.SSLError:
        raise ValueError(f"is {_quoted(text)}, which holds no PEM certificate") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"is {_quoted(text)}, which cannot be read ({_why(error)})") from None
    return Path(text)


def _kubeconfig(text: str) -> str:
    """Like kubectl, takes a list in which some files may be missing, but not all."""
    if not any(os.access(path, os.R_OK) and Path(path).is_file() for path in text.split(os.pathsep) if path):
        raise ValueError(f"is {_quoted(text)}, which names no readable file")
    return text


def _why(error: OSError | ValueError) -> str:
    return error.strerror or "unreadable" if isinstance(error, OSError) else "not a path"


def _quoted(value: str) -> str:
    """The value on one line, in quotes, for a message."""
    return repr(clip(value, 80))
