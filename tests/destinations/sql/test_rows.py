"""The SQL adapter against real databases: what a batch does to the rows, and what an error is called."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal

import psycopg
import pytest
from pydantic import ValidationError

from destinations.base import AllDelivered, CheckFailed, Field, Op, Outcomes, Rejected, Stop, Unavailable
from destinations.sql.adapter import SqlConfig, SqlTable
from tests.destinations.batches import batch
from tests.destinations.sql.places import NoHttp, Place


def test_an_upsert_inserts_what_is_new_and_updates_what_is_there(place: Place) -> None:
    first = batch(Op.UPSERT, {1: {"name": "Ada", "score": 1.5}, 2: {"name": "Bo", "score": None}})
    second = batch(Op.UPSERT, {2: {"name": "Bo", "score": 2.5}, 3: {"name": "Cy", "score": 3}})
    assert place.send(first, second) == [AllDelivered(), AllDelivered()]
    assert place.rows() == [(1, "Ada", 1.5, "none"), (2, "Bo", 2.5, "none"), (3, "Cy", 3.0, "none")]


def test_an_absent_field_keeps_its_value_and_null_clears_it_within_one_batch(place: Place) -> None:
    place.send(batch(Op.UPSERT, {n: {"name": f"n{n}", "score": n} for n in (1, 2, 3)}))
    mixed = {1: {"name": None}, 2: {"score": None}, 3: {}, 4: {"name": "new"}}
    assert place.send(batch(Op.UPSERT, mixed)) == [AllDelivered()]
    assert place.rows("id, name, score") == [(1, None, 1.0), (2, "n2", None), (3, "n3", 3.0), (4, "new", None)]


def test_columns_that_are_not_mapped_and_rows_of_others_stay_untouched(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name, note) VALUES (1, 'old', 'theirs'), (77, 'theirs', 'keep')")
    place.send(batch(Op.UPSERT, {1: {"name": "new"}}), batch(Op.DELETE, {5: {}}))
    assert place.rows("id, name, note") == [(1, "new", "theirs"), (77, "theirs", "keep")]


def test_the_same_batch_twice_leaves_the_same_rows(place: Place) -> None:
    for op in (Op.UPSERT, Op.INSERT):
        once = batch(op, {1: {"name": "Ada"}, 2: {"name": "Bo"}})
        assert place.send(once, once) == [AllDelivered()] * 2
    assert place.rows("id, name") == [(1, "Ada"), (2, "Bo")]


def test_an_insert_leaves_a_row_that_is_already_there_as_it_is(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name) VALUES (1, 'theirs')")
    assert place.send(batch(Op.INSERT, {1: {"name": "ours"}, 2: {"name": "new"}})) == [AllDelivered()]
    assert place.rows("id, name") == [(1, "theirs"), (2, "new")]


def test_an_update_names_the_records_that_have_no_row_and_applies_the_others(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name) VALUES (1, 'old'), (2, 'old')")
    (reply,) = place.send(batch(Op.UPDATE, {1: {"name": "new"}, 8: {"name": "x"}, 9: {"score": 1}, 2: {}}))
    assert isinstance(reply, Outcomes)
    assert {(o.id, o.code) for o in reply.outcomes if isinstance(o, Rejected)} == {
        ("8", "not_found"),
        ("9", "not_found"),
    }
    assert place.rows("id, name") == [(1, "new"), (2, "old")]


def test_a_delete_removes_the_keys_that_are_named_and_a_missing_one_is_no_failure(place: Place) -> None:
    place.send(batch(Op.UPSERT, {n: {"name": "x"} for n in range(5)}))
    assert place.send(batch(Op.DELETE, {1: {}, 3: {}, 99: {}})) == [AllDelivered()]
    assert [row[0] for row in place.rows()] == [0, 2, 4]


def test_a_table_or_column_that_is_missing_stops_the_run(place: Place) -> None:
    no_table, no_column = place.send(
        batch(Op.UPSERT, {1: {"name": "x"}}, object="nowhere"), batch(Op.UPSERT, {1: {"nocolumn": "x"}})
    )
    assert isinstance(no_table, Stop)
    assert "nowhere" in no_table.message
    assert isinstance(no_column, Stop)
    assert "nocolumn" in no_column.message


def test_a_key_that_is_not_unique_stops_the_run_before_anything_is_written(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name) VALUES (1, 'same'), (2, 'same')")
    for op in (Op.UPSERT, Op.UPDATE, Op.DELETE):
        (reply,) = place.send(batch(op, {"same": {"score": 5}}, key="name"))
        assert isinstance(reply, Stop)
        assert reply.code == "no_unique_key"
    assert place.rows("id, score") == [(1, None), (2, None)]


def test_a_unique_index_beside_the_primary_key_may_be_the_match_key(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name, email) VALUES (1, 'old', 'a@x.test')")
    assert place.send(batch(Op.UPDATE, {"a@x.test": {"name": "new"}}, key="email")) == [AllDelivered()]
    assert place.rows("id, name") == [(1, "new")]


def test_a_partial_unique_index_is_no_match_key(place: Place) -> None:
    if place.kind == "duckdb":
        pytest.skip("DuckDB has no partial indexes")
    place.execute("CREATE UNIQUE INDEX one_name ON contacts (name) WHERE score IS NULL")
    (reply,) = place.send(batch(Op.UPDATE, {"x": {"score": 5}}, key="name"))
    assert isinstance(reply, Stop)


def test_names_and_values_are_never_read_as_sql(place: Place) -> None:
    table, column, value = 'a "table"; --', 'it\'s a "column" %s', "'); DROP TABLE contacts; --"
    name, field = (text.replace('"', '""') for text in (table, column))
    place.execute(f'CREATE TABLE "{name}" (id bigint PRIMARY KEY, "{field}" text)')
    assert place.send(batch(Op.UPSERT, {1: {column: value}}, object=table)) == [AllDelivered()]
    assert place.execute(f'SELECT * FROM "{name}"') == [(1, value)]
    assert place.rows() == []


def test_no_number_loses_a_digit(place: Place) -> None:
    place.execute("CREATE TABLE numbers (id bigint PRIMARY KEY, exact text)")
    number = Decimal("12345678901234567890.123456789")
    replies = place.send(
        batch(Op.UPSERT, {2**63 - 1: {"exact": number}, -(2**63): {"exact": Decimal("0.1")}}, object="numbers")
    )
    assert replies == [AllDelivered()]
    assert place.execute("SELECT id, exact FROM numbers ORDER BY id") == [
        (-(2**63), "0.1"),
        (2**63 - 1, str(number)),
    ]


def asked(place: Place, table: str) -> Sequence[Field]:
    async def work() -> Sequence[Field]:
        adapter = place.adapter()
        try:
            assert (await adapter.check(NoHttp())).startswith(("connected to PostgreSQL", "opened with"))
            return await adapter.fields(table, NoHttp())
        finally:
            await adapter.close()

    return asyncio.run(work())


def test_the_columns_of_a_table_are_told(place: Place) -> None:
    fields = asked(place, "contacts")

    assert [field.name for field in fields] == ["id", "name", "score", "email", "note"]
    assert not any(field.read_only for field in fields)
    assert {field.name for field in fields if field.unique} == {"id", "email"}


def test_a_column_that_holds_its_type_takes_no_other(place: Place) -> None:
    if place.kind == "sqlite":
        pytest.skip("a column of SQLite takes whatever comes")
    takes = {field.name: field.takes for field in asked(place, "contacts")}

    assert takes["id"] == {"integer"}
    assert takes["score"] == {"integer", "number"}
    assert takes["name"] == frozenset(), "a text column takes everything"


@pytest.mark.parametrize(("table", "why"), [("nowhere", "there is no table"), ("plain", "`plain` has no unique index")])
def test_a_table_to_which_nothing_can_be_delivered_tells_why(place: Place, table: str, why: str) -> None:
    place.execute("CREATE TABLE plain (id bigint)")

    with pytest.raises(CheckFailed, match=why):
        asked(place, table)


def test_a_lock_that_is_held_is_worth_another_try(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("destinations.sql.sqlite.BUSY_SECONDS_MAX", 0.2)
    monkeypatch.setattr("destinations.sql.postgres.LOCK_SECONDS_MAX", 0.2)
    one = batch(Op.UPSERT, {1: {"name": "x"}})
    match place.kind:
        case "sqlite":
            with closing(sqlite3.connect(place.url.removeprefix("sqlite:///").replace("%20", " "))) as other:
                other.execute("BEGIN IMMEDIATE")
                (reply,) = place.send(one)
        case "duckdb":
            pytest.skip("a file that another process has open is refused before there is a lock")
        case _:
            with psycopg.connect(place.url) as other:
                other.execute("LOCK TABLE crm.contacts")
                (reply,) = place.send(one)
    assert isinstance(reply, Unavailable)
    assert not reply.applied_unknown


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "sqlite:///relative.db", "sqlite://", "contacts.db", "sqlite:////x.db?mode=memory"]
)
def test_an_address_that_cannot_be_used_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SqlConfig.model_validate({"url": url})
    assert "input_value" not in str(caught.value)


def test_a_schema_is_refused_for_sqlite() -> None:
    with pytest.raises(ValidationError, match="SQLite has none"):
        SqlConfig.model_validate({"url": "sqlite:////x.db", "schema": "crm"})


@pytest.mark.parametrize(
    "url", ["postgresql://app:planted-secret@127.0.0.1:9/none", "sqlite:////nowhere/planted-secret.db"]
)
def test_a_database_that_does_not_answer_is_told_without_its_password(url: str) -> None:
    async def work() -> None:
        await SqlTable(SqlConfig.model_validate({"url": url})).check(NoHttp())

    with pytest.raises(CheckFailed) as caught:
        asyncio.run(work())
    assert "planted-secret" not in str(caught.value)
