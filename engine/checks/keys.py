"""What a contract demands of keys and columns: unique, not null."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any

import ibis
from ibis.expr.types import BooleanValue, IntegerScalar, Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.row_rules import RowRule
from engine.core.events import CheckResult
from engine.core.schema import TableSchema
from engine.core.verdict import Verdict, blocked, failed, passed

PRIMARY_KEY = "contract.primary_key"
REQUIRED = "contract.required"
UNIQUE = "contract.unique"


def primary_key_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Rows with a null part, and rows beyond the first of their key."""
    key = facts.schema.key
    null = ibis.or_(*(table[name].isnull() for name in key))
    return {"null": table.count(where=null), "duplicate": beyond_first(table, key)}


def primary_key_words(facts: CandidateFacts) -> Sequence[str]:
    """The key's own rule."""
    return (f"{', '.join(facts.schema.key)} is unique and never null",)


def primary_key_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A key that is null or not unique blocks: nobody could tell which row a record comes from."""
    key = ", ".join(facts.schema.key)
    null, duplicate = int(values["null"]), int(values["duplicate"])
    numbers = {"null": null, "duplicate": duplicate}
    if null:
        return [blocked(PRIMARY_KEY, f"primary key {key} is null in {_rows(null)}", numbers)]
    if duplicate:
        return [blocked(PRIMARY_KEY, f"primary key {key} is not unique: {_rows(duplicate)} beyond the first", numbers)]
    return [passed(PRIMARY_KEY, f"{key} is unique and never null", numbers)]


def required_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Nulls per required column outside the key."""
    return {name: table.count(where=table[name].isnull()) for name in _required(facts)}


def required_words(facts: CandidateFacts) -> Sequence[str]:
    """The required columns outside the key."""
    return _words("never null", _required(facts), facts)


def required_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A null in a required column blocks, or sets its row aside; every such column is named."""
    return _judged(
        REQUIRED,
        values,
        _required(facts),
        facts,
        "required column {} is null in {}",
        "{} required columns without nulls",
    )


def required_rules(schema: TableSchema, columns: Container[str]) -> tuple[RowRule, ...]:
    """What a row breaks that lacks a value in one of the required ``columns``."""
    names = [name for name in _required_of(schema) if name in columns]
    return tuple(RowRule(REQUIRED, f"{name} is required", (name,), partial(_lacks, name)) for name in names)


def _lacks(name: str, table: Table) -> BooleanValue:
    return table[name].isnull()


def unique_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Rows beyond the first of their value, per unique column; nulls do not count."""
    return {name: beyond_first(table, (name,)) for name in _unique(facts)}


def unique_words(facts: CandidateFacts) -> Sequence[str]:
    """The unique columns."""
    return _words("no repeats", _unique(facts), facts)


def unique_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A repeated value in a unique column blocks, or sets the rows beyond the first aside."""
    return _judged(
        UNIQUE,
        values,
        _unique(facts),
        facts,
        "unique column {} repeats a value in {}",
        "{} unique columns without repeats",
    )


def unique_rules(schema: TableSchema, columns: Container[str]) -> tuple[RowRule, ...]:
    """What a row breaks that repeats a value in one of the unique ``columns``."""
    names = [name for name in _unique_of(schema) if name in columns]
    return tuple(repeat_rule(UNIQUE, f"{name} is unique", (name,), schema.key) for name in names)


def repeat_rule(check: str, label: str, columns: tuple[str, ...], key: Sequence[str]) -> RowRule:
    """What every row breaks that repeats the values of ``columns``; the row with the smallest key is the first."""

    def repeats(table: Table) -> BooleanValue:
        place = ibis.row_number().over(group_by=list(columns), order_by=[table[name] for name in key])
        return _complete(table, columns) & (place > 0)

    return RowRule(check, label, columns, repeats)


def beyond_first(table: Table, columns: Sequence[str]) -> IntegerScalar:
    """Rows beyond the first of their value; a row with a null among ``columns`` has no value to repeat."""
    return table.count(where=_complete(table, columns)) - different(table, columns)


def different(table: Table, columns: Sequence[str]) -> IntegerScalar:
    """Different values of rows without a null among ``columns``."""
    value = table[columns[0]] if len(columns) == 1 else ibis.struct({name: table[name] for name in columns})
    return value.nunique(where=_complete(table, columns))


def _complete(table: Table, columns: Sequence[str]) -> BooleanValue:
    return ibis.and_(*(table[name].notnull() for name in columns))


def _required(facts: CandidateFacts) -> list[str]:
    return _required_of(facts.schema)


def _required_of(schema: TableSchema) -> list[str]:
    return [c.name for c in schema.columns if c.required and c.key_position is None]


def _unique(facts: CandidateFacts) -> list[str]:
    return _unique_of(facts.schema)


def _unique_of(schema: TableSchema) -> list[str]:
    return [c.name for c in schema.columns if c.unique and (c.name,) != schema.key]


def _parts(names: Sequence[str], facts: CandidateFacts) -> list[tuple[list[str], Verdict]]:
    """The columns that block and those whose rows are set aside, where there are some."""
    aside = facts.demands.quarantine.columns
    parts = [
        ([name for name in names if name not in aside], Verdict.BLOCK),
        ([name for name in names if name in aside], Verdict.QUARANTINE),
    ]
    return [(some, verdict) for some, verdict in parts if some]


def _words(rule: str, names: Sequence[str], facts: CandidateFacts) -> tuple[str, ...]:
    """One rule for the columns that block, one for those whose rows are set aside."""
    return tuple(
        f"{rule}{' or set aside' if verdict is Verdict.QUARANTINE else ''}: {', '.join(some)}"
        for some, verdict in _parts(names, facts)
    )


def _judged(
    check: str, values: Mapping[str, Any], names: Sequence[str], facts: CandidateFacts, broken: str, kept: str
) -> list[CheckResult]:
    """A result for each of `_words`; ``broken`` is said of a column and its rows, ``kept`` of a number of columns."""
    results = []
    for some, verdict in _parts(names, facts):
        counts = {name: int(values[name]) for name in some}
        bad = [broken.format(name, _rows(count)) for name, count in counts.items() if count]
        said = kept.format(len(counts))
        results.append(failed(check, verdict, "; ".join(bad), counts) if bad else passed(check, said, counts))
    return results


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
