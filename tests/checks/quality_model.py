"""What a quality rule measures, counted row by row in plain Python: the model that expressions are held to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from engine.core.demands import Metric, Operator, Rule, Unit

Row = Mapping[str, Any]


def is_met(rule: Rule, rows: Sequence[Row]) -> bool:
    """Whether rows meet a rule, by the words of docs/operators.md."""
    found = Fraction(count(rule, rows))
    if rule.unit is Unit.PERCENT:
        found = found * 100 / len(rows) if rows else Fraction(0)
    low, high = map(Fraction, (rule.threshold.bounds[0], rule.threshold.bounds[-1]))
    return {
        Operator.EQUAL: found == low,
        Operator.NOT_EQUAL: found != low,
        Operator.GREATER: found > low,
        Operator.GREATER_OR_EQUAL: found >= low,
        Operator.LESS: found < low,
        Operator.LESS_OR_EQUAL: found <= low,
        Operator.BETWEEN: low <= found <= high,
        Operator.NOT_BETWEEN: found < low or found > high,
    }[rule.threshold.operator]


def count(rule: Rule, rows: Sequence[Row]) -> int:
    """The rows that a rule counts."""
    if rule.metric is Metric.ROWS:
        return len(rows)
    if rule.metric is Metric.DUPLICATE:
        keys = [tuple(row[name] for name in rule.columns) for row in rows]
        complete = [key for key in keys if None not in key]
        return len(complete) - len(set(complete))
    values = [row[rule.columns[0]] for row in rows]
    if rule.metric is Metric.NULL:
        return values.count(None)
    if rule.metric is Metric.MISSING:
        return sum(rule.allowed.null if v is None else v in (rule.allowed.values or ()) for v in values)
    return sum(v is not None and not _is_valid(v, rule) for v in values)


def _is_valid(value: Any, rule: Rule) -> bool:  # whatever a column holds
    listed = rule.allowed.values is None or value in rule.allowed.values
    return listed and (rule.allowed.pattern is None or re.search(rule.allowed.pattern, str(value)) is not None)
