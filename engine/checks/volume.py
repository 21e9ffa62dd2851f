"""How many rows there are: an empty result is an alarm, not a plan, and bounds are bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from statistics import median
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.shares import exact, is_above, percent, share
from engine.core.events import CheckResult
from engine.core.verdict import blocked, failed, passed

NAME = "volume.rows"
CHANGE = "volume.change"
HISTORY = "volume.history"
HISTORY_MIN = 5
"""Accepted versions before their spread says anything."""
SPREAD_MIN = Fraction(1, 100)
"""The least deviation that counts, as a share of the median: a table that never changed may still change a little."""


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """The number of rows."""
    del facts
    return {"rows": table.count()}


def words(facts: CandidateFacts) -> Sequence[str]:
    """The bounds of the row count."""
    return (", ".join(_bounds(facts)) or "any number of rows, also none",)


def _bounds(facts: CandidateFacts) -> Iterator[str]:
    if not facts.allow_empty:
        yield "not empty"
    if facts.rules.rows.min is not None:
        yield f"at least {facts.rules.rows.min:,} rows"
    if facts.rules.rows.max is not None:
        yield f"at most {facts.rules.rows.max:,} rows"


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """An empty result blocks whatever the dataset says of its bounds, unless its contract allows it."""
    rows, rules = int(values["rows"]), facts.rules.rows
    numbers = {"rows": rows}
    if rows == 0 and not facts.allow_empty:
        return [
            blocked(NAME, "the source returned no rows, and the contract does not say `tidegate.allowEmpty`", numbers)
        ]
    if rules.min is not None and rows < rules.min:
        return [failed(NAME, rules.on_fail, f"{rows:,} rows are fewer than the minimum of {rules.min:,}", numbers)]
    if rules.max is not None and rows > rules.max:
        return [failed(NAME, rules.on_fail, f"{rows:,} rows are more than the maximum of {rules.max:,}", numbers)]
    return [passed(NAME, f"{rows:,} rows", numbers)]


def change_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on the step from the version before."""
    most = facts.rules.rows.max_change
    return () if most is None else (f"at most {percent(most)} more or fewer rows than the version before",)


def change_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """How far the row count is from that of the version before; from nothing there is no share."""
    rows, before, rules = int(values["rows"]), facts.rows_before, facts.rules.rows
    assert rules.max_change is not None, "the check applies only then"
    if not before:
        return [passed(CHANGE, "no version with rows to compare with", {"rows": rows})]
    change = share(abs(rows - before), before)
    numbers = {"rows": rows, "change": change}
    if is_above(abs(rows - before), before, rules.max_change):
        message = f"{rows:,} rows are {change:.1%} away from the {before:,} of the version before, more than {rules.max_change:.1%}"
        return [failed(CHANGE, rules.on_fail, message, numbers)]
    return [passed(CHANGE, f"{rows:,} rows are {change:.1%} away from the {before:,} of the version before", numbers)]


def history_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on the row counts of earlier versions."""
    history = facts.rules.rows.history
    if history is None:
        return ()
    return (f"within {history.mad:.4g} deviations of the median of the last {history.versions} versions",)


def history_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """How many deviations the row count is from the median of its history, which must be long enough to have any."""
    rows, counts, rules = int(values["rows"]), facts.history, facts.rules.rows
    assert rules.history is not None, "the check applies only then"
    if len(counts) < HISTORY_MIN:
        message = f"{len(counts)} accepted versions are too few to compare with; it judges from {HISTORY_MIN} on"
        return [passed(HISTORY, message, {"rows": rows, "versions": len(counts)})]
    middle, spread = spread_of(counts)
    away = abs(rows - middle) / spread
    numbers = {"rows": rows, "median": float(middle), "deviation": float(spread), "versions": len(counts)}
    said = f"{rows:,} rows are {float(away):.3g} deviations (of {float(spread):,.4g} rows) away from the median of {float(middle):,.0f}"
    if away > exact(rules.history.mad):
        return [failed(HISTORY, rules.on_fail, f"{said}, more than {rules.history.mad:.4g}", numbers)]
    return [passed(HISTORY, said, numbers)]


def spread_of(counts: Sequence[int]) -> tuple[Fraction, Fraction]:
    """The median of row counts and their median absolute deviation, which is at least a row and `SPREAD_MIN`."""
    middle = Fraction(median(counts))
    deviation = median(abs(count - middle) for count in counts)
    return middle, max(Fraction(deviation), SPREAD_MIN * middle, Fraction(1))
