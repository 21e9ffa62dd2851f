"""Plan: desired − delivered, written as an immutable segment with a digest of what it would send."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from typing import assert_never

from ibis.expr.types import Table

from engine.core.canonical import digest_of, key_text
from engine.core.compare import Comparison, Full, Incremental, comparison
from engine.core.desired import FIELD, desired, ids, mapping_digest
from engine.core.events import CheckResult, ConsentAsked, Place, PlanMade, StateFolded
from engine.core.names import LEDGER_STREAM, Digest, PlanId, RunId, SegmentRef, VersionNumber, plan_id, sync_stream
from engine.core.plan import operations
from engine.core.relations import union
from engine.core.state import live
from engine.core.verdict import Verdict, worst
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.segments.digest import content_digest
from engine.segments.files import Storage
from engine.steps.aim import foreign_pin, pinned_version, unfit_version, wanted_version
from engine.steps.consent import (
    NO_PREVIEW,
    Consent,
    Preview,
    asked_of,
    consent_applied,
    consent_ignored,
    consent_now,
    register_versions,
)
from engine.steps.delivered_state import Delivered, state_layers
from engine.steps.dropped import with_what_is_kept
from engine.steps.facts import Sync, Tools
from engine.steps.keep_out import NOBODY, KeptOut, kept_out, lists_usable, refused_held, suppression_applied
from engine.steps.kept_rows import KeptRows, kept_rows, misfit, quarantine_with_kept, with_kept
from engine.steps.mapping_gates import mapping_gates
from engine.steps.narrowed import narrowed
from engine.steps.place import place_of, same_place
from engine.steps.plan_counts import Counts, counted
from engine.steps.plan_gate import judged_identities, judged_plan
from engine.steps.quarantined_rows import (
    aside,
    changed_standing,
    compared_with_care,
    good_identities,
    quarantine_applied,
    quarantine_of,
)
from engine.steps.snapshots import change_tables, rows_since, snapshot_table
from engine.steps.suppression import identified
from engine.steps.untouched import Untouched, untouched


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is to be sent, and nothing could be: no plan was computed."""

    version: VersionNumber
    left: Untouched


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan; ``segment`` is None when nothing is to be sent."""

    plan: PlanId
    digest: Digest
    segment: SegmentRef | None
    version: VersionNumber
    comparison: Comparison
    mapping: Digest
    place: Place
    registers: MappingOf[str, int]
    consent_until: str | None
    consent: ConsentAsked | None
    inserts: int
    updates: int
    deletes: int
    unchanged: int
    withheld: int
    quarantined: int
    checks: tuple[CheckResult, ...]

    @property
    def is_blocked(self) -> bool:
        return worst(self.checks) is Verdict.BLOCK

    def event(self, run: RunId, sync: Sync) -> PlanMade:
        """What the ledger remembers of this plan."""
        return PlanMade(
            run=run,
            sync=sync.id,
            plan=self.plan,
            digest=self.digest,
            segment=self.segment,
            version=self.version,
            comparison="full" if isinstance(self.comparison, Full) else "incremental",
            reason=self.comparison.reason,
            mapping=self.mapping,
            place=self.place,
            registers=self.registers,
            consent_until=self.consent_until,
            inserts=self.inserts,
            updates=self.updates,
            deletes=self.deletes,
            unchanged=self.unchanged,
            withheld=self.withheld,
            quarantined=self.quarantined,
            checks=self.checks,
            consent=self.consent,
        )


def plan(
    tools: Tools,
    session: Session,
    sync: Sync,
    *,
    drafts: Storage,
    preview: Preview = NO_PREVIEW,
    to: VersionNumber | None = None,
    imagined: Delivered | None = None,
    keeping: KeptRows | None = None,
) -> Planned | Settled:
    """Compare the version that the sync is brought to with the delivered state; write what must be sent to ``drafts``.

    That is the newest version (or candidate), or the one that the sync is pinned to; ``to`` stands for a pin, ``keeping``
    for rows that are kept, and ``imagined`` for a delivered state, that are only thought of. Raises `StorageError` when
    there is no version yet or a segment is damaged.
    """
    foreign = foreign_pin(tools, sync) if to is None and keeping is None else None
    pinned = (None if foreign else pinned_version(tools, sync.id)) if to is None else to
    if pinned is not None:
        preview = replace(preview, dataset=None)
    state = imagined.state if imagined else states.current(tools.database, sync.id)
    candidate = preview.dataset
    version = candidate.version if candidate else wanted_version(tools, sync.dataset.id, pinned)
    mapping = digest_of([mapping_digest(sync.mapping), sync.dataset.id, sync.target.name, *identified(sync.dataset)])
    kept = kept_rows(tools, session, sync) if keeping is None and to is None and foreign is None else keeping
    registers = register_versions(tools, sync, preview) | (kept.register if kept else {})
    how = comparison(state, mapping=mapping, registers=registers, now=tools.clock.now())
    how = with_what_is_kept(tools, sync.dataset.id, how, version)
    if state is not None and isinstance(how, Incremental) and how.since == version and not how.unsettled:
        return Settled(version, untouched(tools, session, sync))
    rows = candidate.rows if candidate else snapshot_table(tools, session, sync.dataset.id, version)
    consent = consent_now(tools, session, sync, preview)
    unfit = foreign or misfit(tools, sync, kept) or (unfit_version(tools, sync, version) if candidate is None else None)
    if unfit is not None:
        sides = _Sides(rows, version, state, [], how, preview, consent, NOBODY, None, drafts)
        return _planned(tools, sync, sides, mapping, registers, None, Counts(), (unfit,))
    rows = with_kept(tools, session, sync, rows, kept)
    out = kept_out(tools, session, sync, rows)
    bad = candidate.quarantine if candidate else quarantine_of(tools, session, sync, version)
    bad = quarantine_with_kept(tools, session, sync, bad, kept)
    layers = imagined.layers if imagined else state_layers(tools, session, state)
    plain = candidate is None and kept is None
    sides = _Sides(rows, version, state, layers, how, preview, consent, out, bad, drafts, is_as_captured=plain)
    return _compare(tools, session, sync, sides, mapping, registers)


@dataclass(frozen=True, slots=True)
class _Sides:
    rows: Table
    version: VersionNumber
    state: StateFolded | None
    layers: list[Table]
    how: Comparison
    preview: Preview
    consent: Consent
    kept_out: KeptOut
    quarantined: Table | None
    drafts: Storage
    is_as_captured: bool = False
    """Whether the rows are those of an accepted version, and none is kept at an older one."""


def _compare(
    tools: Tools,
    session: Session,
    sync: Sync,
    sides: _Sides,
    mapping: Digest,
    registers: MappingOf[str, int],
) -> Planned:
    key, shape = sync.dataset.schema.key, sync.mapping.shape

    def records(rows: Table) -> Table:
        return desired(rows, shape, key, sides.consent.subjects, sides.kept_out.rows)

    wanted = records(sides.rows)
    identities = ids(sides.rows, shape, key)
    apart = aside(session, sync, sides.rows, sides.quarantined, records)
    delivered = session.named(live(sides.layers))
    rows, looked_at, held = sides.rows, wanted, delivered
    match sides.how:
        case Full():
            pass
        case Incremental(since):
            changed, newer = _changes(tools, session, sync, since, sides)
            near = narrowed(session, sync, sides.rows, sides.layers, delivered, changed, newer)
            rows, held, identities = near.rows, near.held, near.identities
            looked_at = session.cached(records(rows))
        case _:
            assert_never(sides.how)
    checks = judged_identities(session, sync, good_identities(identities, apart))
    checks = (*checks, *mapping_gates(session, sync, rows), same_place(session, sync, sides.state, delivered))
    checks = (*checks, *lists_usable(session, sync, sides.kept_out.lists, rows))
    if worst(checks) is Verdict.BLOCK:
        return _planned(tools, sync, sides, mapping, registers, None, Counts(), checks)
    comparing = compared_with_care(
        looked_at, held, sync.rules, refused_held(session, sync, held, sides.consent, sides.kept_out.lists), apart
    )
    with sides.drafts.writing(f"syncs/{sync.id}/plans", f"v{sides.version:08d}") as draft:
        session.write(operations(comparing), draft.local)
    written = session.table(sides.drafts.local(draft.ref))
    numbers = counted(session, sync, held, comparing, wanted, written, apart)
    applied = consent_applied(session, sync, written, sides.rows, sides.consent)
    left = consent_ignored(session, sync, delivered, sides.consent)
    honoured = suppression_applied(session, sync, sides.kept_out.lists, written, sides.rows)
    found = judged_plan(tools, session, sync, sides.state, delivered, written, numbers.coverage)
    checks = (*checks, applied, *left, *honoured, *quarantine_applied(session, written, sides.quarantined), *found)
    return _planned(tools, sync, sides, mapping, registers, draft.ref, numbers, checks)


def _planned(
    tools: Tools,
    sync: Sync,
    sides: _Sides,
    mapping: Digest,
    registers: MappingOf[str, int],
    segment: SegmentRef | None,
    numbers: Counts,
    checks: tuple[CheckResult, ...],
) -> Planned:
    """The plan's value; a segment without rows is dropped, for nothing is to be sent from it."""
    if segment is not None and segment.rows == 0:
        sides.drafts.remove(segment)
        segment = None
    digest = plan_digest(tools, sync, sides.drafts, segment)
    return Planned(
        plan=plan_id(digest),
        digest=digest,
        segment=segment,
        version=sides.version,
        comparison=sides.how,
        mapping=mapping,
        place=place_of(sync),
        registers=registers,
        consent_until=sides.consent.until,
        consent=asked_of(sync.mapping.consent, sides.consent.at),
        inserts=numbers.inserts,
        updates=numbers.updates,
        deletes=numbers.deletes,
        unchanged=numbers.unchanged,
        withheld=numbers.withheld,
        quarantined=numbers.quarantined,
        checks=checks,
    )


