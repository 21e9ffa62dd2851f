"""Suppression lists: whom nothing may be sent to, whatever consent says, known by hashes of what they are reached by.

An entry is the hash of a value's main form, and it stands for the hashes of all its forms, so that a list that was hashed
elsewhere in another of them is met as well. A row meets a list when any form of one of its identifiers is in it: one
person more is left alone rather than one less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import ibis
from ibis.expr.types import BooleanValue, JSONValue, StringValue, Table

from engine.core.canonical import key_text, text
from engine.core.consent_rule import REMOVING
from engine.core.desired import FIELD, Refusal
from engine.core.desired import Mapping as SyncMapping
from engine.core.preparation import Normalisation, Preparation, normalised, sha256_text, trimmed
from engine.core.relations import union
from engine.core.remembered import remembered

HASH = r"^[0-9a-f]{64}$"


class Identifier(StrEnum):
    """What a column holds of a person."""

    EMAIL = "email"
    PHONE = "phone"
    ID = "id"


def _id(value: StringValue) -> StringValue:
    return trimmed(value).nullif("")


_FORMS: Mapping[Identifier, tuple[Callable[[StringValue], StringValue], ...]] = MappingProxyType(
    {
        Identifier.EMAIL: (
            lambda value: normalised(value, Normalisation.EMAIL),
            lambda value: normalised(value, Normalisation.EMAIL_GOOGLE),
        ),
        Identifier.PHONE: (
            lambda value: normalised(value, Normalisation.PHONE),
            lambda value: normalised(value, Normalisation.PHONE_DIGITS),
        ),
        Identifier.ID: (_id,),
    }
)
"""The forms in which lists hash an identifier, the main one first."""


def entries(values: Table, kind: Identifier) -> Table:
    """``entry`` and ``hash``: what a list holds of some texts ``value``; those without a main form are left out."""
    main, *_ = _FORMS[kind]
    rows = [
        values.select(entry=sha256_text(main(values.value)), hash=sha256_text(form(values.value)))
        for form in _FORMS[kind]
    ]
    every = union(*rows, distinct=True)
    return every.filter(every.entry.notnull() & every.hash.notnull())


def hashed_entries(values: Table) -> Table:
    """The same of texts ``value`` that are hashes already, in hexadecimal of either case; others are left out."""
    hashes = trimmed(values.value).lower()
    named = values.select(entry=hashes, hash=hashes).distinct()
    return named.filter(named.hash.re_search(HASH).fill_null(False))


def formless(value: StringValue, kind: Identifier | None) -> BooleanValue:
    """Whether a text of a list cannot be an entry; without a ``kind`` it must be a hash."""
    if kind is None:
        return ~trimmed(value).lower().re_search(HASH).fill_null(False)
    return _FORMS[kind][0](value).isnull()


def suppressed_keys(
    rows: Table, columns: Mapping[str, Identifier], lists: Mapping[Identifier, Table], key: Sequence[str]
) -> Table:
    """``pk``, once, of the rows with an identifier in the list of its kind; ``lists`` have ``hash``."""
    met = [_met(text(rows[column]), kind, lists) for column, kind in columns.items() if kind in lists]
    found = rows.filter(ibis.or_(*met)) if met else rows.limit(0)
    return found.select(pk=key_text([found[c] for c in key])).distinct()


@remembered
def listed_records(
    held: Table,
    mapping: SyncMapping,
    key: Sequence[str],
    columns: tuple[tuple[str, Identifier], ...],
    lists: tuple[tuple[Identifier, Table], ...],
) -> Table:
    """``id`` and ``reason`` of what is held about people in ``lists``, by the identifiers that were delivered.

    ``held`` are state rows; what became of the rows that they came from does not count.
    """
    asked = dict(lists)
    met = [
        value.isin(asked[kind].hash) if is_hash else _met(value, kind, asked)
        for column, kind in columns
        if kind in asked
        for value, is_hash in _delivered(held, mapping, key, column)
    ]
    found = held.filter(ibis.or_(*(each.fill_null(False) for each in met))) if met else held.limit(0)
    return found.select("id", reason=ibis.literal(Refusal.SUPPRESSED.value))


def _met(value: StringValue, kind: Identifier, lists: Mapping[Identifier, Table]) -> BooleanValue:
    """Whether any form of a value is in the list of its kind."""
    return ibis.or_(*(sha256_text(form(value)).isin(lists[kind].hash).fill_null(False) for form in _FORMS[kind]))


def _delivered(
    held: Table, mapping: SyncMapping, key: Sequence[str], column: str
) -> Iterator[tuple[StringValue, bool]]:
    """Every text under which a state row says the value of a dataset's column, and whether that is a hash of it."""
    if mapping.subject == column:
        yield held.subject, False
    if tuple(key) == (column,):
        yield held.pk, False
    for part in mapping.match:
        if part.column == column:
            yield _as_sent(_text_of(held.key.cast("json")[part.target]), part.prepare)
    for field in mapping.fields:
        if field.column == column and (name := FIELD + field.target) in held.columns:
            yield _as_sent(_text_of(held[name].cast("json")), field.prepare)


def _text_of(value: JSONValue) -> StringValue:
    """The text of a JSON string or number."""
    return ibis.coalesce(value.str, value.cast("string").nullif("null"))


def _as_sent(value: StringValue, preparation: Preparation) -> tuple[StringValue, bool]:
    if preparation.hash is None and preparation.normalise is Normalisation.PHONE_DIGITS:
        return ibis.literal("+") + value, False
    return value, preparation.hash is not None


def incomparable(rows: Table, columns: Mapping[str, Identifier], lists: Mapping[Identifier, Table]) -> BooleanValue:
    """Whether a row has an identifier that a list is about and that has no form to compare."""
    lacking = [
        (trimmed(text(rows[column])) != "").fill_null(False) & _FORMS[kind][0](text(rows[column])).isnull()
        for column, kind in columns.items()
        if kind in lists
    ]
    return ibis.or_(*lacking) if lacking else ibis.literal(False)


def unproven(
    plan: Table, rows: Table, columns: Mapping[str, Identifier], lists: Mapping[Identifier, Table], key: Sequence[str]
) -> Table:
    """Rows of ``plan`` that would send something to somebody in a list: from the lists to the rows, and not from the rows.

    Derived by joins of hashes, and not as `suppressed_keys` does, so that neither hides a fault of the other.
    """
    pieces = [
        rows.select(pk=key_text([rows[c] for c in key]), hash=sha256_text(form(text(rows[column])))).semi_join(
            lists[kind], "hash"
        )
        for column, kind in columns.items()
        if kind in lists
        for form in _FORMS[kind]
    ]
    sent = plan.filter(plan["op"].notin(REMOVING))
    return sent.semi_join(union(*(piece.select("pk") for piece in pieces)), "pk") if pieces else sent.limit(0)
