"""Equal data in another physical form is the same version; the smallest change of a value is a new one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.core.names import Digest
from engine.core.schema import Column, LogicalType, TableSchema
from engine.sources.base import Selection
from engine.steps.capture import Accepted, Unchanged
from tests.sources import database_forms, file_forms, tables
from tests.sources.captures import Captures
from tests.sources.conftest import Write
from tests.sources.tables import CANONICAL, ROWS, Row, Written, opened

Form = Callable[[Path], Written]

FORMS: Mapping[str, Mapping[str, Form]] = {
    "parquet": file_forms.PARQUET,
    "csv": file_forms.CSV,
    "jsonl": file_forms.JSONL,
    "sqlite": database_forms.SQLITE,
    "duckdb": database_forms.DUCKDB,
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Captures, Digest]]:
    """The usual rows as version 1, and their digest. Equal data leaves both as they are, so all tests share them."""
    written = tables.in_parquet(tmp_path_factory.mktemp("usual"))
    with Captures.opened(tmp_path_factory.mktemp("first")) as captures:
        assert isinstance(captures.capture(written), Accepted)
        yield captures, captures.digest(written)


def assert_no_new_version(first: tuple[Captures, Digest], written: Written) -> None:
    captures, digest = first
    assert isinstance(captures.capture(written), Unchanged)
    assert captures.digest(written) == digest


@pytest.mark.parametrize(
    ("kind", "form"), [pytest.param(kind, form, id=f"{kind}-{form}") for kind, forms in FORMS.items() for form in forms]
)
def test_another_form_of_equal_data_is_no_new_version(
    first: tuple[Captures, Digest], tmp_path: Path, kind: str, form: str
) -> None:
    assert_no_new_version(first, FORMS[kind][form](tmp_path))


@pytest.mark.parametrize("columns", database_forms.POSTGRES.values(), ids=database_forms.POSTGRES.keys())
def test_another_form_of_equal_data_in_postgres_is_no_new_version(
    first: tuple[Captures, Digest], postgres_database: str, columns: str
) -> None:
    source, _ = tables.in_postgres(postgres_database)
    query = f'SELECT {columns} FROM "Sales"."cust.omers" ORDER BY id DESC'
    assert_no_new_version(first, (source, Selection(query=query)))


def test_equal_data_in_another_kind_of_source_is_no_new_version(
    first: tuple[Captures, Digest], stored: Written
) -> None:
    assert_no_new_version(first, stored)


def test_a_changed_default_of_the_postgres_server_changes_no_value(captures: Captures, postgres_database: str) -> None:
    names = ("spans", "ranges", "days", "moments", "shares", "raw")
    texts = TableSchema(
        (
            Column("id", LogicalType.INTEGER, required=True, key_position=1),
            *(Column(n, LogicalType.STRING) for n in names),
        )
    )
    written = opened("postgres", url=postgres_database), Selection(table="texts")
    with psycopg.connect(postgres_database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE texts AS SELECT 1 AS id, interval '1 day 2 hours' AS spans, daterange('2024-02-01', NULL)"
            " AS ranges, ARRAY[date '2024-02-01'] AS days, ARRAY[timestamptz '2024-02-01 00:00+00'] AS moments,"
            " ARRAY[0.1::float8 + 0.2] AS shares, ARRAY['\\xaa'::bytea] AS raw"
        )
        before = captures.digest(written, texts)
        try:
            for name, value in database_forms.POSTGRES_DEFAULTS.items():
                connection.execute(f"ALTER DATABASE tidegate_test SET {name} = '{value}'")
            assert captures.digest(written, texts) == before
        finally:
            connection.execute("ALTER DATABASE tidegate_test RESET ALL")


def _with(id: int, **values: Any) -> list[Row]:
    """The rows with some values of the one with this key replaced."""
    names = CANONICAL.names
    return [tuple(values.get(n, v) if row[0] == id else v for n, v in zip(names, row, strict=True)) for row in ROWS]


CHANGES: Mapping[str, list[Row]] = {
    "null for the empty text": _with(1, name=None),
    "the empty text for null": _with(2, name=""),
    "a composed letter for the decomposed one": _with(2**63 - 1, name="caf\u00e9"),
    "a decomposed letter for the composed one": _with(2**53 + 1, name="cafe\u0301"),
    "a space at the end": _with(9, name="NULL "),
    "the case of a letter": _with(9, name="Null"),
    "digits without their zeros": _with(11, name="7"),
    "the last place of a decimal": _with(2**63 - 1, amount=Decimal("12345678901234567890.1235")),
    "zero for null": _with(2, amount=Decimal(0)),
    "the nearest double": _with(7, score=math.nextafter(1 / 3, 1)),
    "the smallest double for zero": _with(12, score=5e-324),
    "zero for no number": _with(2, score=0.0),
    "false for null": _with(2, active=False),
    "false for true": _with(1, active=False),
    "another day": _with(2**53 + 1, born=date(9999, 12, 30)),
    "a microsecond": _with(8, seen=datetime(1969, 12, 31, 23, 59, 59, 2, UTC)),
    "a microsecond of the day": _with(2**53 + 1, wakes=time(23, 59, 59, 999998)),
    "no bytes for null": _with(2, photo=b""),
    "a byte": _with(2**53 + 1, photo=b"\0\xfe"),
}


@pytest.mark.slow
def test_the_smallest_change_of_a_value_changes_the_digest(captures: Captures, write: Write) -> None:
    digests = {name: captures.digest(write(rows)) for name, rows in {"nothing": list(ROWS), **CHANGES}.items()}
    assert len(set(digests.values())) == len(digests)


def test_a_changed_value_is_an_update_of_its_row(captures: Captures, write: Write) -> None:
    captures.capture(write(ROWS))
    for version, rows in enumerate((_with(1, name=None), CHANGES["a microsecond"]), start=2):
        changed = 1 if version == 2 else 2
        captured = captures.capture(write(rows))
        assert isinstance(captured, Accepted)
        assert (captured.version, captured.inserts, captured.updates, captured.deletes) == (version, 0, changed, 0)


def test_the_extremes_of_a_key_are_keys_of_their_own(captures: Captures, write: Write) -> None:
    captures.capture(write(ROWS))
    captured = captures.capture(write([row for row in ROWS if row[0] not in (2**63 - 1, -(2**63), 2**53 + 1)]))
    assert isinstance(captured, Accepted)
    assert (captured.inserts, captured.updates, captured.deletes) == (0, 0, 3)
