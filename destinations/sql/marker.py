"""The delivery marker: a table beside the others that says which rows of which run were applied.

It is written in the transaction of the rows themselves, so that both are there or neither. A batch that comes again,
whole, in parts or without some of its records, is applied only where it was not before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from destinations.base import Batch, Value

TABLE = "tidegate_delivery"
KEPT_DAYS = 7
"""For how long markers of earlier runs are kept; only a call that hangs on its way for so long could need them."""

Statement = tuple[str, Sequence[Value]]
"""SQL with the values of its ``$1``, ``$2``, …"""


def creation(table: str) -> str:
    """What makes the table; somebody else may run it where Tidegate may not."""
    return (
        f"CREATE TABLE {table} (sync varchar(500) NOT NULL, run varchar(100) NOT NULL, first_row bigint NOT NULL, "
        "last_row bigint NOT NULL, applied_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL, "
        "PRIMARY KEY (sync, run, first_row))"
    )


def lookup(table: str, batch: Batch) -> Statement:
    """What finds the markers that touch a batch: the numbers of the first and the last row of each."""
    return (
        f"SELECT first_row, last_row FROM {table} WHERE sync = $1 AND run = $2 AND first_row <= $3 AND last_row >= $4",
        (batch.sync, batch.run, batch.first + len(batch) - 1, batch.first),
    )


def places(batch: Batch, found: Iterable[Sequence[int]]) -> set[int]:
    """The places in a batch whose rows the markers that were ``found`` name."""
    inside = range(len(batch))
    return {place for first, last in found for place in _between(first - batch.first, last - batch.first, inside)}


def notes(table: str, batch: Batch, applied: Collection[int]) -> Iterator[Statement]:
    """What notes that the rows at these places were applied."""
    for first, last in _stretches(sorted(applied)):
        yield (
            f"INSERT INTO {table} (sync, run, first_row, last_row) VALUES ($1, $2, $3, $4)",
            (batch.sync, batch.run, batch.first + first, batch.first + last),
        )


def pruning(table: str, batch: Batch, oldest: str) -> Statement:
    """What removes the markers of earlier runs of the sync from before ``oldest``, a time in SQL.

    A run that is not over, however long it is held up, is the sync's last, and keeps its own.
    """
    return (
        f"DELETE FROM {table} WHERE sync = $1 AND run <> $2 AND applied_at < {oldest}",
        (batch.sync, batch.run),
    )


def _between(first: int, last: int, inside: range) -> range:
    return range(max(first, inside.start), min(last + 1, inside.stop))


def _stretches(ordered: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of numbers that follow one another, by their first and last."""
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end] != ordered[end - 1] + 1:
            yield ordered[start], ordered[end - 1]
            start = end
