"""Every record that a sync ever sent, from its plans and their receipts: what a destination may hold of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

import ibis
from ibis.expr.types import Table

from engine.core.compare import ADOPTION
from engine.core.consent_rule import REMOVING
from engine.core.outcome import RunStatus
from engine.core.relations import union
from engine.core.state import FACTS, basis_of
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.facts import Sync, Tools
from engine.steps.fold import exception_rows, receipts
from engine.steps.place import place_of

T = TypeVar("T")

AT_ONCE = 50
"""Plans that are read in one go: enough to be quick, few enough for one expression."""

COLUMNS = ("id", "pk", "key", "subject", "basis")
_WITHOUT_EFFECT = ("rejected", "failed", "withheld")


def sent_records(tools: Tools, session: Session, sync: Sync, since: datetime | None = None) -> Table:
    """The newest plan row of each record that was sent, or removed, where the sync's file says that its records are.

    ``id``, ``pk``, ``key``, ``subject`` and ``basis``. Rows that certainly had no effect do not count, so that a sync
    removes only what it delivered. With ``since``, those of runs that ended later.
    """
    found = session.rows(ibis.schema({name: FACTS[name] for name in COLUMNS}).to_pyarrow().empty_table())
    for some in in_groups(_runs(tools, sync, since)):
        newest: Table | None = None
        for row in some:
            rows = _effective(tools, session, row)
            newest = rows if newest is None else union(newest, rows.anti_join(newest.select("id"), "id"))
        if newest is not None:
            found = session.cached(union(found, newest.anti_join(found.select("id"), "id")))
    return found


def in_groups(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """The items, `AT_ONCE` of them at a time, for questions that are asked of many files in one go."""
    rest = iter(items)
    while some := tuple(islice(rest, AT_ONCE)):
        yield some


def _runs(tools: Tools, sync: Sync, since: datetime | None) -> Iterator[RunRow]:
    """Runs that sent something, newest first."""
    place = place_of(sync)
    for row in runs.history(tools.database, sync.id, newest_first=True):
        is_late = since is None or row.finished_at is None or row.finished_at >= since
        if row.segment is not None and row.place == place and is_late:
            yield row


def _effective(tools: Tools, session: Session, row: RunRow) -> Table:
    assert row.segment is not None, "only such runs are looked at"
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
    return rows.select("id", "pk", "key", subject=subject, basis=basis_of(rows))
