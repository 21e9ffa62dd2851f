"""Removals that are owed to people who are to be forgotten: marked in the delivered state, and planned before all else.

They need no version, no capture and no gate: what a destination holds of somebody is known from what was delivered. It is
the same subtraction as ever, with a desired state in which there is nobody.
"""

from __future__ import annotations

from dataclasses import replace

import ibis
import pyarrow as pa
from ibis.expr.types import BooleanValue, Table

from destinations.base import Op
from engine.core.compare import INCOMPLETE, REMOVALS
from engine.core.desired import FIELD, Mode
from engine.core.events import CheckResult, PlanMade, StateFolded
from engine.core.names import ERASURE_STREAM, RunId, SegmentRef, SyncId, plan_id, sync_stream
from engine.core.plan import compared, operations
from engine.core.relations import union
from engine.core.state import field_columns, live
from engine.core.verdict import passed
from engine.ledger.log import Fence
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.steps.anchors import drop_anchor, sync_anchor
from engine.steps.delivered_state import state_layers, state_rows
from engine.steps.erase_segments import People
from engine.steps.facts import Sync, Tools
from engine.steps.place import place_of
from engine.steps.plan import plan_digest
from engine.steps.plan_gate import coverage_found

_WANTED = ("id", "pk", "key", "refusal", "subject", "basis")


def owed_to_people(rows: Table) -> BooleanValue:
    """Which state rows stay only because a destination has not acknowledged that somebody is removed."""
    return rows.erase.fill_null(False)


def is_theirs(rows: Table, people: People) -> BooleanValue:
    """Which rows of a state or a plan are about these people; an older one does not say whom it is about."""
    named = rows.pk.isin(people.keys.pk).fill_null(False)
    if "subject" in rows.columns:
        named |= rows.subject.isin(people.subjects.subject).fill_null(False)
    kept_for = [rows[c].fill_null(False) for c in ("erase", "was_erase") if c in rows.columns]
    return ibis.or_(named, *kept_for)


def mark(tools: Tools, session: Session, before: StateFolded, people: People, through: int, fence: Fence) -> int:
    """Let the delivered state hold of these people only what their removal needs; returns how many removals are owed.

    What no destination holds goes at once. From here on the state answers the first ``through`` requests.
    """
    rows = live(state_layers(tools, session, before))
    mine = session.cached(rows.filter(is_theirs(rows, people)))
    sizes = session.single(mine.aggregate(n=mine.count(), owed=mine.count(where=mine.acked | mine.unknown)))
    owed, segments = int(sizes["owed"]), before.segments
    if int(sizes["n"]):
        held = mine.filter(mine.acked | mine.unknown).mutate(
            **{c: ibis.null("string") for c in (*field_columns(mine), "tried", "basis")},
            attempts=ibis.literal(0).cast("int64"),
            owed=ibis.literal(True),
            erase=ibis.literal(True),
        )
        segments = (_written(tools, session, before, union(rows.anti_join(mine, "id"), held)),)
    registers = {**before.registers, ERASURE_STREAM: through}
    _fold(
        tools, replace(before, segments=segments, registers=registers, owed=max(before.owed, owed), delivered=0), fence
    )
    return owed


def compact(tools: Tools, session: Session, before: StateFolded, people: People, fence: Fence) -> None:
    """Leave these people only what a removal that is owed needs; nothing is done where no more is kept of them.

    More is kept by older layers, whatever newer ones say of the same record, and by what stands for a removal that is done.
    """
    layers = state_layers(tools, session, before)
    about = [layer.filter(is_theirs(layer, people)) for layer in layers]
    kept = sum(int(session.single(rows.aggregate(n=rows.count()))["n"]) for rows in about)
    left = live(layers)
    owed = session.single(left.aggregate(people=left.count(where=owed_to_people(left)), n=left.count(where=left.owed)))
    if kept > int(owed["people"]):
        segment = _written(tools, session, before, left)
        all_owed = before.owed if before.version == INCOMPLETE else int(owed["n"])
        _fold(tools, replace(before, segments=(segment,), owed=all_owed, delivered=0), fence)


def removals(tools: Tools, session: Session, sync: Sync, run: RunId) -> PlanMade | None:
    """The plan of everything that is owed to people; None when nothing is, or the destination cannot be asked."""
    state = states.current(tools.database, sync.id)
    if state is None or why_not(sync, state):
        return None
    held = state_rows(tools, session, state)
    held = session.cached(held.filter(owed_to_people(held)))
    count = int(session.single(held.aggregate(n=held.count()))["n"])
    if not count:
        return None
    judged = compared(nobody_wanted(session, sync), held, replace(sync.rules, mode=Mode.UPSERT))
    checks = (
        passed("erasure", "removals that are owed to people wait for no gate", {"removals": count}),
        *coverage_found(tools, state),
    )
    reason = "people are to be forgotten"
    event = partial_plan(tools, session, sync, run, state, operations(judged), REMOVALS, reason, checks)
    return replace(event, deletes=count)


def partial_plan(
    tools: Tools,
    session: Session,
    sync: Sync,
    run: RunId,
    state: StateFolded,
    rows: Table,
    comparison: str,
    reason: str,
    checks: tuple[CheckResult, ...],
) -> PlanMade:
    """The plan of some rows, with its segment, that leaves all else as ``state`` says; it counts nothing yet.

    It reaches no version and answers no decisions, so the plan after it still compares everybody.
    """
    with tools.storage.writing(f"syncs/{sync.id}/plans", f"{comparison[0]}{state.version:08d}") as draft:
        session.write(rows, draft.local)
    digest = plan_digest(tools, sync, tools.storage, draft.ref)
    return PlanMade(
        run=run,
        sync=sync.id,
        plan=plan_id(digest),
        digest=digest,
        segment=draft.ref,
        version=state.version,
        comparison=comparison,
        reason=reason,
        mapping=state.mapping,
        place=state.place,
        registers=state.registers,
        consent_until=state.consent_until,
        inserts=0,
        updates=0,
        deletes=0,
        unchanged=0,
        withheld=0,
        quarantined=0,
        checks=checks,
    )


def why_not(sync: Sync, state: StateFolded) -> str:
    """Why a removal cannot be asked of the destination; empty when it can."""
    if sync.target.record_only:
        return "this environment sends nothing"
    if Op.DELETE not in sync.target.destination.spec.operations:
        return f"a {sync.target.destination.spec.name} destination cannot delete: do it there by hand"
    if state.place != place_of(sync):
        return f"the records are in {state.place}, and the sync's file names another place"
    return ""


def owed_count(tools: Tools, session: Session, sync: SyncId) -> int:
    """How many records a sync's destination still has to remove."""
    rows = state_rows(tools, session, states.current(tools.database, sync))
    return int(session.single(rows.aggregate(n=rows.count(where=owed_to_people(rows))))["n"])


def nobody_wanted(session: Session, sync: Sync) -> Table:
    """A desired state without records."""
    texts = [(name, pa.string()) for name in (*_WANTED, *(FIELD + target for target in sync.mapping.targets))]
    return session.rows(pa.schema([*texts, ("allowed", pa.bool_())]).empty_table())


def _written(tools: Tools, session: Session, before: StateFolded, rows: Table) -> SegmentRef:
    with tools.storage.writing(f"syncs/{before.sync}/state", f"{before.run}-erased") as draft:
        session.write(rows, draft.local)
    return draft.ref


def _fold(tools: Tools, event: StateFolded, fence: Fence) -> None:
    tools.ledger.append(sync_stream(event.sync), event, fence=fence)
    drop_anchor(tools, sync_anchor(event.sync), sync_stream(event.sync))
