"""Reconcile: what a destination really holds of a sync, compared with what it acknowledged.

Only records that the sync delivered are asked about, never a stranger's. A reading that is not whole is none: whatever
cannot be read ends it with an error before anything is written.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table

from destinations.base import Found, ReadBack
from engine.core.desired import Mode, desired
from engine.core.drift import Difference, is_known, must_be_gone, must_be_there
from engine.core.events import DestinationRead
from engine.core.names import reading_stream, sync_stream
from engine.core.resync import Scope
from engine.delivery.batches import Slice, slices
from engine.delivery.pacer import Pacer
from engine.delivery.reach import reach
from engine.delivery.reading import Account, Reader
from engine.delivery.transport import HttpTransport, TransportLimits
from engine.errors import Busy, ConfigurationError, DestinationError, Interrupted
from engine.ledger.log import Fence
from engine.ledger.projections import runs
from engine.owner_only import make_folder
from engine.segments.compute import BATCH_ROWS, Session
from engine.steps.consent import NO_PREVIEW, consent_now
from engine.steps.deliver import account_budget, account_seats
from engine.steps.facts import Sync, Tools
from engine.steps.keep_out import kept_out

_SPOOLED = pa.schema([("id", pa.string())])


@dataclass(frozen=True, slots=True)
class Reconcile:
    """The records that the destination does not hold as they were delivered; of each difference so many ``examples``."""

    examples: int = 3
    is_stopped: Callable[[], bool] = lambda: False
    """Asked before each call; a person may not want to wait for all of them."""
    scope = Scope.RECONCILE


@dataclass(frozen=True, slots=True)
class Example:
    """One record that differs; ``delivered`` and ``there`` have the differing fields as JSON text, which may be personal."""

    difference: Difference
    id: str
    delivered: Mapping[str, str]
    there: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """What a reading found: of ``compared`` records how many differ in which way, and how many in each field.

    ``left_out`` counts records that were sent without anybody knowing the outcome, or that were unsubscribed: what should
    be there of them is not known. ``ids`` has the differing records, and is valid as long as the session.
    """

    compared: int
    left_out: int
    counts: Mapping[Difference, int]
    fields: Mapping[str, int]
    calls: int
    ids: Table = field(repr=False)
    examples: tuple[Example, ...] = field(repr=False)


def drift(
    tools: Tools, session: Session, sync: Sync, wanted: Reconcile, rows: Table, held: Table, lost: Table
) -> Drift:
    """Read back what is ``held`` and what was ``lost``, under today's consent over the ``rows`` of the wanted version.

    Raises `DestinationError` when not all of it can be read, `Interrupted` when a person stopped it.
    """
    there = must_be_there(held, _sendable(tools, session, sync, rows), _compared_fields(sync))
    known = session.single(held.aggregate(known=held.count(where=is_known(held)), n=held.count(where=_holds(held))))
    make_folder(tools.compute.spill)
    with tempfile.TemporaryDirectory(dir=tools.compute.spill) as folder:
        path = Path(folder, "drift.parquet")
        with pq.ParquetWriter(path, _SPOOLED) as writer:
            findings = _Findings(writer, wanted.examples)
            blocks = (block for part in (there, must_be_gone(lost)) for block in session.stream(part, BATCH_ROWS))
            asyncio.run(_read(tools, sync, wanted, blocks, findings))
        ids = session.cached(session.table(path))
    return Drift(
        compared=findings.compared,
        left_out=int(known["n"]) - int(known["known"]),
        counts={difference: findings.counts[difference] for difference in Difference},
        fields=dict(sorted(findings.fields.items())),
        calls=findings.calls,
        ids=ids,
        examples=tuple(findings.examples),
    )


def note(tools: Tools, sync: Sync, found: Drift, fence: Fence) -> None:
    """Let the ledger know what a reading found; it stands beside the folds, whose number means what was delivered."""
    event = DestinationRead(
        sync=sync.id,
        compared=found.compared,
        left_out=found.left_out,
        missing=found.counts[Difference.MISSING],
        changed=found.counts[Difference.CHANGED],
        present=found.counts[Difference.PRESENT],
        fields=dict(found.fields),
        calls=found.calls,
    )
    tools.ledger.append(reading_stream(sync.id), event, fence=fence)


@contextmanager
def undisturbed(tools: Tools, sync: Sync) -> Iterator[None]:
    """A look without the lease of the sync: raises `Busy` when a run delivered, or began to, while it was taken."""
    before = _stands(tools, sync)
    yield
    if before != _stands(tools, sync):
        raise Busy(
            f"A run of {sync.id} was under way while its destination was read, so what differs may be its work",
            safe="Nothing was changed.",
            next="ask again when it has ended",
        )


def _stands(tools: Tools, sync: Sync) -> tuple[int, str | None]:
    left = runs.unfinished(tools.database, sync.id)
    if left is not None:
        raise ConfigurationError(
            f"Run {left.run} of {sync.id} has not ended, so what its destination should hold is not known",
            safe="Nothing was changed.",
            next=f"`tidegate run {sync.id}` finishes it; then ask again",
        )
    last = next(iter(runs.history(tools.database, sync.id, newest_first=True)), None)
    return tools.ledger.head(sync_stream(sync.id)), last.run if last else None


def _holds(held: Table) -> Any:  # a boolean expression
    return held.acked | held.unknown


def _sendable(tools: Tools, session: Session, sync: Sync, rows: Table) -> Table:
    """``id`` of the records that may be sent today: of all others nothing leaves but the key, as for a removal."""
    consent, out = consent_now(tools, session, sync, NO_PREVIEW), kept_out(tools, session, sync, rows)
    records = desired(rows, sync.mapping.shape, sync.dataset.schema.key, consent.subjects, out.rows)
    if out.lists is not None and out.lists.columns is None:
        records = records.limit(0)
    return session.cached(records.filter(records.allowed & records.id.notnull()).select("id").distinct())


def _compared_fields(sync: Sync) -> frozenset[str]:
    """The fields that the sync keeps as they are; an insert never changes one, and the clearance may be lower than it was."""
    if sync.mapping.mode is Mode.INSERT:
        return frozenset()
    return frozenset(f.target for f in sync.mapping.fields if f.classification.rank <= sync.target.clearance.rank)


class _Findings:
    """What the answers come to; the ids of what differs go to a file, so that memory does not grow with them."""

    def __init__(self, writer: pq.ParquetWriter, examples_max: int) -> None:
        self._writer = writer
        self._examples_max = examples_max
        self.calls = 0
        self.compared = 0
        self.counts: Counter[Difference] = Counter()
        self.fields: Counter[str] = Counter()
        self.examples: list[Example] = []

    def take(self, rows: Slice, answer: ReadBack) -> None:
        """Compare one batch with what was found of it."""
        self.calls += 1
        self.compared += rows.cut.count
        found = {one.id: one for one in answer.found}
        ids = rows.rows.column("id").to_pylist()
        differing: list[str] = []
        for place, id in enumerate(ids):
            difference = _difference(rows.op, found.get(id))
            if difference is None:
                continue
            differing.append(id)
            differences = found[id].differing if id in found else {}
            self.fields.update(differences.keys())
            if self.counts[difference] < self._examples_max:
                delivered = json.loads(rows.rows.column("fields")[place].as_py(), parse_float=Decimal)
                self.examples.append(_example(difference, id, delivered, differences))
            self.counts[difference] += 1
        if differing:
            self._writer.write_table(pa.table({"id": pa.array(differing, pa.string())}))


def _difference(op: str, found: Found | None) -> Difference | None:
    if op == "delete":
        return None if found is None else Difference.PRESENT
    if found is None:
        return Difference.MISSING
    return Difference.CHANGED if found.differing else None


def _example(difference: Difference, id: str, delivered: Mapping[str, Any], differing: Mapping[str, Any]) -> Example:
    names = differing if difference is Difference.CHANGED else delivered
    shown = {name: _shown(delivered[name]) for name in names if name in delivered}
    return Example(difference, id, shown, {name: _shown(value) for name, value in differing.items()})


def _shown(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)


async def _read(
    tools: Tools, sync: Sync, wanted: Reconcile, blocks: Iterable[pa.RecordBatch], findings: _Findings
) -> None:
    target = sync.target
    destination, limits = target.destination, target.limits_for(0)
    pacer = Pacer(account_budget(tools, sync), tools.clock, {*target.paces, *target.quotas})
    transport = HttpTransport(
        pacer,
        tools.clock,
        TransportLimits(connections=1),
        exhausted_for=destination.exhausted_for,
        reach=reach(destination),
    )
    seats = account_seats(tools, sync)
    account = Account(destination, transport, pacer, seats, tools.clock, tools.entropy, sync.retry)
    reader = Reader(account, sync=sync.id, object=sync.mapping.object)
    try:
        for number, part in enumerate(slices(blocks, first=0, records=limits.records, size=limits.bytes), start=1):
            if wanted.is_stopped():
                raise Interrupted(f"The reading of {target.name} was stopped", safe="Nothing was changed.")
            answer = await reader.read(part, number)
            if not isinstance(answer, ReadBack):
                raise DestinationError(
                    f"{target.name} cannot be read back whole: {answer.message} ({answer.code})",
                    where=f"sync {sync.id}",
                    safe="Nothing was changed.",
                    next=f"`tidegate destination check {target.name}` tries the connection; then ask again",
                )
            findings.take(part, answer)
    finally:
        await seats.close()
        await pacer.close()
        await transport.close()
        await destination.close()
