"""What a source is: one consistent read of a table or query, as a stream of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from engine.errors import SourceError

BATCH_ROWS = 65_536
CHECK_PATH = "check `path` of the connection and `source` of the dataset, then run again."


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read: a table of the connection, or a query; exactly one is set."""

    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise ValueError("a selection is a table or a query")

    def __str__(self) -> str:
        return f"table {self.table}" if self.table is not None else "the query of the dataset"


@dataclass(frozen=True, slots=True)
class Reading:
    """A read under way.

    A column of a type that `engine.sources.untyped` names holds values that the contract parses; every other column
    means what its type says. Iterating ``batches`` raises `SourceError` when the read cannot be finished: an end of
    iteration is the end of the data, never of a connection.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Source(Protocol):
    """A connection that can be read."""

    def open(self, selection: Selection) -> AbstractContextManager[Reading]:
        """Begin one consistent read; raises `SourceError`."""
        ...


def unreadable(connection: str, selection: Selection, why: str, next: str = "") -> SourceError:
    """The error of a read that failed; ``why`` holds no row value and no credential."""
    return SourceError(
        f"The source `{connection}` could not be read: {why}.",
        where=f"connection {connection}, {selection}",
        safe="Nothing was captured or sent; the version before stays current.",
        next=next or "mend the source, then run again.",
    )
