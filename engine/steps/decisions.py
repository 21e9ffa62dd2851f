"""Consent decisions that were taken here, one at a time or by a list, beside the registers that datasets hold.

A decision is a row of a segment, and an event names the segments that hold all of them: whom a decision is about stands
in no event. It counts from the moment of its event on, also for a run that is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.expr.types import Table

from engine.core.consent import Status
from engine.core.events import ConsentDecided, SegmentsErased
from engine.core.named_segments import named_segments
from engine.core.names import CONSENT_STREAM, Position, SegmentRef
from engine.core.relations import union
from engine.ledger.projections.replaced import erased_through
from engine.segments.compute import Session
from engine.steps.anchors import check_anchors, drop_anchor
from engine.steps.erase_segments import (
    People,
    commit_rewritten,
    dropping,
    kept_segments,
    nobody,
    remove_old,
    rewritten,
)
from engine.steps.erased import Erased, erased
from engine.steps.facts import Tools
from engine.steps.races import raced

CONSENT_ANCHOR = "consent"
FOLDER = "consent/decisions"
SEGMENTS_MAX = 16
"""Segments before they are merged into one."""
ATTEMPTS_MAX = 10

DECISIONS = pa.schema(
    [
        ("subject", pa.string()),
        ("purpose", pa.string()),
        ("status", pa.string()),
        ("legal_basis", pa.string()),
        ("collected_at", pa.timestamp("us", "UTC")),
        ("expires_at", pa.timestamp("us", "UTC")),
        ("source", pa.string()),
        ("receipt_id", pa.string()),
        ("channel", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What the ledger says of decisions that were recorded, where they stand, and what they are about."""

    event: ConsentDecided
    segment: SegmentRef
    purposes: tuple[str, ...]


def decide(tools: Tools, rows: Iterable[pa.RecordBatch], origin: str) -> Decided:
    """Record decisions, which are rows of `DECISIONS`, in constant memory; returns when all of them are durable.

    ``origin`` says how they came. Raises `LedgerRegressed` when the ledger may not be written to, and whatever ``rows``
    raises; then none is recorded.
    """
    check_anchors(tools)
    purposes: set[str] = set()
    granted = 0
    with (
        tools.storage.writing(FOLDER, tools.entropy.token(8)) as draft,
        pq.ParquetWriter(draft.local, DECISIONS, compression="zstd") as writer,
    ):
        for batch in rows:
            known = _known(tools, pa.Table.from_batches([batch])).cast(DECISIONS)
            granted += pc.sum(pc.equal(known["status"], Status.GRANTED.value), min_count=0).as_py()
            purposes.update(pc.unique(batch["purpose"]).to_pylist())
            writer.write_table(known)

    def appended() -> ConsentDecided:
        head, before = _newest(tools)
        event = ConsentDecided(
            segments=_stacked(tools, (*before, draft.ref)),
            origin=origin,
            granted=granted,
            refused=draft.ref.rows - granted,
        )
        tools.ledger.append(CONSENT_STREAM, event, expected=head)
        return event

    event = raced(appended, ATTEMPTS_MAX)
    drop_anchor(tools, CONSENT_ANCHOR, CONSENT_STREAM)
    return Decided(event, draft.ref, tuple(sorted(purposes)))


def decisions_head(tools: Tools) -> Position:
    """How many times decisions were recorded; 0 when never."""
    return tools.ledger.head(CONSENT_STREAM)


def decided(tools: Tools, session: Session) -> Table | None:
    """Every decision that was recorded; None when there is none."""
    _, segments = _newest(tools)
    return decided_in(tools, session, segments)


def decided_in(tools: Tools, session: Session, segments: Sequence[SegmentRef]) -> Table | None:
    """The decisions of some segments, each of which may lack columns that are younger than it; None when there are none."""
    tables = [session.table(tools.storage.local(ref)) for ref in segments]
    columns = ibis.Schema.from_pyarrow(DECISIONS)
    shaped = [
        table.select(**{n: table[n] if n in table.columns else ibis.null(kind) for n, kind in columns.items()})
        for table in tables
    ]
    return union(*shaped) if shaped else None


def _newest(tools: Tools) -> tuple[Position, tuple[SegmentRef, ...]]:
    head = tools.ledger.head(CONSENT_STREAM)
    for recorded in tools.ledger.tail(1, CONSENT_STREAM, ConsentDecided):
        assert isinstance(recorded.event, ConsentDecided)
        return head, recorded.event.segments
    return head, ()


def _known(tools: Tools, rows: pa.Table) -> pa.Table:
    """The decisions that may be kept: nothing is written down again about somebody who is forgotten."""
    people = erased(tools)
    if people is None:
        return rows
    marks = frozenset(people.tombstones)
    allowed = [people.key.tombstone(s) not in marks for s in rows.column("subject").to_pylist()]
    return rows.filter(pa.array(allowed, pa.bool_()))


def erase_decisions(tools: Tools, people: Erased) -> int:
    """Write the decisions again without these people; returns how many segments. Nothing when it was done already."""
    if erased_through(tools.database, CONSENT_STREAM) >= people.through:
        return 0
    return raced(lambda: _erase_decisions(tools, people), ATTEMPTS_MAX)


def _erase_decisions(tools: Tools, people: Erased) -> int:
    head = tools.ledger.head(CONSENT_STREAM)
    if not head:
        return 0
    named = (ref for fact in tools.ledger.read(CONSENT_STREAM) for ref in named_segments(fact.event))
    kept = kept_segments(tools, named)
    with tools.compute.session() as session:
        texts = [rows.select("subject") for rows in session.groups(tools.storage.local(ref) for ref in kept)]
        who = people.among(session, union(*texts, distinct=True)) if texts else nobody(session).subjects
        mine = People(who, nobody(session).keys).of_subject
        segments = list(rewritten(tools, session, kept, mine, dropping(mine)))
    commit_rewritten(tools, CONSENT_STREAM, SegmentsErased(through=people.through, segments=tuple(segments)), head)
    drop_anchor(tools, CONSENT_ANCHOR, CONSENT_STREAM)
    remove_old(tools, segments)
    return len(segments)


def _stacked(tools: Tools, segments: tuple[SegmentRef, ...]) -> tuple[SegmentRef, ...]:
    """The segments, as one when they became many; nothing is left out, for the history is the proof."""
    if len(segments) <= SEGMENTS_MAX:
        return segments
    with (
        tools.storage.writing(FOLDER, f"{tools.entropy.token(8)}-merged") as draft,
        pq.ParquetWriter(draft.local, DECISIONS, compression="zstd") as writer,
    ):
        for ref in segments:
            with pq.ParquetFile(tools.storage.local(ref)) as part:
                for batch in part.iter_batches():
                    writer.write_batch(whole(batch))
    return (draft.ref,)


def whole(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Decisions with every column of `DECISIONS`, and nothing in those that they lack."""
    columns = [
        batch.column(field.name) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in DECISIONS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=DECISIONS)
