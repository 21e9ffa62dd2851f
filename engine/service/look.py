"""Look: syncs, runs, versions, differences and single records, as the ledger and the segments tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
from ibis.expr.types import Table

from engine.core.canonical import fragment, key_text
from engine.core.diff import CHANGE, IncomparableTypes, changed_keys
from engine.core.events import StateFolded
from engine.core.names import VersionNumber
from engine.errors import ConfigurationError
from engine.ledger.projections import runs, states, versions
from engine.segments.compute import Session
from engine.service.accounts import AccountReport, account_report
from engine.service.app import App
from engine.service.deprecations import notice
from engine.service.halts import PauseReport, pause_report
from engine.service.held_versions import HeldVersionReport, held_version
from engine.service.reports import RunReport, run_report
from engine.service.samples import MASK, Sample, masked, may_show
from engine.steps.aim import pin_of, pinned_version, withdrawals
from engine.steps.delivered_state import state_rows
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.halt import pause_of
from engine.steps.removals import owed_to_people
from engine.steps.retention import holds
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """One sync and its destination's account at a glance; ``owed`` counts records whose last attempt did not deliver, those set aside too."""

    sync: str
    dataset: str
    destination: str
    mode: str
    latest_version: int | None
    delivered_version: int | None
    held: int
    owed: int
    last_run: str
    last_status: str
    last_finished_at: str
    reason: str
    account: AccountReport
    held_version: str = ""
    """The version that waits for approval, as `tidegate approve` takes it; ``held`` above are records."""
    pinned_version: int | None = None
    kept_rows: int = 0
    """Rows that are kept at an older version while all others follow the newest."""
    delivered_from: str = ""
    """The dataset of ``delivered_version`` where it is another than the one that the sync reads now, such as a major before."""
    notice: str = ""
    """That a person ends the contract of its dataset, when, and what takes its place."""
    erasures_owed: int = 0
    """Records that its destination still has to remove because somebody is to be forgotten."""
    paused: PauseReport | None = None
    """By whom, since when and why it does nothing; None when it may run."""


