"""What the log says of one plan of a sync: each time it was made, and what people decided about it."""

from __future__ import annotations

from sqlalchemy import func, literal, select

from engine.core.events import PlanApproved, PlanMade, PlanRejected
from engine.core.names import Digest, RunId, SyncId, run_stream, sync_stream
from engine.ledger.database import Database, reading
from engine.ledger.recorded import Recorded, facts, recorded
from engine.ledger.tables import event, run

TOLD = (PlanMade, PlanApproved, PlanRejected)


def history(db: Database, sync: SyncId, digest: Digest) -> list[Recorded]:
    """When the plan with this digest was made and decided about, oldest first; empty once it cannot be made again.

    Each fold changes what the digest of a plan is made from, so only runs since the last one can have made it. As many
    events as runs were held for one plan, all of them, since the first says who asked.
    """
    folded = select(func.coalesce(func.max(event.c.seq), 0)).where(event.c.stream == sync_stream(sync))
    since = (run.c.sync == sync) & (run.c.started > folded.scalar_subquery())
    streams = select(literal(run_stream(RunId(""))).concat(run.c.run)).where(since)
    wanted = facts().where(event.c.stream.in_(streams), event.c.type.in_([kind.type for kind in TOLD]))
    with reading(db) as connection:
        found = [recorded(row) for row in connection.execute(wanted.order_by(event.c.seq))]
    return [fact for fact in found if isinstance(fact.event, TOLD) and fact.event.digest == digest]
