"""What of a sync is not kept any more, what is known of it still, and how that is said to who asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ibis.expr.types import Table

from engine.core.events import PlansDropped
from engine.core.names import SyncId, sync_stream
from engine.errors import ConfigurationError
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.ledger.recorded import told
from engine.segments.compute import Session
from engine.steps.facts import Tools


@dataclass(frozen=True, slots=True)
class Gone:
    """Files of a sync that are not kept any more, by path, and the newest event that said so; None where none did."""

    last: PlansDropped | None
    paths: frozenset[str]

    @property
    def since(self) -> datetime | None:
        """From when on everything is kept; None where nothing was dropped."""
        return datetime.fromisoformat(self.last.since) if self.last else None

    def holds(self, row: RunRow) -> bool:
        """Whether what a run planned is not kept any more."""
        return row.segment is not None and row.segment.path in self.paths


def gone_of(tools: Tools, sync: SyncId) -> Gone:
    """What was dropped of a sync."""
    found = [fact.event for fact in told(tools.database, sync_stream(sync), PlansDropped)]
    events = [event for event in found if isinstance(event, PlansDropped)]
    return Gone(
        last=events[-1] if events else None,
        paths=frozenset(ref.path for event in events for ref in event.segments),
    )


def kept_plans(tools: Tools, sync: SyncId) -> Iterator[RunRow]:
    """Every run whose plan is kept, oldest first; each has a segment."""
    gone = gone_of(tools, sync)
    for row in runs.history(tools.database, sync):
        if row.segment is not None and not gone.holds(row):
            yield row


def plans_since(tools: Tools, sync: SyncId, gone: Gone) -> Iterator[RunRow]:
    """The runs of which `sent_before` says nothing, newest first; each has a segment."""
    for row in runs.history(tools.database, sync, newest_first=True):
        if gone.last is not None and row.run == gone.last.through:
            return
        if row.segment is not None and not gone.holds(row):
            yield row


def sent_before(tools: Tools, session: Session, gone: Gone) -> Table | None:
    """What is known of every record that was sent by a run up to the one which `Gone.last` names, as `engine.steps.sent` has it."""
    return None if gone.last is None else session.table(tools.storage.local(gone.last.sent))


def sent_unkept(tools: Tools, session: Session, gone: Gone) -> Table | None:
    """Those of `sent_before` that were sent last by a run whose plan is not kept any more."""
    sent = sent_before(tools, session, gone)
    return None if sent is None or gone.last is None else sent.filter(~sent.run.isin(list(gone.last.kept)))


def plans_not_kept(sync: SyncId, gone: Gone, what: str) -> ConfigurationError:
    """What is said to who asks for ``what``, which was dropped."""
    assert gone.last is not None, "something was dropped"
    return ConfigurationError(
        f"{what} is not kept any more: everything of {sync} is since {gone.last.since}, by a rule to keep {gone.last.rule}",
        safe="Nothing was changed. The counts and digests stand in the ledger; the rows are gone.",
        next=f"`tidegate runs {sync}` lists the runs; `retain` in the sync's file says how many are kept",
    )
