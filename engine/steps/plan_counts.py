"""How many records a plan inserts, updates, deletes, leaves as they are and withholds."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr.types import Table

from engine.checks.facts import Coverage
from engine.core.consent_rule import REMOVING
from engine.core.desired import totals
from engine.core.plan import counts
from engine.core.state import is_exhausted
from engine.segments.compute import Session
from engine.steps.facts import Sync
from engine.steps.quarantined_rows import Aside


@dataclass(frozen=True, slots=True)
class Counts:
    """What a plan sends, and what it leaves."""

    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    unchanged: int = 0
    withheld: int = 0
    quarantined: int = 0
    coverage: Coverage = Coverage(0, 0)  # noqa: RUF009  # a value that nothing changes


def counted(
    session: Session, sync: Sync, held: Table, comparing: Table, wanted: Table, written: Table, apart: Aside | None
) -> Counts:
    """The numbers of the plan that was ``written``, over all that is ``wanted`` and ``held``."""
    changes = {r["change"]: int(r["n"]) for r in session.fetch(written.group_by("change").aggregate(n=written.count()))}
    sent = session.single(written.aggregate(n=written.count(where=written["op"].notin(REMOVING))))["n"]
    sizes = session.single(totals(wanted))
    waiting = is_exhausted(held.attempts, sync.max_attempts) | held.unknown
    left_alone = 0
    if session.single(held.aggregate(n=held.count(where=waiting)))["n"]:
        verdicts = session.single(counts(comparing))
        left_alone = int(verdicts["quarantined"]) + int(verdicts["in_doubt"])
    deliverable = int(sizes["deliverable"]) - (apart.deliverable if apart else 0)
    return Counts(
        inserts=changes.get("insert", 0),
        updates=changes.get("update", 0),
        deletes=changes.get("delete", 0),
        unchanged=max(0, deliverable - int(sent) - left_alone),
        withheld=int(sizes["rows"]) - deliverable + left_alone,
        quarantined=apart.rows if apart else 0,
        coverage=Coverage(int(sizes["rows"]), int(sizes["consenting"])),
    )
