"""Small changes of meaning in a module: a comparison turned, a bound moved, a condition denied, a statement left out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OTHER = {"min": "max", "max": "min", "any": "all", "all": "any"}
_UNORDERED = frozenset({"filter", "group_by", "and_", "or_", "min", "max"})
"""Calls of which the order of arguments means nothing."""
_SKIPPED = frozenset({"annotation", "returns", "decorator_list", "bases", "keywords_of_class", "type_params"})
_UNTESTED_CALLS = frozenset({"failpoint", "assert_never", "super"})
"""Whose removal only a killed process, or a type checker, can notice."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change that a module could suffer: where, what is done, and the n-th of its nodes that suffers it.

    ``function`` is the qualified name of the one that it is in; empty where it is in none.
    """

    line: int
    function: str
    what: str
    place: int
    change: Callable[..., None]

    def text(self, source: str) -> str:
        """The whole module with this change."""
        tree = ast.parse(source)
        self.change(next(node for place, node in enumerate(_meant(tree)) if place == self.place))
        return ast.unparse(ast.fix_missing_locations(tree))


def mutations(source: str) -> list[Mutation]:
    """Every mutation of a module, in the order of its lines."""
    tree = ast.parse(source)
    functions = _functions(tree)
    return [
        Mutation(
            node.lineno,
            functions.get(node.lineno, ""),
            f"{what}: {ast.unparse(node).splitlines()[0][:80]}",
            place,
            change,
        )
        for place, node in enumerate(_meant(tree))
        for what, change in _changes(node)
    ]


def _functions(tree: ast.AST, within: str = "") -> dict[int, str]:
    """For each line of a function's body the function, with its class; one within another counts as that one."""
    found = dict[int, str]()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found |= _functions(node, f"{within}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            found |= dict.fromkeys(range(node.body[0].lineno, last + 1), f"{within}{node.name}")
    return found


def _meant(node: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """The statements and expressions that say what happens; types, decorators and docstrings do not."""
    for field, value in ast.iter_fields(node):
        if field in _SKIPPED or _is_alias(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child) or _is_type_test(child):
                continue
            if isinstance(child, ast.stmt | ast.expr):
                yield child
            yield from _meant(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_type_test(node: ast.AST) -> bool:
    """Whether a union in it is one of types; to turn that into something else is no fault that could be overlooked."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"isinstance", "cast"}


def _is_alias(node: ast.AST) -> bool:
    """Whether an assignment names a type: its value is a union, a subscript or a bound variable of types."""
    value = getattr(node, "value", None)
    union = isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    named = isinstance(value, ast.Call) and ast.unparse(value.func) in {"TypeVar", "NewType"}
    return isinstance(node, ast.Assign | ast.AnnAssign) and (union or named)


def _changes(node: ast.stmt | ast.expr) -> Iterator[tuple[str, Callable[..., None]]]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _TURNED:
            yield "comparison", _turn
        case ast.BoolOp():
            yield "and/or", _either
        case ast.UnaryOp(op=ast.Not()):
            yield "not", lambda n: _become(n, n.operand)
        case ast.BinOp(op=operator) if type(operator) in _SWAPPED:
            yield "arithmetic", _arithmetic
        case ast.Constant(value=bool()):
            yield "constant", lambda n: setattr(n, "value", not n.value)
        case ast.Constant(value=int() | float()):
            yield "constant", lambda n: setattr(n, "value", n.value + 1)
        case ast.Name(id=name) if name in _OTHER:
            yield "other bound", lambda n: setattr(n, "id", _OTHER[n.id])
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _UNORDERED:
            return
        case ast.Call(args=[first, second, *_]) if not {type(first), type(second)} & {ast.Starred, ast.GeneratorExp}:
            yield "arguments", _exchange
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition", _deny
        case ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield "left out", _leave_out
        case ast.Expr(value=ast.Call() | ast.Await()) if not _is_untested(node):
            yield "left out", _leave_out
        case _:
            pass


def _is_untested(node: ast.Expr) -> bool:
    return any(isinstance(n, ast.Name) and n.id in _UNTESTED_CALLS for n in ast.walk(node))


def _turn(node: ast.Compare) -> None:
    node.ops = [_TURNED[type(node.ops[0])]()]


def _either(node: ast.BoolOp) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _arithmetic(node: ast.BinOp) -> None:
    node.op = _SWAPPED[type(node.op)]()


def _exchange(node: ast.Call) -> None:
    node.args[0], node.args[1] = node.args[1], node.args[0]


def _deny(node: ast.If | ast.While | ast.IfExp) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _leave_out(node: ast.stmt) -> None:
    _become(node, ast.Pass())


def _become(node: ast.AST, other: ast.AST) -> None:
    """Put another node in a node's place, without a look for its parent."""
    where = {name: getattr(node, name) for name in ("lineno", "col_offset")}
    node.__class__ = other.__class__
    node.__dict__.clear()
    node.__dict__.update({**where, **other.__dict__})
