"""Take people out of every stored version of a dataset, so that each is rebuilt from the others as before, without them."""

from __future__ import annotations

from functools import partial

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.core.canonical import key_text
from engine.core.diff import CHANGE
from engine.core.events import SegmentsErased
from engine.core.merged import UNTIL, VERSION
from engine.core.names import dataset_stream
from engine.core.relations import union
from engine.failpoints import failpoint
from engine.ledger.projections.replaced import erased_through
from engine.segments.compute import Session
from engine.steps.anchors import dataset_anchor, drop_anchor
from engine.steps.erase_segments import (
    Left,
    Mine,
    People,
    Versions,
    commit_rewritten,
    dropping,
    people_of,
    remove_old,
    rewritten,
    stored_versions,
)
from engine.steps.erased import Erased
from engine.steps.facts import Tools
from engine.steps.races import raced

ATTEMPTS_MAX = 3


def erase_versions(tools: Tools, erased: Erased, kept: Versions) -> int:
    """Write the segments of a dataset again that hold somebody; returns how many. Nothing when it was done already.

    The caller holds the leases of the syncs that read them. A capture that began before loses its race for the stream,
    and is made again without these people.
    """
    if erased_through(tools.database, dataset_stream(kept.dataset)) >= erased.through:
        return 0
    return raced(lambda: _erase_versions(tools, erased, kept), ATTEMPTS_MAX)


def _erase_versions(tools: Tools, erased: Erased, known: Versions) -> int:
    stream = dataset_stream(known.dataset)
    expected = tools.ledger.head(stream)
    kept = stored_versions(tools, known.dataset, known.columns)
    with tools.compute.session() as session:
        people = people_of(tools, session, erased, kept, ())
        mine = partial(_mine, kept, people)
        left = _left(tools, session, kept, people, mine)
        segments = tuple(rewritten(tools, session, kept.segments, mine, left))
    failpoint("erase.before_commit")
    commit_rewritten(tools, stream, SegmentsErased(through=erased.through, segments=segments), expected)
    failpoint("erase.after_commit")
    drop_anchor(tools, dataset_anchor(kept.dataset), stream)
    remove_old(tools, segments)
    return len(segments)


def _mine(kept: Versions, people: People, rows: Table) -> BooleanValue:
    columns = [c for c in kept.columns if c in rows.columns]
    if columns:
        return people.about(rows, columns)
    # Rows that are set aside are known by their keys alone.
    return rows.pk.isin(people.keys.pk).fill_null(False) if "pk" in rows.columns else ibis.literal(False)


def _left(tools: Tools, session: Session, kept: Versions, people: People, mine: Mine) -> Left:
    """What is left of a segment; a key that somebody else had before or after stays as a deletion in a change."""
    plainly = dropping(mine)
    if set(kept.columns) & set(kept.key):
        return plainly
    shared = _shared_keys(tools, session, kept, people)

    def left(rows: Table) -> Table:
        if CHANGE not in rows.columns:
            return plainly(rows)
        # Also a deletion stays: in a merged file, what was before it counts only up to it.
        gone = rows.filter(mine(rows))
        gone = gone.filter(key_text([gone[c] for c in kept.key]).isin(shared.pk))
        blank = {c: ibis.null(k) for c, k in rows.schema().items() if c not in {*kept.key, VERSION, UNTIL}}
        return union(plainly(rows), gone.mutate(**{**blank, CHANGE: ibis.literal("delete")}).select(*rows.columns))

    return left


def _shared_keys(tools: Tools, session: Session, kept: Versions, people: People) -> Table:
    """``pk`` of rows that are about these people in one version and about somebody else in another."""
    theirs, others = list[Table](), list[Table]()
    for rows in session.groups(tools.storage.local(ref) for ref in kept.segments):
        columns = [c for c in kept.columns if c in rows.columns]
        if not columns or not set(kept.key) <= set(rows.columns):
            continue
        about = people.about(rows, columns)
        for chosen, parts in ((rows.filter(about), theirs), (rows.filter(~about), others)):
            parts.append(chosen.select(pk=key_text([chosen[c] for c in kept.key])))
    if not theirs:
        return people.keys
    known = session.cached(union(*theirs, distinct=True))
    return session.cached(known.semi_join(union(*others), "pk"))
