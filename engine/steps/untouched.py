"""What a run without changes leaves alone: records that are held as they should be, and those that wait.

The latter's payload was rejected too often, or their outcome is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.plan import waits_in_doubt
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools


@dataclass(frozen=True, slots=True)
class Untouched:
    """``held`` counts records of which nothing is owed; ``set_aside`` those that wait for other values or for a person."""

    held: int = 0
    set_aside: int = 0


def untouched(tools: Tools, session: Session, sync: Sync) -> Untouched:
    """The counts of the delivered state as it stands; records that a person gave up are in neither."""
    state = states.current(tools.database, sync.id)
    if state is None or not state.segments:
        return Untouched()
    rows = state_rows(tools, session, state)
    doubts = waits_in_doubt(sync.rules, rows.unknown, rows.attempts)
    waiting = (rows.owed & (rows.attempts >= sync.max_attempts)) | doubts
    settled = rows.acked & ~rows.owed & ~rows.unknown
    found = session.single(rows.aggregate(held=rows.count(where=settled), waiting=rows.count(where=waiting)))
    return Untouched(int(found["held"]), int(found["waiting"]))
