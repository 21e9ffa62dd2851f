"""Some records on both sides of the subtraction, judged as the next plan would judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from ibis.expr.types import Table

from engine.core.desired import desired, touched_rows
from engine.core.names import VersionNumber
from engine.core.quarantine import LEFT_ALONE
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.aim import pinned_version, wanted_version
from engine.steps.consent import NO_PREVIEW, consent_now
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools
from engine.steps.keep_out import kept_out, refused_held
from engine.steps.kept_rows import kept_rows, quarantine_with_kept, with_kept
from engine.steps.quarantined_rows import aside, compared_with_care, quarantine_of
from engine.steps.snapshots import snapshot_table

_NOT_HELD = {"verdict": LEFT_ALONE, "reason": "", "op": "", "change": "insert", "changed": "[]"}


@dataclass(frozen=True, slots=True)
class RecordState:
    """The desired record, the state row (each empty where it is not) and how they compare."""

    wanted: Mapping[str, Any]
    held: Mapping[str, Any]
    judged: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """Desired records, state rows and how they compare, for chosen ids only."""

    wanted: Table
    held: Table
    judged: Table


@dataclass(frozen=True, slots=True)
class Past:
    """Another version and another delivered state than those of today; None for no version."""

    version: VersionNumber | None
    state: Table


def compared_records(
    tools: Tools, session: Session, sync: Sync, chosen: Table, past: Past | None = None
) -> Compared | None:
    """Compare the records with ``chosen.id`` in the wanted version and in the delivered state; None before a version.

    Those of ``past``, where it is given.

    The rows that these records had when they were delivered are looked at as well: only they tell a record that is
    gone from one that moved to another id or lost its consent.
    """
    version = past.version if past else wanted_version(tools, sync.dataset.id, pinned_version(tools, sync.id))
    if not version:
        return None
    key = sync.dataset.schema.key
    kept = kept_rows(tools, session, sync) if past is None else None
    rows = with_kept(tools, session, sync, snapshot_table(tools, session, sync.dataset.id, version), kept)
    state = past.state if past else state_rows(tools, session, states.current(tools.database, sync.id))
    moving = session.cached(state.semi_join(chosen, "id").select("pk"))
    consent = consent_now(tools, session, sync, NO_PREVIEW)
    near = touched_rows(rows, sync.mapping, key, chosen, moving)
    out = kept_out(tools, session, sync, rows)

    def records(some: Table) -> Table:
        return desired(some, sync.mapping, key, consent.subjects, out.rows)

    wanted = session.cached(records(near))
    held = session.cached(state.semi_join(chosen, "id"))
    bad = quarantine_with_kept(tools, session, sync, quarantine_of(tools, session, sync, version), kept)
    apart = aside(session, sync, rows, bad, records)
    refused = refused_held(session, sync, held, consent, out.lists)
    judged = session.cached(compared_with_care(wanted, held, sync.rules, refused, apart))
    return Compared(wanted.semi_join(chosen, "id"), held, judged.semi_join(chosen, "id"))


def record_state(tools: Tools, session: Session, sync: Sync, id: str, past: Past | None = None) -> RecordState | None:
    """The record with match key ``id`` in the wanted version and in the delivered state; None when in neither."""
    found = compared_records(tools, session, sync, session.rows(pa.table({"id": [id]})), past)
    if found is None:
        return None
    (wanted_row,) = session.fetch(found.wanted.limit(1)) or [{}]
    (held_row,) = session.fetch(found.held.limit(1)) or [{}]
    judged = session.fetch(found.judged.limit(1))
    if not judged and not wanted_row:
        return None
    # A record that is wanted and not compared is one of a quarantined row, of which nothing is held.
    return RecordState(wanted_row, held_row, judged[0] if judged else {**wanted_row, **_NOT_HELD})
