"""What a source is: one consistent read of a table or query, as a stream of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from engine.errors import SourceError

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read: a table of the connection, or a query; exactly one is set."""

    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise ValueError("a selection is a table or a query")

    def __str__(self) -> str:
        return self.table if self.table is not None else "query"


@dataclass(frozen=True, slots=True)
class Reading:
    """A read under way. ``text`` names columns whose values are text that the contract's types parse.

    They are all columns of a CSV file and exact numbers of PostgreSQL; every other column has its type, and a text
    there is never taken for a number.

    Iterating ``batches`` raises `SourceError` when the read cannot be finished; an end of iteration is the end of
    the data, never of a connection.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    text: frozenset[str]


class Source(Protocol):
    """A connection that can be read."""

    def open(self, selection: Selection) -> AbstractContextManager[Reading]:
        """Begin one consistent read; raises `SourceError`."""
        ...


def unreadable(connection: str, selection: Selection, why: str) -> SourceError:
    """The error of a read that failed; ``why`` holds no row value and no credential."""
    return SourceError(
        f"The source `{connection}` could not be read: {why}",
        where=f"connection {connection}, {selection}",
        safe="Nothing was captured or sent; the version before stays current.",
        next="mend the source and run again",
    )
