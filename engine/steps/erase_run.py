"""The trip that removes people from one destination, ahead of the trip that brings it what the source says.

It reads no source and asks no gate, so that neither a source that is down nor a plan that waits for a person keeps
somebody in a destination who is to be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.core.events import PlanMade
from engine.core.names import RunId
from engine.failpoints import failpoint
from engine.ledger.log import Fence
from engine.segments.compute import Session
from engine.steps.erase_segments import stored_versions
from engine.steps.erase_sync import clean_sync, is_unfinished, mark_sync, people_in
from engine.steps.erased import erased, erasures_head
from engine.steps.facts import Sync, Tools
from engine.steps.halt import Stopping
from engine.steps.removals import removals
from engine.steps.trip import Observe, Trip, new_run

Send = Callable[[Trip, Session, PlanMade, Stopping], None]
"""From a plan in the ledger to the end of its run; see `engine.steps.send`."""


def remove_people(tools: Tools, sync: Sync, fence: Fence, stop: Stopping, observe: Observe, send: Send) -> RunId | None:
    """Mark, remove and clean; returns the run that removed, if there was anything to remove.

    Nothing when nobody is to be forgotten, or nothing is left to do. Raises as `send` does, and `ErasureKeyMissing`.
    """
    through = erasures_head(tools)
    if not through or not is_unfinished(tools, through, sync.id):
        return None
    people = erased(tools)
    assert people is not None, "its stream has a head"
    kept = stored_versions(tools, sync.dataset.id, sync.dataset.subjects)
    run = new_run(tools)
    with tools.compute.session() as session:
        theirs = people_in(tools, session, people, sync.id, kept)
        mark_sync(tools, session, people, sync.id, theirs, fence)
        planned = removals(tools, session, sync, run)
        if planned is not None:
            trip = Trip(tools, sync, run, fence, observe)
            trip.begin(planned)
            failpoint("removals.after_plan")
            send(trip, session, planned, stop)
        clean_sync(tools, session, people, sync.id, theirs, fence)
    return run if planned is not None else None
