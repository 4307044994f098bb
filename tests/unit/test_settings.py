"""Settings: what the environment may say, and what a person is told when it is wrong."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import certifi
import pytest

from runai_operator import settings as settings_module
from runai_operator.selector import parse_selector
from runai_operator.settings import (
    VARIABLES,
    KubeAccess,
    Listen,
    Logging,
    Operation,
    RunaiAccess,
    Settings,
    SettingsError,
    parse_duration,
    unknown_variables,
)

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "configuration.md"
SECRET = "s3cr3t-of-the-tenant"
ACCESS = {
    "RUNAI_BASE_URL": "https://tenant.run.ai",
    "RUNAI_CLIENT_ID": "operator",
    "RUNAI_CLIENT_SECRET": SECRET,
}


TABLE = "- namespaces: [team-a]\n  projects: [team-a]\n"


def settings(**changes):
    return Settings.from_environment(ACCESS | changes)


def refusal(**changes):
    with pytest.raises(SettingsError) as refused:
        settings(**changes)
    return str(refused.value)


def test_access_to_runai_is_all_that_must_be_set():
    read = settings()

    assert read == Settings(
        runai=RunaiAccess(
            base_url="https://tenant.run.ai",
            client_id="operator",
            client_secret=SECRET,
            client_secret_file=None,
            ca_file=None,
            proxy=None,
            table=None,
        ),
        kube=KubeAccess(kubeconfig=None, namespaces=(), selector=None, records_namespace=None),
        operation=Operation(
            install_id=None,
            former_install_ids=(),
            listen=Listen(None, 8080),
            delta_interval=5,
            sweep_interval=300,
            stalled_after=600,
            stale_after=60,
            grace_period=60,
            release_after=86400,
            delete_rate=100,
            events=True,
        ),
        logging=Logging(log_format="json", log_level="info"),
    )


def test_every_setting_is_read_from_its_variable(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("{}")
    access = tmp_path / "access.yaml"
    access.write_text(TABLE)

    read = settings(
        RUNAI_BASE_URL="http://10.0.0.1:9000",
        RUNAI_CLIENT_SECRET="",
        RUNAI_CLIENT_SECRET_FILE=str(secret),
        RUNAI_CA_FILE=certifi.where(),
        RUNAI_ALLOW_HTTP="true",
        RUNAI_ACCESS_FILE=str(access),
        HTTP_PROXY="http://proxy.example.com:3128",
        OPERATOR_INSTALL_ID="blue",
        OPERATOR_FORMER_INSTALL_IDS="green, red",
        OPERATOR_NAMESPACES="team-a, team-b",
        OPERATOR_SELECTOR="shard=a",
        OPERATOR_LISTEN="[::1]:0",
        OPERATOR_LOG_FORMAT="text",
        OPERATOR_LOG_LEVEL="DEBUG",
        OPERATOR_DELTA_INTERVAL="1s",
        OPERATOR_SWEEP_INTERVAL="1m30s",
        OPERATOR_STALLED_AFTER="2m",
        OPERATOR_STALE_AFTER="30s",
        OPERATOR_GRACE_PERIOD="90s",
        OPERATOR_RELEASE_AFTER="2h",
        OPERATOR_DELETE_RATE="0",
        OPERATOR_EVENTS="false",
        OPERATOR_RECORDS_NAMESPACE="runai",
        KUBECONFIG=f"{tmp_path / 'missing'}:{kubeconfig}",
    )

    assert read == Settings(
        runai=RunaiAccess(
            base_url="http://10.0.0.1:9000",
            client_id="operator",
            client_secret=None,
            client_secret_file=secret,
            ca_file=Path(certifi.where()),
            proxy="http://proxy.example.com:3128",
            table=TABLE,
        ),
        kube=KubeAccess(
            kubeconfig=f"{tmp_path / 'missing'}:{kubeconfig}",
            namespaces=("team-a", "team-b"),
            selector=parse_selector("shard=a"),
            records_namespace="runai",
        ),
        operation=Operation(
            install_id="blue",
            former_install_ids=("green", "red"),
            listen=Listen("::1", 0),
            delta_interval=1,
            sweep_interval=90,
            stalled_after=120,
            stale_after=30,
            grace_period=90,
            release_after=7200,
            delete_rate=0,
            events=False,
        ),
        logging=Logging(log_format="text", log_level="debug"),
    )


@pytest.mark.parametrize(
    ("group", "wrong"),
    [
        (KubeAccess, {"OPERATOR_NAMESPACES": "A"}),
        (RunaiAccess, {"RUNAI_BASE_URL": ""}),
        (Operation, {"OPERATOR_DELETE_RATE": "-1"}),
        (Logging, {"OPERATOR_LOG_LEVEL": "loud"}),
    ],
)
def test_a_group_is_read_alone_and_minds_only_its_own_variables(group, wrong):
    everything_else = {variable.name: "/nowhere\n/at all" for variable in VARIABLES}
    own = asked_for_by(group)
    fine = {name: value for name, value in everything_else.items() if name not in own} | (
        ACCESS if group is RunaiAccess else {}
    )

    assert group.from_environment(fine) in vars_of(settings())
    with pytest.raises(SettingsError, match=f"^{next(iter(wrong))} "):
        group.from_environment(fine | wrong)


def test_the_groups_share_no_variable():
    asked = [name for group in (KubeAccess, RunaiAccess, Operation, Logging) for name in asked_for_by(group)]

    assert sorted(asked) == sorted(variable.name for variable in VARIABLES)


def vars_of(read):
    return [getattr(read, field.name) for field in fields(read)]


def test_an_empty_or_blank_variable_counts_as_not_set():
    assert Settings.from_environment({v.name: " \n" for v in VARIABLES} | ACCESS) == settings()


class Asked(dict):
    """An environment that notes what it is asked for; small letters mean the same."""

    def __init__(self):
        super().__init__(ACCESS)
        self.names = set()

    def get(self, key, default=None):
        self.names.add(key.upper())
        return super().get(key, default)


def asked_for_by(group) -> set[str]:
    env = Asked()
    group.from_environment(env)
    return env.names


def test_exactly_the_variables_of_the_table_are_read():
    assert asked_for_by(Settings) == {variable.name for variable in VARIABLES}


OF_A_PERSON = {"__main__.py", "cli.py", "cluster.py", "progress.py", "runai_access.py"}
"""Of the command line: completion, colours, the caller's kubeconfig, and options that go before the variables of the settings."""


def test_nothing_but_the_settings_and_the_command_line_reads_the_environment():
    """Libraries do, for proxies and the like."""
    package = Path(settings_module.__file__).parent
    readers = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
        and getattr(node, "attr", getattr(node, "id", "")) in {"environ", "environb", "getenv", "getenvb"}
    }

    assert readers == {"settings.py"} | OF_A_PERSON


@pytest.mark.parametrize(
    ("given", "normalised"),
    [
        pytest.param("https://tenant.run.ai/", "https://tenant.run.ai", id="a trailing slash goes"),
        pytest.param("HTTPS://Tenant.Run.AI", "https://tenant.run.ai", id="letters become small"),
        pytest.param(" https://tenant.run.ai\n", "https://tenant.run.ai", id="blanks around it go"),
        pytest.param("https://10.0.0.1:8443", "https://10.0.0.1:8443", id="an IPv4 address with a port stays"),
        pytest.param("https://[fd00::1]:8443/", "https://[fd00::1]:8443", id="an IPv6 address with a port stays"),
        pytest.param("https://runai_backend.svc", "https://runai_backend.svc", id="an underscore in a name is fine"),
    ],
)
def test_the_base_url_is_normalised(given, normalised):
    assert settings(RUNAI_BASE_URL=given).runai.base_url == normalised


@pytest.mark.parametrize(
    "url",
    [
        "tenant.run.ai",
        "ftp://tenant.run.ai",
        "https://",
        "https://tenant.run.ai/api/v1",
        "https://tenant.run.ai?x=1",
        "https://tenant.run.ai#x",
        f"https://me:{SECRET}@tenant.run.ai",
        f"https://[::1{SECRET}",
        "https://tenant.run.ai:99999",
        "https://tenant.run.ai:0",
        "https://tenant..run.ai",
        "https://[::zz]",
        "https://ten ant.run.ai",
        "https://tenant.run.ai\n.evil.example",
    ],
)
def test_a_base_url_with_anything_but_an_address_is_refused_without_repeating_it(url):
    message = refusal(RUNAI_BASE_URL=url, RUNAI_ALLOW_HTTP="true")

    assert message == "RUNAI_BASE_URL must be an address such as https://tenant.run.ai, without user, path or query"


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        (":8080", Listen(None, 8080)),
        ("127.0.0.1:9090", Listen("127.0.0.1", 9090)),
        ("localhost:0", Listen("localhost", 0)),
        ("[::1]:8080", Listen("::1", 8080)),
    ],
)
def test_the_address_to_listen_at_is_understood(text, listen):
    assert settings(OPERATOR_LISTEN=text).operation.listen == listen


