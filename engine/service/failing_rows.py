"""Rows that failed a check: their keys and the columns that are looked at, masked where they are too sensitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ibis.expr.types import Table

from engine.checks import delta, identity
from engine.checks.facts import CandidateFacts
from engine.checks.failing import RULE, Failing, failing, repeated
from engine.core.canonical import fragment, key_text
from engine.core.desired import ids
from engine.core.events import CaptureBlocked, VersionAccepted, VersionHeld
from engine.core.names import VersionNumber
from engine.core.relations import union
from engine.errors import StorageError
from engine.ledger.projections import versions
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.samples import MASK, is_id_shown, masked, may_show
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.snapshots import snapshot_table

Shown = tuple[tuple["FailingRow", ...], str]
"""Rows, or why there are none to be shown."""
NOTHING: Shown = ((), "")
NOT_KEPT: Shown = ((), "the rows were not kept")


@dataclass(frozen=True, slots=True)
class FailingRow:
    """One row; values are JSON text, None for null, and masked where they may not be shown."""

    key: Mapping[str, str | None]
    values: Mapping[str, str | None]


def failing_of_candidate(
    app: App,
    dataset: Dataset,
    facts: CandidateFacts,
    check: str,
    place: int,
    judged: object,
    limit: int,
) -> Shown:
    """Rows of the candidate that ``judged`` was about which break the rule at ``place`` of a check."""
    rules = [rule for rule in failing(facts) if (rule.check, rule.place) == (check, place)]
    if judged is None or not rules:
        return NOTHING
    assert isinstance(judged, VersionAccepted | VersionHeld | CaptureBlocked), "a candidate was judged"
    if isinstance(judged, CaptureBlocked) and judged.failing is None:
        return NOT_KEPT
    try:
        with app.tools.compute.session() as session:
            rows_of, columns = _breaking(app.tools, session, dataset, judged)
            known = [rule for rule in rules if set(rule.columns) <= columns]
            found = [row for rule in known for row in _shown(session, dataset, rows_of(rule), rule.columns, limit)]
    except StorageError:
        return NOT_KEPT
    return tuple(found[:limit]), ""


def failing_of_plan(app: App, sync: Sync, check: str, judged: object, limit: int) -> Shown:
    """Records of the plan that ``judged`` made which a check counts."""
    if judged is None:
        return NOTHING
    assert isinstance(judged, RunRow), "a plan was judged"
    kind = next((kind for kind in delta.KINDS if kind.check == check), None)
    try:
        with app.tools.compute.session() as session:
            if check == identity.NAME:
                return _sharing(app, session, sync, judged, limit), ""
            if kind is None:
                return NOTHING
            if judged.segment is None:
                return NOT_KEPT
            plan = session.table(app.tools.storage.local(judged.segment))
            counted = plan.filter(kind.of(plan)).order_by("id").limit(limit)
            rows = session.fetch(counted.select("id", "change", "reason"))
    except StorageError:
        return NOT_KEPT
    show_id = is_id_shown(sync.mapping)
    return tuple(
        FailingRow({"id": row["id"] if show_id else MASK}, {n: row[n] for n in ("change", "reason")}) for row in rows
    ), ""


def _breaking(
    tools: Tools, session: Session, dataset: Dataset, judged: VersionAccepted | VersionHeld | CaptureBlocked
) -> tuple[Callable[[Failing], Table], set[str]]:
    """The rows that break a rule, in what is kept of a candidate, and the columns that are kept."""
    if isinstance(judged, CaptureBlocked):
        assert judged.failing is not None, "rows were kept"
        kept = session.table(tools.storage.local(judged.failing))
        return lambda rule: kept.filter(kept[RULE] == rule.name), set(kept.columns)
    after, before = _sides(tools, session, dataset, judged)
    return lambda rule: rule.rows(after, before), set(after.columns)


def _sides(
    tools: Tools, session: Session, dataset: Dataset, judged: VersionAccepted | VersionHeld
) -> tuple[Table, Table | None]:
    """The rows of a candidate, and of the version that it was compared with."""
    if isinstance(judged, VersionAccepted):
        after = snapshot_table(tools, session, dataset.id, judged.version)
    else:
        after = session.table(tools.storage.local(judged.snapshot))
    earlier = [row.version for row in versions.listing(tools.database, dataset.id) if row.version < judged.version]
    if earlier and earlier[-1] in dropped_versions(tools, dataset.id):
        return after, None
    return after, snapshot_table(tools, session, dataset.id, earlier[-1]) if earlier else None


def _sharing(app: App, session: Session, sync: Sync, run: RunRow, limit: int) -> tuple[FailingRow, ...]:
    """Rows without a destination key, or with one that another row has too."""
    dataset, key = sync.dataset, sync.dataset.schema.key
    rows = snapshot_table(app.tools, session, dataset.id, VersionNumber(run.version or 0))
    identities = ids(rows, sync.mapping, key)
    bad = union(identities.filter(identities.id.isnull()), repeated(identities, ("id",)))
    columns = tuple(part.column for part in sync.mapping.match)
    shaped = rows.mutate(_pk=key_text([rows[c] for c in key]))
    return _shown(session, dataset, shaped.semi_join(bad, shaped["_pk"] == bad.pk), columns, limit)


def _shown(
    session: Session, dataset: Dataset, rows: Table, columns: Sequence[str], limit: int
) -> tuple[FailingRow, ...]:
    key = dataset.schema.key
    shown = {c.name: may_show(c.classification) for c in dataset.schema.columns}
    first = rows.order_by(list(key)).limit(limit)
    named = dict.fromkeys((*key, *columns))
    found = session.fetch(first.select(**{name: fragment(first[name]) for name in named}))
    return tuple(
        FailingRow(masked({n: row[n] for n in key}, shown), masked({n: row[n] for n in columns if n not in key}, shown))
        for row in found
    )
