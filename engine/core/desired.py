"""Desired state: what a destination should hold for one version, under one mapping and today's consent."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import ibis
from ibis.expr.types import Column, StringColumn, Table

from engine.core.canonical import digest_of, fragment, key_text, object_text, text
from engine.core.classification import INTERNAL, Classification
from engine.core.consent_rule import ConsentRule, OnWithdrawal
from engine.core.names import Digest
from engine.core.preparation import AS_IT_IS, RULES, Preparation, prepared
from engine.core.remembered import remembered
from engine.core.schema import LogicalType

FIELD = "f:"
"""Prefix of the columns that hold a field's JSON text; null means that the field is not part of the payload."""


class Mode(StrEnum):
    """What a sync does to its object; see PROJECT.md."""

    UPSERT = "upsert"
    UPDATE = "update"
    INSERT = "insert"
    MIRROR = "mirror"


class Refusal(StrEnum):
    """Why a row is not part of desired state although the dataset holds it."""

    CONSENT = "consent"
    ERASURE = "erasure"
    SUPPRESSED = "suppressed"


class OnNull(StrEnum):
    """What a null means to the destination."""

    CLEAR = "clear"
    SKIP = "skip"


class FieldType(StrEnum):
    """What a field is sent as when the column's own type will not do."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"


CONVERSIONS: MappingOf[FieldType, frozenset[LogicalType]] = {
    FieldType.STRING: frozenset(LogicalType),
    FieldType.NUMBER: frozenset({LogicalType.INTEGER, LogicalType.DECIMAL, LogicalType.DOUBLE, LogicalType.NUMBER}),
    FieldType.INTEGER: frozenset({LogicalType.INTEGER}),
    FieldType.BOOLEAN: frozenset({LogicalType.BOOLEAN}),
    FieldType.DATE: frozenset({LogicalType.DATE, LogicalType.TIMESTAMP}),
    FieldType.TIMESTAMP: frozenset({LogicalType.TIMESTAMP}),
    FieldType.TIME: frozenset({LogicalType.TIME}),
}
"""Conversions that lose nothing a reader would miss; any other must be made in the source."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One destination field: from which column, as which type, and what null means.

    ``classification`` is what leaves: the column's, or what the project lowers it to when only a hash does.
    """

    target: str
    column: str
    type: FieldType | None = None
    on_null: OnNull = OnNull.CLEAR
    classification: Classification = INTERNAL
    prepare: Preparation = AS_IT_IS


@dataclass(frozen=True, slots=True)
class MatchKey:
    """One part of the destination's key, as `FieldMapping` has it."""

    target: str
    column: str
    classification: Classification = INTERNAL
    prepare: Preparation = AS_IT_IS


@dataclass(frozen=True, slots=True)
class Mapping:
    """How rows become records; ``match`` is the destination's key, in order."""

    object: str
    mode: Mode
    match: tuple[MatchKey, ...]
    fields: tuple[FieldMapping, ...]
    consent: ConsentRule | None = None
    person: str | None = None
    """The column that says whom a row is about, where nobody's consent is asked; None when it is about nobody."""

    @property
    def subject(self) -> str | None:
        """The column that says whom a row is about."""
        return self.consent.subject if self.consent else self.person

    @property
    def leaving(self) -> tuple[MatchKey | FieldMapping, ...]:
        """Everything that leaves: the parts of the key count as fields."""
        return (*self.match, *self.fields)

    @property
    def shape(self) -> Mapping:
        """What of it says how a record is made; syncs that differ in nothing else are planned by the same expressions."""
        return replace(self, object="")

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(field.target for field in self.fields)


def mapping_digest(mapping: Mapping) -> Digest:
    """Changes exactly when the same row may give another record."""
    consent = _consent_parts(mapping.consent) if mapping.consent else None
    fields = [[f.target, f.column, f.type, f.on_null, *_prepared_as(f.prepare)] for f in mapping.fields]
    match = [[m.target, m.column, *_prepared_as(m.prepare)] for m in mapping.match]
    return digest_of([mapping.object, mapping.mode, match, fields, consent])


def _consent_parts(rule: ConsentRule) -> list[object]:
    """What decides who is sent and what becomes of the others; a plain rule keeps the digest that it always had."""
    asked: list[object] = [rule.purposes[0] if len(rule.purposes) == 1 else [rule.policy, *rule.purposes], rule.subject]
    more: list[object] = [rule.channel, rule.on_withdrawal]
    return asked if more == [None, OnWithdrawal.DELETE] else [*asked, *more]


