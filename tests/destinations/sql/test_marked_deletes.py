"""`deletes: {column: …}`: a delete writes the time and keeps the row, and a row with a time is one that is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from destinations.base import AllDelivered, Op, Outcomes, Stop
from tests.destinations.batches import batch
from tests.destinations.sql.places import Place


@pytest.fixture
def marking(place: Place) -> Place:
    place.execute("ALTER TABLE contacts ADD COLUMN gone_at timestamp")
    marking = replace(place, settings={"deletes": {"column": "gone_at"}})
    marking.send(batch(Op.UPSERT, {n: {"name": f"n{n}"} for n in (1, 2, 3)}))
    marking.send(batch(Op.DELETE, {2: {}}))
    return marking


def held(place: Place) -> list[tuple[Any, ...]]:
    return place.rows("id, name, gone_at IS NOT NULL")


def test_a_delete_keeps_the_row_and_says_since_when_it_is_gone(marking: Place) -> None:
    assert held(marking) == [(1, "n1", False), (2, "n2", True), (3, "n3", False)]
    ((seconds,),) = marking.execute(AGE[marking.kind])
    assert 0 <= seconds < 60


def test_a_second_delete_keeps_the_first_time(marking: Place) -> None:
    marking.execute("UPDATE contacts SET gone_at = '2020-01-01 00:00:00' WHERE id = 2")

    assert marking.send(batch(Op.DELETE, {2: {}, 77: {}})) == [AllDelivered()]

    assert marking.execute("SELECT CAST(gone_at AS text) FROM contacts WHERE id = 2") == [("2020-01-01 00:00:00",)]


@pytest.mark.parametrize("op", [Op.UPSERT, Op.INSERT])
def test_what_is_written_anew_comes_back(marking: Place, op: Op) -> None:
    assert marking.send(batch(op, {2: {"name": "back"}, 4: {"name": "new"}})) == [AllDelivered()]

    assert held(marking) == [(1, "n1", False), (2, "back", False), (3, "n3", False), (4, "new", False)]


def test_an_insert_leaves_a_row_that_is_not_marked_as_it_is(marking: Place) -> None:
    marking.send(batch(Op.INSERT, {1: {"name": "other"}}))

    assert marking.rows("id, name")[0] == (1, "n1")


def test_an_update_does_not_find_a_row_that_is_marked(marking: Place) -> None:
    (reply,) = marking.send(batch(Op.UPDATE, {1: {"name": "new"}, 2: {"name": "new"}}))

    assert isinstance(reply, Outcomes)
    assert [outcome.id for outcome in reply.outcomes] == ["2"]
    assert held(marking)[:2] == [(1, "new", False), (2, "n2", True)]


def test_a_column_that_is_not_there_stops_before_anything_is_written(place: Place) -> None:
    marking = replace(place, settings={"deletes": {"column": "gone_at"}})

    (reply,) = marking.send(batch(Op.UPSERT, {1: {"name": "x"}}))

    assert isinstance(reply, Stop)
    assert "gone_at" in reply.message
    assert place.rows() == []


def test_the_column_cannot_be_mapped(place: Place) -> None:
    adapter = replace(place, settings={"deletes": {"column": "gone_at"}}).adapter()

    (problem,) = adapter.problems(object="contacts", mode="upsert", match=["id"], fields=["name", "gone_at"])

    assert "`gone_at`" in problem


AGE = {
    "postgres": "SELECT extract(epoch FROM timezone('UTC', now()) - gone_at) FROM contacts WHERE id = 2",
    "sqlite": "SELECT (julianday('now') - julianday(gone_at)) * 86400 FROM contacts WHERE id = 2",
    "duckdb": "SELECT epoch(timezone('UTC', now()) - gone_at) FROM contacts WHERE id = 2",
}
