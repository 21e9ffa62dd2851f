"""A database in which a query from a contract can see one table and touch nothing: no files, network, settings, extensions.

What a query may say is judged before (`engine.contracts.queries`); this is the wall behind that judgement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from engine.core.demands import CANDIDATE_VIEW
from engine.errors import StorageError
from engine.owner_only import make_folder
from engine.segments.compute import Compute

_WALLS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}


_FOUND = "tidegate_found"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NoNumber:
    """A query did not give what was asked, as one number; ``why`` completes "the query …" and shows nothing of the data."""

    why: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a query would give: its columns' types."""

    types: tuple[str, ...]


class Sandbox:
    """One locked connection, valid until its context ends."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def number(self, query: str, *, seconds_max: float) -> Fraction | NoNumber:
        """The only value of the only row, true being 1 and false 0, unless it takes longer than ``seconds_max``."""
        rows = self._asked(lambda: self._connection.execute(query).fetchmany(2), seconds_max)
        if isinstance(rows, NoNumber):
            return rows
        if len(rows) != 1 or len(rows[0]) != 1:
            return NoNumber(f"gave {'no row' if not rows else 'more than one value'}")
        return _number(rows[0][0])

    def table(self, query: str, *, seconds_max: float) -> pa.Table | NoNumber:
        """The rows of a query, unless it takes longer than ``seconds_max``."""
        made = self._asked(
            lambda: self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {_FOUND} AS {query}"), seconds_max
        )
        # Read once it is whole: an error of the query is then told as one of the query.
        return made if isinstance(made, NoNumber) else self._connection.table(_FOUND).to_arrow_reader().read_all()

    def _asked(self, take: Callable[[], T], seconds_max: float) -> T | NoNumber:
        timer = threading.Timer(seconds_max, self._connection.interrupt)
        timer.start()
        try:
            return take()
        except duckdb.InterruptException:
            return NoNumber(f"took longer than {seconds_max:g} s")
        except duckdb.OutOfMemoryException:
            return NoNumber("needs more memory than `compute.memory`")
        except duckdb.IOException as error:
            raise StorageError(
                "The candidate of a dataset could not be read while a quality query was evaluated (IOException)",
                safe="Nothing was accepted or sent.",
                next="mend the disk where the project's .tidegate folder lies, then run again",
            ) from error
        except duckdb.Error as error:
            # Its text may quote a value of a row, as a failed cast does.
            return NoNumber(f"could not be evaluated ({type(error).__name__})")
        finally:
            timer.cancel()

    def described(self, query: str) -> Output:
        """The types that a query would give, without evaluating it; raises `duckdb.Error` when it cannot be understood."""
        rows = self._connection.execute(f"DESCRIBE {query}").fetchall()
        return Output(tuple(str(row[1]) for row in rows))


def _number(value: Any) -> Fraction | NoNumber:  # whatever the database gives
    match value:
        case None:
            return NoNumber("gave null")
        case bool() | int():
            return Fraction(int(value))
        case Decimal() if value.is_finite():
            return Fraction(value)
        case float() if isfinite(value):
            return Fraction(value)
        case _:
            return NoNumber("gave no number")


@contextmanager
def candidate_sandbox(compute: Compute, path: Path) -> Iterator[Sandbox]:
    """A sandbox in which the view `CANDIDATE_VIEW` has the rows of one Parquet file; within the limits of ``compute``."""
    make_folder(compute.spill)
    limits: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": compute.memory,
        "threads": compute.threads,
        "temp_directory": str(compute.spill),
    }
    with closing(duckdb.connect(":memory:", config={**_WALLS, **limits})) as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"SET allowed_paths = ['{quoted}']")
        connection.execute("SET enable_external_access = false")
        connection.execute(f"CREATE VIEW {CANDIDATE_VIEW} AS SELECT * FROM read_parquet(['{quoted}'])")
        yield Sandbox(_locked(connection))


@contextmanager
def empty_sandbox(columns: Sequence[tuple[str, str]]) -> Iterator[Sandbox]:
    """A sandbox in which `CANDIDATE_VIEW` has columns of these names and SQL types, and no rows."""
    with closing(duckdb.connect(":memory:", config={**_WALLS, "threads": 1, "memory_limit": "100MB"})) as connection:
        connection.execute("SET enable_external_access = false")
        listed = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}" {kind}' for name, kind in columns)
        connection.execute(f"CREATE TABLE {CANDIDATE_VIEW} ({listed})")
        yield Sandbox(_locked(connection))


def _locked(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection
