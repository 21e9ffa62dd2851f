"""How many records of a sync are left alone because their payload was rejected too often, or their outcome is in doubt."""

from __future__ import annotations

from engine.core.plan import waits_in_doubt
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools


def set_aside(tools: Tools, session: Session, sync: Sync) -> int:
    """Records that wait for other values or for a person; those that a person gave up are not among them."""
    state = states.current(tools.database, sync.id)
    if state is None or not state.segments:
        return 0
    rows = state_rows(tools, session, state)
    doubts = waits_in_doubt(sync.rules, rows.unknown, rows.attempts)
    waiting = (rows.owed & (rows.attempts >= sync.max_attempts)) | doubts
    return int(session.single(rows.aggregate(n=rows.count(where=waiting)))["n"])