@pytest.mark.parametrize(
    "text", ["8080", "::1:8080", "[]:8080", "[::g]:80", ":65536", ":", "host:", ":-1", "a b:80", "*:80"]
)
def test_another_address_to_listen_at_is_refused(text):
    assert refusal(OPERATOR_LISTEN=text) == (
        f"OPERATOR_LISTEN is {text!r}, not an address such as :8080, 127.0.0.1:8080 or [::1]:8080"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("5s", 5),
        ("1m30s", 90),
        ("10m", 600),
        ("1h", 3600),
        ("1.5h", 5400),
        ("0.5s250ms", 0.75),
        (".5m", 30),
        ("2us", 2e-6),
        ("3ns", 3e-9),
        ("9" * 400 + "s", float("inf")),
    ],
)
def test_a_duration_is_read_as_kubernetes_reads_it(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", ".s", "1d", "5S", "1m 30s", "٣s", "1e3s", "5s\n"])
def test_other_text_is_no_duration(text):
    with pytest.raises(ValueError, match="not a duration such as 500ms, 5s or 1m30s"):
        parse_duration(text)


def documented_bounds():
    for variable in VARIABLES:
        bounds = re.search(r"From (\d+[a-z]+) to (\d+[a-z]+)\.", variable.meaning)
        if bounds:
            yield pytest.param(variable.name, *bounds.groups(), id=f"{variable.name} from {bounds[1]} to {bounds[2]}")


@pytest.mark.parametrize(("name", "low", "high"), list(documented_bounds()))
def test_an_interval_is_accepted_within_its_documented_bounds_and_refused_beyond(name, low, high):
    field = name.removeprefix("OPERATOR_").lower()

    assert getattr(settings(**{name: low}).operation, field) == parse_duration(low)
    assert getattr(settings(**{name: high}).operation, field) == parse_duration(high)
    below, above = f"{parse_duration(low) - 0.1:.3f}s", f"{high}1ms"
    assert refusal(**{name: below}) == f"{name} is {below!r}, but must be from {low} to {high}"
    assert refusal(**{name: above}) == f"{name} is {above!r}, but must be from {low} to {high}"


def test_all_intervals_have_documented_bounds():
    intervals = {field.name for field in fields(Operation) if field.type == "float"}

    assert intervals == {param.values[0].removeprefix("OPERATOR_").lower() for param in documented_bounds()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"RUNAI_BASE_URL": ""}, "RUNAI_BASE_URL is not set", id="the address is missing"),
        pytest.param({"RUNAI_CLIENT_ID": ""}, "RUNAI_CLIENT_ID is not set", id="the client id is missing"),
        pytest.param(
            {"RUNAI_CLIENT_SECRET": ""},
            "RUNAI_CLIENT_SECRET is not set, nor is RUNAI_CLIENT_SECRET_FILE",
            id="the secret is missing in both forms",
        ),
        pytest.param(
            {"RUNAI_CLIENT_SECRET_FILE": certifi.where()},
            "RUNAI_CLIENT_SECRET and RUNAI_CLIENT_SECRET_FILE are both set: keep one of them",
            id="the secret is there in both forms",
        ),
        pytest.param(
            {"RUNAI_CLIENT_SECRET": "", "RUNAI_CLIENT_SECRET_FILE": f"/{SECRET}"},
            "RUNAI_CLIENT_SECRET_FILE names a file that cannot be read (No such file or directory)",
            id="the secret's file is missing, or is the secret",
        ),
        pytest.param(
            {"RUNAI_CLIENT_SECRET": "", "RUNAI_CLIENT_SECRET_FILE": "/"},
            "RUNAI_CLIENT_SECRET_FILE names a file that cannot be read (Is a directory)",
            id="the secret's file is a folder",
        ),
        pytest.param(
            {"RUNAI_CLIENT_SECRET": "", "RUNAI_CLIENT_SECRET_FILE": "/dev/null"},
            "RUNAI_CLIENT_SECRET_FILE names an empty file",
            id="the secret's file is empty",
        ),
        pytest.param(
            {"RUNAI_CLIENT_SECRET": "", "RUNAI_CLIENT_SECRET_FILE": "a\0b"},
            "RUNAI_CLIENT_SECRET_FILE names a file that cannot be read (not a path)",
            id="the secret's file is no path",
        ),
        pytest.param(
            {"RUNAI_BASE_URL": "http://localhost:8000"},
            "RUNAI_BASE_URL is plain http, which sends the client secret unencrypted: "
            "use https, or for tests set RUNAI_ALLOW_HTTP=true",
            id="plain http is not allowed",
        ),
        pytest.param(
            {"RUNAI_ALLOW_HTTP": "yes"},
            "RUNAI_ALLOW_HTTP is 'yes', but must be true or false",
            id="a word that is not a boolean",
        ),
        pytest.param(
            {"RUNAI_CA_FILE": "/no/such/ca.pem"},
            "RUNAI_CA_FILE is '/no/such/ca.pem', which cannot be read (No such file or directory)",
            id="the CA file is missing",
        ),
        pytest.param(
            {"RUNAI_CA_FILE": __file__},
            f"RUNAI_CA_FILE is {__file__!r}, which holds no PEM certificate",
            id="the CA file holds something else",
        ),
        pytest.param(
            {"RUNAI_ACCESS_FILE": "/no/such/access.yaml"},
            "RUNAI_ACCESS_FILE is '/no/such/access.yaml', which cannot be read (No such file or directory)",
            id="the table of access is missing",
        ),
        pytest.param(
            {"OPERATOR_INSTALL_ID": "my cluster"},
            "OPERATOR_INSTALL_ID is 'my cluster', but must be 1 to 63 letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends",
            id="an install id with a blank",
        ),
        pytest.param(
            {"OPERATOR_FORMER_INSTALL_IDS": "blue,,red"},
            "OPERATOR_FORMER_INSTALL_IDS is '', but must be 1 to 63 letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends",
            id="a stray comma between install ids",
        ),
        pytest.param(
            {"OPERATOR_NAMESPACES": "team-a,Team_B,"},
            "OPERATOR_NAMESPACES names 'Team_B', '', not a namespace: "
            "list names separated by commas, or leave it empty for the whole cluster",
            id="names that no namespace can have",
        ),
        pytest.param(
            {"OPERATOR_NAMESPACES": ","},
            "OPERATOR_NAMESPACES names '', not a namespace: "
            "list names separated by commas, or leave it empty for the whole cluster",
            id="a lone comma does not widen the scope to the whole cluster",
        ),
        pytest.param(
            {"OPERATOR_SELECTOR": "shard=a,"},
            "OPERATOR_SELECTOR is 'shard=a,', which cannot be read at character 9: "
            "write it as for kubectl, such as shard=a or team in (a,b)",
            id="a selector with a stray comma",
        ),
        pytest.param(
            {"OPERATOR_LOG_FORMAT": "xml"},
            "OPERATOR_LOG_FORMAT is 'xml', but must be one of json, text",
            id="an unknown log format",
        ),
        pytest.param(
            {"OPERATOR_LOG_LEVEL": "trace"},
            "OPERATOR_LOG_LEVEL is 'trace', but must be one of debug, info, warning, error",
            id="an unknown log level",
        ),
        pytest.param(
            {"OPERATOR_DELTA_INTERVAL": "5"},
            "OPERATOR_DELTA_INTERVAL is '5', not a duration such as 500ms, 5s or 1m30s",
            id="a duration without a unit",
        ),
        pytest.param(
            {"KUBECONFIG": "/no/such/config"},
            "KUBECONFIG is '/no/such/config', which names no readable file",
            id="the kubeconfig is missing",
        ),
    ],
)
def test_the_refusal_names_the_setting_and_says_why(changes, message):
    assert refusal(**changes) == message


