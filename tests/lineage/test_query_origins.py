"""What is said of a query's columns is certain, or it is not said."""

from __future__ import annotations

import pytest

from engine.sources.query_origins import Certain, query_origins

SAME = [
    ("SELECT email FROM people", ("people", "email")),
    ("SELECT mail AS email FROM shop.people", ("shop.people", "mail")),
    ('SELECT p."mail" email FROM "shop"."people" AS p', ("shop.people", "mail")),
    ("SELECT p.id, o.email FROM people p JOIN orders o ON o.id = p.id WHERE o.id > 3", ("orders", "email")),
    ("SELECT * FROM people", ("people", "email")),
    ("SELECT lower(name) AS name, * FROM people ORDER BY 1", ("people", "email")),
    ("SELECT email, (SELECT max(points) FROM games) AS points FROM people", ("people", "email")),
    ("SELECT email FROM people WHERE id IN (SELECT id FROM others)", ("people", "email")),
    ("SELECT email FROM 'people.parquet'", ("people.parquet", "email")),
]
COMPUTED = [
    ("SELECT lower(email) AS email FROM people", (("people", "email"),)),
    ("SELECT coalesce(p.a, o.b) AS email FROM people p, orders o", (("people", "a"), ("orders", "b"))),
    ("SELECT 1 AS email FROM people", ()),
]
UNCERTAIN = [
    ("SELECT email FROM people JOIN orders USING (id)", ("people", "orders")),
    ("SELECT * FROM people p JOIN orders o ON o.id = p.id", ("people", "orders")),
    ("SELECT * EXCLUDE (name) FROM people", ("people",)),
    ("SELECT * REPLACE (lower(email) AS email) FROM people", ("people",)),
    ("SELECT email FROM people UNION ALL SELECT mail FROM others", ("people", "others")),
    ("WITH people AS (SELECT mail AS email FROM others) SELECT email FROM people", ("others",)),
    ("SELECT email FROM (SELECT mail AS email FROM people) p", ("people",)),
    ("SELECT (SELECT max(mail) FROM others) AS email FROM people", ("people", "others")),
    ("SELECT email FROM read_csv('people.csv')", ()),
    ("SELECT email FROM people, unnest([1, 2]) AS t(email)", ("people",)),
    ("SELECT mail AS x, x AS email FROM people", ("people",)),
    ("SELECT name FROM people", ("people",)),
    ("SELECT email FROM people; DROP TABLE people", ()),
    ("this is no query (", ()),
    ("", ()),
]


@pytest.mark.parametrize(("query", "source"), SAME)
def test_a_column_that_is_named_of_a_table_is_that_tables(query: str, source: tuple[str, str]) -> None:
    assert query_origins(query, "duckdb").of("email") == Certain((source,), is_computed=False)


@pytest.mark.parametrize(("query", "sources"), COMPUTED)
def test_an_expression_is_computed_of_the_columns_that_it_names(
    query: str, sources: tuple[tuple[str, str], ...]
) -> None:
    assert query_origins(query, "duckdb").of("email") == Certain(sources, is_computed=True)


@pytest.mark.parametrize(("query", "tables"), UNCERTAIN)
def test_what_is_not_certain_is_not_said_but_for_the_tables(query: str, tables: tuple[str, ...]) -> None:
    found = query_origins(query, "duckdb")

    assert found.of("email") is None
    assert set(found.tables) == set(tables)


@pytest.mark.parametrize("kind", ["files", "duckdb", "sqlite", "postgres"])
def test_a_query_of_every_kind_of_connection_is_read_in_its_own_dialect(kind: str) -> None:
    assert query_origins('SELECT "mail" AS email FROM people', kind).of("email") == Certain(
        (("people", "mail"),), False
    )
