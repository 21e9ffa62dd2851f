"""Drop what old runs of a sync left, but for what anything needs: plans, what destinations said of them, and replaced states.

Before, one segment is written that says of every record when and as what it was sent last: what a destination may hold is
found from it afterwards. One event names that segment and the files that go, appended under the sync's lease and only if
nobody placed a legal hold meanwhile. The files go after it; a crash in between leaves them to `tidegate gc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

import ibis

from engine.core.events import PlansDropped, StateFolded
from engine.core.kept_runs import NO_SLACK, Ended, RunRule, old_runs
from engine.core.names import Position, RunId, SegmentRef, StreamId, SyncId, dataset_stream, sync_stream
from engine.core.relations import union
from engine.errors import Busy, LedgerConflict, LedgerRegressed, StaleEpoch, StorageError
from engine.failpoints import failpoint
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states
from engine.ledger.projections.runs import RunRow
from engine.ledger.recorded import told
from engine.segments.compute import KEPT_LEVEL, ORDINAL, Session
from engine.steps.anchors import check_anchors, drop_anchor, sync_anchor
from engine.steps.delivered_state import state_rows
from engine.steps.dropped_plans import Gone, gone_of, plans_since, sent_before
from engine.steps.facts import Tools
from engine.steps.fold import exception_rows, receipts
from engine.steps.lost_drops import note_dropped
from engine.steps.races import raced
from engine.steps.retention import holds
from engine.steps.sent import RECORD, in_groups, newest_sent
from engine.steps.sync_lease import sync_lease

ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class DroppedPlans:
    """How many runs of a sync left nothing but their counts and digests now, or would; ``left`` says why none could."""

    sync: SyncId
    runs: int = 0
    files: int = 0
    bytes: int = 0
    left: str = ""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What goes: of the ``old`` runs, newest first, and of those kept before, all but the ``kept`` ones."""

    gone: Gone
    old: Sequence[RunRow]
    kept: Sequence[RunRow]
    going: Sequence[RunRow]
    files: tuple[SegmentRef, ...]
    heads: Mapping[StreamId, Position]

    @property
    def report(self) -> tuple[int, int, int]:
        return len(self.going), len(self.files), sum(ref.bytes for ref in self.files)


def drop_plans(tools: Tools, sync: SyncId, rule: RunRule, slack: float = NO_SLACK) -> DroppedPlans:
    """Drop what is old by the rule and needed by nothing; ``slack`` is that of `old_runs`."""
    if not _may_drop(tools, sync, rule, slack):
        return DroppedPlans(sync)
    try:
        with sync_lease(tools, sync) as lease, tools.compute.session() as session:
            check_anchors(tools)
            return raced(lambda: _drop(tools, session, sync, rule, slack, lease.fence), ATTEMPTS_MAX)
    except (Busy, LedgerConflict, LedgerRegressed, StaleEpoch, StorageError) as error:
        return DroppedPlans(sync, left=error.what)


def droppable_plans(tools: Tools, sync: SyncId, rule: RunRule, slack: float = NO_SLACK) -> DroppedPlans:
    """What `drop_plans` would drop now."""
    if not _may_drop(tools, sync, rule, slack):
        return DroppedPlans(sync)
    if (waits := _under_way(tools, sync)) is not None:
        return waits
    with tools.compute.session() as session:
        return DroppedPlans(sync, *_choice(tools, session, sync, rule, slack).report)


def _may_drop(tools: Tools, sync: SyncId, rule: RunRule, slack: float) -> bool:
    gone = gone_of(tools, sync)
    if slack == NO_SLACK and gone.last is not None and gone.last.kept:
        return True
    return bool(_old(tools, plans_since(tools, sync, gone), rule, slack))


def _old(tools: Tools, planned: Iterable[RunRow], rule: RunRule, slack: float) -> list[RunRow]:
    rows = {row.run: row for row in planned if row.finished_at is not None}
    ended = [Ended(row.run, row.finished_at) for row in rows.values() if row.finished_at is not None]
    return [rows[one.run] for one in old_runs(ended, rule, tools.clock.now(), slack)]


def _under_way(tools: Tools, sync: SyncId) -> DroppedPlans | None:
    run = runs.unfinished(tools.database, sync)
    return None if run is None else DroppedPlans(sync, left=f"run {run.run} goes on, or was interrupted")


def _drop(tools: Tools, session: Session, sync: SyncId, rule: RunRule, slack: float, fence: Fence) -> DroppedPlans:
    if (waits := _under_way(tools, sync)) is not None:
        return waits
    choice = _choice(tools, session, sync, rule, slack)
    if not choice.files:
        return DroppedPlans(sync)
    event = _event(tools, session, sync, rule, choice)
    note = note_dropped(tools, event)
    failpoint("drop.before_commit")
    try:
        tools.ledger.append(sync_stream(sync), event, fence=fence, resting_on=choice.heads)
    except (LedgerConflict, StaleEpoch):
        tools.storage.remove_path(note)
        if choice.old:
            tools.storage.remove(event.sent)
        raise
    failpoint("drop.after_commit")
    drop_anchor(tools, sync_anchor(sync), sync_stream(sync))
    for ref in event.segments:
        tools.storage.remove(ref)
    return DroppedPlans(sync, *choice.report)


