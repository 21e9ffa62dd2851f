"""The rows that a check of a candidate counts, so that a person can look at some of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.checks import continuity, identifiers, keys, quality, value_rules
from engine.checks.facts import CandidateFacts
from engine.core.demands import Metric
from engine.core.relations import union

RULE = "_rule"
"""Column that says which rule a row of `first_of_each` breaks, as `Failing.name`."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Rows that break the rule at ``place`` among the words of ``check``, and the columns by which they do.

    ``rows`` takes the rows of the candidate and those of the version before, which are None where there is none.
    """

    check: str
    place: int
    columns: tuple[str, ...]
    rows: Callable[[Table, Table | None], Table]

    @property
    def name(self) -> str:
        """Which rule it is, also where a contract that changed has another one in its place."""
        return json.dumps([self.check, self.place, *self.columns], ensure_ascii=False)


def failing(facts: CandidateFacts) -> tuple[Failing, ...]:
    """Every rule that applies and that single rows break, in the order of its check's words."""
    return (*_of_contract(facts), *_of_identifiers(facts), *_of_values(facts))


def first_of_each(
    facts: CandidateFacts,
    unmet: Collection[tuple[str, int]],
    after: Table,
    before: Table | None,
    also: Sequence[str],
    limit: int,
) -> Table | None:
    """At most ``limit`` rows that break each unmet rule, a check with a place, the first by key; None where no row does.

    Of a row there is left: its key, the columns ``also`` and those that the rules look at. `RULE` says which it breaks.
    """
    known = set(after.columns)
    rules = [rule for rule in failing(facts) if (rule.check, rule.place) in unmet and set(rule.columns) <= known]
    if not rules:
        return None
    key = list(facts.schema.key)
    asked = dict.fromkeys((*key, *also, *(column for rule in rules for column in rule.columns)))
    columns = [column for column in asked if column in known]
    first = ((rule.name, rule.rows(after, before).order_by(key).limit(limit)) for rule in rules)
    return union(*(rows.select(*columns, **{RULE: ibis.literal(name)}) for name, rows in first))


def _of_contract(facts: CandidateFacts) -> Iterator[Failing]:
    key = facts.schema.key
    yield Failing(keys.PRIMARY_KEY, 0, key, lambda table, _: union(_where(table, _null(key)), repeated(table, key)))
    for column in facts.schema.columns:
        if column.required and column.key_position is None:
            yield _of_rows(keys.REQUIRED, 0, (column.name,), _null((column.name,)))
        if column.unique and (column.name,) != key:
            yield Failing(keys.UNIQUE, 0, (column.name,), _repeats((column.name,)))
    for place, rule in enumerate(value_rules.row_rules(facts.demands.values)):
        yield _of_rows(rule.check, place, rule.columns, rule.breaks)
    for place, asked in enumerate(facts.demands.rules):
        if (of_rows := quality.row_rule(asked)) is not None:
            yield _of_rows(of_rows.check, place, of_rows.columns, of_rows.breaks)
        elif asked.metric is Metric.DUPLICATE:
            yield Failing(quality.NAME, place, asked.columns, _repeats(asked.columns))


def _of_identifiers(facts: CandidateFacts) -> Iterator[Failing]:
    for name in facts.rules.identifiers.columns:
        yield _of_rows(identifiers.NULLS, 0, (name,), _null((name,)))
        yield Failing(identifiers.DUPLICATES, 0, (name,), _repeats((name,)))
        yield Failing(continuity.REKEYED, 0, (name,), partial(_compared, continuity.changed_rows, facts, name))


def _of_values(facts: CandidateFacts) -> Iterator[Failing]:
    for place, name in enumerate(facts.rules.values.columns):
        yield Failing(continuity.NEW_VALUES, place, (name,), partial(_compared, continuity.new_rows, facts, name))


def _compared(
    rows: Callable[[Table, Table, str, Sequence[str]], Table],
    facts: CandidateFacts,
    name: str,
    after: Table,
    before: Table | None,
) -> Table:
    if before is None or name not in before.columns:
        return after.limit(0)
    return rows(after, before, name, facts.schema.key)


def _of_rows(check: str, place: int, columns: tuple[str, ...], breaks: Callable[[Table], BooleanValue]) -> Failing:
    return Failing(check, place, columns, lambda table, _: _where(table, breaks))


def _where(table: Table, breaks: Callable[[Table], BooleanValue]) -> Table:
    return table.filter(breaks(table))


def _null(columns: Sequence[str]) -> Callable[[Table], BooleanValue]:
    return lambda table: ibis.or_(*(table[name].isnull() for name in columns))


def _repeats(columns: Sequence[str]) -> Callable[[Table, Table | None], Table]:
    return lambda table, _: repeated(table, columns)


def repeated(table: Table, columns: Sequence[str]) -> Table:
    """Rows that share their value with another; a row with a null has no value to share."""
    counts = table.group_by(list(columns)).aggregate(_rows=table.count())
    return table.semi_join(counts.filter(counts["_rows"] > 1), list(columns))
