"""What a contract demands of keys and columns: unique, not null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
from ibis.expr.types import BooleanValue, IntegerScalar, Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed

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
    return (f"never null: {', '.join(names)}",) if (names := _required(facts)) else ()


def required_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A null in a required column blocks; every such column is named."""
    nulls = {name: int(values[name]) for name in _required(facts)}
    bad = [f"required column {name} is null in {_rows(count)}" for name, count in nulls.items() if count]
    if bad:
        return [blocked(REQUIRED, "; ".join(bad), nulls)]
    return [passed(REQUIRED, f"{len(nulls)} required columns without nulls", nulls)]


def unique_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Rows beyond the first of their value, per unique column; nulls do not count."""
    return {name: beyond_first(table, (name,)) for name in _unique(facts)}


def unique_words(facts: CandidateFacts) -> Sequence[str]:
    """The unique columns."""
    return (f"no repeats: {', '.join(names)}",) if (names := _unique(facts)) else ()


def unique_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A repeated value in a unique column blocks."""
    repeats = {name: int(values[name]) for name in _unique(facts)}
    bad = [f"unique column {name} repeats a value in {_rows(count)}" for name, count in repeats.items() if count]
    if bad:
        return [blocked(UNIQUE, "; ".join(bad), repeats)]
    return [passed(UNIQUE, f"{len(repeats)} unique columns without repeats", repeats)]


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
    return [c.name for c in facts.schema.columns if c.required and c.key_position is None]


def _unique(facts: CandidateFacts) -> list[str]:
    return [c.name for c in facts.schema.columns if c.unique and (c.name,) != facts.schema.key]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