def test_a_secret_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")

    message = refusal(RUNAI_CLIENT_SECRET="", RUNAI_CLIENT_SECRET_FILE=str(tmp_path / "secret"))

    assert message == "RUNAI_CLIENT_SECRET_FILE names a file that is not text"


def test_all_that_is_wrong_is_said_at_once_on_one_line():
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(
            {"OPERATOR_LISTEN": "line\nbreak", "OPERATOR_LOG_LEVEL": "x" * 5000, "OPERATOR_SWEEP_INTERVAL": "1s"}
        )

    named = [problem.split()[0] for problem in refused.value.problems]
    assert named == [
        "RUNAI_CLIENT_SECRET",
        "RUNAI_BASE_URL",
        "RUNAI_CLIENT_ID",
        "OPERATOR_LISTEN",
        "OPERATOR_SWEEP_INTERVAL",
        "OPERATOR_LOG_LEVEL",
    ]
    assert str(refused.value) == "; ".join(refused.value.problems)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_the_client_secret_shows_in_no_form_of_the_settings():
    read = settings()

    assert read.runai.client_secret == SECRET
    assert SECRET not in f"{read} {read!r}"


PROXY = "http://me:s3cret@proxy.example.com:3128"


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        pytest.param({"HTTPS_PROXY": PROXY}, PROXY, id="for https"),
        pytest.param({"https_proxy": PROXY}, PROXY, id="in small letters"),
        pytest.param({"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}, PROXY, id="in both, the documented one"),
        pytest.param({"HTTPS_PROXY": f" {PROXY}\n"}, PROXY, id="blanks around it go"),
        pytest.param({"HTTP_PROXY": "socks5://unused"}, None, id="one for http is not for https, and does no harm"),
        pytest.param({"ALL_PROXY": PROXY}, PROXY, id="for all"),
        pytest.param({"ALL_PROXY": "http://other", "HTTPS_PROXY": PROXY}, PROXY, id="for all but https"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*.run.ai"}, None, id="exempt"),
        pytest.param({"HTTPS_PROXY": PROXY, "no_proxy": "tenant.run.ai:443"}, None, id="exempt by name and port"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8,[::1],fd00::/8"}, PROXY, id="others are exempt"),
        pytest.param({"NO_PROXY": "http://nonsense"}, None, id="without a proxy nothing needs to be exempt"),
    ],
)
def test_the_proxy_is_the_one_for_the_address_of_runai(env, proxy):
    read = settings(**env)

    assert read.runai.proxy == proxy
    assert "s3cret" not in repr(read)


@pytest.mark.parametrize(
    ("env", "start"),
    [
        ({"HTTPS_PROXY": "socks5://me:s3cret@proxy:1080"}, "HTTPS_PROXY is a SOCKS proxy, which is not supported: "),
        (
            {"https_proxy": "http://me:s3cret#x@proxy"},
            "https_proxy must be an address such as http://proxy.example.com",
        ),
        ({"ALL_PROXY": "http://proxy:3128#s3cret"}, "ALL_PROXY must be an address such as http://proxy.example.com"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.*"}, "NO_PROXY has '10.*', which is not a name, an address"),
        ({"SSL_CERT_FILE": "/no/such"}, "SSL_CERT_FILE is '/no/such', which cannot be read (No such file"),
    ],
)
def test_proxies_and_authorities_that_cannot_be_used_are_refused_at_the_start(env, start):
    message = refusal(**env)

    assert message.startswith(start)
    assert "s3cret" not in message
    assert "\n" not in message


def test_the_general_file_of_authorities_counts_where_our_own_is_not_set(tmp_path):
    assert settings(SSL_CERT_FILE=certifi.where()).runai.ca_file == Path(certifi.where())
    assert settings(SSL_CERT_FILE=str(tmp_path), RUNAI_CA_FILE=certifi.where()).runai.ca_file == Path(certifi.where())


def test_unknown_variables_are_named_with_the_nearest_known_one():
    env = {"OPERATOR_NAMESPACE": "a", "OPERATOR_XYZZY": "b", "OPERATOR_LISTEN": ":1", "RUNAI_OTHER": "c", "PATH": "d"}

    assert unknown_variables(env) == [
        "OPERATOR_NAMESPACE is not a known setting and is ignored; did you mean OPERATOR_NAMESPACES?",
        "OPERATOR_XYZZY is not a known setting and is ignored",
    ]


def test_the_documentation_lists_exactly_the_variables_of_the_table():
    rows = [line for line in DOCUMENTATION.read_text().splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{variable.name}` | {f'`{variable.default}`' if variable.default else ''} | {variable.meaning} |"
        for variable in VARIABLES
    ]
