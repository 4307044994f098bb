"""How the control plane's programs are found, downloaded and built: real files and sockets, small stand-in programs."""

import hashlib
import io
import json
import os
import re
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from controlplane import BinaryMissing, binaries, download, gobuild
from controlplane.errors import BuildFailed, ChecksumMismatch, Unreachable

NOBODY_LISTENS = "http://127.0.0.1:1/index.yaml"
SERIES = binaries.KUBERNETES_SERIES
PLATFORMS = [("linux", "amd64"), ("linux", "arm64"), ("darwin", "amd64"), ("darwin", "arm64")]
PROGRAM = b"#!/bin/sh\necho stand-in " + os.urandom(200_000).hex().encode() + b"\n"


def bundle() -> bytes:
    """An archive laid out like an envtest bundle."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in download.PROGRAMS:
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size, member.mode = len(PROGRAM), 0o755
            tar.addfile(member, io.BytesIO(PROGRAM))
    return archive.getvalue()


class ReleaseHost:
    """A release host on loopback with Range requests; `cut_after` breaks off so many downloads half-way."""

    def __init__(self) -> None:
        self.archive = bundle()
        self.cuts = 0
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                host.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.index = self.index_of(self.archive)
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def index_of(self, archive: bytes) -> dict:
        names = {target: f"envtest-v{SERIES}.0-{'-'.join(target)}.tar.gz" for target in PLATFORMS}
        entry = {"hash": hashlib.sha512(archive).hexdigest()}
        return {
            "releases": {f"v{SERIES}.0": {n: {**entry, "selfLink": f"{self.url}/{n}"} for n in names.values()}},
        }

    @property
    def index_url(self) -> str:
        return f"{self.url}/index.yaml"

    @property
    def archive_ranges(self) -> list[str]:
        """The Range header of every request for an archive."""
        return [wanted for path, wanted in self.requests if path.endswith(".tar.gz")]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        with self.lock:
            self.requests.append((request.path, wanted))
            is_archive = request.path.endswith(".tar.gz")
            cut = is_archive and self.cuts > 0
            self.cuts -= cut
        content = self.archive if is_archive else json.dumps(self.index).encode()
        start = int(re.search(r"\d+", wanted)[0]) if wanted else 0
        if wanted and start >= len(content):
            request.send_error(416)
            return
        content = content[start:]
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if cut else content)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def releases():
    host = ReleaseHost()
    yield host
    host.close()


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A machine with an empty cache and an empty PATH; returns the folder that is its PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("ENVTEST_INDEX_URL", raising=False)
    return path


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=200)


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def partial_of(releases) -> Path:
    return binaries.cache() / f"envtest-v{SERIES}.0.tar.gz.partial"


class TestDownload:
    def test_a_bundle_is_downloaded_once_and_its_programs_run(self, bare_machine, releases, screen):
        for _ in range(2):
            found = binaries.prepare(download.PROGRAMS, index_url=releases.index_url, console=screen)
        assert {path.read_bytes() for path in found.values()} == {PROGRAM}
        assert all(os.access(path, os.X_OK) for path in found.values())
        assert len(releases.requests) == 2  # index and archive
        assert not partial_of(releases).exists()

    def test_the_environment_names_a_mirror(self, bare_machine, releases, screen, monkeypatch):
        monkeypatch.setenv("ENVTEST_INDEX_URL", releases.index_url)
        assert binaries.prepare(["etcd"], console=screen)["etcd"].is_file()

    def test_a_cut_download_goes_on_where_it_ended(self, bare_machine, releases, screen):
        releases.cuts = 2
        found = binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)
        half, quarter = len(releases.archive) // 2, (len(releases.archive) + 1) // 2 // 2
        assert found["etcd"].read_bytes() == PROGRAM
        assert releases.archive_ranges == ["", f"bytes={half}-", f"bytes={half + quarter}-"]

    def test_a_terminal_shows_how_far_it_is(self, bare_machine, releases):
        terminal = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
        binaries.prepare(["etcd"], index_url=releases.index_url, console=terminal)
        kilobytes = f"{len(releases.archive) / 1000:.1f}"
        assert f"{kilobytes}/{kilobytes} kB" in terminal.file.getvalue()

    def test_a_later_run_goes_on_where_an_interrupted_one_ended(self, bare_machine, releases, screen):
        partial = partial_of(releases)
        partial.parent.mkdir(parents=True)
        partial.write_bytes(releases.archive[:1000])
        found = binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)
        assert found["etcd"].read_bytes() == PROGRAM
        assert releases.archive_ranges == ["bytes=1000-"]

    def test_a_download_that_was_complete_but_not_unpacked_is_used(self, bare_machine, releases, screen):
        partial = partial_of(releases)
        partial.parent.mkdir(parents=True)
        partial.write_bytes(releases.archive)
        assert binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)["etcd"].is_file()

    def test_a_wrong_checksum_is_refused_and_nothing_is_kept(self, bare_machine, releases, screen):
        releases.index = releases.index_of(b"what was released")
        program(bare_machine / "go", "exit 1")  # a build must not hide the refusal
        with pytest.raises(ChecksumMismatch, match=r"sha512 .* but its release has"):
            binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)
        assert [path.name for path in binaries.cache().iterdir()] == [".lock"]

    @pytest.mark.parametrize("target", PLATFORMS, ids="/".join)
    def test_every_platform_gets_its_own_archive(self, releases, screen, tmp_path, target):
        download.fetch(tmp_path, SERIES, target, releases.index_url, screen)
        assert releases.requests[-1][0] == f"/envtest-v{SERIES}.0-{'-'.join(target)}.tar.gz"

    def test_the_newest_patch_of_the_pinned_series_is_chosen(self):
        index = {
            "releases": {
                f"v{version}": {f"envtest-v{version}-linux-arm64.tar.gz": {"hash": "", "selfLink": version}}
                for version in ("1.36.9", "1.37.2", "1.37.10", "1.37.11-rc.0", "1.38.0")
            }
        }
        assert download.choose(index, "1.37", ("linux", "arm64"))[0] == "v1.37.10"

    @pytest.mark.parametrize("answer", ["<html>Please log in</html>", "releases: [", "{}"])
    def test_an_index_that_is_none_counts_as_no_network(self, answer):
        with pytest.raises(Unreachable, match="no list of releases"):
            download.read_index(answer)

    def test_a_bundle_that_lost_a_program_is_downloaded_again(self, bare_machine, releases, screen):
        binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)["etcd"].unlink()
        assert binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)["etcd"].is_file()

    def test_a_platform_without_a_release_is_named(self, releases):
        with pytest.raises(Unreachable, match=f"no release of Kubernetes {SERIES} for plan9/mips is listed"):
            download.choose(releases.index, SERIES, ("plan9", "mips"))

    def test_two_runs_side_by_side_download_once(self, bare_machine, releases, screen):
        def prepare(_):
            return binaries.prepare(["etcd"], index_url=releases.index_url, console=screen)

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(prepare, range(2))
        assert first == second
        assert len(releases.archive_ranges) == 1


class TestBuild:
    FAKE_GO = """
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; [ "$1" = -ldflags ] && flags=$2; shift; done
printf '#!/bin/sh\\n# %s\\n# %s %s\\n' "$1" "$CGO_ENABLED" "$flags" > "$out"
/bin/chmod +x "$out"
"""

    @pytest.mark.parametrize("name", gobuild.PROGRAMS)
    def test_without_a_download_the_pinned_module_is_built(self, bare_machine, screen, name):
        program(bare_machine / "go", self.FAKE_GO)
        built = binaries.prepare([name], index_url=NOBODY_LISTENS, console=screen)[name]
        wanted = gobuild.PROGRAMS[name]
        assert built.parent.name == f"{wanted.module}-{wanted.version}"
        assert built.read_text().splitlines()[1] == f"# {wanted.package}"
        assert f"{wanted.minutes:g} min" in screen.file.getvalue()

    def test_kubernetes_programs_state_their_version(self, bare_machine, screen):
        """Without it the server calls itself v0.0.0, and Helm refuses a chart that names a minimum."""
        program(bare_machine / "go", self.FAKE_GO)
        built = binaries.prepare(["kube-apiserver"], index_url=NOBODY_LISTENS, console=screen)["kube-apiserver"]
        version = gobuild.PROGRAMS["kube-apiserver"].version
        assert f"-X k8s.io/component-base/version.gitVersion={version}" in built.read_text()
        assert "# 0 " in built.read_text(), "built without cgo, so that it runs on any Linux"

    def test_what_go_says_about_a_failure_is_shown(self, bare_machine, screen):
        program(bare_machine / "go", "echo 'go.mod requires go >= 1.26' >&2; exit 1")
        with pytest.raises(BuildFailed, match=r"etcd cannot be built: go\.mod requires go >= 1\.26"):
            binaries.prepare(["etcd"], index_url=NOBODY_LISTENS, console=screen)
        assert binaries.locate("etcd") is None

    def test_with_neither_network_nor_go_one_sentence_says_what_to_install(self, bare_machine, screen):
        with pytest.raises(BinaryMissing) as caught:
            binaries.prepare(["kube-apiserver"], index_url=NOBODY_LISTENS, console=screen)
        message = str(caught.value)
        assert message.startswith("kube-apiserver can neither be downloaded (")
        assert "install Go 1.26 or newer" in message
        assert "\n" not in message


class TestSearchOrder:
    def test_the_folder_of_kubebuilder_comes_before_the_cache(self, bare_machine, tmp_path, monkeypatch):
        own = program(tmp_path / "assets" / "etcd", "")
        program(binaries.cache() / gobuild.PROGRAMS["etcd"].folder / "etcd", "")
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(own.parent))
        assert binaries.locate("etcd") == own

    def test_what_that_folder_lacks_comes_from_the_cache(self, bare_machine, tmp_path, monkeypatch):
        cached = program(
            binaries.cache() / gobuild.PROGRAMS["kube-controller-manager"].folder / "kube-controller-manager", ""
        )
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
        assert binaries.locate("kube-controller-manager") == cached

    @pytest.mark.parametrize(
        ("name", "told", "taken"),
        [
            pytest.param("helm", "v4.3.1+gabc", True, id="Helm 4 will do"),
            pytest.param("helm", "v3.19.0+gabc", False, id="Helm 3 will not"),
            pytest.param("kubectl", f"Client Version: v{SERIES}.9", True, id="kubectl of our series will do"),
            pytest.param("kubectl", "Client Version: v1.2.3", False, id="another kubectl will not"),
            pytest.param("etcd", "etcd Version: 3.7.3", False, id="etcd is never the user's own"),
        ],
    )
    def test_programs_on_the_path(self, bare_machine, name, told, taken):
        own = program(bare_machine / name, f"echo '{told}'")
        assert binaries.locate(name) == (own if taken else None)

    def test_a_missing_program_fails_with_the_command_that_gets_it(self, bare_machine):
        with pytest.raises(BinaryMissing, match="Run: make binaries"):
            binaries.require("etcd")
