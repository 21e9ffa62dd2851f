"""What a record is refused for: one code for one reason in every database, the column, what helps, and no value (I24)."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.base import AllDelivered, Op, Refused
from tests.destinations.batches import batch
from tests.destinations.sql.places import Place, on_every_write

GIVEN = "planted-value"
TABLES = {
    "postgres": """CREATE TABLE things (id bigint PRIMARY KEY, code varchar(5) NOT NULL, count smallint,
        owner bigint REFERENCES contacts (id))""",
    "sqlite": """CREATE TABLE things (id integer PRIMARY KEY, code text NOT NULL, count integer,
        owner integer REFERENCES contacts (id)) STRICT""",
    "duckdb": """CREATE TABLE things (id bigint PRIMARY KEY, code varchar(5) NOT NULL, count smallint,
        owner bigint REFERENCES contacts (id))""",
}


def refusal(place: Place, fields: dict[str, Any], *, object: str = "things") -> Refused:
    """The answer to a batch with one bad record, of which nothing may be applied."""
    if object == "things":
        place.execute(TABLES[place.kind])
    before = place.execute(f"SELECT id FROM {object}")
    good = {"code": "good"} if object == "things" else {"name": "good"}
    (reply,) = place.send(batch(Op.UPSERT, {1: good, 2: {**good, **fields}}, object=object))
    assert isinstance(reply, Refused), reply
    assert place.execute(f"SELECT id FROM {object}") == before, "nothing of the batch was applied"
    assert GIVEN not in reply.message
    return reply


def test_a_value_of_another_type_names_its_column(place: Place) -> None:
    said = refusal(place, {"count": GIVEN})

    assert said.code == "bad_value"
    assert "count" in said.message
    assert "map a column of the type" in said.message


def test_a_text_that_is_too_long_names_its_column(place: Place) -> None:
    if place.kind != "postgres":
        pytest.skip("only PostgreSQL holds texts to a length")
    said = refusal(place, {"code": GIVEN})

    assert (said.code, said.message) == (
        "too_long",
        "`code`: value too long for type character varying(5); shorten it in the source, or widen the column",
    )


def test_a_number_that_the_column_cannot_hold_is_refused(place: Place) -> None:
    said = refusal(place, {"count": 2**70})

    assert said.code in {"out_of_range", "bad_value"}
    assert "count" in said.message
    assert str(2**70) not in said.message


def test_a_null_where_a_value_must_be_names_its_column(place: Place) -> None:
    said = refusal(place, {"code": None})

    assert said.code == "no_value"
    assert "code" in said.message


def test_a_value_that_another_row_has_is_refused(place: Place) -> None:
    place.execute(f"INSERT INTO contacts (id, email) VALUES (50, '{GIVEN}')")

    assert refusal(place, {"email": GIVEN}, object="contacts").code == "not_unique"


def test_a_row_that_points_to_none_is_refused(place: Place) -> None:
    assert refusal(place, {"owner": 77}).code == "no_reference"


def test_a_check_of_the_table_refuses(place: Place) -> None:
    assert refusal(place, {"score": 500}, object="contacts").code == "check"


def test_the_words_of_a_trigger_go_no_further(place: Place) -> None:
    """They are the table's own, and like to repeat a value."""
    if place.kind == "duckdb":
        pytest.skip("DuckDB has no triggers")
    on_every_write(place, sqlite=f"SELECT RAISE(ABORT, '{GIVEN}')", postgres=f"RAISE EXCEPTION ''{GIVEN}''")

    said = refusal(place, {"name": GIVEN}, object="contacts")

    assert (said.code, said.message.partition(";")[0]) == ("rule", "a trigger of the table refuses it")


def test_a_character_that_cannot_be_stored_is_refused(place: Place) -> None:
    (reply,) = place.send(batch(Op.UPSERT, {1: {"name": "a\0b"}}))
    assert isinstance(reply, Refused if place.kind == "postgres" else AllDelivered), reply
