"""What an incremental plan looks at: the rows in motion and their records, and as little else as can be.

A version or a state is read in full only where the ledger does not tell which of it matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.desired import ids, touched_rows
from engine.core.relations import union
from engine.core.state import live
from engine.core.touched import ids_are_keys, keyed_rows, moving, touched_ids, touched_keys
from engine.segments.compute import Session
from engine.steps.facts import Sync


@dataclass(frozen=True, slots=True)
class Narrowed:
    """``rows`` of the version and records ``held`` that a comparison looks at, and ``identities`` that may collide."""

    rows: Table
    held: Table
    identities: Table


def narrowed(
    session: Session,
    sync: Sync,
    rows: Table,
    layers: Sequence[Table],
    delivered: Table,
    changed: Table,
    newer: Table | None,
) -> Narrowed:
    """Narrow a version's ``rows`` and a state, ``layers`` or ``delivered``, to what ``changed.pk`` and unsettled records touch.

    ``newer`` has the rows of the version among ``changed``; None where nobody has put them together.
    """
    key, shape = sync.dataset.schema.key, sync.mapping.shape
    if ids_are_keys(shape, key):
        touched = session.cached(touched_keys(changed, delivered))
        source = rows if newer is None or _lacks(session, changed, touched) else newer
        near = session.named(keyed_rows(source, key, touched))
        return Narrowed(near, _held(session, layers, touched), ids(near, shape, key))
    identities = ids(rows, shape, key)
    in_motion = session.cached(moving(changed, identities, delivered))
    touched = session.cached(touched_ids(in_motion, identities, delivered))
    near = touched_rows(rows, shape, key, touched, in_motion)
    without_id = identities.filter(identities.id.isnull())
    return Narrowed(near, _held(session, layers, touched), union(identities.semi_join(touched, "id"), without_id))


def _held(session: Session, layers: Sequence[Table], touched: Table) -> Table:
    return session.cached(live([layer.semi_join(touched, "id") for layer in layers]))


def _lacks(session: Session, changed: Table, touched: Table) -> bool:
    """Whether rows are touched that did not change."""
    more = touched.filter(touched.id.notin(changed.pk))
    return bool(session.single(more.aggregate(n=more.count()))["n"])
