"""Rules that one row by itself meets or breaks: the gate counts the rows that break one, quarantine takes them out.

Both come from the same expression, so that what was counted is what is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ibis.expr.types import BooleanValue, IntegerScalar, Table


@dataclass(frozen=True, slots=True)
class RowRule:
    """``breaks`` says of each row of a table whether it breaks the rule, and is never null.

    ``check`` is the name under which results stand, ``columns`` are those that the rule looks at.
    """

    check: str
    label: str
    columns: tuple[str, ...]
    breaks: Callable[[Table], BooleanValue]


def counts(table: Table, rules: Iterable[RowRule]) -> Mapping[str, IntegerScalar]:
    """The rows that break each rule, by its place among the rules."""
    return {str(place): table.count(where=rule.breaks(table)) for place, rule in enumerate(rules)}
