"""What must stay true of how the operator is built, told from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from runai_operator.domain import requeue
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import Unavailable

PACKAGE = Path(requeue.__file__).parents[1]
DOMAIN = sorted((PACKAGE / "domain").glob("*.py"))
ENGINE = sorted((PACKAGE / "engine").glob("*.py"))

MOST_ARROWS = 30
"""How many imports join two modules of the engine. More means that modules know more of each other: lower it freely,
raise it for a reason."""
MOST_ARROWS_BUT_TO_PORTS = 23
"""Without those to the promises that all of them are written against."""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def nodes(path: Path, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, kinds))


def here(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE)}:{node.lineno}"


# --- who writes what is remembered


def entry_names(path: Path) -> set[str]:
    """Names that hold an `Entry`: annotated so, or taken from the inventory."""
    found = set()
    for node in nodes(path, ast.arg, ast.AnnAssign):
        if node.annotation is not None and "Entry" in ast.unparse(node.annotation).split(" | "):
            found.add(node.arg if isinstance(node, ast.arg) else ast.unparse(node.target))
    for node in nodes(path, ast.Assign, ast.NamedExpr, ast.For, ast.comprehension):
        source = node.value if isinstance(node, (ast.Assign, ast.NamedExpr)) else node.iter
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if "inventory" in ast.unparse(source):
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def touches_entries(path: Path) -> list[str]:
    calls = [(called(node), node) for node in nodes(path, ast.Call)]
    made = [node for name, node in calls if name == "Entry"]
    replaced = [node for name, node in calls if name in ("replace", "__replace__") and node.args]
    entries = entry_names(path) if replaced else set()
    return [here(path, node) for node in made + [node for node in replaced if ast.unparse(node.args[0]) in entries]]


def called(call: ast.Call) -> str:
    """The last part of the name, which is all that tells for most of them and costs little."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def test_only_the_inventory_makes_and_replaces_entries():
    others = [path for path in PACKAGE.rglob("*.py") if path.name != "inventory.py"]

    assert entry_names(PACKAGE / "engine" / "engine.py") >= {"entry", "known"}, "this test knows them where they are"
    assert [place for path in others for place in touches_entries(path)] == []
    assert len(touches_entries(PACKAGE / "engine" / "inventory.py")) >= 5, "this test sees them where they are"


def test_a_pass_calls_run_ai_only_through_the_connection_of_its_workload():
    """Else the gate, or the choice of the connection, could be forgotten."""
    files = [PACKAGE / "engine" / f"{name}.py" for name in ("reconcile", "reader")]
    attributes = {ast.unparse(node) for path in files for node in nodes(path, ast.Attribute)}

    assert "self._runai" not in attributes
    assert {"upstream.gate.create", "upstream.gate.get"} <= attributes, "this test sees attributes"


# --- who knows whom


def imports_of(path: Path) -> set[str]:
    """The other modules of the engine that it imports, wherever in the file."""
    found = set()
    for node in nodes(path, ast.ImportFrom, ast.Import):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.module == "runai_operator.engine":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [node.module or ""]
        found |= {name.split(".")[2] for name in names if name.startswith("runai_operator.engine.")}
        assert not (isinstance(node, ast.ImportFrom) and node.level), (
            f"{here(path, node)}: relative imports are not seen"
        )
    return found


GRAPH = {path.stem: imports_of(path) for path in ENGINE}


def test_the_modules_of_the_engine_form_no_circle():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_modules_of_the_engine_know_few_of_each_other():
    arrows = sum(map(len, GRAPH.values()))
    but_to_ports = sum(len(known - {"ports"}) for known in GRAPH.values())
    shown = "; ".join(f"{name}: {', '.join(sorted(known))}" for name, known in sorted(GRAPH.items()) if known)

    assert 0 < arrows <= MOST_ARROWS, f"{arrows} arrows between {len(GRAPH)} modules: {shown}"
    assert but_to_ports <= MOST_ARROWS_BUT_TO_PORTS, f"{but_to_ports} arrows besides those to ports: {shown}"


# --- the domain has no state

CHANGES = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
)  # fmt: skip
REMEMBERS = frozenset({"cache", "lru_cache", "cached_property", "count", "cycle", "ContextVar", "local"})


def module_names(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def owner(node: ast.AST) -> str | None:
    """The name at the root of `name.x[y]`."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def local_names(function: ast.AST) -> set[str]:
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}


def changes_of_state(path: Path) -> list[str]:
    tree = parsed(path)
    constants = module_names(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            found.append(here(path, node))
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            shared = constants - local_names(node)
            for inner in ast.walk(node):
                is_write = isinstance(inner, (ast.Attribute, ast.Subscript)) and isinstance(
                    inner.ctx, (ast.Store, ast.Del)
                )
                is_change = (
                    isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in CHANGES
                )
                if (is_write and owner(inner) in shared) or (is_change and owner(inner.func) in shared):
                    found.append(here(path, inner))
    return found + remembering(path, tree)


def remembering(path: Path, tree: ast.Module) -> list[str]:
    """Imports of, or attributes that lead to, what keeps something between two calls."""
    modules = {alias.asname or alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    named = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & REMEMBERS
    ]  # fmt: skip
    reached = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in REMEMBERS and ast.unparse(node.value) in modules
    ]  # fmt: skip
    return [here(path, node) for node in named + reached]


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_nothing_in_the_domain_changes_what_its_module_holds(path):
    assert changes_of_state(path) == []


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("SEEN = {}\ndef f(x):\n    SEEN[x] = 1", id="an entry is set"),
        pytest.param("SEEN = []\ndef f(x):\n    SEEN.append(x)", id="something is appended"),
        pytest.param("SEEN = {}\ndef f(x):\n    del SEEN[x]", id="an entry is deleted"),
        pytest.param("N = 0\ndef f():\n    global N\n    N += 1", id="a name is bound anew"),
        pytest.param("import functools\n@functools.cache\ndef f(): ...", id="answers are remembered"),
        pytest.param("from itertools import count\nIDS = count()", id="a counter runs"),
        pytest.param("class A: ...\nA_ = A()\ndef f(x):\n    A_.x = x", id="an attribute is set"),
    ],
)
def test_a_change_of_what_a_module_holds_is_seen(tmp_path, monkeypatch, source):
    path = tmp_path / "module.py"
    path.write_text(source)
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)

    assert changes_of_state(path) != []


# --- every end of a pass has a next time, or needs none

NEEDS_NO_NEXT_TIME = frozenset(
    {
        Verdict.IN_SYNC,
        Verdict.DELIVERED,
        Verdict.PAUSED,
        Verdict.IGNORED,
        Verdict.RELEASED,
        Verdict.GONE,
        Verdict.PASSED_ON,
    }
)
"""An event, a row of the lists or a reading that is planned for a sync in flight brings the next pass."""


def test_every_verdict_has_a_case_in_the_requeue_or_needs_none():
    [function] = [
        node for node in parsed(PACKAGE / "domain" / "requeue.py").body
        if isinstance(node, ast.FunctionDef) and node.name == "requeue_after"
    ]  # fmt: skip
    cases = [
        Verdict[node.attr]
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Verdict"
    ]

    assert len(cases) == len(set(cases))
    assert set(cases) == set(Verdict) - NEEDS_NO_NEXT_TIME


@pytest.mark.parametrize("verdict", Verdict)
def test_a_pass_is_planned_again_unless_nothing_is_left_to_do(verdict):
    again = requeue.requeue_after(Result(verdict, Unavailable("Down.")), failures=1, jitter=0.5)

    assert (again is None) == (verdict in NEEDS_NO_NEXT_TIME)
