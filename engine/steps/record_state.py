"""One record on both sides of the subtraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.desired import desired
from engine.core.plan import PlanRules, compared
from engine.core.state import live
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.consent import NO_PREVIEW, consent_now, newest_version
from engine.steps.facts import Sync, Tools
from engine.steps.plan import state_layers
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class RecordState:
    """The desired record, the state row (each empty where it is not) and how they compare."""

    wanted: Mapping[str, Any]
    held: Mapping[str, Any]
    judged: Mapping[str, Any]


def record_state(tools: Tools, session: Session, sync: Sync, id: str) -> RecordState | None:
    """The record with match key ``id`` in the newest version and in the delivered state; None when in neither."""
    version = newest_version(tools, sync.dataset.id)
    if not version:
        return None
    rows = snapshot_table(tools, session, sync.dataset.id, version)
    consent = consent_now(tools, session, sync, NO_PREVIEW)
    wanted = desired(rows, sync.mapping, sync.dataset.schema.key, consent.subjects)
    wanted = wanted.filter(wanted.id == id)
    held = live(state_layers(tools, session, states.current(tools.database, sync.id)))
    held = held.filter(held.id == id)
    judged = session.fetch(compared(wanted, held, PlanRules(sync.mapping.mode, sync.max_attempts)).limit(1))
    if not judged:
        return None
    (wanted_row,) = session.fetch(wanted.limit(1)) or [{}]
    (held_row,) = session.fetch(held.limit(1)) or [{}]
    return RecordState(wanted_row, held_row, judged[0])
