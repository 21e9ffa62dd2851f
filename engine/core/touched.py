"""Which records a comparison must look at when only some rows changed."""

from __future__ import annotations

from collections.abc import Sequence

from ibis.expr.types import Table

from engine.core.canonical import key_text
from engine.core.desired import Mapping
from engine.core.preparation import AS_IT_IS
from engine.core.relations import union
from engine.core.remembered import remembered


@remembered
def moving(changed_pks: Table, identities: Table, delivered: Table) -> Table:
    """Primary keys, as text, of rows in motion: those that changed, and those with a record that is not settled.

    That is one of which something is owed or unknown, and one whose row in the version (``identities``: ``id`` and
    ``pk``) does not have its id any more: another row may have taken it over with equal values, of which nothing was
    sent and nothing remembered, and may since be gone as well.
    """
    unsettled = delivered.filter(delivered.owed | delivered.unknown).select("pk")
    stray = delivered.anti_join(identities, ["id", "pk"]).select("pk")
    return union(changed_pks.select("pk"), unsettled, stray, distinct=True)


@remembered
def touched_ids(moving: Table, identities: Table, delivered: Table) -> Table:
    """Ids that an incremental comparison must look at: all that a row in motion has, or had when it was delivered.

    ``identities`` are ``id`` and ``pk`` of the version. A removal that is owed needs a look at the id that its row has
    now, to tell a record that moved from one that is gone.
    """
    now = identities.semi_join(moving, "pk").select("id")
    before = delivered.semi_join(moving, "pk").select("id")
    every = union(now, before, distinct=True)
    return every.filter(every.id.notnull())


def ids_are_keys(mapping: Mapping, key: Sequence[str]) -> bool:
    """Whether a record's id is its row's primary key: no other row can ever have it, and every row has one."""
    as_they_are = all(part.prepare == AS_IT_IS for part in mapping.match)
    return as_they_are and [part.column for part in mapping.match] == list(key)


@remembered
def touched_keys(changed_pks: Table, delivered: Table) -> Table:
    """`touched_ids` where `ids_are_keys`: found without a look at the version, for a row's id changes with the row only.

    Of a record that an earlier mapping named otherwise, both its id and its row's are among them.
    """
    unsettled = delivered.filter(delivered.owed | delivered.unknown).select(id="pk")
    moving = union(changed_pks.select(id="pk"), unsettled, distinct=True)
    records = delivered.filter(delivered.pk.isin(moving.id) | delivered.id.isin(moving.id))
    return union(moving, records.select("id"), records.select(id="pk"), distinct=True)


@remembered
def keyed_rows(rows: Table, key: Sequence[str], touched: Table) -> Table:
    """The rows of a version whose primary key, as text, is among ``touched.id``."""
    return rows.filter(key_text([rows[c] for c in key]).isin(touched.id))
