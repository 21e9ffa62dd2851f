"""The last look before records leave: whose consent was taken back or has ended, and who is to be forgotten, since the plan.

Asked before each window and each call. That nothing was decided costs one query; otherwise the consent rule is evaluated
anew over the plan's own rows.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from ibis.expr.types import Table

from engine.core.consent_rule import REMOVING
from engine.core.names import (
    CONSENT_STREAM,
    ERASURE_STREAM,
    SUPPRESSION_STREAM,
    DatasetId,
    Position,
    SegmentRef,
    StreamId,
    VersionNumber,
    dataset_stream,
    halt_stream,
)
from engine.core.plan import unconsented
from engine.core.relations import union
from engine.delivery.allowance import Withheld
from engine.segments.compute import ORDINAL, Session
from engine.steps.consent import NO_PREVIEW, consent_now, register_versions
from engine.steps.erased import erased
from engine.steps.facts import Sync, Tools
from engine.steps.keep_out import kept_out_of_plan
from engine.steps.kept_rows import kept_rows, with_kept
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class Counted:
    """What a plan counted on: the version that it was made from, the state of every register, when the first consent ends."""

    registers: Mapping[str, int]
    until: str | None
    version: VersionNumber | None = None


NOTHING_COUNTED = Counted(MappingProxyType({}), None)


class LastMile:
    """Which rows of a plan may not leave any more.

    ``halting`` is told where the stream stands in which people pause the sync and cancel its runs: an intent rests on it as
    on consent, so that no window begins behind such a decision.
    """

    def __init__(
        self,
        tools: Tools,
        session: Session,
        sync: Sync,
        plan: SegmentRef,
        counted: Counted,
        halting: Callable[[Position], None] = lambda _head: None,
    ) -> None:
        self._tools = tools
        self._session = session
        self._sync = sync
        self._plan = plan
        self._counted = counted
        self._halting = halting
        self._halts = halt_stream(sync.id)
        self._withheld: list[int] = []
        self._heads: Mapping[StreamId, Position] | None = None
        self._looking = asyncio.Lock()
        registers = map(dataset_stream, _registers(sync))
        self._streams = (CONSENT_STREAM, ERASURE_STREAM, SUPPRESSION_STREAM, self._halts, *registers)

    async def withheld(self, first: int, last: int) -> Withheld:
        """The rows from ``first`` to ``last``, both included, whose subjects must not be sent any more.

        Raises `StorageError` when a register cannot be read: then nothing may leave.
        """
        async with self._looking:
            heads = await asyncio.to_thread(self._look)
        rows = self._withheld[bisect_left(self._withheld, first) : bisect_right(self._withheld, last)]
        return Withheld(rows, heads)

    def _look(self) -> Mapping[StreamId, Position]:
        heads, until = self._tools.ledger.heads(self._streams), self._counted.until
        self._halting(heads[self._halts])
        still_counts = until is None or self._tools.clock.now() < datetime.fromisoformat(until)
        if heads != self._heads or not still_counts:
            self._look_again(still_counts=still_counts)
            self._heads = heads
        return heads

    def _look_again(self, *, still_counts: bool) -> None:
        """Find out whom it is about, where anything was decided that the plan, or the look before, did not know."""
        now = register_versions(self._tools, self._sync, NO_PREVIEW)
        if still_counts and now == self._counted.registers:
            return
        with self._session.beside() as session:
            plan = session.numbered(self._tools.storage.local(self._plan))
            consent = consent_now(self._tools, session, self._sync, NO_PREVIEW)
            refused = [] if consent.subjects is None else [unconsented(plan, consent.subjects)]
            refused += self._barred(session, plan)
            self._withheld = _ordinals(session, refused)
        self._counted = replace(self._counted, registers=now, until=consent.until)

    def _barred(self, session: Session, plan: Table) -> list[Table]:
        """The rows that send something about somebody who must not be sent whatever consent says."""
        sent = plan.filter(plan["op"].notin(REMOVING))
        found = []
        if self._counted.version is not None:
            dataset = self._sync.dataset
            rows = snapshot_table(self._tools, session, dataset.id, self._counted.version)
            rows = with_kept(self._tools, session, self._sync, rows, kept_rows(self._tools, session, self._sync))
            found += kept_out_of_plan(self._tools, session, self._sync, plan, rows)
        if (people := erased(self._tools)) is not None:
            found.append(sent.semi_join(people.among(session, sent.select("subject").distinct()), "subject"))
        return found


def _registers(sync: Sync) -> list[DatasetId]:
    return [register.id for register in sync.registers]


def _ordinals(session: Session, refused: Sequence[Table]) -> list[int]:
    """The places in the plan of all these rows, in order."""
    if not refused:
        return []
    places = union(*(rows.select(ORDINAL) for rows in refused), distinct=True)
    found: list[int] = session.stream(places.order_by(ORDINAL)).read_all()[ORDINAL].to_pylist()
    return found
