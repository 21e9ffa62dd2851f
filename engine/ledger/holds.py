"""What the log says of what people are asked about: a plan of a sync, each time that it was made, and a version."""

from __future__ import annotations

from sqlalchemy import func, literal, select

from engine.core.events import PlanApproved, PlanMade, PlanRejected, VersionRejected
from engine.core.names import DatasetId, Digest, RunId, SyncId, dataset_stream, run_stream, sync_stream
from engine.ledger.database import Database, reading
from engine.ledger.recorded import Recorded, facts, recorded
from engine.ledger.tables import event, run, version

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


def rejection(db: Database, dataset: DatasetId, content: Digest) -> Recorded | None:
    """The newest word against a candidate with this ``content`` since the last accepted version; None without one."""
    accepted = select(func.coalesce(func.max(version.c.accepted), 0)).where(version.c.dataset == dataset)
    wanted = facts().where(
        event.c.stream == dataset_stream(dataset),
        event.c.type == VersionRejected.type,
        event.c.seq > accepted.scalar_subquery(),
    )
    with reading(db) as connection:
        found = [recorded(row) for row in connection.execute(wanted.order_by(event.c.seq.desc()))]
    said = (fact for fact in found if isinstance(fact.event, VersionRejected) and fact.event.content == content)
    return next(said, None)
