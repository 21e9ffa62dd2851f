"""Lists of consent decisions: read as a stream, every row judged, and nothing counts of a list in which one is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.consent import WILDCARDS, Status
from engine.core.schema import Column, LogicalType, TableSchema
from engine.errors import ConfigurationError
from engine.sources.base import Selection
from engine.sources.normalise import ValueViolation, normalise
from engine.sources.registry import open_source
from engine.steps.decisions import DECISIONS, whole

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a decision may be dated: clocks disagree, and a far later one would outlive what follows it."""
_NAME = "^[a-z][a-z0-9_-]{0,62}$"


_REQUIRED = frozenset({"subject", "purpose", "status"})
_COLUMNS = tuple(
    Column(
        field.name,
        LogicalType.TIMESTAMP if pa.types.is_timestamp(field.type) else LogicalType.STRING,
        required=field.name in _REQUIRED,
    )
    for field in DECISIONS
)


@contextmanager
def list_of_decisions(file: Path, now: datetime) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a Parquet, CSV or JSON-lines file as `DECISIONS`, judged as they are read.

    A decision without ``collected_at`` counts as taken ``now``. Raises `ConfigurationError` with the row for what can be
    no decision, and `SourceError` for a file that cannot be read whole.
    """
    if not file.is_file():
        raise unusable(str(file), "there is no such file", "give the path of a .parquet, .csv or .jsonl file")
    source = open_source("files", {"name": "import", "path": str(file.parent), "memory": "512MB", "threads": 1})
    with source.open(Selection(table=file.name)) as reading:
        known = TableSchema(tuple(c for c in _COLUMNS if c.required or c.name in reading.schema.names))
        normalised = normalise(reading, known)
        if breaking := [finding.message for finding in normalised.drift if finding.breaking]:
            raise unusable(str(file), "; ".join(breaking), "name the columns as a consent register does")
        yield _judged(normalised.reader, now, str(file))


def _judged(reader: pa.RecordBatchReader, now: datetime, where: str) -> Iterator[pa.RecordBatch]:
    row = 0
    try:
        for batch in reader:
            decisions = _dated(batch, now)
            judge(decisions, now, where, row)
            row += batch.num_rows
            yield decisions
    except ValueViolation as violation:
        raise unusable(where, str(violation), "correct that row, then import the file again") from violation
    if not row:
        raise unusable(where, "it holds no decision", "check that the whole list was exported")


def _dated(batch: pa.RecordBatch, now: datetime) -> pa.RecordBatch:
    """The batch as `DECISIONS`, each of a moment."""
    rows, place = whole(batch), DECISIONS.get_field_index("collected_at")
    field = DECISIONS.field(place)
    return rows.set_column(place, field, pc.fill_null(rows.column(place), pa.scalar(now, field.type)))


def judge(rows: pa.RecordBatch, now: datetime, where: str, before: int = 0) -> None:
    """Raise `ConfigurationError` for the first row that can be no decision; ``before`` rows came before these."""
    subject = pc.utf8_trim_whitespace(rows["subject"])
    latest = pa.scalar(now + CLOCK_SKEW, DECISIONS.field("collected_at").type)
    wild = pa.array([word for word in WILDCARDS if word])
    rules: Sequence[tuple[Any, str]] = (
        (pc.fill_null(pc.equal(subject, ""), True), "has no subject"),
        (pc.is_in(subject, wild), "names a wildcard; a decision is about one subject"),
        (pc.invert(pc.fill_null(pc.match_substring_regex(rows["purpose"], _NAME), False)), "has no purpose"),
        (
            pc.invert(pc.fill_null(pc.match_substring_regex(rows["channel"], _NAME), True)),
            "has a channel that is no name; a decision about all channels leaves it empty",
        ),
        (
            pc.invert(pc.is_in(rows["status"], pa.array([s.value for s in Status]))),
            f"has a status other than {', '.join(status.value for status in Status)}",
        ),
        (pc.fill_null(pc.greater(rows["collected_at"], latest), False), "was collected in the future"),
        (
            pc.fill_null(pc.less_equal(rows["expires_at"], rows["collected_at"]), False),
            "expires before it was collected",
        ),
    )
    for is_bad, why in rules:
        place = pc.index(is_bad, True).as_py()
        if place >= 0:
            row = f"{before + place + 1:,}"
            raise unusable(where, f"the decision in row {row} {why}", "correct it; nothing of the list counts")


def unusable(where: str, why: str, next: str) -> ConfigurationError:
    """The error of a list or a decision that counts for nothing."""
    return ConfigurationError(f"No decision was recorded: {why}", where=where, safe="Nothing was changed.", next=next)
