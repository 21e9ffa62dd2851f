"""Large plans as jobs of Bulk API 2.0: the CSV that a batch becomes, and what the files of results say of its records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import httpx
import orjson

from destinations.base import (
    Batch,
    Delivered,
    Failed,
    Outcome,
    Outcomes,
    Record,
    Rejected,
    Running,
    Stop,
    Unavailable,
    Value,
)
from destinations.http import News
from destinations.salesforce.answers import complaint, passes
from destinations.salesforce.records import NAME, key_of, related

CELL_LENGTH_MAX = 32_000
ROW_LENGTH_MAX = 400_000
NULL = "#N/A"
"""What clears a field; an empty cell leaves it as it is."""
JOB = re.compile(r"[A-Za-z0-9-]{1,40}")
FILES: Mapping[str, Literal["done", "wrong", "left"]] = {
    "successfulResults": "done",
    "failedResults": "wrong",
    "unprocessedrecords": "left",
}
_ENDED, _RUNNING = frozenset({"JobComplete", "Failed", "Aborted"}), frozenset({"Open", "UploadComplete", "InProgress"})
_ERROR = re.compile(rf"([A-Z][A-Z0-9_]{{2,60}}):(.*):({NAME.pattern}(?:, ?{NAME.pattern})*)? ?--", re.DOTALL)
_COLUMN = re.compile(rf"Field name not found : ({NAME.pattern})")


@dataclass(frozen=True, slots=True)
class Sorted:
    """The records of a batch that a job can carry, as CSV, with their ids by the text of their key, and those that none can."""

    content: bytes
    by_key: Mapping[str, str]
    rejected: tuple[Rejected, ...]


def description(batch: Batch) -> Mapping[str, str]:
    """What a job is made with."""
    return {
        "object": batch.object,
        "operation": "upsert",
        "externalIdFieldName": key_of(batch),
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }


def sort_out(batch: Batch) -> Sorted:
    """The same batch gives the same bytes. Every cell is quoted, so what a value holds ends no cell and no row."""
    key = key_of(batch)
    rows, rejected, by_key = list[Mapping[str, str]](), list[Rejected](), dict[str, str]()
    for record in batch.records:
        row = {key: _cell(record.key[key]), **dict(_cells(record))}
        wrong = _objection(record, row)
        if wrong is None:
            rows.append(row)
            by_key[row[key]] = record.id
        else:
            rejected.append(Rejected(record.id, *wrong))
    columns = sorted({name for row in rows for name in row})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return Sorted(text.getvalue().encode(), by_key, tuple(rejected))


def _cells(record: Record) -> Iterator[tuple[str, str]]:
    """A null, and an empty text, which Salesforce takes for none, clear a field; a related record is let go of by its lookup."""
    for name, value in record.fields.items():
        other = related(name) if value is None else None
        yield (name if other is None else other.lookup), _cell(value)


def _cell(value: Value) -> str:
    match value:
        case None | "":
            return NULL
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def _objection(record: Record, row: Mapping[str, str]) -> tuple[str, str] | None:
    """Code and sentence of why no job can carry a record."""
    for name, cell in row.items():
        if len(cell) > CELL_LENGTH_MAX:
            limit = f"{CELL_LENGTH_MAX:,}"
            return (
                "too_long",
                f"`{name}` is longer than the {limit} characters that a job takes: shorten it at the source",
            )
    for name, value in record.fields.items():
        if value == NULL:
            return "invalid", f"`{name}` is `{NULL}`, by which a job clears a field: correct it at the source"
    if sum(map(len, row.values())) > ROW_LENGTH_MAX:
        return (
            "too_large",
            f"the record has more than the {ROW_LENGTH_MAX:,} characters that a job takes: map fewer fields",
        )
    return None


def state(answer: httpx.Response) -> Running | Stop | None:
    """What the state of a job means; None for one that has ended, whose files tell of its records. Raises for another one."""
    said = orjson.loads(answer.content)
    if said["state"] in _RUNNING:
        return Running()
    if said["state"] not in _ENDED:
        raise ValueError("a job runs or has ended")
    column = _COLUMN.search(str(said.get("errorMessage")))
    if column is None:
        return None
    code, message = complaint({"statusCode": "INVALID_FIELD", "fields": [column[1]]}, None)
    return Stop(code, message)


def rows_of(answer: httpx.Response) -> Sequence[Mapping[str, str]]:
    """The rows of a file of results."""
    if not answer.headers.get("content-type", "").startswith("text/csv"):
        raise ValueError("a file of results is CSV")
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def told(batch: Batch, files: Mapping[str, Sequence[Mapping[str, str]]]) -> News:
    """What became of the records, by their keys: the files have an order of their own.

    A record that no file names is unknown. Raises for a row that is of none of the batch, or of one that was told already.
    """
    parts, key = sort_out(batch), key_of(batch)
    left, outcomes = dict(parts.by_key), list[Outcome](parts.rejected)
    for name, meaning in FILES.items():
        for row in files[name]:
            outcomes.append(_outcome(left.pop(row[key]), meaning, row))
    if len(left) == len(parts.by_key):
        # What it did not come to stands in a file of its own, so that nobody is named says nothing.
        return Unavailable("job_failed", "the job ended, and its files name no record", applied_unknown=True)
    return Outcomes(tuple(outcomes))


def _outcome(id: str, meaning: Literal["done", "wrong", "left"], row: Mapping[str, str]) -> Outcome:
    match meaning:
        case "done":
            return Delivered(id, row["sf__Id"] or None)
        case "left":
            return Failed(id, "unprocessed", "the job ended before it came to this record")
        case "wrong":
            error = _error(row["sf__Error"])
            return (Failed if passes(error) else Rejected)(id, *complaint(error, None))


def _error(written: str) -> Mapping[str, Value]:
    """``CODE:message:field --`` as the calls tell it."""
    found = _ERROR.match(written)
    if found is None:
        return {"statusCode": written.partition(":")[0], "message": written}
    return {"statusCode": found[1], "message": found[2], "fields": re.findall(NAME.pattern, found[3] or "")}
