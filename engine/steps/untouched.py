"""What runs leave alone: records that are held as they should be, those that wait, and those that a sync leaves as they are.

Those that wait have a payload that was rejected too often, or an outcome that is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.consent_rule import OnWithdrawal
from engine.core.desired import desired
from engine.core.plan import compared, waits_in_doubt
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.consent import NO_PREVIEW, consent_now
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools
from engine.steps.keep_out import kept_out, refused_held


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


def but_for_ignored(tools: Tools, session: Session, sync: Sync, rows: Table, held: Table) -> Table:
    """``held`` but for what no plan does anything about, because its person took consent back and the sync ignores that.

    ``rows`` are those of the version that the sync is brought to.
    """
    if sync.rules.on_withdrawal is not OnWithdrawal.IGNORE:
        return held
    consent, out = consent_now(tools, session, sync, NO_PREVIEW), kept_out(tools, session, sync, rows)
    wanted = desired(rows, sync.mapping, sync.dataset.schema.key, consent.subjects, out.rows)
    refused = refused_held(session, sync, held, consent, out.lists)
    judged = compared(wanted, held, sync.rules, refused)
    return held.anti_join(judged.filter(judged.verdict.isin(["unconsented", "absent"])), "id")
