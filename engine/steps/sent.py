"""Every record that a sync ever sent, from its plans and their receipts: what a destination may hold of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.types import Table

from engine.core.canonical import digest_of
from engine.core.compare import ADOPTION
from engine.core.consent_rule import REMOVING
from engine.core.events import Place
from engine.core.names import SyncId
from engine.core.outcome import RunStatus
from engine.core.relations import union
from engine.core.state import FACTS, basis_of
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.dropped_plans import gone_of, plans_since, sent_before
from engine.steps.facts import Sync, Tools
from engine.steps.fold import exception_rows, receipts
from engine.steps.place import place_of

T = TypeVar("T")
RECORD = ("place", "id")
"""What a record is known by."""

AT_ONCE = 50
"""Plans that are read in one go: enough to be quick, few enough for one expression."""

COLUMNS = ("id", "pk", "key", "subject", "basis")
TOLD = ("place", "op", "reason", "run", "sent")
"""Beside `COLUMNS`: the digest of where the record is, what was asked of the destination and why, the run, and when it ended."""
_WITHOUT_EFFECT = ("rejected", "failed", "withheld")


def sent_records(tools: Tools, session: Session, sync: Sync, since: datetime | None = None) -> Table:
    """The newest plan row of each record that was sent, or removed, where the sync's file says that its records are.

    ``id``, ``pk``, ``key``, ``subject`` and ``basis``. Rows that certainly had no effect do not count, so that a sync
    removes only what it delivered. With ``since``, those of runs that ended later.
    """
    return sent_to(tools, session, sync.id, place_of(sync), since)


def sent_to(tools: Tools, session: Session, sync: SyncId, place: Place, since: datetime | None = None) -> Table:
    """`sent_records`, of another place."""
    gone = gone_of(tools, sync)
    planned = (row for row in plans_since(tools, sync, gone) if row.place == place and _is_late(row, since))
    found = newest_sent(tools, session, planned)
    older = sent_before(tools, session, gone)
    if older is not None:
        mine = older.filter((older.place == _mark(place)) & (older.sent >= ("" if since is None else _moment(since))))
        found = session.cached(union(found, mine.anti_join(found, "id")))
    return found.select(*COLUMNS)


def newest_sent(tools: Tools, session: Session, planned: Iterable[RunRow]) -> Table:
    """The newest row with an effect, of each record in each place, in the plans of some runs, given newest first.

    `COLUMNS` and `TOLD`.
    """
    types = {name: FACTS.get(name, dt.string) for name in (*COLUMNS, *TOLD)}
    found = session.rows(ibis.schema(types).to_pyarrow().empty_table())
    for some in in_groups(planned):
        newest: Table | None = None
        for row in some:
            rows = _effective(tools, session, row)
            newest = rows if newest is None else union(newest, rows.anti_join(newest.select(*RECORD), RECORD))
        if newest is not None:
            found = session.cached(union(found, newest.anti_join(found.select(*RECORD), RECORD)))
    return found


def in_groups(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """The items, `AT_ONCE` of them at a time, for questions that are asked of many files in one go."""
    rest = iter(items)
    while some := tuple(islice(rest, AT_ONCE)):
        yield some


def _is_late(row: RunRow, since: datetime | None) -> bool:
    return since is None or row.finished_at is None or row.finished_at >= since


def _mark(place: Place) -> str:
    return str(digest_of([place.destination, place.object, *place.match]))


def _moment(at: datetime) -> str:
    """A moment as a text by which moments can be ordered."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _effective(tools: Tools, session: Session, row: RunRow) -> Table:
    assert row.segment is not None, "only runs that planned something are looked at"
    assert row.place is not None, "a plan says where its records are"
    numbered = session.numbered(tools.storage.local(row.segment))
    sent, _, exceptions = receipts(tools, row.run)
    rows = numbered.filter(numbered[ORDINAL] < sent)
    if row.comparison == ADOPTION:
        is_held = row.status == RunStatus.SUCCEEDED.value
        rows = numbered.filter(numbered["op"].notin(REMOVING) & ibis.literal(is_held))
    refused = exception_rows(tools, session, exceptions)
    refused = refused.filter(refused.outcome.isin(_WITHOUT_EFFECT) & ~refused.uncertain.fill_null(False))
    rows = rows.anti_join(refused, rows[ORDINAL] == refused.ordinal)
    # Of who was forgotten a plan says nothing any more.
    rows = rows.filter(rows.id.notnull())
    subject = rows.subject if "subject" in rows.columns else ibis.null("string")
    about = {"place": _mark(row.place), "run": str(row.run), "sent": _moment(row.finished_at or row.started_at)}
    told = {name: ibis.literal(value) for name, value in about.items()}
    kept = rows.select("id", "pk", "key", "op", "reason", subject=subject, basis=basis_of(rows), **told)
    return kept.select(*COLUMNS, *TOLD)
