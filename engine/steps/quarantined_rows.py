"""Quarantined rows: set aside when a candidate is judged, kept beside its version, and left alone by what is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ibis.expr.types import Table

from engine.checks.quarantine import set_aside, setting_aside, verdict
from engine.core.canonical import key_text
from engine.core.desired import ids, totals
from engine.core.events import CheckResult
from engine.core.names import SegmentRef, VersionNumber
from engine.core.plan import PlanRules, compared
from engine.core.quarantine import claims, left_alone, standing_changed, unheeded, without_claimed
from engine.core.verdict import blocked, passed
from engine.ledger.projections import versions
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.snapshots import version_folder

APPLIED = "quarantine.applied"


@dataclass(frozen=True, slots=True)
class Aside:
    """The quarantined rows of a version for one sync: what they claim, and how many could be sent but for it."""

    claimed: Table
    rows: int
    deliverable: int


def write_quarantine(
    session: Session, dataset: Dataset, table: Table, number: int, checks: Sequence[CheckResult], drafts: Storage
) -> tuple[SegmentRef | None, tuple[CheckResult, ...]]:
    """Write the rows of a candidate that are set aside, with their reasons, and judge how many they are.

    None where there is none; without a rule that may set rows aside, nothing is judged.
    """
    schema, demands = dataset.schema, dataset.demands
    if not demands.sets_rows_aside:
        return None, ()
    rules = setting_aside(schema, demands, checks)
    rows = int(session.single(table.aggregate(n=table.count()))["n"])
    if not rules:
        return None, (verdict(0, rows, demands),)
    with drafts.writing(version_folder(dataset.id), f"{number:08d}-quarantine") as draft:
        session.write(set_aside(table, rules, schema.key), draft.local)
    return draft.ref, (verdict(draft.ref.rows, rows, demands),)


def quarantine_of(tools: Tools, session: Session, sync: Sync, version: VersionNumber) -> Table | None:
    """The quarantined rows of an accepted version; None when there are none."""
    row = versions.get(tools.database, sync.dataset.id, version)
    return None if row is None else opened(tools.storage, session, row.quarantine)


def opened(storage: Storage, session: Session, ref: SegmentRef | None) -> Table | None:
    """The rows of a quarantine segment."""
    return None if ref is None else session.table(storage.local(ref))


def is_same_quarantine(tools: Tools, session: Session, one: SegmentRef | None, other: SegmentRef | None) -> bool:
    """Whether two segments set the same rows aside for the same reasons; how they were written does not count."""
    if one is None or other is None:
        return one is other
    if one.digest == other.digest:
        return True
    if one.rows != other.rows:
        return False
    left, right = (session.table(tools.storage.local(ref)) for ref in (one, other))
    lacking = left.anti_join(right, ["pk", "reasons"])
    return not int(session.single(lacking.aggregate(n=lacking.count()))["n"])


def aside(
    session: Session, sync: Sync, rows: Table, quarantined: Table | None, desired: Callable[[Table], Table]
) -> Aside | None:
    """What the quarantined rows of a version mean to a sync; ``desired`` gives the records of rows. None without any."""
    if quarantined is None:
        return None
    key = sync.dataset.schema.key
    mine = rows.filter(key_text([rows[c] for c in key]).isin(quarantined.pk))
    records = session.cached(desired(mine))
    sizes = session.single(totals(records))
    claimed = session.cached(claims(records, ids(rows, sync.mapping, key)))
    return Aside(claimed, int(sizes["rows"]), int(sizes["deliverable"]))


def compared_with_care(
    wanted: Table, held: Table, rules: PlanRules, refused: Table | None, set_apart: Aside | None
) -> Table:
    """`compared`, in which nothing is desired of quarantined rows and what is held of them is left as it is."""
    if set_apart is None:
        return compared(wanted, held, rules, refused)
    return left_alone(compared(without_claimed(wanted, set_apart.claimed), held, rules, refused), set_apart.claimed)


def good_identities(identities: Table, set_apart: Aside | None) -> Table:
    """``id`` and ``pk`` of the rows that may be sent: two good rows must not have one id, and bad ones may."""
    return identities if set_apart is None else identities.anti_join(set_apart.claimed, "pk")


def changed_standing(session: Session, before: Table | None, after: Table | None) -> list[Table]:
    """Keys of rows that are quarantined in one of two versions only, as `engine.core.plan.moving` takes them."""
    if before is None or after is None:
        return [table.select("pk") for table in (before, after) if table is not None]
    return [session.cached(standing_changed(before, after))]


def quarantine_applied(session: Session, written: Table, quarantined: Table | None) -> tuple[CheckResult, ...]:
    """The gate that derives anew that a plan leaves quarantined rows alone; silent where there are none."""
    if quarantined is None:
        return ()
    found = unheeded(written, quarantined)
    count = int(session.single(found.aggregate(n=found.count()))["n"])
    if count:
        return (blocked(APPLIED, f"{count:,} planned records are of quarantined rows", {"records": count}),)
    return (passed(APPLIED, "no planned record is of a quarantined row", {"records": 0}),)
