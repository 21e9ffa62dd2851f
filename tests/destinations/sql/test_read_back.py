"""The SQL adapter reads back what a table really holds, by the rules by which values came into it (I31)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from destinations.base import Batch, Op, ReadBack, Stop, Unavailable
from tests.destinations.batches import batch
from tests.destinations.sql.places import NoHttp, Place


def read(place: Place, one: Batch) -> ReadBack | Unavailable | Stop:
    async def work() -> ReadBack | Unavailable | Stop:
        adapter = place.adapter()
        try:
            return await adapter.read_back(one, NoHttp())
        finally:
            await adapter.close()

    return asyncio.run(work())


def found(place: Place, records: dict[int, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    told = read(place, batch(Op.UPSERT, records))
    assert isinstance(told, ReadBack), told
    return {one.id: dict(one.differing) for one in told.found}


def test_each_way_to_differ_is_told_with_what_is_there(place: Place) -> None:
    sent = {n: {"name": f"n{n}", "score": n + 0.5} for n in range(1, 6)}
    place.send(batch(Op.UPSERT, {**sent, 6: {"name": None, "score": None}}))
    place.execute("UPDATE contacts SET name = 'N2' WHERE id = 2")
    place.execute("UPDATE contacts SET name = NULL, score = 9 WHERE id = 3")
    place.execute("DELETE FROM contacts WHERE id = 4")
    place.execute("UPDATE contacts SET note = 'not ours' WHERE id = 5")
    place.execute("UPDATE contacts SET name = '' WHERE id = 6")

    assert found(place, {**sent, 6: {"name": None, "score": None}, 7: {"name": "n7"}}) == {
        "1": {},
        "2": {"name": "N2"},
        "3": {"name": None, "score": 9.0},
        "5": {},
        "6": {"name": ""},
    }


def test_only_the_fields_of_a_record_are_compared_and_none_is_needed(place: Place) -> None:
    place.send(batch(Op.UPSERT, {1: {"name": "Ada", "score": 1}, 2: {"name": "Bo", "score": 2}}))

    assert found(place, {1: {"score": 1}, 2: {"name": "?"}, 3: {}}) == {"1": {}, "2": {"name": "Bo"}}
    assert found(place, {1: {}, 2: {}, 3: {}}) == {"1": {}, "2": {}}


def test_a_row_that_is_marked_as_deleted_is_not_there(place: Place) -> None:
    place.execute("ALTER TABLE contacts ADD COLUMN deleted_at timestamp")
    place.settings = {"deletes": {"column": "deleted_at"}}
    place.send(batch(Op.UPSERT, {1: {"name": "Ada"}, 2: {"name": "Bo"}, 3: {"name": "Cy"}}), batch(Op.DELETE, {1: {}}))
    place.execute("UPDATE contacts SET deleted_at = CURRENT_TIMESTAMP WHERE id = 2")

    assert found(place, {n: {} for n in (1, 2, 3)}) == {"3": {}}


TYPES = {
    "postgres": "varchar(9), char(9), numeric, numeric(6, 2), real, timestamp, timestamptz(3), date, json, jsonb, uuid, "
    "boolean, smallint, bytea",
    "duckdb": "varchar, varchar COLLATE NOCASE, decimal(12, 4), decimal(6, 2), real, timestamp, timestamptz, date, json, "
    "json, uuid, boolean, smallint, blob",
    "sqlite": "text, text COLLATE NOCASE, numeric, real, float, timestamp, '', date, json, blob, uuid, boolean, int, any",
}
"""Column types that make something else of a value, or count different values as the same."""
VALUES: tuple[dict[str, Any], ...] = (
    {"c0": "Ada", "c1": "Ada", "c2": Decimal("1.50"), "c3": Decimal("2.675"), "c4": Decimal("0.1")},
    {"c0": "", "c1": " a ", "c2": Decimal("-0.1"), "c3": Decimal(100), "c4": Decimal("1e10")},
    {"c5": "2026-01-31T12:00:00.000001Z", "c6": "2026-01-31T12:00:00.000999Z", "c7": "2026-01-31"},
    {"c5": "0001-01-01T00:00:00.000000Z", "c6": "9999-12-31T23:59:59.999499Z", "c7": "9999-12-31"},
    {"c8": '"plain"', "c9": '{"b": 1.0, "a": [1]}', "c10": "0F3A1E5C-7F3B-4A53-8B0E-3C4F5A6B7C8D"},
    {"c11": True, "c12": 7, "c13": "0012"},
    {"c11": False, "c12": -1, "c13": ""},
    {f"c{n}": None for n in range(14)},
)


def test_what_a_column_makes_of_a_value_is_no_difference(place: Place) -> None:
    names = [f"c{n}" for n in range(14)]
    kinds = TYPES[place.kind].replace("(6, 2)", "(6;2)").replace("(12, 4)", "(12;4)").split(", ")
    columns = ", ".join(f"{name} {kind.replace(';', ', ')}" for name, kind in zip(names, kinds, strict=True))
    place.execute(f"CREATE TABLE kinds (id bigint PRIMARY KEY, {columns})".replace(" ''", ""))
    one = batch(Op.UPSERT, dict(enumerate(VALUES)), object="kinds")
    (reply,) = place.send(one)
    assert type(reply).__name__ == "AllDelivered", reply

    told = read(place, one)

    assert isinstance(told, ReadBack), told
    assert {found.id: found.differing for found in told.found} == {str(n): {} for n in range(len(VALUES))}


@pytest.mark.parametrize("field", ["name", "length"])
def test_a_value_that_only_its_column_counts_as_the_same_differs(place: Place, field: str) -> None:
    """Case where a collation folds it, a month that is as long as thirty days, bytes where a text was."""
    columns, sent, there = {
        "sqlite": ("name text COLLATE NOCASE, length text", "30 days", "x'33302064617973'"),
        "duckdb": ("name varchar COLLATE NOCASE, length varchar COLLATE NOACCENT", "dé", "'de'"),
        "postgres": ("name text, length interval", "30 days", "'1 month'"),
    }[place.kind]
    place.execute(f"CREATE TABLE folded (id bigint PRIMARY KEY, {columns})")
    one = batch(Op.UPSERT, {1: {"name": "Ada", "length": sent}}, object="folded")
    place.send(one)
    place.execute(f"UPDATE folded SET {field} = {there if field == 'length' else chr(39) + 'ADA' + chr(39)}")

    told = read(place, one)

    assert isinstance(told, ReadBack), told
    assert set(told.found[0].differing) == {field}


@pytest.mark.parametrize(
    ("harm", "said"),
    [("DROP TABLE contacts", "contacts"), ("ALTER TABLE contacts DROP COLUMN name", "no column `name`")],
)
def test_a_table_that_is_not_as_it_was_cannot_be_read_back(place: Place, harm: str, said: str) -> None:
    if place.kind == "duckdb" and "COLUMN" in harm:
        pytest.skip("DuckDB drops no column beside an index")
    one = batch(Op.UPSERT, {1: {"name": "Ada"}})
    place.send(one)
    place.execute(harm)

    told = read(place, one)

    assert isinstance(told, Stop)
    assert said in told.message


def test_reading_back_leaves_no_table_behind(place: Place) -> None:
    """Also where it may write nothing of its own, such as the marker of deliveries."""
    found(place, {1: {"name": "Ada"}})
    counted = {
        "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table'",
        "duckdb": "SELECT table_name FROM duckdb_tables()",
        "postgres": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'crm'",
    }
    assert place.execute(counted[place.kind]) == [("contacts",)]


TEXTS = some.text(some.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
FLOATS = (
    some.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e300, max_value=99).map(repr).map(Decimal)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
@given(
    some.lists(
        some.fixed_dictionaries(
            {}, optional={"name": some.none() | TEXTS, "score": some.none() | FLOATS, "note": TEXTS}
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_was_sent_is_found_as_it_was_sent(place: Place, records: list[dict[str, Any]]) -> None:
    place.execute("DELETE FROM contacts")
    sent = dict(enumerate(records))
    (reply,) = place.send(batch(Op.UPSERT, sent))
    assert type(reply).__name__ == "AllDelivered", reply

    assert found(place, sent) == {str(n): {} for n in sent}
