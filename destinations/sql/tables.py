"""From a batch to the rows of a table, the same way in every database.

One transaction: the delivery marker is read, the records are loaded into a temporary table and applied set by set, and
the marker is written.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Field,
    Found,
    Op,
    Outcomes,
    ReadBack,
    Refused,
    Rejected,
    Reply,
    Stop,
    Unavailable,
)
from destinations.sql import marker
from destinations.sql.database import Database, Session
from destinations.sql.statements import STAGE, Shape, Writing, comparing, missing, shapes, staging, writing

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Table:
    """What was seen of a table: its columns, and the sets of them that find one row at most."""

    name: str
    columns: Sequence[Field]
    unique: frozenset[frozenset[str]]

    @property
    def types(self) -> dict[str, str]:
        """The type of each column."""
        return {column.name: column.type for column in self.columns}


class Tables:
    """The tables of one database; connections are kept between batches and dropped after any error.

    ``deleted`` names the column that says since when a row counts as deleted, where deletes keep their rows.
    """

    def __init__(self, database: Database[Any], deleted: str | None) -> None:
        self._database = database
        self._deleted = deleted
        self._marker = database.qualified(marker.TABLE)
        self._idle: list[Session] = []
        self._seen: dict[str, _Table] = {}
        self._marking = threading.Lock()
        self._is_marked = False
        self._writing: AbstractContextManager[object] = threading.Lock() if database.one_writer else nullcontext()

    async def apply(self, batch: Batch) -> Reply:
        """Apply a batch once, however often it comes; every error of the database is a reply."""
        return await asyncio.to_thread(self._apply, batch)

    async def found(self, batch: Batch) -> ReadBack | Unavailable | Stop:
        """The rows of a batch's keys, compared with what its values become in them; nothing is left behind."""
        return await asyncio.to_thread(self._found, batch)

    async def check(self) -> str:
        """One sentence about the connection; raises `CheckFailed`."""
        return await asyncio.to_thread(self._asked, self._database.about)

    async def columns(self, table: str) -> Sequence[Field]:
        """The columns of a table. Raises `CheckFailed`, also when there is no such table, or none that a key can find."""
        found = await asyncio.to_thread(self._asked, lambda session: self._described(session, table))
        if isinstance(found, Stop):
            raise CheckFailed(found.message)
        if not found.unique:
            raise CheckFailed(f"`{table}` has no unique index; one over exactly the columns of the match key is needed")
        return found.columns

    async def close(self) -> None:
        """Close what is open."""
        while self._idle:
            await asyncio.to_thread(self._idle.pop().close)

    def _apply(self, batch: Batch) -> Reply:
        committing = False
        try:
            with self._writing, self._session() as session:
                table = self._usable(session, batch)
                if isinstance(table, Stop | Unavailable):
                    return table
                session.rollback()
                self._database.begin(session, batch)
                reply = self._written(session, batch, table)
                if isinstance(reply, Stop):
                    return reply
                committing = True
                session.commit()
                return reply
        except self._database.error as error:
            self._seen.clear()
            return self._database.meaning(error, committing=committing)

    def _written(self, session: Session, batch: Batch, table: _Table) -> AllDelivered | Outcomes | Stop:
        """Write what of a batch was not written before, and the marker of it."""
        before = marker.places(batch, session.execute(*marker.lookup(self._marker, batch)))
        if len(before) == len(batch):
            return AllDelivered()
        found = shapes(_keys(batch), (d for n, d in enumerate(self._database.documents(batch)) if n not in before))
        for shape in found:
            if unknown := [name for name in shape.columns if name not in table.types]:
                return _no_column(table, unknown[0])
        lost = {id for shape in found for id in self._applied(session, batch, shape)}
        applied = {place for place, id in enumerate(batch.ids) if place not in before and id not in lost}
        for note in marker.notes(self._marker, batch, applied):
            session.execute(*note)
        if batch.first == 0:
            session.execute(*marker.pruning(self._marker, batch, self._database.days_ago(marker.KEPT_DAYS)))
        if lost:
            return Outcomes(tuple(Rejected(id, "not_found", "no row has this key") for id in batch.ids if id in lost))
        return AllDelivered()

    def _applied(self, session: Session, batch: Batch, shape: Shape) -> list[str]:
        """Apply one shape; returns the ids that an update did not find."""
        to = self._staged(session, batch, shape)
        for statement in writing(batch.op, to, shape):
            session.execute(statement)
        lost = session.execute(missing(to, shape)) if batch.op is Op.UPDATE else []
        session.execute(f"DROP TABLE {STAGE}")
        return [id for (id,) in lost]

    def _staged(self, session: Session, batch: Batch, shape: Shape) -> Writing:
        """Load the records of a shape as the table's columns would hold them."""
        to = Writing(self._database.qualified(batch.object), self._deleted)
        session.execute(staging(to.target, shape))
        self._database.load(session, shape)
        return to

    def _found(self, batch: Batch) -> ReadBack | Unavailable | Stop:
        try:
            with self._session() as session:
                table = self._fitting(session, batch)
                if isinstance(table, Stop):
                    return table
                session.rollback()
                self._database.look(session)
                found = shapes(_keys(batch), self._database.documents(batch))
                for shape in found:
                    if unknown := [name for name in shape.columns if name not in table.types]:
                        return _no_column(table, unknown[0])
                return ReadBack(tuple(one for shape in found for one in self._compared(session, table, batch, shape)))
        except self._database.error as error:
            self._seen.clear()
            why = self._database.meaning(error, committing=False)
            return Stop(why.code, why.message) if isinstance(why, Refused) else why

    def _compared(self, session: Session, table: _Table, batch: Batch, shape: Shape) -> Iterator[Found]:
        to = self._staged(session, batch, shape)
        same = [self._database.same(name, table.types[name]) for name in shape.fields]
        for id, *told in session.execute(comparing(to, shape, same)):
            facts = zip(shape.fields, told[::2], told[1::2], strict=True)
            yield Found(id, {name: value for name, is_same, value in facts if not is_same})
        session.execute(f"DROP TABLE {STAGE}")

    def _usable(self, session: Session, batch: Batch) -> _Table | Stop | Unavailable:
        """The batch's table, or why no batch like this can be applied."""
        return self._unmarked(session) or self._fitting(session, batch)

    def _fitting(self, session: Session, batch: Batch) -> _Table | Stop:
        """The batch's table, or why its keys find no rows in it."""
        table = self._seen.get(batch.object) or self._described(session, batch.object)
        if isinstance(table, Stop):
            return table
        keys = _keys(batch)
        if frozenset(keys) not in table.unique:
            # Without a unique key one record could change several rows.
            columns = ", ".join(keys)
            return Stop("no_unique_key", f"`{table.name}` needs a unique index over exactly these columns: {columns}")
        self._seen[batch.object] = table
        return table

    def _described(self, session: Session, table: str) -> _Table | Stop:
        columns = self._database.columns(session, table)
        if not columns:
            where = self._database.qualified(table)
            return Stop("no_table", f"there is no table {where}, or the role may not see it")
        found = _Table(table, columns, self._database.unique(session, table))
        if self._deleted is not None and self._deleted not in found.types:
            return Stop("no_column", f"`{table}` has no column `{self._deleted}`, in which `deletes` marks rows")
        return found

    def _unmarked(self, session: Session) -> Stop | Unavailable | None:
        """See that there is a table for markers; why nothing can be delivered where there is none and none can be made."""
        with self._marking:
            if self._is_marked or self._database.columns(session, marker.TABLE):
                self._is_marked = True
                return None
            session.rollback()
            creation = marker.creation(self._marker)
            try:
                session.execute(creation)
                session.commit()
            except self._database.error as error:
                session.rollback()
                # Another process may have made it in the same moment.
                if not self._database.columns(session, marker.TABLE):
                    why = self._database.meaning(error, committing=False)
                    if isinstance(why, Unavailable):
                        return why
                    message = f"{why.message}. The table of deliveries cannot be made; have it made: {creation}"
                    return Stop("no_marker", message)
            self._is_marked = True
            return None

    def _asked(self, question: Callable[[Session], _Answer]) -> _Answer:
        try:
            with self._session() as session:
                return question(session)
        except self._database.error as error:
            raise CheckFailed(self._database.meaning(error, committing=False).message) from None

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = self._idle.pop() if self._idle else self._database.connect()
        try:
            yield session
            session.rollback()
        except BaseException:
            session.close()
            raise
        self._idle.append(session)


def _no_column(table: _Table, name: str) -> Stop:
    return Stop("no_column", f"`{table.name}` has no column `{name}`: add it, or do not map it")


def _keys(batch: Batch) -> tuple[str, ...]:
    """The key columns, which are the same for every record of a sync."""
    return tuple(orjson.loads(batch.rows.column("key")[0].as_py()))
