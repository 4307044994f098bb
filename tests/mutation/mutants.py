"""What may be wrong in a module: each mutant is its source with one small change.

The operators are mutmut's, and some of our own for how rules are written here: chains of `and` and `or`, patterns, tables,
calls for their effect. mutmut's own way of trying them leaves out properties, constants and what is in tables, which is where
half of our rules are; so only its operators are used.

Left out, since no test should claim it: types, decorators, imports, the wording of messages and of what is logged, how large a
constant is, what an `Enum` calls its members, how a dataclass declares its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from itertools import accumulate
from pathlib import Path
from types import CodeType
from typing import cast

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import deep_replace

NOT_CLAIMED = frozenset({"TypeVar", "cast", "field", "getLogger"})
"""Functions whose calls are left as they are."""
WORD = re.compile(r"[\w.:/-]*")
"""Strings that are more than that are for people."""


@dataclass(frozen=True, slots=True)
class Mutant:
    module: str
    """Dotted name."""
    path: Path
    scope: str
    """Qualified name of what was changed, within the module."""
    was: str
    becomes: str
    """The lines that differ."""
    lines: frozenset[int]
    """A test that runs none of these lines cannot notice."""
    source: str
    """The whole module, changed."""
    changed: tuple[CodeType, CodeType] | None
    """The code of the function that was changed, before and after; None where what is done at import has changed."""

    @property
    def short_module(self) -> str:
        return self.module.removeprefix("runai_operator.")

    @property
    def place(self) -> str:
        return f"{self.short_module}:{self.scope}"

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.place, self.was, self.becomes


def mutants_of(module: str, path: Path) -> list[Mutant]:
    """Every mutant of a module that is not the same program."""
    source = path.read_text()
    wrapper = MetadataWrapper(cst.parse_module(source))
    collector = _Collector(source)
    wrapper.visit(collector)
    tree = wrapper.module
    original = compile(source, str(path), "exec", dont_inherit=True)
    made: dict[str, Mutant] = {}
    for change in collector.changes:
        mutated = _rewritten(source, tree, change)
        try:
            code = compile(mutated, str(path), "exec", dont_inherit=True)
        except SyntaxError:
            continue
        changed = changed_function(original, code)
        if mutated in made or (changed is None and _shape(original) == _shape(code)):
            continue
        was, becomes = _difference(source, mutated)
        made[mutated] = Mutant(module, path, change.scope, was, becomes, change.lines, mutated, changed)
    return list(made.values())


def _rewritten(source: str, tree: cst.Module, change: _Change) -> str:
    """The source with the change. Most nodes can be replaced in the text; the others, with all that they are part of."""
    node = change.node
    opening = "".join(map(tree.code_for_node, getattr(node, "lpar", ())))
    old, start = tree.code_for_node(node), change.offset - len(opening)
    if source[start : start + len(old)] == old and not isinstance(node, cst.BaseCompoundStatement):
        return source[:start] + tree.code_for_node(change.mutated) + source[start + len(old) :]
    return cast(cst.Module, deep_replace(tree, node, change.mutated)).code


def functions(code: CodeType) -> list[CodeType]:
    """The functions and methods of a module, in order; what is within them is part of them."""
    found = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += [constant] if _is_named(constant) else functions(constant)
    return found


def _is_named(code: CodeType) -> bool:
    """It is that of a function that lives on; not of a class body, or of a comprehension that makes a table."""
    return bool(code.co_flags & CO_OPTIMIZED) and not code.co_name.startswith("<")


def changed_function(original: CodeType, mutated: CodeType) -> tuple[CodeType, CodeType] | None:
    """The only function of a module that has changed, before and after."""
    old, new = functions(original), functions(mutated)
    if len(old) != len(new) or _shape(original, deep=False) != _shape(mutated, deep=False):
        return None
    differing = [pair for pair in zip(old, new, strict=True) if _shape(pair[0]) != _shape(pair[1])]
    return differing[0] if len(differing) == 1 else None


def _shape(code: CodeType, *, deep: bool = True) -> tuple[object, ...]:
    """What a piece of code does, wherever it stands in the file; `deep`: functions within it included."""
    constants: list[object] = []
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            constants.append((type(constant), constant))
        elif deep or not _is_named(constant):
            constants.append(_shape(constant, deep=deep))
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_qualname)
    return code.co_code, code.co_exceptiontable, code.co_flags, names, tuple(constants)


def _difference(old: str, new: str) -> tuple[str, str]:
    """The lines between those that are the same before and after."""
    was, becomes = old.splitlines(), new.splitlines()
    shorter = min(len(was), len(becomes))
    before = next((at for at in range(shorter) if was[at] != becomes[at]), shorter)
    after = next((at for at in range(shorter - before) if was[-1 - at] != becomes[-1 - at]), shorter - before)
    changed = (lines[before : len(lines) - after] for lines in (was, becomes))
    removed, added = (" ".join(line.strip() for line in lines) for lines in changed)
    return removed, added


@dataclass(frozen=True, slots=True)
class _Change:
    node: cst.CSTNode
    mutated: cst.CSTNode
    offset: int
    """Where the node begins in the source, without parentheses around it."""
    scope: str
    lines: frozenset[int]


class _Collector(cst.CSTVisitor):
    """Goes through a module and notes the changes."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, source: str) -> None:
        super().__init__()
        self.changes: list[_Change] = []
        self._line_offsets = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
        self._path: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_left_out(node, self._path):
            return False
        for mutated in _mutations(node, self._path):
            self._note(node, mutated)
        self._path.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._path and self._path[-1] is original_node:
            self._path.pop()

    def _note(self, node: cst.CSTNode, mutated: cst.CSTNode) -> None:
        path = [*self._path, node]
        names = [part.name.value for part in path if isinstance(part, (cst.FunctionDef, cst.ClassDef))]
        scope = ".".join(names) or _assigned(path[1])
        begin = self.get_metadata(PositionProvider, node).start
        offset = self._line_offsets[begin.line - 1] + begin.column
        self.changes.append(_Change(node, mutated, offset, scope, frozenset(self._lines(path))))

    def _lines(self, path: Sequence[cst.CSTNode]) -> Iterator[int]:
        node = path[-1]
        if isinstance(node, cst.Match):
            yield self._span(node).start
            return
        yield from self._span(node)
        for part in reversed(path):
            if isinstance(part, cst.SimpleStatementLine):
                yield from self._span(part)
                return
            if isinstance(part, cst.MatchCase):
                yield self._span(part).start
            elif isinstance(part, cst.BaseCompoundStatement):
                yield self._span(part).start
                return

    def _span(self, node: cst.CSTNode) -> range:
        position = self.get_metadata(PositionProvider, node)
        return range(position.start.line, position.end.line + 1)


