"""Rows that a person keeps at an older version while the sync follows the newest: what is wanted of them is what they were.

The plan is the ordinary one over rows of several versions. Which rows are kept stands in a segment, for it names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from engine.core.canonical import digest_of, key_text, text
from engine.core.compare import KEPT_ROWS
from engine.core.desired import ids
from engine.core.events import CheckResult, SyncPinned
from engine.core.names import SegmentRef, VersionNumber
from engine.core.relations import union
from engine.errors import ConfigurationError
from engine.ledger.projections import states
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.steps.aim import pin_of, pinned_version, unfit_version, wanted_version
from engine.steps.anchors import check_anchors
from engine.steps.chosen_keys import refuse_unknown
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools
from engine.steps.pin import known_good, record_pin
from engine.steps.quarantined_rows import quarantine_of
from engine.steps.snapshots import snapshot_table
from engine.steps.sync_lease import sync_lease

COLUMNS = ("id", "pk", "subject", "version")


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows by ``pk`` (text), each once, and the ``version`` that it is kept at; ``mark`` changes when they do."""

    rows: Table
    versions: Mapping[VersionNumber, VersionNumber]
    """From the version that was asked for to the newest good one no newer than it."""
    mark: int

    @property
    def register(self) -> dict[str, int]:
        return {KEPT_ROWS: self.mark}


def kept_rows(tools: Tools, session: Session, sync: Sync) -> KeptRows | None:
    """The rows of a sync that are kept at an older version; None when none is."""
    pin = pin_of(tools, sync.id)
    if pin is None or pin.keys is None:
        return None
    table = session.table(tools.storage.local(pin.keys))
    return _kept(tools, session, sync, table, str(pin.keys.digest))


def _kept(tools: Tools, session: Session, sync: Sync, table: Table, name: str) -> KeptRows:
    asked = [VersionNumber(int(row["version"])) for row in session.fetch(table.select("version").distinct())]
    versions = {version: wanted_version(tools, sync.dataset.id, version) for version in sorted(asked)}
    mark = int(digest_of([name, sorted(versions.items())])[:12], 16)
    return KeptRows(session.named(table.select("pk", "version")), versions, mark)


def misfit(tools: Tools, sync: Sync, kept: KeptRows | None) -> CheckResult | None:
    """Why rows cannot be kept at a version; None when they can."""
    found = (unfit_version(tools, sync, version) for version in (kept.versions.values() if kept else ()) if version)
    return next((result for result in found if result is not None), None)


def with_kept(tools: Tools, session: Session, sync: Sync, rows: Table, kept: KeptRows | None) -> Table:
    """The rows of a version, in which those that are kept at an older one are as they were in it, or not there."""
    if kept is None:
        return rows
    key = sync.dataset.schema.key
    parts = [rows.filter(~key_text([rows[c] for c in key]).isin(kept.rows.pk))]
    for asked, version in kept.versions.items():
        if version:
            old = snapshot_table(tools, session, sync.dataset.id, version)
            mine = kept.rows.filter(kept.rows.version == int(asked))
            then = old.filter(key_text([old[c] for c in key]).isin(mine.pk))
            kinds = rows.schema().items()
            parts.append(
                then.select(**{c: then[c].cast(kind) if c in then.columns else ibis.null(kind) for c, kind in kinds})
            )
    return session.named(union(*parts))


def quarantine_with_kept(
    tools: Tools, session: Session, sync: Sync, newest: Table | None, kept: KeptRows | None
) -> Table | None:
    """The rows that a rule of the contract sets aside, each of the version that is wanted of it."""
    if kept is None:
        return newest
    parts = [] if newest is None else [newest.anti_join(kept.rows, "pk")]
    for asked, version in kept.versions.items():
        old = quarantine_of(tools, session, sync, version)
        if old is not None:
            parts.append(old.semi_join(kept.rows.filter(kept.rows.version == int(asked)), "pk"))
    return union(*parts) if parts else None


def keeping(
    tools: Tools, session: Session, sync: Sync, version: VersionNumber, keys: Sequence[str], drafts: Storage
) -> tuple[KeptRows, SegmentRef]:
    """The rows that would be kept if these records, by match key, were put back to ``version``; written to ``drafts``.

    Raises `ConfigurationError` for a version that is not good, a key that nobody knows, and a sync that is pinned whole.
    """
    known_good(tools, sync.dataset, version)
    if (pinned := pinned_version(tools, sync.id)) is not None:
        raise ConfigurationError(
            f"{sync.id} is pinned to version {pinned} as a whole",
            safe="Nothing was changed.",
            next=f"`tidegate unpin {sync.id}` lets it go on; then put some records back",
        )
    named = session.rows(pa.table({"id": pa.array(list(keys), pa.string())}))
    found = session.cached(_named_rows(tools, session, sync, version, named))
    _refuse_unknown(session, keys, found)
    rows = found.select(*COLUMNS)
    before = pin_of(tools, sync.id)
    if before is not None and before.keys is not None:
        older = session.table(tools.storage.local(before.keys))
        rows = union(rows, older.select(*COLUMNS).anti_join(rows, "pk"))
    with drafts.writing(f"syncs/{sync.id}/kept", f"v{version:08d}") as draft:
        session.write(rows.order_by("pk"), draft.local)
    table = session.table(drafts.local(draft.ref))
    return _kept(tools, session, sync, table, str(draft.ref.digest)), draft.ref


def _named_rows(tools: Tools, session: Session, sync: Sync, version: VersionNumber, named: Table) -> Table:
    """Each row that has one of the ids in the older version or in the newest, or had it when it was delivered, once."""
    newest = wanted_version(tools, sync.dataset.id, None)
    parts = []
    for number in dict.fromkeys((version, newest)):
        if unfit_version(tools, sync, number) is None:
            rows = snapshot_table(tools, session, sync.dataset.id, number)
            subject = ibis.null("string") if sync.mapping.subject is None else text(rows[sync.mapping.subject])
            pk = key_text([rows[c] for c in sync.dataset.schema.key])
            known = ids(rows, sync.mapping, sync.dataset.schema.key)
            subjects = rows.select(_pk=pk, subject=subject)
            parts.append(known.inner_join(subjects, known.pk == subjects["_pk"]).select("id", "pk", "subject"))
    parts.append(state_rows(tools, session, states.current(tools.database, sync.id)).select("id", "pk", "subject"))
    every = union(*parts).semi_join(named, "id").mutate(version=ibis.literal(int(version)).cast("int64"))
    place = ibis.row_number().over(group_by="pk", order_by=[every.subject.desc(nulls_first=False), every.id])
    return every.mutate(_place=place, _all=every.id.collect().over(group_by="pk")).filter(lambda t: t["_place"] == 0)


def _refuse_unknown(session: Session, keys: Sequence[str], found: Table) -> None:
    known = {id for row in session.fetch(found.select("_all")) for id in row["_all"]}
    refuse_unknown(keys, known, option="--only-keys", why="in neither version, and is not held")


def keep(tools: Tools, sync: Sync, version: VersionNumber, keys: Sequence[str], reason: str) -> None:
    """Keep the records with these match keys at ``version``, beside those that are kept already; returns when durable.

    Raises as `keeping`, `Busy` while a run of the sync goes on, and `LedgerRegressed` when the ledger may not say so.
    """
    check_anchors(tools)
    with sync_lease(tools, sync.id) as lease, tools.compute.session() as session:
        _, ref = keeping(tools, session, sync, version, keys, tools.storage)
        event = SyncPinned(sync=sync.id, dataset=sync.dataset.id, version=version, reason=reason, keys=ref)
        record_pin(tools, sync, event, lease.fence)
