"""Removals that are owed to people, sent as a run of their own where what a sync's run is for cannot leave.

A gate that is in doubt about a change, a person who has not looked at it yet, a source that nobody can read and rows of
which no plan can be made keep nobody at a destination who took their consent back or stands in a suppression list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
from ibis.expr.types import Table

from engine.checks import coverage
from engine.checks.facts import Coverage
from engine.core.compare import OWED_REMOVALS
from engine.core.desired import Mode, Refusal
from engine.core.events import CheckResult, ConsentAsked, PlanMade, StateFolded
from engine.core.names import RunId
from engine.core.plan import compared, is_owed_to_people, operations
from engine.core.relations import union
from engine.core.verdict import passed, stopping
from engine.errors import StorageError
from engine.failpoints import failpoint
from engine.ledger.projections import states
from engine.segments.compute import ORDINAL, Session
from engine.steps.aim import unfit_version, wanted_version
from engine.steps.approval import is_approved
from engine.steps.consent import APPLIED, NO_PREVIEW, asked_of, consent_now
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools
from engine.steps.halt import Stopping
from engine.steps.keep_out import refused_held
from engine.steps.place import place_of
from engine.steps.plan import Planned, Settled
from engine.steps.plan_gate import coverage_before, plan_facts
from engine.steps.removals import nobody_wanted, partial_plan
from engine.steps.send import send
from engine.steps.snapshots import snapshot_table
from engine.steps.suppression import Applying, applying, suppressed
from engine.steps.trip import Trip, as_planned, new_run

WAITS_FOR = frozenset({APPLIED, coverage.NAME})
"""Checks that judge the decisions themselves: while one stops a plan, it may be wrong about who is to be removed."""
SAID = "removals that are owed to people wait for no other change"


@dataclass(frozen=True, slots=True)
class _Owed:
    """Rows of a plan that are owed to people, what judged them and what was asked of consent for them."""

    rows: Table
    checks: Sequence[CheckResult]
    consent: ConsentAsked | None


def remove_owed(trip: Trip, session: Session, stop: Stopping, planned: Planned | Settled | None) -> bool:
    """Where ``planned`` has to wait, or none could be made (None), send what is owed to people, and begin what waits anew.

    Whether there was anything to send; then the delivered state is another, and so is what is left to plan. A plan that
    is acted on in another form than it was made in is left alone: its run may be one that sends nothing.
    """
    if trip.made is not as_planned or not _waits(trip, planned):
        return False
    event = _owed_removals(trip.tools, session, trip.sync, planned, trip.run)
    if event is None:
        return False
    if isinstance(planned, Planned) and planned.segment is not None:
        trip.tools.storage.remove(planned.segment)
    refusal, trip.refusal = trip.refusal, None
    trip.append(event)
    failpoint("removals.after_plan")
    send(trip, session, event, stop)
    trip.refusal = refusal
    trip.run = new_run(trip.tools)
    trip.begin()
    return True


def _waits(trip: Trip, planned: Planned | Settled | None) -> bool:
    match planned:
        case None:
            return True
        case Settled():
            return False
        case Planned():
            return bool(stopping(planned.checks)) and not is_approved(trip.tools, trip.sync, planned.digest)


def _owed_removals(
    tools: Tools, session: Session, sync: Sync, planned: Planned | Settled | None, run: RunId
) -> PlanMade | None:
    """The plan of what is owed to people; None when that is nothing, or the decisions are in doubt.

    It settles its own records and nothing else, so the plan after it still compares everybody with the decisions.
    """
    state = states.current(tools.database, sync.id)
    if state is None or state.place != place_of(sync) or sync.target.record_only:
        return None
    if isinstance(planned, Planned) and APPLIED in {check.check for check in planned.checks}:
        owed = _of_plan(tools, session, planned)
    else:
        owed = _of_state(tools, session, sync, state)
    if owed is None or {check.check for check in stopping(owed.checks)} & WAITS_FOR:
        return None
    sizes = owed.rows.aggregate(n=owed.rows.count(), deletes=owed.rows.count(where=owed.rows.change == "delete"))
    number, deletes = (int(session.single(sizes)[name]) for name in ("n", "deletes"))
    if not number:
        return None
    kept = [check for check in owed.checks if check.check == coverage.NAME]
    checks = (passed(APPLIED, SAID, {"removals": number}), *kept)
    event = partial_plan(tools, session, sync, run, state, owed.rows, OWED_REMOVALS, SAID, checks)
    return replace(event, updates=number - deletes, deletes=deletes, consent=owed.consent)


def _of_plan(tools: Tools, session: Session, planned: Planned) -> _Owed | None:
    """Those of a plan that was made and has to wait."""
    if planned.segment is None:
        return None
    rows = session.numbered(tools.storage.local(planned.segment))
    theirs = session.cached(rows.filter(is_owed_to_people(rows)).order_by(ORDINAL).drop(ORDINAL))
    return _Owed(theirs, planned.checks, planned.consent)


def _of_state(tools: Tools, session: Session, sync: Sync, state: StateFolded) -> _Owed | None:
    """Those that the delivered state, the decisions and the lists say without a plan; None where they say none.

    A version is not needed. Where one can be read, it says by what else people in a list are known.
    """
    held = session.cached(state_rows(tools, session, state))
    consent, lists = consent_now(tools, session, sync, NO_PREVIEW), applying(tools, session, sync)
    found = [refused_held(session, sync, held, consent, lists), _listed_rows(tools, session, sync, held, lists)]
    refused = [rows for rows in found if rows is not None]
    if not refused:
        return None
    every = union(*refused)
    once = session.cached(every.group_by("id").aggregate(reason=every.reason.max()))
    judged = compared(nobody_wanted(session, sync), held, replace(sync.rules, mode=Mode.UPSERT), once)
    rows = session.cached(operations(judged))
    lost = int(session.single(rows.aggregate(n=rows.count(where=rows.reason == Refusal.CONSENT.value)))["n"])
    checks = _estimated(tools, session, sync, state, held, lost)
    return _Owed(rows, checks, asked_of(sync.mapping.consent, consent.at))


def _listed_rows(tools: Tools, session: Session, sync: Sync, held: Table, lists: Applying | None) -> Table | None:
    """What is held of rows that the wanted version says are about people in ``lists``; None where nobody can tell."""
    version = wanted_version(tools, sync.dataset.id, None) if lists is not None else None
    if not version or unfit_version(tools, sync, version) is not None:
        return None
    try:
        rows = snapshot_table(tools, session, sync.dataset.id, version)
    except StorageError:
        # Whom only the version could tell waits until it can be read; the others do not wait for that.
        return None
    listed = suppressed(session, sync, lists, rows)
    if listed is None:
        return None
    return held.semi_join(listed, "pk").select("id", reason=ibis.literal(Refusal.SUPPRESSED.value))


def _estimated(
    tools: Tools, session: Session, sync: Sync, state: StateFolded, held: Table, lost: int
) -> Sequence[CheckResult]:
    """The share of consent as it would be if nothing but these ``lost`` ones had changed since the last plan."""
    facts = plan_facts(sync)
    if not facts.asks_consent:
        return ()
    before = coverage_before(tools, state)
    if before is None:
        number = int(session.single(held.aggregate(n=held.count(where=held.acked | held.unknown)))["n"])
        before = Coverage(number, number)
    now = Coverage(before.rows, max(0, before.consenting - lost))
    return coverage.verdict({}, replace(facts, coverage=now, coverage_before=before))