def _assigned(statement: cst.CSTNode) -> str:
    """The name of a constant."""
    for part in getattr(statement, "body", ()):
        target = part.targets[0].target if isinstance(part, cst.Assign) else getattr(part, "target", None)
        if isinstance(target, cst.Name):
            return target.value
    return "<module>"


# --- what is changed, and what is not


def _is_left_out(node: cst.CSTNode, path: Sequence[cst.CSTNode]) -> bool:
    if isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)):
        return True
    if isinstance(node, cst.Expr) and isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString)):
        return True  # a docstring
    if isinstance(node, (cst.FormattedString, cst.ConcatenatedString)) and _is_sentence(node):
        return True
    if isinstance(node, cst.Call) and (_called(node) in NOT_CLAIMED or _logs(node)):
        return True
    if isinstance(node, cst.ClassDef) and any(m.matches(base.value, m.Name("Protocol")) for base in node.bases):
        return True
    owner = next((part for part in reversed(path) if isinstance(part, (cst.ClassDef, cst.FunctionDef))), None)
    if not isinstance(owner, cst.ClassDef) or not isinstance(node, (cst.Assign, cst.AnnAssign)):
        return False
    return any(m.matches(base.value, m.Name("StrEnum") | m.Name("Enum")) for base in owner.bases)


def _is_sentence(node: cst.FormattedString | cst.ConcatenatedString) -> bool:
    if isinstance(node, cst.ConcatenatedString):
        return True
    return any(isinstance(part, cst.FormattedStringText) and " " in part.value.strip() for part in node.parts)


def _called(call: cst.Call) -> str:
    return call.func.value if isinstance(call.func, cst.Name) else ""


def _logs(call: cst.Call) -> bool:
    return m.matches(call.func, m.Attribute(value=m.Name("log")))


def _mutations(node: cst.CSTNode, path: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    parent = path[-1] if path else None
    if _is_condition(node, parent):
        yield from _forced(cast(cst.BaseExpression, node), may_hold=not isinstance(parent, cst.While))
    in_function = any(isinstance(part, (cst.FunctionDef, cst.Lambda)) for part in path)
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)
    if isinstance(node, (cst.Assign, cst.AnnAssign)) and in_function:
        yield from _assignment(node)
    if isinstance(node, (cst.Integer, cst.Float)) and in_function:
        yield from _number(node)
    if isinstance(node, cst.SimpleString) and not isinstance(parent, cst.ConcatenatedString):
        yield from _string(node)
    is_target = isinstance(parent, (cst.AssignTarget, cst.CompFor, cst.For, cst.SubscriptElement, cst.Index))
    if isinstance(node, (cst.Tuple, cst.List, cst.Set, cst.Dict)) and not is_target:
        yield from _without_an_element(node)


