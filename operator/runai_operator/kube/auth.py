"""Access to the Kubernetes API: credentials, TLS, and the few connections that kopf and our own calls share.

Admitted here: what knows kubeconfigs, tokens and certificates. Loading is the `kubernetes` package's, exec plugins
included; it blocks, so it runs in threads. Proxy variables do not count here, they are for Run:ai: a kubeconfig's
`proxy-url` does.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import yaml
from yarl import URL

from runai_operator import __version__
from runai_operator.domain.errors import KubernetesUnavailable
from runai_operator.kube.config_loader import ConfigException, Configuration, config
from runai_operator.kube.echoes import Echoes
from runai_operator.kube.failures import Call, failure
from runai_operator.proxy import proxy_url

log = logging.getLogger(__name__)

USER_AGENT = f"runai-operator/{__version__}"

CONNECTIONS = 32
"""For calls; each watch has one more to itself. Unlimited, a burst opens hundreds (kopf's default)."""
KEEP_ALIVE = 60.0
"""Seconds an unused connection is kept; the API server closes them after 90."""
CHECK_INTERVAL = 60.0
"""Seconds after which the token is read again: bound tokens are renewed long before they end."""
RELOAD_INTERVAL = 5.0
"""Least seconds between two reloads of refused credentials."""

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "default"

_ACCESS = Call("get", "credentials")


class KubeSession:
    """The connections to one API server, with credentials that stay fresh.

    `http` is the session for our own calls; get it for each call, since changed certificates replace it. `lend`
    makes a session for kopf on the same connections, which kopf may close at will. Tokens are put into each request,
    never into a session: a rotated one needs no new session. Everything a 401 calls for is done here, once: reload,
    retry; a caller that still sees one may give up.
    """

    def __init__(
        self,
        kubeconfig: str | None,
        *,
        context: str | None = None,
        watches: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kubeconfig`: path or several joined as in KUBECONFIG; None means in-cluster. `context`: one of it, in place of its
        current one. `watches`: how many at once."""
        self.echoes = Echoes()
        self._kubeconfig, self._context = kubeconfig, context
        self._limit = CONNECTIONS + watches
        self._clock = clock
        self._lock = asyncio.Lock()
        self._access: _Access | None = None
        self._http: aiohttp.ClientSession | None = None
        self._lent: list[aiohttp.ClientSession] = []
        self._authorization: str | None = None
        self._checked = 0.0
        self._reload_from = 0.0

    async def open(self) -> None:
        """Loads the credentials; sends nothing. Raises `KubernetesUnavailable`, saying what is missing."""
        await self._adopt(await asyncio.to_thread(_Access, self._kubeconfig, self._context))

    async def close(self) -> None:
        """Drops all connections; may be called at any time, also twice."""
        if self._http is not None:
            await _retire([self._http, *self._lent])

    @property
    def server(self) -> str:
        """URL of the API server, without a trailing slash."""
        return self._opened.server

    @property
    def namespace(self) -> str:
        """The namespace of the pod, or of the kubeconfig's current context."""
        return self._opened.namespace

    @property
    def http(self) -> aiohttp.ClientSession:
        """The current session for our own calls."""
        if self._http is None:
            raise RuntimeError("The session is not open.")
        return self._http

    def lend(
        self,
        *,
        user_agent: str,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
    ) -> aiohttp.ClientSession:
        """A session on the same connections for somebody who names and closes it; the middlewares come before ours."""
        session = self._session(user_agent, middlewares, response_class, owner=False)
        self._lent = [other for other in self._lent if not other.closed] + [session]
        return session

    @property
    def _opened(self) -> _Access:
        if self._access is None:
            raise RuntimeError("The session is not open.")
        return self._access

    def _session(
        self,
        user_agent: str,
        middlewares: Sequence[aiohttp.ClientMiddlewareType],
        response_class: type[aiohttp.ClientResponse],
        *,
        owner: bool,
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limit, ssl=self._opened.tls, keepalive_timeout=KEEP_ALIVE)
            if owner
            else self.http.connector,
            connector_owner=owner,
            # Compressing is more work for both ends than the bytes are worth inside a cluster.
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(*middlewares, self._authorize),
            response_class=response_class,
            proxy=self._opened.proxy,
        )

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Middleware: signs each request, and retries one that was answered 401 after a reload."""
        if request.url.origin() != self._opened.origin:
            return await handler(request)  # redirected elsewhere: the token is not for that server
        await self._check()
        used = self._sign(request)
        try:
            response = await handler(request)
        except aiohttp.ClientSSLError:
            await self._reload(used)
            raise
        if response.status != 401 or not await self._reload(used):
            return response
        response.release()
        self._sign(request)
        return await handler(request)

    def _sign(self, request: aiohttp.ClientRequest) -> str | None:
        request.server_hostname = self._opened.server_name
        if self._authorization is not None:
            request.headers["Authorization"] = self._authorization
        return self._authorization

    async def _check(self) -> None:
        """Reads the token again once a minute; renews one that is about to expire."""
        if self._clock() < self._checked + CHECK_INTERVAL:
            return
        self._checked = self._clock()
        async with self._lock:
            try:
                self._authorization = await asyncio.to_thread(self._opened.authorization)
            except KubernetesUnavailable as error:
                log.warning("kept the old Kubernetes token: %s", error)

    async def _reload(self, refused: str | None) -> bool:
        """Loads everything again; true when there is now another token than the refused one."""
        async with self._lock:
            if self._authorization == refused and self._clock() >= self._reload_from:
                self._reload_from = self._clock() + RELOAD_INTERVAL
                try:
                    access = await asyncio.to_thread(_Access, self._kubeconfig, self._context)
                except KubernetesUnavailable as error:
                    log.warning("kept the old Kubernetes credentials: %s", error)
                else:
                    await self._adopt(access)
            return self._authorization != refused

    async def _adopt(self, access: _Access) -> None:
        old, self._access = self._access, access
        self._authorization, self._checked = access.loaded_authorization, self._clock()
        if old is not None and old.material == access.material:
            return
        retired = [session for session in (self._http, *self._lent) if session is not None]
        self._http = self._session(USER_AGENT, (), aiohttp.ClientResponse, owner=True)
        self._lent = []
        await _retire(retired)


class _Access:
    """One loading of the configuration; blocking. Raises `KubernetesUnavailable`."""

    def __init__(self, kubeconfig: str | None, context: str | None = None) -> None:
        try:
            self._configuration = _load(kubeconfig, context)
            self.loaded_authorization = self.authorization()
            self.namespace = _namespace(kubeconfig, context)
            self.server: str = self._configuration.host.rstrip("/")
            self.origin = URL(self.server).origin()
            self.server_name: str | None = self._configuration.tls_server_name
            self.proxy = _proxy(self._configuration)
            self.tls = _tls(self._configuration)
            self.material = (self.server, self.server_name, self.proxy, _files(self._configuration))
        except ssl.SSLError as error:
            raise failure(_ACCESS, ConfigException(f"a certificate or key cannot be used ({error.reason})")) from None
        except (ConfigException, OSError) as error:
            raise failure(_ACCESS, ConfigException(str(error))) from None
        except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
            # Their texts may quote the file, and with it a credential.
            raise failure(_ACCESS, ConfigException(f"the kubeconfig cannot be read ({type(error).__name__})")) from None

    def authorization(self) -> str | None:
        """Value of the Authorization header; renewed by the loader when it is about to expire."""
        try:
            value = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except (ConfigException, OSError, ValueError) as error:
            raise failure(_ACCESS, ConfigException(f"the token cannot be read ({type(error).__name__})")) from None
        return value.strip() if value else None


def _load(kubeconfig: str | None, context: str | None) -> Configuration:
    configuration = Configuration()
    configuration.proxy = None
    # The loaders have no annotations, hence the ignores.
    if kubeconfig:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
        )
    else:
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            raise ConfigException(
                "KUBECONFIG is not set, and this is no pod with a token of its ServiceAccount"
            ) from None
    return configuration


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    if kubeconfig is None:
        return POD_NAMESPACE.read_text().strip() if POD_NAMESPACE.exists() else DEFAULT_NAMESPACE
    contexts, chosen = config.list_kube_config_contexts(config_file=kubeconfig)  # type: ignore[no-untyped-call]
    if context is not None:
        chosen = next(known for known in contexts if known["name"] == context)
    return str(chosen["context"].get("namespace") or DEFAULT_NAMESPACE)


def _proxy(configuration: Configuration) -> str | None:
    if not configuration.proxy:
        return None
    try:
        return proxy_url(configuration.proxy)
    except ValueError as error:
        raise ConfigException(f"proxy-url {error}") from None


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Python 3.13 requires more of a certificate authority than those of older clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _files(configuration: Configuration) -> tuple[bytes | bool, ...]:
    """What TLS is made of: when it changes, so must the connections."""
    paths = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    return (*(Path(path).read_bytes() if path else b"" for path in paths), configuration.verify_ssl)


async def _retire(sessions: Sequence[aiohttp.ClientSession]) -> None:
    """Lent sessions first: they only detach from connections that the last one owns."""
    for session in reversed(sessions):
        await session.close()
