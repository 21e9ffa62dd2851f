"""Whether rows and destination keys stand one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import PlanFacts
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed, warned

NAME = "identity.match_key"


def metrics(table: Table, facts: PlanFacts) -> Mapping[str, Scalar]:
    """Of the identities (``id``, ``pk``) that are compared: null ids, and rows beyond the first of their id."""
    del facts
    known = table.id.notnull()
    return {"null": table.count(where=~known), "collisions": table.count(where=known) - table.id.nunique()}


def words(facts: PlanFacts) -> Sequence[str]:
    """The rule on destination keys."""
    return (f"{', '.join(facts.match_columns)} gives every row a destination key of its own",)


def verdict(values: Mapping[str, Any], facts: PlanFacts) -> Sequence[CheckResult]:
    """Two rows for one destination key block, for one would overwrite the other; rows without a key are withheld."""
    columns = ", ".join(facts.match_columns)
    null, collisions = int(values["null"]), int(values["collisions"])
    numbers = {"null": null, "collisions": collisions}
    if collisions:
        return [
            blocked(NAME, f"match column {columns} gives one destination key to {collisions:,} rows too many", numbers)
        ]
    if null:
        return [warned(NAME, f"match column {columns} is null in {null:,} rows, which are withheld", numbers)]
    return [passed(NAME, f"{columns} gives every row its own destination key", numbers)]
