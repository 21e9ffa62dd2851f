"""Expressions that were built before for equal arguments are not built again.

A sync says the same things run after run, and ten syncs of one shape say them ten times. For small changes, building an
expression takes longer than computing it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from ibis.expr.types import Expr

_KEPT = 64
"""Expressions of each function; one of a wide table takes some megabytes."""
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class _Call:
    """A call as a key of what it gave: equal to another when all arguments are."""

    key: Hashable
    positional: tuple[Any, ...] = field(compare=False)
    named: dict[str, Any] = field(compare=False)


def remembered(build: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function of expressions and plain values, which does nothing but build another expression, called once for each.

    Expressions are values, the names of their tables included (see `engine.segments.compute`).
    """

    @lru_cache(maxsize=_KEPT)
    def built(call: _Call) -> _R:
        return build(*call.positional, **call.named)

    @wraps(build)
    def asked(*positional: _P.args, **named: _P.kwargs) -> _R:
        return built(_Call((_key(positional), _key(tuple(named.items()))), positional, named))

    return asked


def _key(argument: Any) -> Hashable:
    """What an argument is compared by; an expression is compared by what it stands for, for `==` of one builds another."""
    if isinstance(argument, Expr):
        relation: Hashable = argument.op()
        return relation
    if isinstance(argument, list | tuple):
        return tuple(_key(part) for part in argument)
    value: Hashable = argument
    return value
