"""What a destination had acknowledged of a sync at a moment, as a file."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ibis.expr.types import Table

from engine.core.canonical import object_text
from engine.core.desired import FIELD
from engine.core.state import field_columns
from engine.errors import ConfigurationError, StorageError
from engine.owner_only import FILE_MODE, make_folder
from engine.service.app import App
from engine.steps.past import held_rows, state_at


@dataclass(frozen=True, slots=True)
class StateReport:
    """A file with one row per record; ``version`` is the one that was folded last, None when a delivery was not at its end."""

    sync: str
    at: str
    version: int | None
    records: int
    unknown: int
    file: str


def write_state(app: App, name: str, at: datetime, out: Path) -> StateReport:
    """Write what was held at ``at`` to a new Parquet file, which only its owner may read.

    ``id`` and ``key`` of each record, its ``fields`` as one JSON object, the decisions that allowed it as their ``basis`` (JSON), and
    whether it is ``unknown`` whether the destination has it so. Raises `ConfigurationError` when nothing was held yet.
    """
    sync = app.sync(name)
    if out.exists():
        raise ConfigurationError(
            "There is a file of that name",
            where=str(out),
            safe="It was not touched.",
            next="name a new file with --out",
        )
    with app.tools.compute.session() as session:
        state = state_at(app.tools, session, sync, at)
        if state is None:
            raise ConfigurationError(
                f"Nothing of {sync.id} was delivered by {at.isoformat()}",
                safe="Nothing was changed.",
                next=f"`tidegate runs {sync.id}` says when there were runs",
            )
        rows = session.cached(_told(held_rows(state)))
        sizes = session.single(rows.aggregate(n=rows.count(), unknown=rows.count(where=rows.unknown)))
        make_folder(app.scratch)
        with tempfile.TemporaryDirectory(dir=app.scratch) as folder:
            whole = Path(folder, "state.parquet")
            session.write(rows.order_by("id"), whole)
            _copy(whole, out)
    version = (state.state.version or None) if state.state else None
    return StateReport(sync.id, at.isoformat(), version, int(sizes["n"]), int(sizes["unknown"]), str(out))


def _copy(whole: Path, out: Path) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as target, whole.open("rb") as source:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise StorageError(
            f"The file cannot be written ({error.strerror or type(error).__name__})",
            where=str(out),
            safe="Nothing was changed.",
            next="name a file in a folder that may be written to",
        ) from error


def _told(held: Table) -> Table:
    columns = field_columns(held)
    fields = object_text([c.removeprefix(FIELD) for c in columns], [held[c] for c in columns])
    return held.select("id", "key", "basis", "unknown", fields=fields)
