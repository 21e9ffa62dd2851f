"""What is particular to one database; the way from a batch to its rows is the same for all, in `destinations.sql.tables`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

import orjson
import pyarrow.compute as pc

from destinations.base import Batch, Field, Refused, Stop, Unavailable, Value
from destinations.sql.statements import Document, Shape

Answer = Refused | Unavailable | Stop
_PLAIN = r'([^\\]": ?)(true|false|-?[0-9][0-9.eE+-]*)'
"""What stands after a name and is neither text nor null. In JSON a quote inside a text has a backslash before it, so no
text looks like this; nor does what follows a name that ends with a backslash."""


class Session(Protocol):
    """A connection, in whose open transaction statements run."""

    def execute(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows that a statement gives; ``$1`` in it is the first of ``values``."""
        ...

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


_Session = TypeVar("_Session", bound=Session)


class Database(ABC, Generic[_Session]):
    """One database, and the sessions that it opens."""

    error: ClassVar[type[Exception]]
    """What its driver raises, whatever happens."""
    one_writer: ClassVar[bool]
    """Whether a second transaction would only wait for the first, or fail on it."""

    @abstractmethod
    def connect(self) -> _Session:
        """A new connection, without an open transaction."""

    @abstractmethod
    def begin(self, session: _Session, batch: Batch) -> None:
        """Open a transaction that no other one for the same rows, in parts or whole, can overtake."""

    @abstractmethod
    def look(self, session: _Session) -> None:
        """Open a transaction that writes nothing but a temporary table."""

    @abstractmethod
    def same(self, column: str, type: str) -> str:
        """Whether ``t`` and ``s`` have the very same value in a column: by its type's own rules, case may not count."""

    @abstractmethod
    def about(self, session: _Session) -> str:
        """One sentence about the connection."""

    @abstractmethod
    def qualified(self, table: str) -> str:
        """A table's name for SQL."""

    @abstractmethod
    def days_ago(self, days: int) -> str:
        """A moment as SQL."""

    @abstractmethod
    def columns(self, session: _Session, table: str) -> tuple[Field, ...]:
        """The columns of a table; empty when it does not exist, or may not be seen."""

    @abstractmethod
    def unique(self, session: _Session, table: str) -> frozenset[frozenset[str]]:
        """The sets of columns in which no two rows can have the same values."""

    @abstractmethod
    def load(self, session: _Session, shape: Shape) -> None:
        """Fill the temporary table of a shape as fast as the database can."""

    @abstractmethod
    def meaning(self, error: Exception, *, committing: bool) -> Answer:
        """What an error means for the batch, whose transaction is rolled back; never with a value in it."""

    def documents(self, batch: Batch) -> Iterator[Document]:
        """The records of a batch, every value as text or null: what a text means its column's type decides."""
        keys, fields = (
            pc.replace_substring_regex(batch.rows.column(name), _PLAIN, r'\1"\2"').to_pylist()
            for name in ("key", "fields")
        )
        read = orjson.loads
        for id, key, values in zip(batch.ids, keys, fields, strict=True):
            document = read(values)
            document.update(read(key))
            yield id, document
