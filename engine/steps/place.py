"""Where a sync's records are, and what becomes of a sync that is pointed elsewhere."""

from __future__ import annotations

from ibis.expr.types import Table

from engine.core.events import CheckResult, Place, StateFolded
from engine.core.verdict import blocked, passed
from engine.segments.compute import Session
from engine.steps.facts import Sync

PLACE = "place"


def place_of(sync: Sync) -> Place:
    """Where the sync's file says that its records are."""
    return Place(sync.target.name, sync.mapping.object, tuple(part.target for part in sync.mapping.match))


def same_place(session: Session, sync: Sync, state: StateFolded | None, held: Table) -> CheckResult:
    """A sync that is pointed elsewhere must not take what it delivered for what is there, nor leave it behind unseen."""
    place = place_of(sync)
    if state is None or state.place == place:
        return passed(PLACE, f"its records are in {place}")
    left = int(session.single(held.aggregate(n=held.count(where=held.acked | held.unknown)))["n"])
    if not left:
        return passed(PLACE, f"nothing is held in {state.place}")
    message = (
        f"{left:,} records were delivered to {state.place}, and the file now names {place}: name the old place again, or "
        "give the sync another name, under which it starts anew and leaves those records to you"
    )
    return blocked(PLACE, message, {"records": left})
