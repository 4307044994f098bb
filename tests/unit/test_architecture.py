"""docs/architecture.md is true: what it names exists, and the changes that it describes can be made as it says."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from runai_operator.domain.model import NOT_SUBMITTED
from runai_operator.domain.reasons import ConditionType, Phase, Reason
from runai_operator.engine.workqueue import Lane
from runai_operator.settings import VARIABLES

REPOSITORY = Path(__file__).resolve().parents[2]
CODE, TESTS = REPOSITORY / "operator" / "runai_operator", REPOSITORY / "tests"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()
CRD = yaml.safe_load((REPOSITORY / "crds" / "runaiworkloads.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]

# --- what the page names

WORDS = {"RunaiWorkload", NOT_SUBMITTED, *ConditionType, *Reason, *Phase, *Lane, *(known.name for known in VARIABLES)}
"""Names that programs see, from the code that defines them."""
OTHER = {
    "file.name": "how names are written on the page",
    "runai-operator": "the command",
    "kubectl rwl": "the plugin",
    "Table": "of the Kubernetes API",
    "submittedBy": "the example of a field",
    "reason=": "an argument of every error",
    "connections": "an argument of the engine",
    "choose": "an argument of the engine",
}


def prose() -> str:
    return re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)


NAMES = sorted(set(re.findall(r"`([^`\n]+)`", prose())))


def file_of(path: str) -> Path | None:
    return next((found for root in (CODE, CODE.parent, REPOSITORY) if (found := root / path).exists()), None)


@cache
def members() -> dict[str, frozenset[str]]:
    """What is defined in each module or class of the operator and its tests, by dotted name from the top folder."""
    found: dict[str, frozenset[str]] = {}
    for top in (REPOSITORY / "operator", TESTS):
        for path in (top / "runai_operator" if top != TESTS else top).rglob("*.py"):
            module = ".".join(path.relative_to(top).with_suffix("").parts)
            found.update(members_of(module.removesuffix(".__init__"), ast.parse(path.read_text())))
    return found


def members_of(name: str, node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, frozenset[str]]]:
    yield name, frozenset(defined for statement in node.body for defined in defined_by(statement))
    for statement in node.body:
        if isinstance(statement, ast.ClassDef):
            yield from members_of(f"{name}.{statement.name}", statement)


def defined_by(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def is_defined(name: str) -> bool:
    """A module by its file's name, with folders before it where there are several; a class or function within."""
    owner, _, last = name.rpartition(".")
    owners = (known for known in members() if not owner or f".{known}".endswith(f".{owner}"))
    return any(last in members()[known] for known in owners) or any(
        f".{known}".endswith(f".{name}") for known in members()
    )


def is_in_schema(name: str) -> bool:
    part, _, field = name.partition(".")
    return field in SCHEMA.get(part, {}).get("properties", {})


def is_target(name: str) -> bool:
    return name.startswith("make ") and f"\n{name.removeprefix('make ')}:" in (REPOSITORY / "Makefile").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_exists(name):
    is_known = name in WORDS or name in OTHER
    if "/" in name:
        assert file_of(name), "there is no such file"
    else:
        assert is_known or file_of(name) or is_target(name) or is_in_schema(name) or is_defined(name)


@pytest.mark.parametrize("name", OTHER)
def test_every_exception_is_on_the_page(name):
    assert name in NAMES


