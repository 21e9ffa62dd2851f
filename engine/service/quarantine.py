"""Rejected records: list them, show one, release or drop them, or release and run at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from engine.core.outcome import RunStatus
from engine.delivery.stop import StopRequest
from engine.errors import Busy
from engine.service.app import App
from engine.service.plans import shown_fields
from engine.service.quoted import unquoted
from engine.service.records import unknown_record
from engine.service.reports import RunReport
from engine.service.runs import Observe, run_syncs, without_run
from engine.service.samples import MASK, Sample, is_id_shown, plan_sample
from engine.steps.halt import refuse_paused
from engine.steps.quarantine import Standing, drop, outstanding, rejections, release, standing
from engine.steps.record_state import record_state


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is set aside (``quarantined``, ``in_doubt``) or tried again by the next run (``owed``).

    ``since`` is the run that rejected this payload first, ``code`` and ``message`` are the destination's own and newest,
    kept back when they quote a classified value; all are empty when that was longer ago than is looked. ``id`` is `MASK`
    where ids are classified.
    """

    id: str
    standing: str
    attempts: int
    since: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class QuarantineReport:
    """Rejected records of a sync and those in doubt; the counts are of all, ``records`` are the first of them."""

    sync: str
    quarantined: int
    in_doubt: int
    owed: int
    attempts_max: int
    records: tuple[RejectedRecord, ...]


@dataclass(frozen=True, slots=True)
class RejectionReport:
    """One rejection: by which run, and what the destination said."""

    run: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """One record with its rejections, newest first; ``sends`` is what would leave, None when nothing would."""

    sync: str
    id: str
    standing: str
    attempts: int
    attempts_max: int
    rejections: tuple[RejectionReport, ...]
    sends: Sample | None


@dataclass(frozen=True, slots=True)
class QuarantineDecision:
    """How many records were ``released`` or ``dropped``; ``next`` is what to type now."""

    sync: str
    decision: str
    records: int
    next: str


def quarantine_list(app: App, name: str, limit: int) -> QuarantineReport:
    """What a sync's destination rejected and does not have yet; the reasons are the destination's own words."""
    sync = app.sync(name)
    with app.tools.compute.session() as session:
        found = outstanding(app.tools, session, sync, limit)
    records = tuple(_rejected(row, show_id=is_id_shown(sync.mapping)) for row in found.rows)
    return QuarantineReport(sync.id, found.quarantined, found.in_doubt, found.owed, sync.max_attempts, records)


def _rejected(row: Mapping[str, Any], *, show_id: bool) -> RejectedRecord:
    return RejectedRecord(
        id=row["id"] if show_id else MASK,
        standing=row["standing"],
        attempts=row["attempts"],
        since=row["since"],
        code=unquoted(row["code"], row["values"]),
        message=unquoted(row["message"], row["values"]),
    )


def quarantine_show(app: App, name: str, key: str) -> QuarantinedRecord:
    """One record with the history of its rejections; raises `ConfigurationError` when neither side knows it."""
    sync = app.sync(name)
    with app.tools.compute.session() as session:
        state = record_state(app.tools, session, sync, key)
        if state is None:
            raise unknown_record(name)
        seen = rejections(app.tools, session, sync, session.rows(pa.table({"id": [key]})))
        history = session.fetch(seen.order_by("place"))
    attempts = state.held.get("attempts", 0)
    now = standing(state.judged["verdict"], attempts)
    leaving = None if now is Standing.SETTLED else plan_sample(state.judged, shown_fields(sync), show_id=True)
    return QuarantinedRecord(
        sync=sync.id,
        id=key,
        standing=now.value,
        attempts=max(0, attempts),
        attempts_max=sync.max_attempts,
        rejections=tuple(
            RejectionReport(row["run"], *(unquoted(row[words], row["values"]) for words in ("code", "message")))
            for row in history
        ),
        sends=leaving,
    )


def quarantine_release(app: App, name: str, keys: Sequence[str]) -> QuarantineDecision:
    """Let the next run send what was rejected, with the values that the records have by then."""
    sync = app.sync(name)
    return QuarantineDecision(sync.id, "released", release(app.tools, sync, keys), f"tidegate run {sync.id}")


def quarantine_drop(app: App, name: str, keys: Sequence[str]) -> QuarantineDecision:
    """Give up what was rejected: those records are sent again only with other values."""
    sync = app.sync(name)
    return QuarantineDecision(sync.id, "dropped", drop(app.tools, sync, keys), f"tidegate quarantine list {sync.id}")


def retry_sync(
    app: App, name: str, keys: Sequence[str], stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Release, then run; what was released stays so when the run does not come to its end."""
    sync = app.sync(name)
    refuse_paused(app.tools, sync.id)
    try:
        release(app.tools, sync, keys)
    except Busy as error:
        return [without_run(sync, RunStatus.BUSY, str(error))]
    return run_syncs(app, [name], stop, observe)
