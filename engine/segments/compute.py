"""Runs Ibis expressions over segments on an embedded, memory-limited DuckDB.

Expressions are built on unbound tables by `engine.core`; a session gives each table a view over Parquet files,
compiles, and streams or writes the result. Nothing here knows what an expression means.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.sql.compilers.duckdb import compiler
from ibis.expr.operations import Relation
from ibis.expr.types import Table

from engine.errors import StorageError
from engine.owner_only import make_folder

BATCH_ROWS = 65_536
QUICK_LEVEL = 1
KEPT_LEVEL = 9
"""Of zstd, for what is kept long and written aside: some per cent fewer bytes for half as much time again."""
_TEXTS_KEPT = 256
ORDINAL = "file_row_number"
"""Name of the column that `Session.numbered` adds: the row's place in its file, from 0."""
FILE = "session_file"
"""Name of the column that `Session.groups` adds: the path of the row's file."""


class Compute:
    """A private database in memory, opened when it is first needed; opening one takes longer than most questions to it.

    ``memory`` (in DuckDB's notation, ``512MB``) and ``threads`` are what all sessions together may take of the machine; what
    does not fit is spilled to ``spill``.
    """

    def __init__(self, memory: str, threads: int, spill: Path) -> None:
        self.memory = memory
        self.threads = threads
        self.spill = spill

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of its own: its views and tables are seen by no other, and disappear at the end."""
        make_folder(self.spill)
        with closing(self._database.cursor()) as connection:
            yield Session(connection)

    def close(self) -> None:
        """Give back memory and files; a later session opens them anew."""
        database = self.__dict__.pop("_database", None)
        if database is not None:
            database.close()

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(
            ":memory:",
            config={
                "memory_limit": self.memory,
                "threads": self.threads,
                "temp_directory": str(self.spill),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,
            },
        )


class Session:
    """One connection; tables it returns are valid until it ends."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        # A bar would be drawn on stdout, in the middle of what a program reads.
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        self._connection = connection
        # Ibis calls what it factors out t0, t1, …; a table of that name would be hidden by it without an error.
        self._names = (f"session_{n}" for n in itertools.count())

    @contextmanager
    def beside(self) -> Iterator[Session]:
        """A session within the same limits, for questions while a stream of this one is being read."""
        with closing(self._connection.cursor()) as cursor:
            yield Session(cursor)

    def table(self, *paths: Path) -> Table:
        """The rows of one Parquet file, or of several with the same columns, read when asked for."""
        return self._view(paths, _schema(paths[0]), "")

    def numbered(self, path: Path) -> Table:
        """As `table`, with the row's place in the file as int64 column `ORDINAL`."""
        schema = _schema(path).append(pa.field(ORDINAL, pa.int64()))
        return self._view((path,), schema, ", file_row_number = true")

    def groups(self, paths: Iterable[Path]) -> list[Table]:
        """The rows of many Parquet files, those with the same columns as one table, with their file as column `FILE`.

        A question to many files is then compiled and asked once for each kind of them.
        """
        alike = dict[tuple[tuple[str, str], ...], list[Path]]()
        for path in paths:
            alike.setdefault(tuple((field.name, str(field.type)) for field in _schema(path)), []).append(path)
        added = pa.field(FILE, pa.string())
        return [self._view(same, _schema(same[0]).append(added), f", filename = '{FILE}'") for same in alike.values()]

    def layered(self, paths: Sequence[Path], place: str) -> list[Table]:
        """The rows of many Parquet files in their order, those that follow one another and have the same columns as one table.

        Column ``place`` is the file's place within its table, from 0. One scan of many files takes a part of the time and
        the memory of as many scans of one.
        """
        told = [(path, _schema(path)) for path in paths]
        runs = [list(run) for _, run in itertools.groupby(told, key=lambda one: [(f.name, f.type) for f in one[1]])]
        added = pa.field(place, pa.uint64())
        views = []
        for run in runs:
            name = next(self._names)
            files = _listed([path for path, _ in run])
            self._run(
                f"CREATE TEMP VIEW {name} AS SELECT *, file_index::UBIGINT AS {place} FROM read_parquet([{files}])"
            )
            views.append(ibis.table(ibis.Schema.from_pyarrow(run[0][1].append(added)), name=name))
        return views

    def _view(self, paths: Sequence[Path], schema: pa.Schema, options: str) -> Table:
        name = next(self._names)
        self._point(name, paths, options)
        return ibis.table(ibis.Schema.from_pyarrow(schema), name=name)

    def _point(self, name: str, paths: Sequence[Path], options: str = "") -> None:
        files = _listed(paths)
        self._run(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet([{files}]{options})")

    def rows(self, rows: pa.Table) -> Table:
        """An Arrow table in memory; for small facts that come from the ledger or the operator."""
        name = next(self._names)
        self._connection.register(name, rows)
        return ibis.table(ibis.Schema.from_pyarrow(rows.schema), name=name)

    def named(self, expression: Table) -> Table:
        """An expression that others are built upon, under a name; it is computed where it is used, as part of them.

        Each of them is built and compiled without it again, which for small changes takes longer than computing them.
        """
        name = next(self._names)
        self._run(f"CREATE TEMP VIEW {name} AS {_sql(expression)}")
        return ibis.table(expression.schema(), name=name)

    def cached(self, expression: Table) -> Table:
        """The result of an expression that is used more than once, held within the memory limit or spilled."""
        name = next(self._names)
        self._run(f"CREATE TEMP TABLE {name} AS {_sql(expression)}")
        return ibis.table(expression.schema(), name=name)

    def write(self, expression: Table, path: Path, level: int = QUICK_LEVEL) -> None:
        """Write an expression's rows, in its order, as Parquet with zstd of a level."""
        self._copy(_sql(expression), path, level)

    def writing_each(self, like: Path, change: Callable[[Table], Table]) -> Callable[[Path, Path], None]:
        """Writes files with the columns of ``like`` again, from the first path to the second, changed alike.

        The change is built and compiled once, which for small files takes longer than writing them. It sees every column
        as one that may be null, because it may make it so.
        """
        name = next(self._names)
        found = ibis.Schema.from_pyarrow(_schema(like)).items()
        query = _sql(change(ibis.table({column: kind.copy(nullable=True) for column, kind in found}, name=name)))

        def write(source: Path, target: Path) -> None:
            self._point(name, [source])
            self._copy(query, target)

        return write

    def write_reader(self, reader: pa.RecordBatchReader, path: Path) -> None:
        """Write an Arrow stream as Parquet with zstd, in constant memory."""
        name = next(self._names)
        self._connection.register(name, reader)
        try:
            self._copy(f"SELECT * FROM {name}", path)
        finally:
            self._connection.unregister(name)

    def _copy(self, query: str, path: Path, level: int = QUICK_LEVEL) -> None:
        target = str(path).replace("'", "''")
        self._run(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level})")

    def stream(self, expression: Table, rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
        """The result as Arrow batches of at most ``rows`` rows, produced as they are read; they raise `StorageError`."""
        with _told_as_storage_errors():
            reader = self._connection.sql(_sql(expression)).to_arrow_reader(rows)
        return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader))

    def fetch(self, expression: Table) -> list[dict[str, Any]]:
        """The result as Python rows; only for results whose size the expression bounds."""
        rows: list[dict[str, Any]] = self.stream(expression).read_all().to_pylist()
        return rows

    def single(self, expression: Table) -> dict[str, Any]:
        """The only row of an aggregate."""
        (row,) = self.fetch(expression)
        return row

    def _run(self, statement: str) -> None:
        with _told_as_storage_errors():
            self._connection.execute(statement)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)


def _schema(path: Path) -> pa.Schema:
    with _told_as_storage_errors():
        return pq.read_schema(path)


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with _told_as_storage_errors():
        yield from reader


@contextmanager
def _told_as_storage_errors() -> Iterator[None]:
    """A disk or a memory that fails, whether the database says so or, while rows are streamed, Arrow."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException, OSError) as error:
        raise StorageError(
            f"The compute engine ran out of memory, or the disk is full or fails ({type(error).__name__})",
            safe="Nothing was accepted or sent from what could not be read or written.",
            next="raise `compute.memory` in tidegate.yaml, or free space or mend the disk where the project's .tidegate"
            " folder lies; then run again",
        ) from error


def _sql(expression: Table) -> str:
    return _text(expression.op())


@lru_cache(maxsize=_TEXTS_KEPT)
def _text(relation: Relation) -> str:
    """The SQL of an expression; kept, because a sync says the same things run after run and compiling takes longer.

    Expressions are values: two that are equal, literals and the names of their tables included, have one text, but for
    the sign of a zero, which no canonical value has.
    """
    return str(compiler.to_sqlglot(relation.to_expr()).sql(dialect=compiler.dialect))
