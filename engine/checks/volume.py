"""How many rows there are: an empty result is an alarm, not a plan, and bounds are bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed

NAME = "volume.rows"


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """The number of rows."""
    del facts
    return {"rows": table.count()}


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """Block an empty result unless the dataset allows it, and anything outside the dataset's own bounds."""
    rows = int(values["rows"])
    numbers = {"rows": rows}
    if rows == 0 and not facts.allow_empty:
        return [
            blocked(NAME, "the source returned no rows, and the contract does not say `tidegate.allowEmpty`", numbers)
        ]
    if facts.rows_min is not None and rows < facts.rows_min:
        return [blocked(NAME, f"{rows:,} rows are fewer than the minimum of {facts.rows_min:,}", numbers)]
    if facts.rows_max is not None and rows > facts.rows_max:
        return [blocked(NAME, f"{rows:,} rows are more than the maximum of {facts.rows_max:,}", numbers)]
    before = facts.rows_before
    if facts.max_change is not None and before:
        change = abs(rows - before) / before
        if change > facts.max_change:
            message = f"{rows:,} rows are {change:.1%} away from the {before:,} of the version before, more than {facts.max_change:.1%}"
            return [blocked(NAME, message, {**numbers, "change": change})]
    return [passed(NAME, f"{rows:,} rows", numbers)]
