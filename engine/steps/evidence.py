"""What the stored facts say of consent afterwards: what was sent about somebody, and on which decisions a run rested.

Nothing here asks a source or the present: plans, receipts, versions and decisions are read as they were recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ibis.expr.types import Table

from engine.core.consent import granted, lines, register_rows
from engine.core.consent_proof import unproven
from engine.core.consent_rule import REMOVING, ConsentRule, OnWithdrawal, Policy
from engine.core.events import ConsentAsked, ConsentDecided, PlanMade
from engine.core.names import CONSENT_STREAM, DatasetId, Position, RunId, SegmentRef, SyncId, VersionNumber, run_stream
from engine.core.relations import union
from engine.core.state import basis_of
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.consent import TAKEN_HERE, register_version
from engine.steps.decisions import decided_in
from engine.steps.dropped_plans import gone_of, kept_plans, plans_not_kept, sent_unkept
from engine.steps.facts import Sync, Tools
from engine.steps.fold import exception_rows, receipts
from engine.steps.snapshots import snapshot_table

DELIVERED = "delivered"
NOT_SENT = "not sent"
SENT = "sent"
"""Of a plan that is not kept any more nobody can tell whether the row was delivered or its outcome unknown."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A row of a plan about somebody and what became of it; ``row`` has the plan's ``id``, ``op``, ``reason`` and ``basis``."""

    run: RunRow
    row: Mapping[str, Any]
    outcome: str


def sent_about(tools: Tools, session: Session, sync: SyncId, subject: str) -> Iterator[SentRow]:
    """Every row about ``subject`` in any plan of a sync that is kept, oldest run first, a run in memory at a time.

    Before them, of each of their records, the last row that was sent by a run whose plan is not.
    """
    sent = sent_unkept(tools, session, gone_of(tools, sync))
    for row in session.fetch(sent.filter(sent.subject == subject).order_by("sent")) if sent is not None else ():
        run = runs.get(tools.database, RunId(row["run"]))
        if run is not None:
            yield SentRow(run, row, SENT)
    for run in kept_plans(tools, sync):
        assert run.segment is not None, "only such runs have a plan"
        plan = session.numbered(tools.storage.local(run.segment))
        if "subject" not in plan.columns:
            continue
        theirs = plan.filter(plan.subject == subject)
        found = session.fetch(theirs.select(ORDINAL, "id", "op", "change", "reason", basis=basis_of(theirs)))
        if found:
            yield from _with_outcomes(tools, session, run, found)


def _with_outcomes(tools: Tools, session: Session, run: RunRow, rows: list[dict[str, Any]]) -> Iterator[SentRow]:
    sent, _, segments = receipts(tools, run.run)
    places = [row[ORDINAL] for row in rows]
    exceptions = exception_rows(tools, session, segments)
    others = {r["ordinal"]: r["outcome"] for r in session.fetch(exceptions.filter(exceptions.ordinal.isin(places)))}
    for row in rows:
        place = row[ORDINAL]
        yield SentRow(run, row, others.get(place, DELIVERED) if place < sent else NOT_SENT)


@dataclass(frozen=True, slots=True)
class Rested:
    """What a run's plan rested on: its version, the rule it asked, as of when, and every decision that it read."""

    planned: PlanMade
    rule: ConsentRule
    at: datetime
    register: Table | None


def rested_on(tools: Tools, session: Session, run: RunId) -> Rested | None:
    """The consent of a run's plan; None when it made none, or asked nobody, or did not keep what it asked."""
    planned = next((r.event for r in tools.ledger.read(run_stream(run)) if isinstance(r.event, PlanMade)), None)
    if planned is None or planned.consent is None:
        return None
    asked = planned.consent
    return Rested(
        planned, rule_of(asked), datetime.fromisoformat(asked.at), _register(tools, session, planned.registers)
    )


def rule_of(asked: ConsentAsked) -> ConsentRule:
    """The rule that an event kept."""
    return ConsentRule(
        tuple(asked.purposes), asked.subject, Policy(asked.policy), asked.channel, OnWithdrawal(asked.on_withdrawal)
    )


def _register(tools: Tools, session: Session, registers: Mapping[str, int]) -> Table | None:
    """The decisions as they stood: of each register its version then, and those that had been taken here."""
    tables = []
    for name, number in registers.items():
        if name == CONSENT_STREAM:
            here = decided_in(tools, session, _segments_at(tools, Position(number)))
            tables += [] if here is None else [register_rows(here, TAKEN_HERE)]
        elif "@" in name and number:
            tables.append(register_version(tools, session, DatasetId(name), VersionNumber(number)))
    return union(*tables) if tables else None


def _segments_at(tools: Tools, position: Position) -> tuple[SegmentRef, ...]:
    """What held the decisions at a position of their stream, where they may just have been written again without somebody."""
    for behind in range(position, 0, -1):
        event = next(tools.ledger.read(CONSENT_STREAM, after=Position(behind - 1))).event
        if isinstance(event, ConsentDecided):
            return event.segments
    return ()


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """What a run delivered, as tables.

    ``upserts`` have the decisions that were kept with them as ``_kept``; ``unproven`` are those without a standing grant,
    ``unlike`` those of which the register of then gives other decisions. Of ``forgotten`` ones nothing is kept to prove.
    """

    upserts: Table
    unproven: Table
    unlike: Table
    forgotten: int
    removals: int
    withheld: int


def run_evidence(tools: Tools, session: Session, sync: Sync, rested: Rested) -> RunEvidence | None:
    """Join what a run delivered to the decisions of then; None when its plan sent nothing.

    Raises `ConfigurationError` for a plan that is not kept any more.
    """
    planned = rested.planned
    if planned.segment is None:
        return None
    gone = gone_of(tools, sync.id)
    if planned.segment.path in gone.paths:
        raise plans_not_kept(sync.id, gone, f"The plan of run {planned.run}, from which its consent is proven,")
    sent, withheld, segments = receipts(tools, planned.run)
    plan = session.numbered(tools.storage.local(planned.segment))
    seen = exception_rows(tools, session, segments).select(_at="ordinal")
    done = plan.filter(plan[ORDINAL] < sent)
    done = done.anti_join(seen, done[ORDINAL] == seen["_at"])
    removing, is_forgotten = done["op"].isin(REMOVING), done.id.isnull()
    counts = {"removals": removing, "forgotten": ~removing & is_forgotten}
    numbers = session.single(done.aggregate(**{name: done.count(where=which) for name, which in counts.items()}))
    kept = done.filter(~removing & ~is_forgotten)
    upserts = session.cached(kept.mutate(_kept=basis_of(kept)))
    rest = (int(numbers["forgotten"]), int(numbers["removals"]), withheld)
    if rested.register is None:
        return RunEvidence(upserts, upserts, upserts.limit(0), *rest)
    register = session.cached(rested.register)
    rows = snapshot_table(tools, session, sync.dataset.id, planned.version)
    without = session.cached(unproven(upserts, rows, sync.dataset.schema.key, register, rested.rule, rested.at))
    people = granted(lines(register, rested.rule, rested.at), rested.rule)
    told = people.select(_of="subject", _then="basis")
    both = upserts.left_join(told, upserts.subject == told["_of"])
    unlike = session.cached(both.filter(~both["_kept"].identical_to(both["_then"])))
    return RunEvidence(upserts, without, unlike, *rest)