def plan_digest(tools: Tools, sync: Sync, drafts: Storage, segment: SegmentRef | None) -> Digest:
    """What stands for all that a plan would send, and for the deliveries that it follows."""
    content = "" if segment is None else _content(drafts, segment, sync)
    folds = tools.ledger.head(sync_stream(sync.id))
    # A ledger that lost events counts the same folds again; a plan must not get the keys of one that was lost.
    regressions = [recorded.hash for recorded in tools.ledger.tail(1, LEDGER_STREAM)]
    return digest_of([sync.id, sync.mapping.object, folds, content, *regressions])


def _content(drafts: Storage, segment: SegmentRef, sync: Sync) -> Digest:
    sent = ["op", "id", "key", "changed", *(FIELD + target for target in sync.mapping.targets)]
    return content_digest(drafts.local(segment), sent)


def _changes(
    tools: Tools, session: Session, sync: Sync, since: VersionNumber, sides: _Sides
) -> tuple[Table, Table | None]:
    """Primary keys, as text, of rows that differ between version ``since`` and the one of ``sides``, either way.

    With them the rows that these are now, where they are known without a search in the whole version.
    """
    key = sync.dataset.schema.key
    first, last = sorted((since, sides.version))
    tables = change_tables(tools, session, sync.dataset.id, first, last)
    if sides.preview.dataset is not None and sides.preview.dataset.changed is not None:
        tables.append(sides.preview.dataset.changed)
    pks = [table.select(pk=key_text([table[c] for c in key])) for table in tables]
    standing = changed_standing(session, quarantine_of(tools, session, sync, since), sides.quarantined)
    if not pks and not standing:
        return sides.rows.limit(0).select(pk=key_text([sides.rows[c] for c in key])), None
    changed = session.cached(union(*pks, *standing, distinct=True))
    if standing or since >= sides.version or not sides.is_as_captured:
        return changed, None
    return changed, rows_since(tools, session, sync.dataset.id, since, sides.version, sides.rows)