def _prepared_as(preparation: Preparation) -> list[str | int | None]:
    """Nothing for a value that leaves as it is, so that a sync that prepares none keeps its digest."""
    return [] if preparation == AS_IT_IS else [preparation.normalise, preparation.hash, RULES]


@remembered
def desired(
    rows: Table, mapping: Mapping, key: Sequence[str], granted: Table | None, barred: Table | None = None
) -> Table:
    """One record per row: ``id``, ``pk``, ``key``, ``allowed``, ``refusal``, ``subject``, ``basis``, a `FIELD` column per field.

    ``granted`` has distinct texts ``subject`` with the ``basis``, the decisions that grant, and is required when the
    mapping has a consent rule. ``barred`` has distinct ``pk`` of rows that must not be sent whatever consent says, with the
    ``reason``. ``allowed`` is false for rows that the one does not name and the other does, and ``refusal`` then says why.
    ``id`` is null when a match column is; ``basis`` is null where nobody needs to be asked.
    """
    subject = ibis.null("string") if mapping.subject is None else text(rows[mapping.subject])
    rows = rows.mutate(_of=subject, _pk=key_text([rows[c] for c in key]))
    no_consent, basis = ibis.literal(False), ibis.null("string")
    if mapping.consent is not None:
        assert granted is not None, "a consent rule needs the granted subjects"
        subjects = granted.select(_subject=granted.subject, _basis=granted.basis)
        rows = rows.left_join(subjects, rows["_of"] == subjects["_subject"])
        no_consent, basis = rows["_subject"].isnull(), rows["_basis"]
    refusal = no_consent.ifelse(Refusal.CONSENT.value, ibis.null("string"))
    if barred is not None:
        rows = rows.mutate(_refusal=refusal, _proof=basis)
        bars = barred.select(_barred=barred.pk, _reason=barred.reason)
        rows = rows.left_join(bars, rows["_pk"] == bars["_barred"])
        refusal, basis = ibis.coalesce(rows["_reason"], rows["_refusal"]), rows["_proof"]
    match = _match_values(rows, mapping)
    key_object = object_text([part.target for part in mapping.match], [fragment(c) for c in match])
    fields = {FIELD + f.target: _field(rows[f.column], f) for f in mapping.fields}
    return rows.select(
        id=key_text(match),
        pk=rows["_pk"],
        key=key_object,
        allowed=refusal.isnull(),
        refusal=refusal,
        subject=rows["_of"],
        basis=basis,
        **fields,
    )


@remembered
def ids(rows: Table, mapping: Mapping, key: Sequence[str]) -> Table:
    """Only ``id`` and ``pk`` of every row: the cheap part of `desired`."""
    return rows.select(id=key_text(_match_values(rows, mapping)), pk=key_text([rows[c] for c in key]))


@remembered
def touched_rows(rows: Table, mapping: Mapping, key: Sequence[str], touched: Table, moving: Table) -> Table:
    """The rows in motion (``moving.pk``) and those whose `desired` id is among ``touched.id``.

    A row in motion may have no id any more, and still says whether its subject consents. Nothing is rendered for others.
    """
    match = key_text(_match_values(rows, mapping))
    return rows.filter(match.isin(touched.id) | key_text([rows[c] for c in key]).isin(moving.pk))


@remembered
def totals(records: Table) -> Table:
    """One row over the result of `desired`: ``rows``, ``consenting`` ones, and ``deliverable`` ones that have an id too."""
    return records.aggregate(
        rows=records.count(),
        consenting=records.count(where=records.allowed),
        deliverable=records.count(where=records.allowed & records.id.notnull()),
    )


def _match_values(rows: Table, mapping: Mapping) -> list[Column]:
    return [prepared(rows[part.column], part.prepare) for part in mapping.match]


def _field(column: Column, field: FieldMapping) -> StringColumn:
    column = prepared(column, field.prepare)
    match field.type:
        case FieldType.STRING:
            rendered = fragment(text(column))
        case FieldType.DATE:
            rendered = fragment(column.cast("date"))
        case _:
            rendered = fragment(column)
    return rendered if field.on_null is OnNull.SKIP else rendered.fill_null("null")