def test_the_layers_are_those_of_the_import_contract():
    contract = re.search(r'^name = "Layers: (.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)

    assert f"\n{contract[1]}\n" in PAGE


def test_the_page_mentions_every_file_of_the_engine_and_the_domain():
    """By its path, or by a name in it."""
    mentioned = " ".join(NAMES)
    files = [path for folder in ("engine", "domain") for path in (CODE / folder).glob("*.py") if path.stem[0] != "_"]
    others = {"conditions", "naming", "orphans", "crd_guard", "writing"}  # what they are for is clear from their names

    assert {path.stem for path in files if not re.search(rf"\b{path.stem}\b", mentioned)} <= others


# --- tables


def section(heading: str) -> str:
    return re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def rows(heading: str) -> list[list[str]]:
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def code_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_glossary_is_in_order_and_leads_into_the_code():
    glossary = rows("Glossary")
    terms = [term for term, _, _ in glossary]

    assert terms == sorted(terms)
    assert [term for term, _, where in glossary if not code_in(where)] == []


# --- changes, made in a copy

Edit = tuple[str, str]
"""What is inserted, and the text, there once, that it is inserted before."""

EXAMPLE = '    "submittedBy": "somebody in the list",\n'
SUBMITTED_BY = """\
                submittedBy:
                  type: string
                  maxLength: 253
                  description: >-
                    Who submitted the workload, clipped to 253 characters. Example: kim
"""
QUOTA_MISSING = """\
    QUOTA_MISSING = ("QuotaMissing", Group.REJECTED, "The project has no quota.", "Ask for one.")

"""
NO_QUOTA = """\
    if not found[0].id:
        raise InvalidWorkload("No quota.", reason=Reason.QUOTA_MISSING)
"""
CHANGES: Mapping[str, Mapping[str, tuple[Edit, ...]]] = {
    "A status field": {
        "domain/model.py": (
            ("    submitted_by: str | None = None\n", '    allocated_gpus: str | None = None\n    """A decimal'),
        ),
        "runai/wire.py": (
            ('"submittedBy", ', '"userMessage",'),
            ('        submitted_by=_word(row.get("submittedBy")),\n', "        running_pods="),
        ),
        "domain/status.py": (
            ('    StatusField("submittedBy", 253, row="submitted_by"),\n', '    StatusField("runningPods"'),
        ),
        "crds/runaiworkloads.yaml": ((SUBMITTED_BY, "                runningPods:\n"),),
        "tests/unit/domain/test_status_fields.py": (
            (EXAMPLE, '    "requestedPods": {"number": 4},\n'),
            (EXAMPLE, '    "requestedPods": 4,\n'),
        ),
    },
    "A Run:ai phase": {
        "domain/reasons.py": (('    PREEMPTED = ("Preempted", Reason.PENDING)\n', '    UNKNOWN = ("Unknown"'),),
        "crds/runaiworkloads.yaml": (("Preempted, ", "Completed, Failed or Unknown."),),
    },
    "A reason": {
        "domain/reasons.py": ((QUOTA_MISSING, "    RUNAI_UNAVAILABLE = (\n"),),
        "docs/status.yaml": (("  QuotaMissing: rejected\n", "  WorkloadNotFound: rejected\n"),),
        "engine/projects.py": ((NO_QUOTA, "    return found[0]\n"),),
    },
}
TABLES = {heading: rows(heading) for heading in CHANGES}
"""Of each change: file, edit, and what fails without it."""
OMISSIONS = [
    pytest.param(heading, code_in(file)[0], code_in(fails)[0], id=f"{heading}, without {code_in(file)[0]}")
    for heading, table in TABLES.items()
    for file, _, fails in table
]


@cache
def tracked() -> frozenset[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return frozenset(name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file())


class Copy:
    """A copy of the repository that may be changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.restore()

    def restore(self) -> None:
        """What was compiled stays: without it every test would spend seconds on that."""
        names = tracked()
        for name in names:
            source, target = REPOSITORY / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copy(source, target)
        for name in self._contents().keys() - names:
            (self.root / name).unlink()

    def change(self, heading: str, *, without: str | None = None) -> None:
        for name, edits in CHANGES[heading].items():
            if name == without:
                continue
            path = self.root / file_of(name).relative_to(REPOSITORY)
            text = path.read_text()
            for inserted, place in edits:
                assert text.count(place) == 1, f"{name}: {place}"
                text = text.replace(place, inserted + place)
            path.write_text(text)

    def generate(self) -> set[str]:
        """As `make generate`; the paths of what that wrote and was not so before."""
        before = self._contents()
        recipe = re.search(r"^generate:.*\n((?:\t.*\n)+)", (self.root / "Makefile").read_text(), re.MULTILINE)[1]
        for arguments in re.findall(r"^\t\$\(PYTHON\) (.+)$", recipe, re.MULTILINE):
            self._python(*arguments.split()).check_returncode()
        return {name for name, text in self._contents().items() if before.get(name) != text}

    def passes(self, *tests: str) -> bool:
        """Whether the tests, named as on the page, pass here with all their parameters."""
        options = ("-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")
        run = self._python("-m", "pytest", *options, *map(self._place, tests))
        assert run.returncode in (0, 1, 2, 4), run.stdout + run.stderr  # 2 and 4: they could not even be collected
        return run.returncode == 0

    def _place(self, test: str) -> str:
        module, _, function = test.partition(".")
        (path,) = (self.root / "tests" / "unit").rglob(f"{module}.py")
        return f"{path}::{function}"

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.root / 'operator'}:{self.root / 'tests'}"
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.root, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
        )

    def _contents(self) -> dict[str, str]:
        paths = (path for path in self.root.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {str(path.relative_to(self.root)): path.read_text(errors="replace") for path in paths}


@pytest.fixture(scope="module")
def the_copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture
def copy(the_copy):
    yield the_copy
    the_copy.restore()


@pytest.mark.parametrize("heading", CHANGES)
def test_the_page_lists_the_files_of_a_change(heading):
    assert [code_in(file)[0] for file, _, _ in TABLES[heading]] == list(CHANGES[heading])


@pytest.mark.parametrize("heading", CHANGES)
def test_a_change_is_made_by_the_edits_that_the_page_lists(heading, copy):
    copy.change(heading)
    written = copy.generate()
    listed = re.search(r"^`make generate` then writes:(.+?)\n\n", section(heading), re.DOTALL | re.MULTILINE)[1]
    named = set(code_in(listed))

    assert {name if name in named else str(Path(name).parent) for name in written} == named
    assert copy.passes(*dict.fromkeys(code_in(fails)[0] for _, _, fails in TABLES[heading]))


@pytest.mark.parametrize(("heading", "file", "test"), OMISSIONS)
def test_an_edit_that_is_left_out_is_noticed_by_the_test_that_the_page_names(heading, file, test, copy):
    copy.change(heading, without=file)

    assert not copy.passes(test)


def test_a_new_field_of_a_row_reaches_status_and_wakes(copy):
    copy.change("A status field")

    assert copy.passes(
        "test_status_fields.test_what_a_row_says_reaches_the_status[submittedBy]",
        "test_status_fields.test_a_row_that_shows_another_value_is_worth_a_pass[submittedBy]",
    )


# --- what the changes rely on


def test_the_crd_lists_the_phases_that_the_operator_knows():
    described = SCHEMA["status"]["properties"]["phase"]["description"]
    listed = re.search(r": (.+?)\. Other words", described)[1]

    assert sorted(re.split(r", | or ", listed)) == sorted(Phase)
