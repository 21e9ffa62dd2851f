"""Consent decisions: take one, read a list of them, and say what rests on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from engine.core.consent import Status
from engine.core.consent_rule import ConsentRule
from engine.errors import StorageError
from engine.service.app import App
from engine.service.consent_lists import CLOCK_SKEW, judge, list_of_decisions
from engine.steps.consent import newest_moment
from engine.steps.decisions import DECISIONS, Decided, decide
from engine.steps.subjects import Known, known_subjects

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided; what is not known is empty or None. Without a ``channel`` it is about all of them."""

    subject: str
    purpose: str
    status: Status
    channel: str | None = None
    legal_basis: str = ""
    expires_at: datetime | None = None
    source: str = ""
    receipt_id: str = ""


@dataclass(frozen=True, slots=True)
class ConsentReport:
    """How many decisions were recorded, which syncs ask for their purposes, and what to type now.

    ``unmatched`` subjects stand in no dataset of these syncs, ``nearly`` of them but for blanks, case or Unicode form;
    ``unseen`` says why neither is known, empty where both are.
    """

    granted: int
    refused: int
    purposes: tuple[str, ...]
    unknown_purposes: tuple[str, ...]
    syncs: tuple[str, ...]
    unmatched: int
    nearly: int
    next: str
    unseen: str = ""


def record_decision(app: App, decision: Decision) -> ConsentReport:
    """Record one decision as of now; raises `ConfigurationError` for a subject or a purpose that can be none.

    It is the newest about its subject and purpose whatever the clocks say of those before: their order is that in which
    they were recorded.
    """
    now = app.tools.clock.now()
    _judged(decision, now)
    moment = _after_all_others(app, decision, now)
    rows = _rows(decision, moment)
    return _recorded(app, [rows], "command")


def import_decisions(app: App, file: Path) -> ConsentReport:
    """Record every decision of a Parquet, CSV or JSON-lines file, or none.

    It needs the columns subject, purpose and status; channel, legal_basis, collected_at, expires_at, source and
    receipt_id may be there, and others are ignored. Raises as `list_of_decisions`.
    """
    with list_of_decisions(file, app.tools.clock.now()) as batches:
        return _recorded(app, batches, "import")


def _rows(decision: Decision, moment: datetime) -> pa.RecordBatch:
    row = {
        "subject": decision.subject,
        "purpose": decision.purpose,
        "status": decision.status.value,
        "legal_basis": decision.legal_basis or None,
        "collected_at": moment,
        "expires_at": decision.expires_at,
        "source": decision.source or None,
        "receipt_id": decision.receipt_id or None,
        "channel": decision.channel,
    }
    return pa.RecordBatch.from_pylist([row], schema=DECISIONS)


def _judged(decision: Decision, now: datetime) -> None:
    judge(_rows(decision, now), now, "the command")


def _after_all_others(app: App, decision: Decision, now: datetime) -> datetime:
    """The moment to record: now, or as late as the newest decision about the subject where clocks disagree."""
    registers = {register.id: register for sync in app.syncs.values() for register in sync.registers}
    latest = now + CLOCK_SKEW
    try:
        with app.tools.compute.session() as session:
            newest = newest_moment(
                app.tools, session, tuple(registers.values()), decision.subject, decision.purpose, latest
            )
    except StorageError:
        if decision.status is Status.GRANTED:
            raise
        # Nobody waits for a damaged file to be left alone: as late as any decision may be, whatever it holds.
        return latest
    if newest is None or newest < now:
        return now
    # Of one moment the refusal counts; a grant must be later to be one.
    return newest + _TICK if decision.status is Status.GRANTED else newest


def _recorded(app: App, rows: Iterable[pa.RecordBatch], origin: str) -> ConsentReport:
    decided = decide(app.tools, rows, origin)
    rules = {name: sync.mapping.consent for name, sync in app.syncs.items()}
    asking = {name: rule for name, rule in rules.items() if rule is not None and _concerns(rule, decided)}
    asked = {purpose for rule in rules.values() if rule is not None for purpose in rule.purposes}
    syncs = tuple(sorted(asking))
    known, unseen = _known(app, syncs, decided)
    return ConsentReport(
        granted=decided.event.granted,
        refused=decided.event.refused,
        purposes=decided.purposes,
        unknown_purposes=tuple(purpose for purpose in decided.purposes if purpose not in asked),
        syncs=syncs,
        unmatched=known.unmatched,
        nearly=known.nearly,
        next=f"tidegate run {' '.join(syncs)}" if syncs else "",
        unseen=unseen,
    )


def _known(app: App, syncs: Iterable[str], decided: Decided) -> tuple[Known, str]:
    """Who of these people stands in a dataset, and why nobody can tell; they are recorded either way."""
    try:
        return known_subjects(app.tools, [app.syncs[name] for name in syncs], decided.segment), ""
    except StorageError as error:
        return Known(0, 0), error.what


def _concerns(rule: ConsentRule, decided: Decided) -> bool:
    return not set(rule.purposes).isdisjoint(decided.purposes)
