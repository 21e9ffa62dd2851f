"""Rows of a dataset that a rule of its contract sets aside: which, why, and what one of them holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.canonical import fragment, key_text
from engine.core.names import VersionNumber, is_meant
from engine.errors import ConfigurationError
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.samples import MASK, masked, may_show
from engine.steps.facts import Dataset
from engine.steps.quarantined_rows import opened
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row by its primary key, masked where a column of it may not be shown, and the labels of the rules it breaks."""

    key: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuarantinedRows:
    """The quarantined rows of the newest version: ``quarantined`` of ``rows``, and the first of them."""

    dataset: str
    version: int
    rows: int
    quarantined: int
    records: tuple[QuarantinedRow, ...]


@dataclass(frozen=True, slots=True)
class QuarantinedRowReport:
    """One quarantined row: its reasons, and its columns as JSON text, masked where they may not be shown."""

    dataset: str
    version: int
    key: str
    reasons: tuple[str, ...]
    columns: Mapping[str, str | None]


def is_dataset(app: App, name: str) -> bool:
    """Whether ``name`` means a dataset and not a sync; a sync goes before a dataset of the same bare name."""
    return name not in app.syncs and any(is_meant(id, name) for id in app.datasets)


def quarantined_rows(app: App, name: str, limit: int) -> QuarantinedRows:
    """What the newest version sets aside, by key; keys and reasons only."""
    dataset, row = _newest(app, name)
    shown = _is_key_shown(dataset)
    with app.tools.compute.session() as session:
        table = opened(app.tools.storage, session, row.quarantine)
        found = [] if table is None else session.fetch(table.order_by("pk").limit(limit))
    return QuarantinedRows(
        dataset=dataset.id,
        version=row.version,
        rows=row.rows,
        quarantined=row.quarantine.rows if row.quarantine else 0,
        records=tuple(QuarantinedRow(one["pk"] if shown else MASK, _reasons(one["reasons"])) for one in found),
    )


def quarantined_row(app: App, name: str, key: str) -> QuarantinedRowReport:
    """One of them; raises `ConfigurationError` when no quarantined row has that key."""
    dataset, row = _newest(app, name)
    classes = {c.name: may_show(c.classification) for c in dataset.schema.columns}
    with app.tools.compute.session() as session:
        table = opened(app.tools.storage, session, row.quarantine)
        found = [] if table is None else session.fetch(table.filter(table.pk == key))
        if not found:
            raise ConfigurationError(
                f"No row of {dataset.id} with that key is set aside",
                safe="Nothing was changed.",
                next=f"`tidegate quarantine list {dataset.id}` names those that are",
            )
        columns = _columns(app, session, dataset, row.version, key)
    return QuarantinedRowReport(
        dataset=dataset.id,
        version=row.version,
        key=key,
        reasons=_reasons(found[0]["reasons"]),
        columns=masked(columns, classes),
    )


def _columns(app: App, session: Session, dataset: Dataset, version: VersionNumber, key: str) -> dict[str, str | None]:
    rows = snapshot_table(app.tools, session, dataset.id, version)
    mine = rows.filter(key_text([rows[c] for c in dataset.schema.key]) == key)
    return session.single(mine.select(**{c: fragment(mine[c]) for c in mine.columns}))


def _newest(app: App, name: str) -> tuple[Dataset, VersionRow]:
    dataset = app.dataset(name)
    row = versions.latest(app.tools.database, dataset.id)
    if row is None:
        raise ConfigurationError(
            f"{dataset.id} has no version yet",
            safe="Nothing was changed.",
            next=f"`tidegate capture {dataset.id}` makes one",
        )
    return dataset, row


def _is_key_shown(dataset: Dataset) -> bool:
    return all(may_show(c.classification) for c in dataset.schema.columns if c.key_position is not None)


def _reasons(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
