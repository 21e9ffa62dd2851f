"""Resync: a person vouches no more for what a destination holds of a sync, and the next plan sends it again.

One new layer of the delivered state and one event, appended together under the sync's lease; what follows is the ordinary
subtraction. So a resync that dies is gone on with by the next run, and one that is asked for twice is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

import pyarrow as pa
from ibis.expr.types import Table

from engine.core.canonical import key_text
from engine.core.desired import Mode, ids
from engine.core.events import ResyncAsked, StateFolded
from engine.core.names import SyncId, VersionNumber
from engine.core.relations import union
from engine.core.resync import Scope, not_given_up, orphans, sent_again
from engine.core.state import live, newest, released
from engine.errors import ConfigurationError
from engine.ledger.projections import runs, states
from engine.segments.compute import Session
from engine.steps.aim import pinned_version, unfit_version, wanted_version
from engine.steps.anchors import check_anchors
from engine.steps.chosen_keys import refuse_unknown
from engine.steps.delivered_state import Delivered, state_layers
from engine.steps.erased import erased
from engine.steps.facts import Sync, Tools
from engine.steps.fold import remember, stacked
from engine.steps.kept_rows import kept_rows, misfit, with_kept
from engine.steps.reconcile import Drift, Reconcile, drift, note, undisturbed
from engine.steps.sent import sent_records
from engine.steps.snapshots import change_tables, snapshot_table
from engine.steps.sync_lease import sync_lease
from engine.steps.untouched import but_for_ignored
from engine.steps.where import rows_meeting


@dataclass(frozen=True, slots=True)
class All:
    """Every record, and the removal of everything that was ever removed."""

    scope = Scope.ALL


@dataclass(frozen=True, slots=True)
class Keys:
    """The records with these match keys, as text."""

    keys: tuple[str, ...]
    scope = Scope.KEYS


@dataclass(frozen=True, slots=True)
class Where:
    """The records of the rows for which an expression over the dataset's columns holds."""

    expression: str
    scope = Scope.WHERE


@dataclass(frozen=True, slots=True)
class Rejected:
    """The records whose last payload the destination refused."""

    scope = Scope.REJECTED


@dataclass(frozen=True, slots=True)
class Since:
    """Everything that was sent or removed by runs that ended at ``moment`` or later."""

    moment: datetime
    scope = Scope.SINCE


@dataclass(frozen=True, slots=True)
class Versions:
    """The records of the rows that came, changed or went with the versions ``first`` to ``last``, both included."""

    first: VersionNumber
    last: VersionNumber
    scope = Scope.VERSIONS


Told: TypeAlias = All | Keys | Where | Rejected | Since | Versions
Wanted: TypeAlias = Told | Reconcile


@dataclass(frozen=True, slots=True)
class Marks:
    """State rows that say that records are to be sent again; of the ``records``, ``orphans`` were no part of the state.

    ``drift`` is what a reading found, where there was one; what the sync leaves as it is is part of that only.
    """

    rows: Table
    records: int
    orphans: int
    drift: Drift | None = None


def begin(tools: Tools, sync: Sync, wanted: Wanted, reason: str) -> Marks | None:
    """Mark what is wanted again in the delivered state; None when nothing was ever delivered, or all is marked already.

    Raises `ConfigurationError` for a key or an expression that means nothing and while a run is unfinished, `Busy` while
    one goes on, and `LedgerRegressed` when the ledger may not say what was delivered.
    """
    check_anchors(tools)
    with sync_lease(tools, sync.id) as lease, tools.compute.session() as session:
        _refuse_unfinished(tools, sync.id)
        before = states.current(tools.database, sync.id)
        if before is None:
            return None
        marks = marked(tools, session, sync, before, wanted)
        if marks.drift is not None:
            note(tools, sync, marks.drift, lease.fence)
        if not marks.records:
            return None
        segments = stacked(tools, session, sync.id, before.run, before.segments, marks.rows)
        said = ResyncAsked(
            sync=sync.id, scope=wanted.scope.value, records=marks.records, orphans=marks.orphans, reason=reason
        )
        remember(tools, sync, said, replace(_after(before, marks, wanted), segments=segments), fence=lease.fence)
        return marks


