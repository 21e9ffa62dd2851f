"""Which records a comparison must look at when only some rows changed."""

from __future__ import annotations

from ibis.expr.types import Table

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
