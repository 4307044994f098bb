"""Download the official envtest bundle, which holds etcd, kube-apiserver and kubectl, as setup-envtest does.

An index lists for each Kubernetes version and platform an archive and its sha512
(https://book.kubebuilder.io/reference/artifacts).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from controlplane.errors import ChecksumMismatch, Unreachable

INDEX_URL = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""A short one to connect: a machine without a way out goes on to the next source in seconds."""
ATTEMPTS = 5
"""How often a cut download is taken up again where it ended."""


def fetch(root: Path, series: str, target: tuple[str, str], index_url: str, console: Console) -> Path:
    """Unpack the newest bundle of `series`, such as `1.37`, for `target` (Go's OS and architecture) under `root`.

    Returns the folder `root/envtest-<version>`. A cut download is resumed, now or by a later call.
    Raises `Unreachable` or `ChecksumMismatch`.
    """
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as http:
        try:
            index = http.get(index_url).raise_for_status()
            version, archive = choose(read_index(index.text), series, target)
            partial = root / f"envtest-{version}.tar.gz.partial"
            _download(http, archive["selfLink"], partial, console)
        except httpx.HTTPError as error:
            raise Unreachable(f"{index_url}, or what it lists: {error}") from error
    _verify(partial, archive)
    folder = root / f"envtest-{version}"
    _unpack(partial, folder)
    partial.unlink()
    return folder


def read_index(text: str) -> dict[str, Any]:
    """Return the index. Raises `Unreachable` for anything else, such as the page of a proxy that wants a login."""
    try:
        index = yaml.safe_load(text)
    except yaml.YAMLError:
        index = None
    if not isinstance(index, dict) or not isinstance(index.get("releases"), dict):
        raise Unreachable("what the release host answers is no list of releases")
    return index


def choose(index: dict[str, Any], series: str, target: tuple[str, str]) -> tuple[str, dict[str, str]]:
    """Return the version and entry (`selfLink`, `hash`) of the newest archive of `series` for `target`."""
    patches = {version: re.fullmatch(rf"v{re.escape(series)}\.(\d+)", version) for version in index["releases"]}
    for version in sorted((v for v, m in patches.items() if m), key=lambda v: int(v.rpartition(".")[2]), reverse=True):
        archive = index["releases"][version].get(f"envtest-{version}-{'-'.join(target)}.tar.gz")
        if archive is not None:
            return version, archive
    raise Unreachable(f"no release of Kubernetes {series} for {'/'.join(target)} is listed")


def _download(http: httpx.Client, url: str, partial: Path, console: Console) -> None:
    partial.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console.print(f"Downloading {url}: some 100 MB, only once ...")
    disable = not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=disable) as progress:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _continue(http, url, partial, progress)
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
                console.print("The connection was cut; going on where it ended ...")
            else:
                return


def _continue(http: httpx.Client, url: str, partial: Path, progress: Progress) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with http.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:  # nothing is left to send; the checksum tells whether that is right
            return
        response.raise_for_status()
        if response.status_code != 206:
            have = 0
        size = int(response.headers.get("Content-Length", 0))
        task = progress.add_task("envtest", total=have + size, completed=have)
        with partial.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                progress.advance(task, len(chunk))


def _verify(partial: Path, archive: dict[str, str]) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != archive["hash"]:
        partial.unlink()
        raise ChecksumMismatch(
            f"{archive['selfLink']} has the sha512 {found[:12]}..., but its release has {archive['hash'][:12]}...: "
            "the file was deleted; try again, and if that repeats, do not trust the network in between"
        )


def _unpack(archive: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as work, tarfile.open(archive) as tar:
        unfinished = Path(work, folder.name)
        unfinished.mkdir()
        for member in tar:
            name = PurePosixPath(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in PROGRAMS else None
            if content is not None:
                (unfinished / name).write_bytes(content.read())
                (unfinished / name).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # somebody removed a part of it
        unfinished.rename(folder)
