"""Whether identifiers are what they were: a broken join shows first as nulls, repeats, or too many different values.

The metrics of each check are by identifier, and the next version is compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.keys import beyond_first, different
from engine.checks.shares import counted, exact, is_above, percent, share
from engine.core.events import CheckResult
from engine.core.verdict import failed, passed

NULLS = "identity.nulls"
DUPLICATES = "identity.duplicates"
DISTINCT = "identity.distinct"
COMPARED = (NULLS, DUPLICATES, DISTINCT)
"""Checks that need the metrics of the version before."""
_ROWS = ""
"""Beside the identifiers, which have names."""


def null_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Nulls per identifier, and the number of rows."""
    names = facts.rules.identifiers.columns
    return {_ROWS: table.count(), **{name: table.count(where=table[name].isnull()) for name in names}}


def null_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on nulls; without a limit they are recorded for the day when there is one."""
    rules = facts.rules.identifiers
    if not rules.columns:
        return ()
    names = ", ".join(rules.columns)
    if rules.max_null_increase is None:
        return (f"nulls of {names} are recorded",)
    return (f"nulls of {names} grow by at most {percent(rules.max_null_increase)} of the rows",)


def null_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """An identifier whose share of nulls grew by more than the dataset allows."""
    return [_increased(NULLS, values, facts, facts.rules.identifiers.max_null_increase, "null")]


def duplicate_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Rows beyond the first of their value per identifier, and the number of rows."""
    names = facts.rules.identifiers.columns
    return {_ROWS: table.count(), **{name: beyond_first(table, (name,)) for name in names}}


def duplicate_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on repeats."""
    return _words(facts, facts.rules.identifiers.max_duplicate_increase, "repeats of {} grow by at most {} of the rows")


def duplicate_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """An identifier whose share of repeats grew by more than the dataset allows."""
    return [_increased(DUPLICATES, values, facts, facts.rules.identifiers.max_duplicate_increase, "a repeat")]


def distinct_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Different values per identifier."""
    return {name: different(table, (name,)) for name in facts.rules.identifiers.columns}


def distinct_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on the number of different values."""
    text = "{}: at most {} more or fewer different values than before"
    return _words(facts, facts.rules.identifiers.max_distinct_change, text)


def distinct_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """An identifier that has far more or fewer different values than before; from none there is no share."""
    rules, found = facts.rules.identifiers, {name: int(count) for name, count in values.items()}
    assert rules.max_distinct_change is not None, "the check applies only then"
    earlier = {name: int(facts.before.get(DISTINCT, {}).get(name, 0)) for name in found}
    bad = [
        f"identifier {name} has {count:,} different values, {share(abs(count - before), before):.1%} away from {before:,}"
        for name, count in found.items()
        if (before := earlier[name]) and is_above(abs(count - before), before, rules.max_distinct_change)
    ]
    if bad:
        message = f"{'; '.join(bad)}, more than {rules.max_distinct_change:.1%}"
        return [failed(DISTINCT, rules.on_fail, message, found)]
    return [
        passed(DISTINCT, "; ".join(f"{name} has {count:,} different values" for name, count in found.items()), found)
    ]


def _increased(
    check: str, values: Mapping[str, Any], facts: CandidateFacts, most: float | None, what: str
) -> CheckResult:
    rows, before = int(values[_ROWS]), facts.rows_before or 0
    counts = {name: int(values[name]) for name in facts.rules.identifiers.columns}
    shares = {name: share(count, rows) for name, count in counts.items()}
    earlier = facts.before.get(check, {})
    bad = [
        f"identifier {name} is {what} in {shares[name]:.1%} of the rows, up from {earlier[name]:.1%}"
        for name, count in counts.items()
        if most is not None
        and name in earlier
        and Fraction(count, rows or 1) - Fraction(counted(earlier[name], before), before or 1) > exact(most)
    ]
    if bad:
        return failed(check, facts.rules.identifiers.on_fail, "; ".join(bad), shares)
    told = "; ".join(f"identifier {name} is {what} in {found:.1%} of the rows" for name, found in shares.items())
    return passed(check, told, shares)


def _words(facts: CandidateFacts, most: float | None, text: str) -> Sequence[str]:
    names = facts.rules.identifiers.columns
    return (text.format(", ".join(names), percent(most)),) if names and most is not None else ()
