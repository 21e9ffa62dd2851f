"""A plan's rows as the engine would send them: cut to a target's limits, and the batch that each slice becomes."""

from __future__ import annotations

from collections.abc import Iterator

from destinations.base import Batch, Op
from engine.core.split import idempotency_key
from engine.delivery.batches import BATCH_COLUMNS, Slice, slices
from engine.segments.compute import Session
from engine.steps.deliver import payloads_from
from engine.steps.delivery_log import Work
from engine.steps.facts import Sync, Tools


def slices_of(tools: Tools, session: Session, sync: Sync, work: Work) -> Iterator[Slice]:
    """The slices of a plan, in order."""
    limits = sync.target.limits_for(work.segment.rows)
    blocks = payloads_from(session, tools, work.segment, 0)
    return slices(blocks, first=0, records=limits.records, size=limits.bytes)


def batch_of(sync: Sync, work: Work, number: int, rows: Slice) -> Batch:
    """The batch of a slice, by its number from 1."""
    return Batch(
        sync=sync.id,
        object=sync.mapping.object,
        op=Op(rows.op),
        run=work.run,
        plan=work.plan,
        number=number,
        first=rows.cut.first,
        idempotency_key=idempotency_key(sync.id, work.digest, rows.cut),
        rows=rows.rows.select(list(BATCH_COLUMNS)),
    )
