"""The quality rules of a contract: every metric of every rule is one aggregate, and its threshold is judged exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, assert_never

import ibis
from ibis.expr.types import BooleanValue, Column, IntegerScalar, Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.keys import beyond_first
from engine.checks.literals import is_among
from engine.checks.row_rules import RowRule
from engine.checks.severity import unmet
from engine.core.demands import Allowed, Metric, Rule, Unit, meets, percent
from engine.core.events import CheckResult
from engine.core.verdict import passed

NAME = "contract.quality"
_ROWS = "rows"


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """The rows, and per rule the rows that it counts, under the rule's place in the contract."""
    rules = facts.demands.rules
    counted = {str(place): _counted(table, rule) for place, rule in enumerate(rules)}
    return {_ROWS: table.count(), **counted} if rules else {}


def words(facts: CandidateFacts) -> Sequence[str]:
    """Each rule as it is said when it is not met."""
    return tuple(f"{rule.label}: {_what(rule)} {_wanted(rule)} ({rule.severity})" for rule in facts.demands.rules)


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """One result per rule; no message shows a value of a row."""
    rules = facts.demands.rules
    rows = int(values[_ROWS]) if rules else 0
    return [_judged(rule, int(values[str(place)]), rows) for place, rule in enumerate(rules)]


def row_rule(rule: Rule) -> RowRule | None:
    """What a row breaks that the rule counts; None when it counts something that no row has by itself."""
    match rule.metric:
        case Metric.ROWS | Metric.DUPLICATE:
            return None
        case Metric.NULL:
            breaks = _is_null
        case Metric.MISSING:
            breaks = _is_missing
        case Metric.INVALID:
            breaks = _is_invalid
        case _:
            assert_never(rule.metric)
    return RowRule(NAME, rule.label, rule.columns, lambda table: breaks(table[rule.columns[0]], rule.allowed))


def _counted(table: Table, rule: Rule) -> IntegerScalar:
    if (of_rows := row_rule(rule)) is not None:
        return table.count(where=of_rows.breaks(table))
    return table.count() if rule.metric is Metric.ROWS else beyond_first(table, rule.columns)


def _is_null(column: Column, allowed: Allowed) -> BooleanValue:
    del allowed
    return column.isnull()


def _is_missing(column: Column, allowed: Allowed) -> BooleanValue:
    """A listed value; null only when null is listed."""
    listed = column.notnull() & is_among(column, allowed.values or ())
    return listed | column.isnull() if allowed.null else listed


def _is_invalid(column: Column, allowed: Allowed) -> BooleanValue:
    """A value outside the list, or one that the pattern is not found in; null is no value, and so never invalid."""
    conditions = []
    if allowed.values is not None:
        conditions.append(~is_among(column, allowed.values))
    if allowed.pattern is not None:
        conditions.append(~column.re_search(allowed.pattern))  # only strings have patterns
    return column.notnull() & ibis.or_(*conditions)


def _judged(rule: Rule, count: int, rows: int) -> CheckResult:
    share = percent(count, rows)
    measured = Fraction(count) if rule.unit is Unit.ROWS else share
    numbers = {"count": count, _ROWS: rows}
    said = f"{rule.label}: {_what(rule)} {'is' if rule.metric is Metric.ROWS else 'are'} {_measured(rule, count, rows)}"
    if meets(measured, rule.threshold):
        return passed(NAME, said, numbers)
    message = f"quality rule {said}, and {_wanted(rule)}"
    return unmet(NAME, rule.severity, rule.action, message, numbers)


def _wanted(rule: Rule) -> str:
    return f"{rule.threshold}{' %' if rule.unit is Unit.PERCENT else ''}"


def _what(rule: Rule) -> str:
    return f"{rule.metric} of {', '.join(rule.columns)}" if rule.columns else str(rule.metric)


def _measured(rule: Rule, count: int, rows: int) -> str:
    if rule.unit is Unit.ROWS:
        return f"{count:,}"
    return f"{count:,} of {rows:,} rows, {float(percent(count, rows)):.4g} %"
