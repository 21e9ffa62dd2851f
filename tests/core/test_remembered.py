"""An expression is built once for equal arguments, and anew for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pytest
from ibis.expr.types import Table

from engine.core.remembered import remembered


@dataclass(frozen=True)
class Rule:
    limit: int


BUILT: list[tuple[object, ...]] = []


@remembered
def shortened(table: Table, columns: Sequence[str], rule: Rule, *, of: Table | None = None) -> Table:
    """As the functions of `engine.core.plan` are: a table, plain values, and a dataclass."""
    BUILT.append((table, columns, rule, of))
    rows = table.select(*columns).limit(rule.limit)
    return rows if of is None else rows.semi_join(of, columns)


def people(name: str = "people", **columns: str) -> Table:
    return ibis.table({"id": "int64", "name": "string", **columns}, name=name)


@pytest.fixture(autouse=True)
def nothing_was_built() -> None:
    BUILT.clear()


def test_what_was_built_for_equal_arguments_is_given_again() -> None:
    first = shortened(people("a"), ["id"], Rule(1), of=people("b"))
    again = shortened(people("a"), ["id"], Rule(1), of=people("b"))

    assert again is first
    assert len(BUILT) == 1


@pytest.mark.parametrize(
    ("table", "columns", "rule", "named"),
    [
        (people("d"), ["id"], Rule(2), {}),
        (people("c", age="int64"), ["id"], Rule(2), {}),
        (people("c").filter(people("c").id > 1), ["id"], Rule(2), {}),
        (people("c"), ["id", "name"], Rule(2), {}),
        (people("c"), ["name"], Rule(2), {}),
        (people("c"), ["id"], Rule(3), {}),
        (people("c"), ["id"], Rule(2), {"of": people("c")}),
    ],
    ids=["table", "columns of a table", "rows of a table", "more", "other", "rule", "named"],
)
def test_whatever_differs_is_built(table: Table, columns: list[str], rule: Rule, named: dict[str, Any]) -> None:
    other = shortened(people("c"), ["id"], Rule(2))
    BUILT.clear()

    assert not shortened(table, columns, rule, **named).equals(other)
    assert len(BUILT) == 1


def test_literals_that_are_equal_as_numbers_and_of_other_types_are_other_expressions() -> None:
    whole = people("e").mutate(x=ibis.literal(1, type="int64"))
    real = people("e").mutate(x=ibis.literal(1.0, type="float64"))
    truth = people("e").mutate(x=ibis.literal(True))

    kinds = [shortened(table, ["x"], Rule(4)).schema()["x"] for table in (whole, real, truth)]

    assert [str(kind) for kind in kinds] == ["int64", "float64", "boolean"]
