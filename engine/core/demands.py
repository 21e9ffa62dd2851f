"""What a contract demands of rows beyond columns and keys, as plain values, and whether a measured number meets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from engine.core.value_rules import Value, ValueRule


class Metric(StrEnum):
    """What a quality rule measures, in the words of ODCS."""

    NULL = "nullValues"
    MISSING = "missingValues"
    INVALID = "invalidValues"
    DUPLICATE = "duplicateValues"
    ROWS = "rowCount"


class Operator(StrEnum):
    """How what was measured is compared with one bound, or with two."""

    EQUAL = "mustBe"
    NOT_EQUAL = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


class Unit(StrEnum):
    """Whether rows are counted, or their share of all rows in percent."""

    ROWS = "rows"
    PERCENT = "percent"


class Severity(StrEnum):
    """What a rule that is not met does: nothing but stand in the record, warn, block."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Action(StrEnum):
    """What a rule of severity error does when it is not met.

    It keeps the version out, lets it wait for a person, or takes just the rows that break it out of what may be sent.
    """

    BLOCK = "block"
    REVIEW = "review"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Threshold:
    """An operator with its bound; `Operator.BETWEEN` and its opposite have two, the smaller first."""

    operator: Operator
    bounds: tuple[Decimal, ...]

    def __str__(self) -> str:
        words = _WORDS[self.operator]
        return f"{words} {' and '.join(f'{bound:,f}' for bound in self.bounds)}"


_WORDS = {
    Operator.EQUAL: "must be",
    Operator.NOT_EQUAL: "must not be",
    Operator.GREATER: "must be greater than",
    Operator.GREATER_OR_EQUAL: "must be at least",
    Operator.LESS: "must be less than",
    Operator.LESS_OR_EQUAL: "must be at most",
    Operator.BETWEEN: "must be between",
    Operator.NOT_BETWEEN: "must not be between",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Values and a pattern of a rule; ``null`` is whether null stands among the values."""

    values: tuple[Value, ...] | None = None
    null: bool = False
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One library rule of ODCS ``quality``: a metric over ``columns`` (none for the row count) and its threshold.

    ``allowed`` holds what a missing value is, or what a valid one is.
    """

    label: str
    metric: Metric
    threshold: Threshold
    columns: tuple[str, ...] = ()
    unit: Unit = Unit.ROWS
    severity: Severity = Severity.ERROR
    action: Action = Action.BLOCK
    allowed: Allowed = Allowed()


CANDIDATE_VIEW = "tidegate_candidate"
"""The one table that a query sees."""


@dataclass(frozen=True, slots=True)
class QueryRule:
    """One rule of ODCS ``type: sql``: a query over `CANDIDATE_VIEW` that gives one number, and the number's threshold.

    ``counts`` is whether the number only counts rows or values, so that it shows none of them.
    """

    label: str
    query: str
    threshold: Threshold
    severity: Severity = Severity.ERROR
    action: Action = Action.BLOCK
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """``columns`` whose rows are set aside where they break what the contract demands of single values or repeats.

    When more than ``max_ratio`` of all rows would be, the version is blocked: then not some rows are bad but the read is.
    """

    columns: frozenset[str] = frozenset()
    max_ratio: float = 0.05


@dataclass(frozen=True, slots=True)
class Demands:
    """Everything that a contract demands of rows beyond columns and keys."""

    rules: tuple[Rule, ...] = ()
    values: tuple[ValueRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()
    quarantine: Quarantine = Quarantine()

    @property
    def sets_rows_aside(self) -> bool:
        """Whether any rule may set rows aside."""
        return bool(self.quarantine.columns) or any(rule.action is Action.QUARANTINE for rule in self.rules)


NO_DEMANDS = Demands()


def meets(measured: Fraction, threshold: Threshold) -> bool:
    """Whether a number is within a threshold; both ends of a range belong to it, and nothing is rounded."""
    first, last = Fraction(threshold.bounds[0]), Fraction(threshold.bounds[-1])
    return _MEETS[threshold.operator](measured, first, last)


_MEETS: dict[Operator, Callable[[Fraction, Fraction, Fraction], bool]] = {
    Operator.EQUAL: lambda measured, bound, _: measured == bound,
    Operator.NOT_EQUAL: lambda measured, bound, _: measured != bound,
    Operator.GREATER: lambda measured, bound, _: measured > bound,
    Operator.GREATER_OR_EQUAL: lambda measured, bound, _: measured >= bound,
    Operator.LESS: lambda measured, bound, _: measured < bound,
    Operator.LESS_OR_EQUAL: lambda measured, bound, _: measured <= bound,
    Operator.BETWEEN: lambda measured, first, last: first <= measured <= last,
    Operator.NOT_BETWEEN: lambda measured, first, last: not first <= measured <= last,
}


def percent(count: int, rows: int) -> Fraction:
    """``count`` as a share of ``rows`` in percent, exactly; of no rows it is nothing."""
    return Fraction(count * 100, rows) if rows else Fraction(0)
