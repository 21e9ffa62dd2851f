"""Consent decisions: take one, read a list of them, and say what rests on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.schema import Column, LogicalType, TableSchema
from engine.errors import ConfigurationError
from engine.service.app import App
from engine.sources.base import Selection
from engine.sources.normalise import ValueViolation, normalise
from engine.sources.registry import open_source
from engine.steps.decisions import DECISIONS, decide

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a decision may be dated: clocks disagree, and a far later one would outlive what follows it."""
WILDCARDS = frozenset({"*", "%"})


class Status(StrEnum):
    """What a decision says; only ``granted`` allows."""

    GRANTED = "granted"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_REQUIRED = frozenset({"subject", "purpose", "status"})
_COLUMNS = tuple(
    Column(
        field.name,
        LogicalType.TIMESTAMP if pa.types.is_timestamp(field.type) else LogicalType.STRING,
        required=field.name in _REQUIRED,
    )
    for field in DECISIONS
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided; what is not known is empty or None."""

    subject: str
    purpose: str
    status: Status
    legal_basis: str = ""
    expires_at: datetime | None = None
    source: str = ""
    receipt_id: str = ""


@dataclass(frozen=True, slots=True)
class ConsentReport:
    """How many decisions were recorded, which syncs ask for their purposes, and what to type now."""

    granted: int
    refused: int
    purposes: tuple[str, ...]
    unknown_purposes: tuple[str, ...]
    syncs: tuple[str, ...]
    next: str


def record_decision(app: App, decision: Decision) -> ConsentReport:
    """Record one decision as of now; raises `ConfigurationError` for a subject or a purpose that can be none."""
    now = app.tools.clock.now()
    row = {
        "subject": decision.subject,
        "purpose": decision.purpose,
        "status": decision.status.value,
        "legal_basis": decision.legal_basis or None,
        "collected_at": now,
        "expires_at": decision.expires_at,
        "source": decision.source or None,
        "receipt_id": decision.receipt_id or None,
    }
    rows = pa.Table.from_pylist([row], schema=DECISIONS)
    _judge(rows, now, "the command")
    return _recorded(app, rows, "command")


def import_decisions(app: App, file: Path) -> ConsentReport:
    """Record every decision of a Parquet, CSV or JSON-lines file, or none.

    It needs the columns subject, purpose and status; legal_basis, collected_at, expires_at, source and receipt_id may be
    there, and others are ignored. A decision without ``collected_at`` counts as taken now. Raises `ConfigurationError`
    with the row for what can be no decision, and `SourceError` for a file that cannot be read whole.
    """
    now = app.tools.clock.now()
    rows = _read(file)
    dated = pc.fill_null(rows.column("collected_at"), pa.scalar(now, DECISIONS.field("collected_at").type))
    rows = rows.set_column(rows.schema.get_field_index("collected_at"), DECISIONS.field("collected_at"), dated)
    _judge(rows, now, str(file))
    if not rows.num_rows:
        raise _unusable(str(file), "it holds no decision", "check that the whole list was exported")
    return _recorded(app, rows, "import")


def _read(file: Path) -> pa.Table:
    if not file.is_file():
        raise _unusable(str(file), "there is no such file", "give the path of a .parquet, .csv or .jsonl file")
    source = open_source("files", {"name": "import", "path": str(file.parent), "memory": "512MB", "threads": 1})
    with source.open(Selection(table=file.name)) as reading:
        known = TableSchema(tuple(c for c in _COLUMNS if c.required or c.name in reading.schema.names))
        normalised = normalise(reading, known)
        if breaking := [finding.message for finding in normalised.drift if finding.breaking]:
            raise _unusable(str(file), "; ".join(breaking), "name the columns as a consent register does")
        try:
            rows = normalised.reader.read_all()
        except ValueViolation as violation:
            raise _unusable(str(file), str(violation), "correct that row, then import the file again") from violation
    missing = (field for field in DECISIONS if field.name not in rows.schema.names)
    for field in missing:
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(DECISIONS.names).cast(DECISIONS)


def _judge(rows: pa.Table, now: datetime, where: str) -> None:
    """Raise `ConfigurationError` for the first row that can be no decision."""
    subject, purpose = pc.utf8_trim_whitespace(rows["subject"]), rows["purpose"]
    latest = pa.scalar(now + CLOCK_SKEW, DECISIONS.field("collected_at").type)
    rules: Sequence[tuple[Any, str]] = (
        (pc.fill_null(pc.equal(subject, ""), True), "has no subject"),
        (pc.is_in(subject, pa.array(sorted(WILDCARDS))), "names a wildcard; a decision is about one subject"),
        (
            pc.invert(pc.fill_null(pc.match_substring_regex(purpose, "^[a-z][a-z0-9_-]{0,62}$"), False)),
            "has no purpose",
        ),
        (
            pc.invert(pc.is_in(rows["status"], pa.array([s.value for s in Status]))),
            f"has a status other than {_words()}",
        ),
        (pc.fill_null(pc.greater(rows["collected_at"], latest), False), "was collected in the future"),
        (
            pc.fill_null(pc.less_equal(rows["expires_at"], rows["collected_at"]), False),
            "expires before it was collected",
        ),
    )
    for is_bad, why in rules:
        place = pc.index(is_bad, True).as_py()
        if place >= 0:
            raise _unusable(where, f"the decision in row {place + 1:,} {why}", "correct it; nothing of the list counts")


def _words() -> str:
    return ", ".join(status.value for status in Status)


def _unusable(where: str, why: str, next: str) -> ConfigurationError:
    return ConfigurationError(f"No decision was recorded: {why}", where=where, safe="Nothing was changed.", next=next)


def _recorded(app: App, rows: pa.Table, origin: str) -> ConsentReport:
    event = decide(app.tools, rows, origin)
    purposes = tuple(sorted(set(rows["purpose"].to_pylist())))
    rules = {name: sync.mapping.consent for name, sync in app.syncs.items()}
    syncs = tuple(sorted(name for name, rule in rules.items() if rule is not None and rule.purpose in purposes))
    asked = {rule.purpose for rule in rules.values() if rule is not None}
    return ConsentReport(
        granted=event.granted,
        refused=event.refused,
        purposes=purposes,
        unknown_purposes=tuple(purpose for purpose in purposes if purpose not in asked),
        syncs=syncs,
        next=f"tidegate run {' '.join(syncs)}" if syncs else "",
    )
