"""Adopt: record a version as delivered although nothing was sent, for a destination that another tool has filled.

It is the ordinary plan under the ordinary gates; only its end differs, so that what it says of each record is looked at
before. What it would remove is not adopted: that stays owed to the next run.
"""

from __future__ import annotations

from dataclasses import replace

import ibis
from ibis.expr.types import Table

from engine.core.canonical import digest_of
from engine.core.compare import ADOPTION
from engine.core.consent_rule import REMOVING
from engine.core.events import PlanMade, StateFolded
from engine.core.names import SegmentRef, plan_id
from engine.core.outcome import RunStatus
from engine.core.state import folded
from engine.errors import ConfigurationError
from engine.ledger.projections import states
from engine.segments.compute import ORDINAL, Session
from engine.steps.aim import superseded
from engine.steps.facts import Sync
from engine.steps.fold import Settlement, remember, stacked
from engine.steps.trip import Made, Trip


def adoption(why: str) -> Made:
    """The plan as one that is adopted, ``why`` a person said: an approval of the one allows nothing of the other."""

    def adopted(planned: PlanMade) -> PlanMade:
        digest = digest_of([ADOPTION, planned.digest])
        reason = f"{planned.reason}; adopted: {why}" if why else planned.reason
        return replace(planned, comparison=ADOPTION, digest=digest, plan=plan_id(digest), reason=reason)

    return adopted


def refuse_rehearsal(sync: Sync) -> None:
    """Where nothing is sent, nothing is recorded as delivered either; raises `ConfigurationError`."""
    if sync.target.record_only:
        raise ConfigurationError(
            "This environment records what would be sent and sends nothing (deliver: record)",
            safe="Nothing was changed.",
            next="adopt in the environment that delivers",
        )


def adopt(trip: Trip, session: Session, planned: PlanMade, segment: SegmentRef, under: Settlement) -> None:
    """From a plan that nobody needs to approve any more to the end of its run."""
    given_up = superseded(trip.tools, trip.sync, planned)
    if given_up:
        trip.finish(RunStatus.CANCELLED, given_up, planned.version)
        return
    with trip.timed("fold"):
        event = _state_after(trip, session, segment, under)
        remember(trip.tools, trip.sync, event, fence=trip.fence)
    finish_adopted(trip, planned)


def finish_adopted(trip: Trip, planned: PlanMade) -> None:
    """Record the end of a run whose plan was adopted."""
    records = planned.inserts + planned.updates
    left = f"; {planned.deletes:,} removals are owed to the next run" if planned.deletes else ""
    said = f"{records:,} records are recorded as delivered, and nothing was sent{left}"
    trip.finish(RunStatus.SUCCEEDED, said, planned.version)


def _state_after(trip: Trip, session: Session, segment: SegmentRef, under: Settlement) -> StateFolded:
    tools, sync = trip.tools, trip.sync
    before = states.current(tools.database, sync.id)
    numbered = session.numbered(tools.storage.local(segment))
    rows = session.cached(folded(numbered, _not_adopted(numbered), ORDINAL))
    layers = before.segments if before else ()
    return StateFolded(
        run=trip.run,
        sync=sync.id,
        segments=stacked(tools, session, sync.id, trip.run, layers, rows),
        version=under.version,
        mapping=under.mapping,
        place=under.place,
        registers=under.registers,
        consent_until=under.consent_until,
        delivered=0,
        owed=int(session.single(rows.aggregate(n=rows.count(where=rows.owed)))["n"]),
    )


def _not_adopted(numbered: Table) -> Table:
    removals = numbered.filter(numbered["op"].isin(REMOVING))
    return removals.select(ordinal=removals[ORDINAL], outcome=ibis.literal("failed"), uncertain=ibis.literal(False))
