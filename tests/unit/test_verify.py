"""`make verify`, on small repositories whose `make generate` copies a file: what it lets pass and what it stops."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

VERIFY = Path(__file__).parents[2] / ".ci" / "verify"
MAKEFILE = """\
generate:
	@cp source generated
	@if [ -f another ]; then cp another another-generated; fi
	@if [ ! -f another ]; then rm -f another-generated; fi
"""


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        shutil.copy(VERIFY, folder / ".ci")
        self.write(Makefile=MAKEFILE, source="one\n", generated="one\n", other="unrelated\n")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")

    def verify(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.folder / ".ci" / "verify"], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed yet"])
@pytest.mark.parametrize(
    ("files", "stale"),
    [
        pytest.param({}, [], id="nothing has changed"),
        pytest.param({"other": "edited\n", "new": "text\n"}, [], id="other work"),
        pytest.param({"source": "two\n", "generated": "two\n"}, [], id="a source and what is generated from it"),
        pytest.param({"source": "two\n"}, ["generated"], id="a source alone"),
        pytest.param({"generated": "by hand\n"}, ["generated"], id="a generated file edited by hand"),
        pytest.param({"another": "one\n"}, ["another-generated"], id="a generated file that was never added"),
        pytest.param({"another-generated": "one\n"}, ["another-generated"], id="a generated file that is left over"),
    ],
)
def test_only_generated_files_that_differ_from_their_sources_are_named(repository, files, stale, committed):
    repository.write(**files)
    if committed:
        repository.commit()

    done = repository.verify()

    assert done.returncode == (1 if stale else 0)
    assert done.stderr.splitlines()[1:] == stale
    assert done.stderr == "" or "commit it" in done.stderr


def test_after_a_failure_the_files_are_right(repository):
    repository.write(source="two\n")

    assert repository.verify().returncode == 1
    assert repository.verify().returncode == 0


def test_what_is_staged_stays_staged_and_the_rest_not(repository):
    repository.write(other="staged\n")
    repository.git("add", "other")
    repository.write(other="edited again\n", new="text\n")
    before = (
        repository.git("status", "--porcelain"),
        repository.git("diff", "--cached"),
        repository.git("count-objects"),
    )

    repository.verify()

    after = repository.git("status", "--porcelain"), repository.git("diff", "--cached"), repository.git("count-objects")
    assert after == before


def test_a_generator_that_fails_fails_it(repository):
    (repository.folder / "source").unlink()

    assert repository.verify().returncode != 0