def _choice(tools: Tools, session: Session, sync: SyncId, rule: RunRule, slack: float) -> _Choice:
    gone = gone_of(tools, sync)
    old = _old(tools, plans_since(tools, sync, gone), rule, slack)
    before = [runs.get(tools.database, run) for run in (gone.last.kept if gone.last else ())]
    asked = [*old, *(row for row in before if row is not None)]
    heads = tools.ledger.heads([dataset_stream(dataset) for dataset in {row.dataset for row in asked}])
    needed = _held(tools, asked) | _unsettled(tools, session, sync, asked)
    going = [row for row in asked if row.run not in needed]
    files = [ref for row in going for ref in _files(tools, row)]
    if old:
        assert old[0].finished_at is not None, "only runs that ended are old"
        files += _states(tools, sync, gone, old[0].finished_at)
        files += [gone.last.sent] if gone.last else []
    return _Choice(gone, old, [row for row in asked if row.run in needed], going, tuple(files), heads)


def _files(tools: Tools, row: RunRow) -> list[SegmentRef]:
    """A run's plan and what its destination said of it."""
    assert row.segment is not None, "only such runs are looked at"
    return [row.segment, *receipts(tools, row.run)[2]]


def _states(tools: Tools, sync: SyncId, gone: Gone, until: datetime) -> list[SegmentRef]:
    """The state segments of which no fold is made that was the newest at ``until`` or came later."""
    folds = told(tools.database, sync_stream(sync), StateFolded)
    stacks = [fold.event.segments for fold in folds if isinstance(fold.event, StateFolded)]
    first = max(0, len(list(takewhile(lambda fold: fold.recorded_at <= until, folds))) - 1)
    needed = {ref for stack in stacks[first:] for ref in stack}
    old = dict.fromkeys(ref for stack in stacks[:first] for ref in stack)
    return [ref for ref in old if ref not in needed and ref.path not in gone.paths]


def _held(tools: Tools, rows: Sequence[RunRow]) -> set[RunId]:
    """Runs from a version under legal hold: what was sent of it is kept with it."""
    held = {dataset: holds(tools, dataset) for dataset in {row.dataset for row in rows}}
    return {row.run for row in rows if row.version in held[row.dataset]}


def _unsettled(tools: Tools, session: Session, sync: SyncId, rows: Sequence[RunRow]) -> set[RunId]:
    """Runs that rejected a record, or left it in doubt, which is neither settled nor given up by now."""
    held = state_rows(tools, session, states.current(tools.database, sync))
    waiting = session.cached(held.filter((held.attempts > 0) | held.unknown).select("id"))
    found = set[RunId]()
    for some in in_groups(row for row in rows if row.rejected or row.unknown):
        parts = []
        for row in some:
            assert row.segment is not None, "only such runs are looked at"
            said = exception_rows(tools, session, receipts(tools, row.run)[2])
            said = said.filter(said.outcome.isin(["rejected", "unknown"]))
            plan = session.numbered(tools.storage.local(row.segment)).semi_join(waiting, "id")
            named = plan.semi_join(said, plan[ORDINAL] == said.ordinal)
            parts.append(named.select(run=ibis.literal(str(row.run))).distinct())
        found |= {RunId(one["run"]) for one in session.fetch(union(*parts))}
    return found


def _event(tools: Tools, session: Session, sync: SyncId, rule: RunRule, choice: _Choice) -> PlansDropped:
    kept = tuple(row.run for row in choice.kept)
    before = choice.gone.last
    if not choice.old:
        assert before is not None, "only what it kept can go"
        return replace(before, kept=kept, segments=choice.files, rule=_words(rule))
    newest = choice.old[0]
    assert newest.finished_at is not None, "only runs that ended are old"
    return PlansDropped(
        sync=sync,
        through=newest.run,
        since=max(newest.finished_at, choice.gone.since or newest.finished_at).isoformat(),
        sent=_sent(tools, session, sync, choice),
        kept=kept,
        segments=choice.files,
        rule=_words(rule),
    )


def _sent(tools: Tools, session: Session, sync: SyncId, choice: _Choice) -> SegmentRef:
    """What was ever sent, up to the newest of the old runs."""
    rows = newest_sent(tools, session, choice.old)
    older = sent_before(tools, session, choice.gone)
    if older is not None:
        rows = union(rows, older.anti_join(rows, RECORD))
    with tools.storage.writing(f"syncs/{sync}/sent", str(choice.old[0].run)) as draft:
        session.write(rows.order_by(*RECORD), draft.local, KEPT_LEVEL)
    return draft.ref


def _words(rule: RunRule) -> str:
    parts = [] if rule.runs is None else [f"the newest {rule.runs} runs"]
    parts += [] if rule.age is None else [f"those of the last {rule.age.days} days"]
    return " and ".join(parts) or "every run"
