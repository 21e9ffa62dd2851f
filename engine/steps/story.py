"""The story of one record: in which versions its row changed, what was planned of it and why, what left and what came back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.core.canonical import key_text
from engine.core.diff import CHANGE
from engine.core.events import (
    BatchIntent,
    ChangesMerged,
    ErasureRequested,
    PlanApproved,
    PlanMade,
    PlanRejected,
    RunFinished,
    WindowIntended,
    WindowReceived,
)
from engine.core.merged import VERSION
from engine.core.names import ERASURE_STREAM, SegmentRef, run_stream
from engine.core.relations import union
from engine.core.state import basis_of
from engine.core.verdict import Verdict
from engine.ledger.projections import versions
from engine.ledger.projections.runs import RunRow
from engine.ledger.projections.versions import VersionRow
from engine.ledger.recorded import Recorded
from engine.segments.compute import ORDINAL, Session
from engine.steps.changes import by_file, merged_changes
from engine.steps.consent import NO_PREVIEW, consent_now
from engine.steps.dropped import dropped_versions
from engine.steps.dropped_plans import gone_of, kept_plans, sent_unkept
from engine.steps.erased import erased, stored_key
from engine.steps.facts import Sync, Tools
from engine.steps.sent import in_groups


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened to a record: ``kind`` is version, plan, gate, decision, batch, outcome, run, consent or forgotten.

    ``changed`` are the fields that a plan sends. ``at`` is None for a decision of consent that says no moment.
    """

    at: datetime | None
    kind: str
    what: str
    version: int | None = None
    run: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A row of a plan about the record, and the run whose plan it is."""

    row: RunRow
    planned: dict[str, Any]


def planned_rows(tools: Tools, session: Session, sync: Sync, id: str) -> list[Found]:
    """What the plans that are kept say of the record, oldest first."""
    found = []
    for some in in_groups(kept_plans(tools, sync.id)):
        parts = []
        for row in some:
            assert row.segment is not None, "only such runs are listed"
            rows = session.numbered(tools.storage.local(row.segment))
            mine = rows.filter(rows.id == id)
            subject = mine.subject if "subject" in mine.columns else ibis.null("string")
            names = ("op", "change", "reason", "pk", "changed")
            parts.append(
                mine.select(
                    *names, subject=subject, basis=basis_of(mine), place=mine[ORDINAL], run=ibis.literal(str(row.run))
                )
            )
        of = {str(row.run): row for row in some}
        found += [Found(of[one["run"]], one) for one in session.fetch(union(*parts))]
    return sorted(found, key=lambda one: one.row.started_at)


def unkept_chapters(tools: Tools, session: Session, sync: Sync, id: str) -> Iterator[Chapter]:
    """When a record was sent last by a run whose plan is not kept any more, in each place where it was."""
    gone = gone_of(tools, sync.id)
    sent = sent_unkept(tools, session, gone)
    for one in session.fetch(sent.filter(sent.id == id)) if sent is not None else ():
        what = f"{one['op']} sent: {one['reason']}; what was planned before is not kept any more"
        yield Chapter(datetime.fromisoformat(one["sent"]), "plan", what, run=one["run"])


def run_chapters(tools: Tools, found: Found) -> Iterator[Chapter]:
    """What became of a record in one run: planned, judged, decided about, sent and answered."""
    place, run = int(found.planned["place"]), str(found.row.run)
    intents: dict[int, Sequence[BatchIntent]] = {}
    batch: BatchIntent | None = None
    for fact in tools.ledger.read(run_stream(found.row.run)):
        for chapter in _told(fact, found):
            yield replace(chapter, run=run)
        match fact.event:
            case WindowIntended(_, window, batches):
                intents[window] = batches
                batch = next((b for b in batches if b.first <= place <= b.last), None)
                if batch is not None:
                    what = f"left in batch {batch.number} of window {window}, key {batch.key[:12]}"
                    what = f"withheld from batch {batch.number}" if place in batch.withheld else what
                    yield Chapter(fact.recorded_at, "batch", what, run=run)
            case WindowReceived(_, window, _, exceptions) if any(
                b.first <= place <= b.last for b in intents.get(window, ())
            ):
                yield Chapter(fact.recorded_at, "outcome", _outcome(tools, exceptions, place), run=run)
            case _:
                pass


def _told(fact: Recorded, found: Found) -> Iterator[Chapter]:
    at = fact.recorded_at
    match fact.event:
        case PlanMade() as planned:
            fields = tuple(json.loads(found.planned["changed"] or "[]"))
            said = f"{found.planned['change']} planned: {found.planned['reason']}"
            # Which decision it was is for who may ask about a person: `tidegate consent explain` tells it.
            allowed = dict.fromkeys(one["purpose"] for one in json.loads(found.planned["basis"] or "[]"))
            if allowed:
                said = f"{said}, allowed by consent to {', '.join(allowed)}"
            yield Chapter(at, "plan", said, version=planned.version, changed=fields)
            for check in planned.checks:
                if check.verdict != Verdict.PASS.value:
                    yield Chapter(at, "gate", f"{check.verdict}: {check.check}: {check.message}")
        case PlanApproved():
            yield Chapter(at, "decision", f"plan approved by {fact.actor}")
        case PlanRejected():
            yield Chapter(at, "decision", f"plan rejected by {fact.actor}")
        case RunFinished(_, _, status, reason):
            yield Chapter(at, "run", f"{status}: {reason}" if reason else status)
        case _:
            return


def _outcome(tools: Tools, exceptions: SegmentRef | None, place: int) -> str:
    if exceptions is None:
        return "delivered"
    with tools.compute.session() as session:
        rows = session.table(tools.storage.local(exceptions))
        found = session.fetch(rows.filter(rows.ordinal == place).limit(1))
    return f"{found[0]['outcome']} ({found[0]['code']})" if found else "delivered"


def version_chapters(tools: Tools, session: Session, sync: Sync, pks: Sequence[str]) -> Iterator[Chapter]:
    """In which versions a row with one of these primary keys came, changed and went, oldest first."""
    gone = dropped_versions(tools, sync.dataset.id)
    if gone:
        what = f"versions {min(gone)} to {max(gone)} are not all kept any more: what changed in {len(gone)} of them is not known"
        yield Chapter(max(drop.at for drop in gone.values()), "version", what)
    listed = {row.version: row for row in versions.listing(tools.database, sync.dataset.id) if row.version not in gone}
    for event, rows in by_file(listed.values(), merged_changes(tools, sync.dataset.id)):
        for some in in_groups(rows):
            parts = list(_changes(tools, session, event, some, pks)) if pks else []
            for one in sorted(session.fetch(union(*parts)), key=lambda r: int(r["version"])) if parts else []:
                row = listed[one["version"]]
                yield Chapter(
                    row.recorded_at, "version", f"{one['kind']} in version {row.version}", version=row.version
                )


def _changes(
    tools: Tools, session: Session, event: ChangesMerged | None, some: Sequence[VersionRow], pks: Sequence[str]
) -> Iterator[Table]:
    """``kind`` and ``version`` of each change of some rows, from the file that ``event`` names or from one each."""
    if event is not None and tools.storage.exists(event.segment):
        rows = session.table(tools.storage.local(event.segment))
        mine = rows.filter(rows[VERSION].isin([int(row.version) for row in some]) & _is_one(rows, some[0], pks))
        yield mine.select(kind=mine[CHANGE], version=mine[VERSION])
    for row in some if event is None else ():
        ref = row.changes or row.snapshot
        if tools.storage.exists(ref):
            rows = session.table(tools.storage.local(ref))
            mine = rows.filter(_is_one(rows, row, pks))
            kind = mine[CHANGE] if row.changes is not None else ibis.literal("insert")
            yield mine.select(kind=kind, version=ibis.literal(int(row.version)).cast("int64"))


def _is_one(rows: Table, row: VersionRow, pks: Sequence[str]) -> BooleanValue:
    return key_text([rows[c] for c in row.key]).isin(list(pks))


def consent_chapters(tools: Tools, session: Session, sync: Sync, subjects: Sequence[str]) -> Iterator[Chapter]:
    """Every decision about these subjects that the sync's rule rests on today."""
    rule = sync.mapping.consent
    if rule is None or not subjects:
        return
    register = consent_now(tools, session, sync, NO_PREVIEW).register
    if register is None:
        return
    mine = register.filter(register.subject.isin(list(subjects)) & register.purpose.isin(rule.purposes))
    for one in session.fetch(mine):
        until = f", until {one['expires_at'].isoformat()}" if one["expires_at"] else ""
        yield Chapter(one["collected_at"], "consent", f"{one['purpose']} {one['status']}{until}")


def forgotten_chapters(tools: Tools, names: Sequence[str]) -> Iterator[Chapter]:
    """When one of these names was asked to be forgotten."""
    key = stored_key(tools) if erased(tools) is not None else None
    if key is None:
        return
    marks = {key.tombstone(name) for name in names}
    for fact in tools.ledger.read(ERASURE_STREAM):
        if isinstance(fact.event, ErasureRequested) and marks & set(fact.event.tombstones):
            yield Chapter(fact.recorded_at, "forgotten", f"asked to be forgotten, due {fact.event.due}")
