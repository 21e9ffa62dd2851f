"""A folder of Parquet, CSV and JSON-lines files; a table is a file name or a pattern below the folder.

CSV and JSON lines are read as text, and the contract parses it: what a column *looks* like never decides its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engine.sources.base import Reading, Selection, unreadable
from engine.sources.duckdb import hardened, quoted, reading

JSON_LINES = frozenset({".jsonl", ".ndjson"})

Stamp = Mapping[Path, tuple[int, int]]
"""Size and modification time of every file that is read, to notice a change under the read."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Files below ``path``; all files of one pattern must have the same columns."""

    name: str
    path: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read the files that a table names, in order of name; raises `SourceError` when one changes meanwhile."""
        if selection.table is None:
            raise unreadable(self.name, selection, "files are read by `source.table`, not by a query")
        folder = Path(self.path).resolve()
        files = self._files(folder, selection)
        before = _stamps(files)
        kind = files[0].suffix.lower()
        statement = self._statement(kind, files, selection)
        connection = hardened(":memory:", self.memory, self.threads, allowed=folder, read_only=False)
        if kind in JSON_LINES:
            statement = self._members(connection, statement, selection)
        with reading(self.name, selection, connection, statement) as read:
            text = frozenset() if kind == ".parquet" else frozenset(read.schema.names)
            yield Reading(read.schema, self._watched(read.batches, files, before, selection), text)

    def _files(self, folder: Path, selection: Selection) -> list[Path]:
        assert selection.table is not None
        pattern = selection.table
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise unreadable(self.name, selection, "the path leads out of the connection's folder")
        found = sorted(p for p in folder.glob(pattern) if p.is_file()) if folder.is_dir() else []
        if not found:
            raise unreadable(self.name, selection, f"there is no file `{pattern}`")
        if any(not p.resolve().is_relative_to(folder) for p in found):
            raise unreadable(self.name, selection, f"`{pattern}` is a link out of the connection's folder")
        suffixes = {p.suffix.lower() for p in found}
        if len(suffixes) != 1 or not suffixes <= {".parquet", ".csv", ".jsonl", ".ndjson"}:
            raise unreadable(self.name, selection, "the files must be all .parquet, all .csv or all .jsonl")
        return found

    def _statement(self, kind: str, files: list[Path], selection: Selection) -> str:
        listed = "[" + ", ".join("'" + str(p).replace("'", "''") + "'" for p in files) + "]"
        if kind == ".parquet":
            self._same_columns(files, selection)
            return f"SELECT * FROM read_parquet({listed}, union_by_name = false)"
        if kind == ".csv":
            return (
                f"SELECT * FROM read_csv({listed}, header = true, all_varchar = true, auto_detect = false,"
                f" delim = ',', quote = '\"', escape = '\"', columns = {self._header(files, selection)},"
                " allow_quoted_nulls = false, strict_mode = true, null_padding = false, ignore_errors = false,"
                " max_line_size = 10485760)"
            )
        return (
            f"FROM read_json_objects({listed}, format = 'newline_delimited', ignore_errors = false,"
            " maximum_object_size = 16777216)"
        )

    def _members(self, connection: duckdb.DuckDBPyConnection, objects: str, selection: Selection) -> str:
        """Every member that any object has, as text; a number keeps the digits that were written."""
        try:
            found = connection.execute(
                f"SELECT name, count(*) FILTER (json_type(json) != 'OBJECT')"
                f" FROM (SELECT json, unnest(json_keys(json)) AS name {objects}) GROUP BY name ORDER BY name"
            ).fetchall()
        except duckdb.Error:
            connection.close()
            raise unreadable(self.name, selection, "a line is not a JSON object, or the last one is cut off") from None
        columns = [f"json ->> {_pointer(name)} AS {quoted(name)}" for name, _ in found]
        return f"SELECT {', '.join(columns) or 'NULL AS nothing'} {objects}"

    def _same_columns(self, files: list[Path], selection: Selection) -> None:
        schemas = []
        for path in files:
            try:
                schemas.append(pq.read_schema(path))
            except Exception:  # noqa: BLE001  # Arrow raises several kinds for a file that is not Parquet
                raise unreadable(self.name, selection, f"{path.name} is damaged, truncated or not Parquet") from None
        if any(schema.names != schemas[0].names for schema in schemas[1:]):
            raise unreadable(self.name, selection, "the files do not have the same columns")

    def _header(self, files: list[Path], selection: Selection) -> str:
        """The first line of every file, which must be the same, as DuckDB's list of columns."""
        headers = {self._first_line(path, selection) for path in files}
        if len(headers) != 1:
            raise unreadable(self.name, selection, "the files do not have the same columns")
        (names,) = headers
        if len({name.casefold() for name in names}) != len(names) or not all(names):
            raise unreadable(self.name, selection, "the header has an empty or repeated name")
        return "{" + ", ".join("'" + name.replace("'", "''") + "': 'VARCHAR'" for name in names) + "}"

    def _first_line(self, path: Path, selection: Selection) -> tuple[str, ...]:
        with duckdb.connect(":memory:") as connection:
            try:
                row = connection.execute(
                    "SELECT * FROM read_csv(?, header = false, all_varchar = true, delim = ',', quote = '\"',"
                    " escape = '\"', strict_mode = true, ignore_errors = false, auto_detect = true) LIMIT 1",
                    [str(path)],
                ).fetchone()
            except duckdb.Error:
                raise unreadable(self.name, selection, f"{path.name} is not valid CSV or not UTF-8") from None
        if row is None:
            raise unreadable(self.name, selection, f"{path.name} is empty; a header is required")
        return tuple(str(name or "").removeprefix("\ufeff") for name in row)

    def _watched(
        self, batches: Iterator[pa.RecordBatch], files: list[Path], before: Stamp, selection: Selection
    ) -> Iterator[pa.RecordBatch]:
        yield from batches
        if _stamps(files) != before:
            raise unreadable(self.name, selection, "a file changed while it was read")


def _pointer(name: str) -> str:
    """A JSON pointer to one member, as a SQL literal."""
    return "'/" + name.replace("~", "~0").replace("/", "~1").replace("'", "''") + "'"


def _stamps(files: list[Path]) -> Stamp:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
