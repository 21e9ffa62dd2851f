"""Record: in an environment that does not deliver, write what would have been sent and send nothing."""

from __future__ import annotations

from engine.core.names import RunId, SegmentRef
from engine.core.plan_forms import payloads
from engine.segments.compute import Session
from engine.steps.facts import Sync, Tools


def record(tools: Tools, session: Session, sync: Sync, run: RunId, plan: SegmentRef) -> str:
    """Write the plan's records as they would leave and return the file's path below the storage root.

    The delivered state does not move, so the same plan is made again by the next run.
    """
    with tools.storage.writing(f"syncs/{sync.id}/recorded", f"{run}") as draft:
        session.write(payloads(session.table(tools.storage.local(plan))), draft.local)
    return draft.ref.path
