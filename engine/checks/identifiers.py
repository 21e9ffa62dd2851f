"""Whether identifiers are as complete as they were: a broken join shows first as nulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed

NAME = "identity.nulls"
"""The metrics of this check are shares of nulls by identifier; the next version is compared with them."""


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Nulls per identifier, and the number of rows."""
    return {"": table.count(), **{name: table.count(where=table[name].isnull()) for name in facts.identifiers}}


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """Block an identifier whose share of nulls grew by more than the dataset allows."""
    rows = int(values[""])
    shares = {name: int(values[name]) / rows if rows else 0.0 for name in facts.identifiers}
    if facts.max_null_increase is not None:
        for name, share in shares.items():
            before = facts.nulls_before.get(name)
            if before is not None and share - before > facts.max_null_increase:
                message = f"identifier {name} is null in {share:.1%} of the rows, up from {before:.1%}"
                return [blocked(NAME, message, shares)]
    return [passed(NAME, f"{len(shares)} identifiers are as complete as before", shares)]
