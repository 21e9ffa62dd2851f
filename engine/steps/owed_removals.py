"""Removals that a plan owes to people, taken out of it and planned by themselves where the rest has to wait.

A gate that is in doubt about a change, or a person who has not looked at it yet, keeps nobody at a destination who took
their consent back or stands in a suppression list.
"""

from __future__ import annotations

from dataclasses import replace

from engine.checks import coverage
from engine.core.compare import OWED_REMOVALS
from engine.core.events import PlanMade
from engine.core.names import RunId
from engine.core.plan import is_owed_to_people
from engine.core.verdict import passed, stopping
from engine.failpoints import failpoint
from engine.ledger.projections import states
from engine.segments.compute import ORDINAL, Session
from engine.steps.approval import is_approved
from engine.steps.consent import APPLIED
from engine.steps.facts import Sync, Tools
from engine.steps.halt import Stopping
from engine.steps.plan import Planned
from engine.steps.removals import partial_plan
from engine.steps.send import send
from engine.steps.trip import Trip, as_planned, new_run

WAITS_FOR = frozenset({APPLIED, coverage.NAME})
"""Checks that judge the decisions themselves: while one stops a plan, it may be wrong about who is to be removed."""


def remove_owed(trip: Trip, session: Session, planned: Planned, stop: Stopping) -> bool:
    """Where ``planned`` has to wait, send what it owes to people as a run of its own, and begin the one that waits.

    Whether there was anything to send; then the delivered state is another, and so is what is left to plan. A plan that
    is acted on in another form than it was made in is left alone: its run may be one that sends nothing.
    """
    if trip.made is not as_planned or not stopping(planned.checks):
        return False
    if is_approved(trip.tools, trip.sync, planned.digest):
        return False
    event = owed_removals(trip.tools, session, trip.sync, planned, trip.run)
    if event is None:
        return False
    assert planned.segment is not None, "what is owed was found in it"
    trip.tools.storage.remove(planned.segment)
    refusal, trip.refusal = trip.refusal, None
    trip.append(event)
    failpoint("removals.after_plan")
    send(trip, session, event, stop)
    trip.refusal = refusal
    trip.run = new_run(trip.tools)
    trip.begin()
    return True


def owed_removals(tools: Tools, session: Session, sync: Sync, planned: Planned, run: RunId) -> PlanMade | None:
    """The plan of what ``planned``, which has to wait, owes to people; None when that is nothing or is in doubt too.

    It settles its own records and nothing else, so the plan after it still compares everybody with the decisions.
    """
    state, judged = states.current(tools.database, sync.id), {check.check for check in planned.checks}
    doubted = {check.check for check in stopping(planned.checks)}
    if state is None or planned.segment is None or APPLIED not in judged or doubted & WAITS_FOR:
        return None
    rows = session.numbered(tools.storage.local(planned.segment))
    theirs = session.cached(rows.filter(is_owed_to_people(rows)).order_by(ORDINAL).drop(ORDINAL))
    number = int(session.single(theirs.aggregate(n=theirs.count()))["n"])
    if not number or sync.target.record_only:
        return None
    deletes = int(session.single(theirs.aggregate(n=theirs.count(where=theirs.change == "delete")))["n"])
    said = "removals that are owed to people wait for no other change"
    check = passed(APPLIED, said, {"removals": number})
    event = partial_plan(tools, session, sync, run, state, theirs, OWED_REMOVALS, said, check)
    return replace(event, updates=number - deletes, deletes=deletes, consent=planned.consent)
