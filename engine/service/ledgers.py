"""Care of the ledger: read its end, verify its chains, fold its read models again, accept that it lost events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from engine.core.event_codec import encode
from engine.core.names import StreamId
from engine.ledger.anchor import Anchor
from engine.ledger.chain import Broken, Verified, verify
from engine.ledger.database import check_structure
from engine.ledger.migrate import schema_revision, upgrade
from engine.ledger.projection import rebuild, stale
from engine.service.app import App
from engine.steps.regression import accept_regression

SUMMARY_LENGTH_MAX = 160


@dataclass(frozen=True, slots=True)
class EventReport:
    """One event; ``summary`` holds its plain facts, which carry no personal data."""

    sequence: int
    stream: str
    position: int
    type: str
    actor: str
    recorded_at: str
    summary: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Whether every chain holds, and the first event that does not; ``stream`` is empty when only a read model is wrong."""

    ok: bool
    events: int
    streams: int
    sequence: int | None
    stream: str
    position: int | None
    why: str


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """How many events were folded again."""

    events: int


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """The schema before and after; equal when there was nothing to do."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LostReport:
    """An event that once stood in the ledger, by the anchor that names it; None where the anchor cannot be read."""

    anchor: str
    stream: str
    position: int | None


@dataclass(frozen=True, slots=True)
class DoubtReport:
    """A sync whose next run sends, or deletes, ``records`` again."""

    sync: str
    records: int


@dataclass(frozen=True, slots=True)
class RegressionReport:
    """Which lost events were accepted, and what that put in doubt; empty when nothing was lost."""

    lost: tuple[LostReport, ...]
    doubted: tuple[DoubtReport, ...]


def tail(app: App, limit: int, stream: str | None) -> list[EventReport]:
    """The newest events, newest last."""
    events = app.tools.ledger.tail(limit, StreamId(stream) if stream else None)
    return [
        EventReport(
            sequence=e.sequence,
            stream=e.stream,
            position=e.position,
            type=e.type,
            actor=e.actor,
            recorded_at=e.recorded_at.isoformat(),
            summary=_summary(encode(e.event)[2]),
        )
        for e in events
    ]


def verify_ledger(app: App) -> VerifyReport:
    """Compare every event with its hash and its neighbour, and every read model with the log.

    Raises `LedgerTampered` when the database's own file is damaged.
    """
    check_structure(app.tools.database)
    match verify(app.tools.database):
        case Verified(events, streams):
            model = stale(app.tools.database)
            why = "" if model is None else f"the read model `{model}` does not say what the log says"
            return VerifyReport(model is None, events, streams, None, "", None, why)
        case Broken(sequence, stream, position, why):
            return VerifyReport(False, 0, 0, sequence, stream, position, why)


def rebuild_projections(app: App) -> RebuildReport:
    """Empty the read models and fold them from the log again, in one transaction."""
    return RebuildReport(rebuild(app.tools.database))


def accept_ledger_regression(app: App, reason: str) -> RegressionReport:
    """Let runs go on from a ledger that went back in time; raises `Busy` while a run holds one of its syncs."""
    accepted = accept_regression(app.tools, reason)
    return RegressionReport(
        lost=tuple(
            LostReport(gap.name, gap.anchor.stream, gap.anchor.position)
            if isinstance(gap.anchor, Anchor)
            else LostReport(gap.name, "", None)
            for gap in accepted.gaps
        ),
        doubted=tuple(DoubtReport(doubt.sync, doubt.records) for doubt in accepted.doubted),
    )


def upgrade_ledger(database: Engine) -> UpgradeReport:
    """Bring the schema of an opened database to this code's."""
    before = schema_revision(database) or "none"
    upgrade(database)
    return UpgradeReport(before, schema_revision(database) or "none")


def _summary(data: Mapping[str, Any]) -> str:
    """Plain members as ``name=value``; what is nested is left to `ledger tail --json`."""
    parts = [f"{k}={v}" for k, v in data.items() if isinstance(v, str | int | float) and v != ""]
    text = " ".join(parts)
    return text if len(text) <= SUMMARY_LENGTH_MAX else text[: SUMMARY_LENGTH_MAX - 1] + "…"