def imagined(tools: Tools, session: Session, sync: Sync, wanted: Wanted) -> tuple[Delivered | None, Marks | None]:
    """The delivered state as `begin` would leave it, and what it would mark; nothing is written to ledger or storage."""
    before = states.current(tools.database, sync.id)
    if before is None:
        return None, None
    with undisturbed(tools, sync) if isinstance(wanted, Reconcile) else nullcontext():
        marks = marked(tools, session, sync, before, wanted)
    layers = state_layers(tools, session, before)
    return Delivered(_after(before, marks, wanted), [*layers, marks.rows]), marks


def _after(before: StateFolded, marks: Marks, wanted: Wanted) -> StateFolded:
    # What was last folded stays true but for the records that are owed now, so its run and version are kept.
    is_all = before.resync or (isinstance(wanted, All) and bool(marks.records))
    return replace(before, owed=max(before.owed, marks.records), delivered=0, resync=is_all)


def marked(tools: Tools, session: Session, sync: Sync, before: StateFolded, wanted: Wanted) -> Marks:
    """The state rows that are to change, with what they become.

    A record that the sync leaves where it is is left alone: by its mode, because its row is gone, or by `on_withdrawal`.
    """
    version = wanted_version(tools, sync.dataset.id, pinned_version(tools, sync.id))
    held = live(state_layers(tools, session, before))
    if not version or unfit_version(tools, sync, version) is not None:
        return Marks(held.limit(0), 0, 0)
    kept = kept_rows(tools, session, sync)
    if misfit(tools, sync, kept) is not None:
        return Marks(held.limit(0), 0, 0)
    rows = with_kept(tools, session, sync, snapshot_table(tools, session, sync.dataset.id, version), kept)
    identities = session.cached(ids(rows, sync.mapping, sync.dataset.schema.key))
    held = session.named(held.filter(~held.erase.fill_null(False)))
    sides = _Sides(rows, identities, held, version)
    if isinstance(wanted, Reconcile):
        chosen = _drifted(tools, session, sync, wanted, sides)
    else:
        chosen = _chosen(tools, session, sync, wanted, sides)
    again, lost = chosen.again, chosen.lost
    if sync.mapping.mode is not Mode.MIRROR:
        again, lost = (some.semi_join(identities, "pk") for some in (again, lost))
    again, lost = (session.cached(but_for_ignored(tools, session, sync, rows, some)) for some in (again, lost))
    lost = session.cached(_without_forgotten(tools, session, lost))
    sizes = [int(session.single(some.aggregate(n=some.count()))["n"]) for some in (again, lost)]
    return Marks(session.cached(newest([lost, again])), sum(sizes), sizes[1], chosen.drift)


@dataclass(frozen=True, slots=True)
class _Sides:
    """What a choice is made among: the rows of a version and their identities, and what is held."""

    rows: Table
    identities: Table
    held: Table
    version: VersionNumber


@dataclass(frozen=True, slots=True)
class _Chosen:
    """State rows to change, as they become: those ``again`` of the state, and those ``lost`` from it."""

    again: Table
    lost: Table
    drift: Drift | None = None


