"""Lineage: from a column of a source through a dataset and a sync to a field of a destination, as plain values.

Which file says what is for the service to find out; here is only what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Known(StrEnum):
    """How much is known of where a column's values come from."""

    AS_IT_IS = "as it is"
    COMPUTED = "computed"
    """A query computes it of the columns that are named."""
    FROM_A_QUERY = "from a query"
    """A query gives it, and only the tables that the query reads are known."""


class Role(StrEnum):
    """What a sync uses a column for."""

    MATCH = "match"
    FIELD = "field"
    CONSENT = "consent"
    """Its values say whom to ask for consent; they do not leave."""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a table as its connection names it."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column's values come from: the ``columns`` where they are known, and the ``tables`` that are read."""

    connection: str
    tables: tuple[str, ...]
    columns: tuple[SourceColumn, ...]
    known: Known


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a column by a sync; ``field`` is empty for what does not leave.

    ``form`` is what leaves of the values, empty where they leave as they are; ``classification`` is that of what leaves.
    """

    sync: str
    destination: str
    object: str
    role: Role
    field: str
    form: str
    classification: str


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """A column of a dataset: where it comes from, and everything that it is used for.

    ``marks`` say what it is within its dataset, such as its primary key.
    """

    column: str
    type: str
    classification: str
    marks: tuple[str, ...]
    origin: Origin
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class DatasetLineage:
    """A dataset under one contract major. ``asked_by`` are the syncs that rest on its decisions, where it is a register."""

    dataset: str
    owner: str
    contract: str
    columns: tuple[ColumnLineage, ...]
    asked_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Impact:
    """A sync that a change reaches: by which columns, as what, and in which fields of its object."""

    sync: str
    destination: str
    object: str
    dataset: str
    owner: str
    match: tuple[str, ...]
    fields: tuple[str, ...]
    consent: tuple[str, ...]
    rests_on_decisions: bool


def of_column(lineage: DatasetLineage, column: str) -> DatasetLineage:
    """Only what is about one column; nothing of it where the dataset has none of that name."""
    return replace(lineage, columns=tuple(c for c in lineage.columns if c.column == column))


def of_sync(lineage: DatasetLineage, sync: str) -> DatasetLineage:
    """Only the columns that one sync uses, and only for what it does."""
    mine = (replace(c, uses=tuple(use for use in c.uses if use.sync == sync)) for c in lineage.columns)
    return replace(lineage, columns=tuple(c for c in mine if c.uses))


def impacts(lineages: Iterable[DatasetLineage], *, whole: bool) -> tuple[Impact, ...]:
    """The syncs that a change of these columns reaches; of the ``whole`` of a register, also those that rest on it."""
    found: list[Impact] = []
    for lineage in lineages:
        uses = [(column.column, use) for column in lineage.columns for use in column.uses]
        found += (_impact(lineage, sync, uses) for sync in sorted({use.sync for _, use in uses}))
        if whole:
            found += (
                Impact(sync, "", "", lineage.dataset, lineage.owner, (), (), (), rests_on_decisions=True)
                for sync in lineage.asked_by
            )
    return tuple(found)


def _impact(lineage: DatasetLineage, sync: str, uses: list[tuple[str, Use]]) -> Impact:
    mine = [(column, use) for column, use in uses if use.sync == sync]
    _, first = mine[0]
    return Impact(
        sync=sync,
        destination=first.destination,
        object=first.object,
        dataset=lineage.dataset,
        owner=lineage.owner,
        match=tuple(_fields(mine, Role.MATCH)),
        fields=tuple(_fields(mine, Role.FIELD)),
        consent=tuple(column for column, use in mine if use.role is Role.CONSENT),
        rests_on_decisions=False,
    )


def _fields(uses: Iterable[tuple[str, Use]], role: Role) -> Iterator[str]:
    return (use.field for _, use in uses if use.role is role)
