"""Look: syncs, runs, versions, differences and single records, as the ledger and the segments tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
from ibis.expr.types import Table

from engine.core.canonical import fragment, key_text
from engine.core.diff import CHANGE, IncomparableTypes, changed_keys
from engine.core.names import VersionNumber
from engine.errors import ConfigurationError
from engine.ledger.projections import runs, versions
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.held_versions import HeldVersionReport, held_version
from engine.service.reports import RunReport, run_report
from engine.service.samples import MASK, Sample, masked, may_show
from engine.steps.aim import withdrawals
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Dataset
from engine.steps.retention import holds
from engine.steps.snapshots import snapshot_table


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