@dataclass(frozen=True, slots=True)
class VersionReport:
    """One version: ``accepted``, ``held``, or ``dropped`` where its rows are not kept any more; ``snapshot_kept`` says whether it is stored whole or as changes.

    ``candidate`` is what `tidegate approve` takes of one that is held; it was accepted never, and may never be.
    ``contract`` is the version of its contract, and ``withdrawn`` why a person marked it as bad,
    None when nobody did. Of its rows, ``quarantined`` are set aside by a rule of the contract.
    """

    dataset: str
    version: int
    accepted_at: str
    rows: int
    inserts: int
    updates: int
    deletes: int
    snapshot_kept: bool
    contract: str
    status: str = "accepted"
    candidate: str = ""
    withdrawn: str | None = None
    quarantined: int = 0
    legal_hold: str | None = None
    """Why no rule may drop it; None where a rule may."""


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What became of the rows between two versions of a dataset."""

    dataset: str
    a: int
    b: int
    inserts: int
    updates: int
    deletes: int
    samples: tuple[Sample, ...]


def sync_statuses(app: App, name: str | None) -> list[SyncStatus]:
    """Every sync, or one."""
    names = app.sync_names if name is None else (app.sync(name).id,)
    syncs = [app.syncs[name] for name in names]
    accounts = {sync.target.name: account_report(app, sync) for sync in syncs}
    with app.tools.compute.session() as session:
        return [_status(app.tools, session, sync, accounts[sync.target.name]) for sync in syncs]


def _status(tools: Tools, session: Session, sync: Sync, account: AccountReport) -> SyncStatus:
    state = states.current(tools.database, sync.id)
    last = runs.last(tools.database, sync.id)
    latest = versions.latest(tools.database, sync.dataset.id)
    held, unsettled, erasing = 0, 0, 0
    if state is not None and state.segments:
        rows = state_rows(tools, session, state)
        sizes = {"held": rows.acked, "owed": rows.owed, "erasing": owed_to_people(rows)}
        found = session.single(rows.aggregate(**{name: rows.count(where=which) for name, which in sizes.items()}))
        held, unsettled, erasing = (int(found[name]) for name in sizes)
    return SyncStatus(
        sync=sync.id,
        dataset=sync.dataset.id,
        destination=sync.target.name,
        mode=sync.mapping.mode.value,
        latest_version=latest.version if latest else None,
        delivered_version=state.version or None if state else None,
        delivered_from=_another(tools, sync, state),
        notice=notice(tools, sync.dataset.id),
        held=held,
        owed=max(state.owed, unsettled) if state else 0,
        erasures_owed=erasing,
        last_run=last.run if last else "",
        last_status=last.status if last else "never run",
        last_finished_at=last.finished_at.isoformat() if last and last.finished_at else "",
        reason=(last.reason or "") if last else "",
        account=account,
        held_version=waits.candidate if (waits := held_version(tools, sync.dataset.id)) else "",
        pinned_version=pinned_version(tools, sync.id),
        paused=pause_report(pause_of(tools, sync.id)),
        kept_rows=tools.storage.current(pin.keys).rows if (pin := pin_of(tools, sync.id)) and pin.keys else 0,
    )


def _another(tools: Tools, sync: Sync, state: StateFolded | None) -> str:
    row = None if state is None else runs.get(tools.database, state.run)
    return "" if row is None or row.dataset == sync.dataset.id else row.dataset


def run_list(app: App, name: str, limit: int) -> list[RunReport]:
    """The newest runs of a sync, newest first."""
    return [run_report(row) for row in runs.listing(app.tools.database, app.sync(name).id, limit)]


def version_list(app: App, name: str) -> list[VersionReport]:
    """Every accepted version of a dataset, oldest first, and the one that waits for approval."""
    dataset = app.dataset(name)
    bad, gone = withdrawals(app.tools, dataset.id), dropped_versions(app.tools, dataset.id)
    kept = holds(app.tools, dataset.id)
    accepted = [
        VersionReport(
            dataset=dataset.id,
            version=row.version,
            accepted_at=row.recorded_at.isoformat(),
            rows=row.rows,
            inserts=row.inserts if row.changes else row.rows,
            updates=row.updates,
            deletes=row.deletes,
            snapshot_kept=app.tools.storage.exists(row.snapshot),
            contract=row.contract,
            withdrawn=bad[row.version].reason if row.version in bad else None,
            quarantined=row.quarantine.rows if row.quarantine else 0,
            status="dropped" if row.version in gone else "accepted",
            legal_hold=kept[row.version].reason if row.version in kept else None,
        )
        for row in versions.listing(app.tools.database, dataset.id)
    ]
    waits = held_version(app.tools, dataset.id)
    return accepted if waits is None else [*accepted, _waiting(waits)]


def _waiting(held: HeldVersionReport) -> VersionReport:
    return VersionReport(
        dataset=held.dataset,
        version=held.version,
        accepted_at="",
        rows=held.rows,
        inserts=held.inserts,
        updates=held.updates,
        deletes=held.deletes,
        snapshot_kept=True,
        contract=held.contract,
        status="held",
        candidate=held.candidate,
        quarantined=held.quarantined,
    )


def diff_versions(app: App, name: str, a: int, b: int, *, samples: int) -> DiffReport:
    """Compare any two kept versions by the key that they were captured with.

    Raises `StorageError` for one that is not kept, and `ConfigurationError` for two that have a column of another kind.
    """
    dataset = app.dataset(name)
    classes = {c.name: c.classification for c in dataset.schema.columns}
    with app.tools.compute.session() as session:
        before = snapshot_table(app.tools, session, dataset.id, VersionNumber(a))
        after = snapshot_table(app.tools, session, dataset.id, VersionNumber(b))
        key = _key(app, dataset, VersionNumber(b))
        keys = session.cached(_changed(before, after, key, name))
        counted = {r[CHANGE]: int(r["n"]) for r in session.fetch(keys.group_by(CHANGE).aggregate(n=keys.count()))}
        chosen = session.cached(_first_of_each(keys, key, samples))
        olds = _by_key(session, before, chosen, key)
        news = _by_key(session, after, chosen, key)
        kinds = {
            r["id"]: r[CHANGE] for r in session.fetch(chosen.select(CHANGE, id=key_text([chosen[c] for c in key])))
        }
    shown = {name: may_show(c) for name, c in classes.items()}
    show_id = all(shown.get(c, False) for c in key)
    return DiffReport(
        dataset=dataset.id,
        a=a,
        b=b,
        inserts=counted.get("insert", 0),
        updates=counted.get("update", 0),
        deletes=counted.get("delete", 0),
        samples=tuple(
            _row_sample(kind, i if show_id else MASK, olds.get(i, {}), news.get(i, {}), shown)
            for i, kind in sorted(kinds.items(), key=lambda pair: (pair[1], pair[0]))
        ),
    )


def _key(app: App, dataset: Dataset, version: VersionNumber) -> tuple[str, ...]:
    row = versions.get(app.tools.database, dataset.id, version)
    assert row is not None, "its rows were found"
    return row.key


def _changed(before: Table, after: Table, key: tuple[str, ...], name: str) -> Table:
    try:
        return changed_keys(before, after, key)
    except IncomparableTypes as error:
        raise ConfigurationError(
            f"The versions cannot be compared: {error}",
            safe="Nothing was changed.",
            next=f"compare versions on one side of that change; see `tidegate versions {name}`",
        ) from error


def _first_of_each(keys: Table, key: tuple[str, ...], limit: int) -> Table:
    place = ibis.row_number().over(group_by=CHANGE, order_by=list(key))
    return keys.mutate(_place=place).filter(lambda t: t["_place"] < limit).drop("_place")


def _by_key(session: Session, rows: Table, keys: Table, key: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
    found = rows.semi_join(keys, list(key))
    shaped = found.select(
        **{c: fragment(found[c]) for c in found.columns if c not in key}, _id=key_text([found[c] for c in key])
    )
    return {row.pop("_id"): row for row in session.fetch(shaped)}


def _row_sample(
    kind: str, shown_id: str, old: Mapping[str, str | None], new: Mapping[str, str | None], shown: Mapping[str, bool]
) -> Sample:
    changed = tuple(c for c in (new or old) if old.get(c) != new.get(c))
    return Sample(kind, "", shown_id, masked(old, shown), masked(new, shown), changed)
