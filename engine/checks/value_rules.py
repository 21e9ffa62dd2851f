"""The value rules of a contract, ODCS ``logicalTypeOptions`` and ``enum``: every value of a column meets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from ibis.expr.types import BooleanValue, Column, Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.formats import is_of
from engine.checks.literals import is_among, is_no_multiple, is_outside
from engine.checks.row_rules import RowRule, counts
from engine.core.events import CheckResult
from engine.core.value_rules import Enumeration, Format, Length, Multiple, Pattern, Range, ValueDemand, ValueRule
from engine.core.verdict import Verdict, failed, passed

NAME = "contract.value_rules"


def row_rules(rules: Iterable[ValueRule]) -> tuple[RowRule, ...]:
    """Each value rule as what a row breaks."""
    return tuple(RowRule(NAME, rule.label, (rule.column,), _breaks(rule)) for rule in rules)


def words(facts: CandidateFacts) -> Sequence[str]:
    """Each rule by its label."""
    return tuple(rule.label for rule in facts.demands.values)


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """The rows that break each rule."""
    return counts(table, row_rules(facts.demands.values))


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A row that breaks a rule blocks or is set aside; every rule that is broken is named, and no value is shown."""
    rules, aside = facts.demands.values, facts.demands.quarantine.columns
    found = []
    for place, rule in enumerate(rules):
        if count := int(values[str(place)]):
            message = f"{rule.label} is broken in {'1 row' if count == 1 else f'{count:,} rows'}"
            action = Verdict.QUARANTINE if rule.column in aside else Verdict.BLOCK
            found.append(failed(NAME, action, message, {"count": count}))
    return found or [passed(NAME, f"every row meets {len(rules):,} value rules", {"rules": len(rules)})]


def _breaks(rule: ValueRule) -> Any:  # a function of a table, as `RowRule` takes it
    def breaks(table: Table) -> BooleanValue:
        column = table[rule.column]
        return column.notnull() & _is_broken(column, rule.demand)

    return breaks


def _is_broken(column: Column, demand: ValueDemand) -> BooleanValue:
    """Whether a value that is not null breaks a demand."""
    match demand:
        case Length(least, most):
            characters = column.length()
            return characters < least if most is None else ~characters.between(least, most)
        case Pattern(text):
            return ~column.re_search(text)
        case Format():
            return ~is_of(column, demand)
        case Range():
            return is_outside(column, demand)
        case Multiple(of):
            return is_no_multiple(column, of)
        case Enumeration(values):
            return ~is_among(column, values)
        case _:
            assert_never(demand)
