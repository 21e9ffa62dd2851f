"""What was sent about somebody and why, what was removed or withheld, and what holds now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import ibis

from engine.core.canonical import text
from engine.core.consent import MOMENTS, within_reach
from engine.core.consent_rule import OnWithdrawal
from engine.core.consent_words import Answer, answers, consents
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.samples import MASK, is_id_shown
from engine.steps.consent import NO_PREVIEW, every_decision, newest_version
from engine.steps.delivered_state import state_rows
from engine.steps.evidence import sent_about
from engine.steps.facts import Sync
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """One record about the subject in one run's plan: what was asked of the destination, on which decisions, and the outcome.

    ``outcome`` is delivered, rejected, failed, unknown, withheld (consent had ended before it left) or not sent. It is sent
    where the plan is not kept any more: the last sending of the record until then, delivered or of unknown outcome.
    ``basis`` are the decisions that allowed what was sent, or, of a removal, what had been.
    """

    sync: str
    destination: str
    object: str
    key: str
    run: str
    at: str
    op: str
    reason: str
    outcome: str
    basis: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PurposeStory:
    """What the subject's decisions say of one purpose now; the rest is of the decision that says so, empty without one."""

    purpose: str
    allowed: bool
    why: str
    channel: str
    legal_basis: str
    receipt: str
    collected_at: str
    expires_at: str
    register: str


@dataclass(frozen=True, slots=True)
class StandingStory:
    """What one sync makes of the subject now: what is held, and whether it may be; ``keys`` are of records that are held."""

    sync: str
    destination: str
    object: str
    asks: str
    consents: bool
    rows: int
    keys: tuple[str, ...]
    unsubscribed: int
    next: str
    purposes: tuple[PurposeStory, ...]


def deliveries(app: App, session: Session, subject: str) -> Iterator[DeliveryStory]:
    """Every record about ``subject`` that a plan of any sync held, sync by sync, oldest run first."""
    for name in app.sync_names:
        sync = app.syncs[name]
        shown = is_id_shown(sync.mapping)
        for one in sent_about(app.tools, session, sync.id, subject):
            place = one.run.place
            yield DeliveryStory(
                sync=name,
                destination=place.destination if place else one.run.destination,
                object=place.object if place else "",
                key=one.row["id"] if shown else MASK,
                run=one.run.run,
                at=one.run.started_at.isoformat(),
                op=one.row["op"],
                reason=one.row["reason"],
                outcome=one.outcome,
                basis=tuple(_kept(decision) for decision in json.loads(one.row["basis"] or "[]")),
            )


def _kept(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """A decision as a plan kept it, its moments written like every other."""
    written = {name: datetime.fromisoformat(decision[name]).isoformat() for name in MOMENTS if name in decision}
    return {**decision, **written}


def standings(app: App, session: Session, subject: str) -> Iterator[StandingStory]:
    """What holds now, for each sync that asks for consent."""
    for name in app.sync_names:
        if app.syncs[name].mapping.consent is not None:
            yield _standing(app, session, app.syncs[name], subject)


def _standing(app: App, session: Session, sync: Sync, subject: str) -> StandingStory:
    tools, rule = app.tools, sync.mapping.consent
    assert rule is not None, "the sync asks somebody"
    register = every_decision(tools, session, sync.registers, NO_PREVIEW)
    near = (
        []
        if register is None
        else session.fetch(register.filter(register.reach == within_reach(ibis.literal(subject))))
    )
    found = answers(near, subject, rule, tools.clock.now())
    held = state_rows(tools, session, states.current(tools.database, sync.id))
    theirs = session.fetch(held.filter((held.subject == subject) & (held.acked | held.unknown)).select("id", "inert"))
    shown, may = is_id_shown(sync.mapping), consents(found, rule)
    return StandingStory(
        sync=sync.id,
        destination=sync.target.name,
        object=sync.mapping.object,
        asks=str(rule),
        consents=may,
        rows=_rows(app, session, sync, subject),
        keys=tuple(row["id"] if shown else MASK for row in theirs),
        unsubscribed=sum(bool(row["inert"]) for row in theirs),
        next=_next(may=may, held=[row for row in theirs if not row["inert"]], on_withdrawal=rule.on_withdrawal),
        purposes=tuple(_purpose(answer) for answer in found),
    )


def _rows(app: App, session: Session, sync: Sync, subject: str) -> int:
    version = newest_version(app.tools, sync.dataset.id)
    if not version or sync.mapping.subject is None:
        return 0
    rows = snapshot_table(app.tools, session, sync.dataset.id, version)
    return int(session.single(rows.aggregate(n=rows.count(where=text(rows[sync.mapping.subject]) == subject)))["n"])


_AT_THE_NEXT_RUN = MappingProxyType(
    {
        OnWithdrawal.DELETE: "deleted by the next run",
        OnWithdrawal.UNSUBSCRIBE: "unsubscribed by the next run",
        OnWithdrawal.IGNORE: "left as it is",
    }
)


def _next(*, may: bool, held: Sequence[object], on_withdrawal: OnWithdrawal) -> str:
    if may:
        return "sent as the dataset says"
    if not held:
        return "withheld"
    return _AT_THE_NEXT_RUN[on_withdrawal]


def _purpose(answer: Answer) -> PurposeStory:
    row = answer.decision or {}
    words = {name: str(row.get(name) or "") for name in ("channel", "legal_basis", "receipt", "register")}
    moments = {name: _moment(row.get(name)) for name in ("collected_at", "expires_at")}
    return PurposeStory(answer.purpose, answer.allowed, answer.why, **words, **moments)


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value is not None else ""
