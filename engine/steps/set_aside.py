"""How many records of a sync are left alone because their payload was rejected too often, or their outcome is in doubt."""

from __future__ import annotations

from engine.core.state import is_in_doubt
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
    waiting = rows.owed & (rows.attempts >= sync.max_attempts)
    if sync.rules.holds_doubt:
        waiting |= is_in_doubt(rows.unknown, rows.attempts)
    return int(session.single(rows.aggregate(n=rows.count(where=waiting)))["n"])