def _is_condition(node: cst.CSTNode, parent: cst.CSTNode | None) -> bool:
    if isinstance(parent, (cst.If, cst.While, cst.CompIf)):
        return parent.test is node
    return isinstance(parent, cst.MatchCase) and parent.guard is node


def _forced(condition: cst.BaseExpression, *, may_hold: bool) -> Iterator[cst.CSTNode]:
    """A condition that never holds, and one that always does."""
    inner = condition.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield cst.BooleanOperation(inner, cst.And(), cst.Name("False"))
    if may_hold:
        yield cst.BooleanOperation(inner, cst.Or(), cst.Name("True"))


def _one_operand(node: cst.BooleanOperation) -> Iterator[cst.CSTNode]:
    operands = [node.left, node.right]
    if isinstance(node.left, cst.BooleanOperation) and isinstance(node.left.operator, type(node.operator)):
        operands = [node.left]  # whoever notices that one of several is missing notices that all of them are
    for operand in operands:
        # A chain on several lines needs the parentheses of the whole.
        yield operand if not node.lpar else operand.with_changes(lpar=node.lpar, rpar=node.rpar)


def _number(node: cst.Integer | cst.Float) -> Iterator[cst.CSTNode]:
    """By more than rounding: where exactly a bound is, is a choice."""
    value = node.evaluated_value
    yield node.with_changes(value=repr(value + 1 if value < 10 else value * 2))


def _string(node: cst.SimpleString) -> Iterator[cst.CSTNode]:
    text = node.evaluated_value
    if isinstance(text, str) and WORD.fullmatch(text) and not node.value.endswith('"""'):
        yield node.with_changes(value=f'"XX{text}"')


def _argument(node: cst.Call) -> Iterator[cst.CSTNode]:
    if _called(node) in {"isinstance", "len"}:
        return
    for index, argument in enumerate(node.args):
        is_for_people = isinstance(argument.value, (cst.FormattedString, cst.ConcatenatedString, cst.SimpleString))
        is_constant = m.matches(argument.value, m.Name("None") | m.Name("True") | m.Name("False")) or isinstance(
            argument.value, cst.BaseNumber
        )
        if not argument.star and not is_for_people and not is_constant:
            changed = argument.with_changes(value=cst.Name("None"))
            yield node.with_changes(args=[*node.args[:index], changed, *node.args[index + 1 :]])


def _assignment(node: cst.Assign | cst.AnnAssign) -> Iterator[cst.CSTNode]:
    if node.value is None or isinstance(node.value, (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)):
        return
    if not m.matches(node.value, m.Name("None") | m.Name("True") | m.Name("False")):
        yield from mutators.operator_assignment(node)


def _without_an_element(node: cst.Tuple | cst.List | cst.Set | cst.Dict) -> Iterator[cst.CSTNode]:
    least = 2 if isinstance(node, (cst.Tuple, cst.Set)) else 1
    if len(node.elements) >= least:
        for index in range(len(node.elements)):
            yield node.with_changes(elements=[*node.elements[:index], *node.elements[index + 1 :]])


def _looser_class(node: cst.MatchClass) -> Iterator[cst.CSTNode]:
    for index in range(len(node.kwds)):
        yield node.with_changes(kwds=[*node.kwds[:index], *node.kwds[index + 1 :]])


def _narrower_choice(node: cst.MatchOr) -> Iterator[cst.CSTNode]:
    for index in range(len(node.patterns)):
        left = [*node.patterns[:index], *node.patterns[index + 1 :]]
        if len(left) == 1:
            yield left[0].pattern
        else:
            left[-1] = left[-1].with_changes(separator=cst.MaybeSentinel.DEFAULT)
            yield node.with_changes(patterns=left)


def _no_effect(node: cst.Expr) -> Iterator[cst.CSTNode]:
    call = node.value.expression if isinstance(node.value, cst.Await) else node.value
    if isinstance(call, cst.Call) and not _logs(call):
        yield cst.Pass()


def _swap(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    return () if isinstance(node, cst.BooleanOperation) else mutators.operator_swap_op(node)


OPERATORS: tuple[tuple[type[cst.CSTNode], Callable[..., Iterable[cst.CSTNode]]], ...] = (
    (cst.Name, mutators.operator_name),
    (cst.AugAssign, mutators.operator_augmented_assignment),
    (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    (cst.Call, mutators.operator_symmetric_string_methods_swap),
    (cst.Call, mutators.operator_unsymmetrical_string_methods_swap),
    (cst.Lambda, mutators.operator_lambda),
    (cst.CSTNode, mutators.operator_keywords),
    (cst.Match, mutators.operator_match),
    (cst.IfExp, mutators.operator_if_exp),
    (cst.CSTNode, _swap),
    (cst.BooleanOperation, _one_operand),
    (cst.Call, _argument),
    (cst.MatchClass, _looser_class),
    (cst.MatchOr, _narrower_choice),
    (cst.Expr, _no_effect),
)