def _chosen(tools: Tools, session: Session, sync: Sync, wanted: Told, sides: _Sides) -> _Chosen:
    held = sides.held
    match wanted:
        case All():
            sent = sent_records(tools, session, sync)
            return _Chosen(sent_again(not_given_up(held)), orphans(sent.anti_join(held, "id")))
        case Keys(keys):
            named = session.rows(pa.table({"id": pa.array(keys, pa.string())}))
            sent = sent_records(tools, session, sync).semi_join(named, "id")
            _refuse_unknown(session, keys, held, sent, sides.identities)
            return _Chosen(sent_again(held.semi_join(named, "id")), orphans(sent.anti_join(held, "id")))
        case Where(expression):
            meeting = rows_meeting(tools, session, sync, expression, sides.rows, sides.version)
            return _of_rows(tools, session, sync, meeting, sides)
        case Versions(first, last):
            return _of_rows(tools, session, sync, _moved(tools, session, sync, first, last), sides)
        case Rejected():
            return _Chosen(released(held.filter(held.attempts > 0)), orphans(held.limit(0)))
        case Since(moment):
            sent = sent_records(tools, session, sync, moment)
            return _Chosen(sent_again(not_given_up(held.semi_join(sent, "id"))), orphans(sent.anti_join(held, "id")))
        case _:
            assert_never(wanted)


def _drifted(tools: Tools, session: Session, sync: Sync, wanted: Reconcile, sides: _Sides) -> _Chosen:
    held = sides.held
    gone = orphans(sent_records(tools, session, sync).anti_join(held, "id"))
    gone = session.cached(_without_forgotten(tools, session, gone))
    found = drift(tools, session, sync, wanted, sides.rows, held, gone)
    return _Chosen(sent_again(not_given_up(held.semi_join(found.ids, "id"))), gone.semi_join(found.ids, "id"), found)


def _of_rows(tools: Tools, session: Session, sync: Sync, pks: Table, sides: _Sides) -> _Chosen:
    held, now = sides.held, sides.identities.semi_join(pks, "pk")
    near = held.filter(held.pk.isin(pks.pk) | held.id.isin(now.id))
    sent = sent_records(tools, session, sync).semi_join(pks, "pk")
    return _Chosen(sent_again(not_given_up(near)), orphans(sent.anti_join(held, "id")))


def _moved(tools: Tools, session: Session, sync: Sync, first: VersionNumber, last: VersionNumber) -> Table:
    """``pk`` of the rows that some versions came with; with the first version of all, every row of it came."""
    dataset = sync.dataset
    tables = change_tables(tools, session, dataset.id, VersionNumber(first - 1), last)
    if first == 1:
        tables.append(snapshot_table(tools, session, dataset.id, first))
    pks = [table.select(pk=key_text([table[c] for c in dataset.schema.key])) for table in tables]
    return session.cached(union(*pks, distinct=True))


def _without_forgotten(tools: Tools, session: Session, lost: Table) -> Table:
    """Orphans but for those of people who are to be forgotten: their removals are a matter of their own."""
    people = erased(tools)
    if people is None:
        return lost
    subjects = lost.filter(lost.subject.notnull()).select("subject").distinct()
    theirs = people.among(session, subjects)
    keys = people.among(session, lost.filter(lost.pk.notnull()).select(subject="pk").distinct())
    return lost.filter(
        ~lost.subject.isin(theirs.subject).fill_null(False) & ~lost.pk.isin(keys.subject).fill_null(False)
    )


def _refuse_unknown(session: Session, keys: Sequence[str], held: Table, sent: Table, identities: Table) -> None:
    known = union(held.select("id"), sent.select("id"), identities.filter(identities.id.notnull()).select("id"))
    named = session.rows(pa.table({"id": pa.array(keys, pa.string())}))
    found = {row["id"] for row in session.fetch(named.semi_join(known, "id").distinct())}
    refuse_unknown(keys, found, option="--keys", why="not in the version, and nothing of it was ever sent")


def _refuse_unfinished(tools: Tools, sync: SyncId) -> None:
    """The fold of a run that has to be finished would take back what is marked in between."""
    left = runs.unfinished(tools.database, sync)
    if left is not None:
        raise ConfigurationError(
            f"Run {left.run} of {sync} was interrupted, and how its records ended is not folded yet",
            safe="Nothing was changed.",
            next=f"`tidegate run {sync}` finishes it; then ask for the resync again",
        )
