"""Guards on the repository itself: what lies at its top, what its files may name, and that the locks are in step."""

import operator
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runai_operator import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())

TOP_LEVEL = {
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "crds",
    "deploy",
    "docs",
    "operator",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements-simulator.txt",
    "requirements.txt",
    "tests",
}
FORBIDDEN = {
    "a package registry's host": r"pypi\.org|pythonhosted\.org|proxy\.golang\.org|registry\.npmjs\.org|deb\.debian\.org",
    "a path of one machine": r"/work/(?:main|shared)|/Users/\w|/root/(?:go|\.pyenv)",
}


def committed() -> list[Path]:
    """Every file that git knows, apart from this one, which has to name what it forbids."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and file != Path(__file__)]


def test_the_folder_operator_does_not_shadow_the_standard_library():
    """With an `operator/__init__.py`, a Python started in the repository could not even start."""
    assert not (REPOSITORY / "operator" / "__init__.py").exists()
    shown = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.__file__)"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == operator.__file__


def test_the_top_level_holds_only_what_belongs_there():
    top = {file.relative_to(REPOSITORY).parts[0] for file in committed()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("pattern", FORBIDDEN.values(), ids=[f"no file names {what}" for what in FORBIDDEN])
def test_committed_files_name_nothing_of_one_workplace(pattern):
    found = [
        f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}"
        for file in committed()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == []


def test_every_file_names_the_same_version_of_image_chart_and_page():
    """A release changes `__version__`, and this finds the rest."""
    named = re.compile(
        r"runai-(?:operator|simulator)(?::| --version )(\d+\.\d+\.\d+)"
        r"|runai-operator/(?:runai-operator/)?(?:blob/|tree/)?v(\d+\.\d+\.\d+)/"
    )
    found = {
        (file.relative_to(REPOSITORY).as_posix(), first or second)
        for file in committed()
        if file.relative_to(REPOSITORY).parts[0] in {"README.md", "deploy", "docs"}
        for first, second in named.findall(file.read_text(errors="replace"))
    }

    assert len(found) > 5
    assert {(name, version) for name, version in found if version != __version__} == set()


def read_lock(name: str) -> dict[str, str]:
    """Map each locked package to its version, having checked that every entry is pinned and hashed."""
    text = (REPOSITORY / name).read_text()
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    entries = [re.fullmatch(r"(\S+)==(\S+)( ;.*?)?((?: +--hash=sha256:[0-9a-f]{64})+) *", line) for line in lines]
    unlocked = [line[:80] for line, entry in zip(lines, entries, strict=True) if entry is None]
    assert unlocked == [], f"{name}: neither pinned nor hashed"
    return {canonicalize_name(entry[1]): entry[2] for entry in entries if entry is not None}


RUNTIME = PYPROJECT["project"]["dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
EVERYTHING = [
    *RUNTIME,
    *(text for extra in PYPROJECT["project"]["optional-dependencies"].values() for text in extra),
    *(text for entry in GROUPS["dev"] for text in GROUPS[entry["include-group"]]),
    *PYPROJECT["build-system"]["requires"],
]


def test_every_group_of_dependencies_is_locked():
    assert GROUPS.keys() == {"dev", "bench"} | {entry["include-group"] for entry in GROUPS["dev"]}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", RUNTIME),
        ("requirements-dev.txt", EVERYTHING),
        ("tests/bench/requirements.txt", GROUPS["bench"]),
    ],
    ids=["runtime", "everything", "bench"],
)
def test_the_lock_is_in_step_with_pyproject(lock, wanted):
    """A dependency added or raised in pyproject.toml must be locked: run `make lock`."""
    locked = read_lock(lock)
    missing = [
        str(requirement)
        for requirement in map(Requirement, wanted)
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert missing == [], f"run make lock: {lock} does not satisfy"


def test_the_runtime_lock_is_part_of_the_lock_of_everything():
    """What the tests run with is what the image is built from."""
    assert read_lock("requirements.txt").items() <= read_lock("requirements-dev.txt").items()


def test_the_image_of_the_simulator_has_its_extra_and_nothing_of_kubernetes():
    extra = {
        canonicalize_name(Requirement(text).name) for text in PYPROJECT["project"]["optional-dependencies"]["simulator"]
    }
    locked = read_lock("requirements-simulator.txt")

    assert locked.items() <= read_lock("requirements-dev.txt").items()
    assert locked.keys() >= extra
    assert locked.keys().isdisjoint({"kopf", "kubernetes", "httpx"})


def test_the_image_is_built_without_the_simulator_and_the_test_bench():
    assert read_lock("requirements.txt").keys().isdisjoint({"starlette", "uvicorn", "pytest", "mypy", "hatchling"})
