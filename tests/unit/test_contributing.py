"""What the repository promises to those who carry on: links that lead somewhere, a changelog, a CI for every Python."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
CHANGELOG = (REPOSITORY / ".github" / "CHANGELOG.md").read_text()
MAKEFILE = (REPOSITORY / "Makefile").read_text()
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"]


def committed(*patterns: str) -> list[Path]:
    """The files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in sorted(set(listed.stdout.split("\0"))) if name and (path := REPOSITORY / name).is_file()]


PAGES = committed("*.md")


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def without_code(text: str) -> str:
    return re.sub(r"^( *)(```+).*?^\1\2$|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings as GitHub names them in links, and what a page names itself."""
    text = re.sub(r"^( *)(```+).*?^\1\2$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)"></a>', text)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings} | set(named)


def leads_nowhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!\w+:)([^)\s]+)\)", without_code(page.read_text()))

    assert [link for link in links if leads_nowhere(page, link)] == []


def test_the_index_lists_every_page_of_the_docs():
    index = (REPOSITORY / "docs" / "README.md").read_text()
    pages = {str(page.relative_to(REPOSITORY / "docs")) for page in committed("docs/*.md")}

    assert {page for page in pages if f"]({page})" not in index} == {"README.md"}


def test_ci_runs_on_every_python_that_the_classifiers_promise():
    matrix = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["ci"]["strategy"][
        "matrix"
    ]
    classifiers = " ".join(PYPROJECT["project"]["classifiers"])
    promised = re.findall(r"Python :: (3\.\d+)", classifiers)

    assert matrix["python"] == promised
    assert PYPROJECT["project"]["requires-python"] == f">={promised[0]}"
    assert all(extra["experimental"] and extra["python"] not in promised for extra in matrix.get("include", []))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_but_for_the_jobs_that_publish(workflow):
    """`test_workflows.py` says what these may."""
    loaded = yaml.safe_load(workflow.read_text())
    publishes = workflow.name == "release.yml"

    assert loaded["permissions"] == ({} if publishes else {"contents": "read"})
    assert publishes or not [name for name, job in loaded["jobs"].items() if "permissions" in job]
    assert "secrets." not in workflow.read_text()


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_github_asks_for(form):
    loaded = yaml.safe_load(form.read_text())
    ids = [field["id"] for field in loaded["body"] if field["type"] != "markdown"]

    assert loaded.keys() >= {"name", "description", "body"}
    assert len(set(ids)) == len(ids) > 0


def test_the_changelog_keeps_its_form():
    """Keep a Changelog: a section for what is not released, then the versions, newest first, with known headings."""
    sections = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)

    assert CHANGELOG.startswith("# Changelog\n")
    assert sections[0] == "[Unreleased]"
    assert [
        section for section in sections[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", section)
    ] == []
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }
    for section in sections:
        assert f"\n{section.split(' ')[0]}: https://" in CHANGELOG, f"{section} leads nowhere"


def test_make_generate_runs_every_generator():
    """A new one is named generate*.py or write*.py, or it would be missed here."""
    recipe = re.search(r"^generate:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    generators = committed("**/generate*.py", "**/write_*.py")

    assert len(generators) >= 6
    assert [name for name in map(name_of, generators) if name not in recipe and module(name) not in recipe] == []


def module(name: str) -> str:
    return "-m " + name.removeprefix("tests/").removesuffix(".py").replace("/", ".")
