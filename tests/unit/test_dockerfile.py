"""What can be said of the images without building them; `make image-check` and `make test-node` do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runai_operator import __version__

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n", " ", TEXT)
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", INSTRUCTIONS, re.MULTILINE | re.DOTALL))
RUNTIME = STAGES["runtime"]
IMAGES = ("simulator", "operator")


def test_the_linter_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_as_a_numeric_user_without_rights():
    assert re.search(r"^USER (\d+):(\d+)$", RUNTIME, re.MULTILINE).groups() == ("65532", "65532")
    assert [name for name in IMAGES if "USER" in STAGES[name]] == []


def test_the_operator_is_what_a_build_without_a_target_makes():
    assert list(STAGES)[-1] == "operator"
    assert re.findall(r"^FROM runtime AS (\S+)", INSTRUCTIONS, re.MULTILINE) == list(IMAGES)


def test_installers_stay_in_the_builder():
    assert [name for name in ("runtime", *IMAGES) if "uv " in STAGES[name]] == []
    assert "pip uninstall" in RUNTIME
    assert "apt-get" not in INSTRUCTIONS, "a compiler would have to come from there"


def test_the_installers_of_the_base_go_or_the_build_fails():
    assert "|| true" not in INSTRUCTIONS


def test_the_bases_are_pinned_arguments_with_one_python():
    bases = dict(re.findall(r"^ARG (BUILDER|RUNTIME)=(\S+)$", INSTRUCTIONS, re.MULTILINE))

    assert re.findall(r"^FROM (\$\S+)", INSTRUCTIONS, re.MULTILINE) == ["${BUILDER}", "${RUNTIME}"]
    assert len({re.search(r"python:(\d+\.\d+)", base)[1] for base in bases.values()}) == 1
    assert not [base for base in bases.values() if base.endswith(":latest") or ":" not in base]


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_it_is(image):
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', RUNTIME + STAGES[image]))

    assert labels.keys() == {"title", "description", "licenses", "source", "version", "revision"}
    assert labels["title"] == f"runai-{image}"
    assert f"ARG VERSION={__version__}\n" in RUNTIME


def test_the_same_uv_as_everywhere():
    versions = re.findall(r"UV_VERSION ?:?= ?(\S+)", TEXT + (ROOT / "Makefile").read_text())

    assert len(versions) == 2
    assert len(set(versions)) == 1


def test_it_builds_with_buildah_too():
    assert "<<" not in TEXT, "heredocs need BuildKit"


def test_it_writes_nothing_at_run_time():
    """The root file system is read-only: bytecode is compiled at build time and not written later."""
    assert "UV_COMPILE_BYTECODE=1" in TEXT
    assert "PYTHONDONTWRITEBYTECODE=1" in RUNTIME


def test_everything_installed_is_locked():
    installs = re.findall(r"uv (?:pip install|build) [^&\n]*", INSTRUCTIONS)

    assert len(installs) == 5
    assert all("--require-hashes" in one or "--no-deps" in one for one in installs)


def test_the_entry_point_takes_signals_itself():
    assert 'ENTRYPOINT ["runai-operator"]' in STAGES["operator"]
    assert 'CMD ["run"]' in STAGES["operator"]
    assert 'ENTRYPOINT ["runai-simulator"]' in STAGES["simulator"]


def test_only_what_is_needed_goes_to_the_build():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.MULTILINE):
        for name in source.split():
            assert name in kept, f"{name} is not let through by .dockerignore"


def test_the_build_commands_work_outside_a_container(tmp_path):
    """The one step that is more than a download: the wheel is built with the locked backend."""
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.fail("uv is not here: make sets it up")
    command = [
        uv,
        "build",
        "--wheel",
        "--build-constraints",
        "requirements-dev.txt",
        "--require-hashes",
        "--out-dir",
        tmp_path,
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, capture_output=True)

    assert [wheel.name for wheel in tmp_path.glob("*.whl")]
