"""What a query tells of where its columns come from, as far as that is certain without asking the database.

A single `SELECT` from named tables says of each column that it names where the values come from. What else a query may do
(unions, subqueries that are read from or give a value, `WITH`, functions as tables) leaves columns unknown, and the tables
known as far as they are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

DIALECTS: Mapping[str, str] = {"files": "duckdb", "duckdb": "duckdb", "sqlite": "sqlite", "postgres": "postgres"}
"""By the type of a connection, how its queries are read."""


@dataclass(frozen=True, slots=True)
class Certain:
    """The (table, column) pairs that a column's values come from; ``is_computed`` where they are not those values."""

    columns: tuple[tuple[str, str], ...]
    is_computed: bool


@dataclass(frozen=True, slots=True)
class QueryOrigins:
    """The tables that a query names, and what is certain of its columns; a column that is not named is not certain."""

    tables: tuple[str, ...]
    columns: Mapping[str, Certain] = field(default_factory=dict)
    every_column_of: str = ""
    """The only table of a ``SELECT *``: every column that is not named is that table's."""

    def of(self, column: str) -> Certain | None:
        """What is certain of a column; None where nothing is."""
        if column not in self.columns and self.every_column_of:
            return Certain(((self.every_column_of, column),), is_computed=False)
        return self.columns.get(column)


def query_origins(query: str, connection_type: str) -> QueryOrigins:
    """What ``query`` tells; nothing where it cannot be parsed, for then only the database understands it."""
    try:
        trees = sqlglot.parse(query, read=DIALECTS[connection_type])
    except (SqlglotError, RecursionError):
        return QueryOrigins(())
    if len(trees) != 1 or trees[0] is None:
        return QueryOrigins(())
    tree = trees[0]
    tables, named = tuple(dict.fromkeys(_tables(tree))), _named(tree)
    if not isinstance(tree, exp.Select) or not named:
        return QueryOrigins(tables)
    return QueryOrigins(tables, dict(_columns(tree, named)), _starred(tree, named))


def _named(tree: exp.Expr) -> dict[str, str]:
    """The tables of a query by the name that its columns are qualified with; empty where columns may be of something else."""
    if any(tree.find_all(exp.CTE, exp.Lateral)):
        return {}
    read = [clause.this for clause in tree.find_all(exp.From, exp.Join) if clause.parent is tree]
    named = {table.alias_or_name: _name(table) for table in read if isinstance(table, exp.Table) and _name(table)}
    return named if len(named) == len(read) else {}


def _columns(tree: exp.Select, named: Mapping[str, str]) -> Iterator[tuple[str, Certain]]:
    before = set[str]()
    for projection in tree.selects:
        is_plain = not projection.is_star and projection.find(exp.Query) is None
        certain = _certain(projection.unalias(), named, before) if is_plain else None
        if certain is not None:
            yield projection.alias_or_name, certain
        before.add(projection.alias)


def _tables(tree: exp.Expr) -> Iterator[str]:
    own = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if (name := _name(table)) and (table.args.get("db") or table.name.casefold() not in own):
            yield name


def _name(table: exp.Table) -> str:
    """A table as it is written, without quotes; empty for a function that gives one."""
    if not isinstance(table.this, exp.Identifier):
        return ""
    return ".".join(part.name for part in table.parts)


def _certain(expression: exp.Expr, named: Mapping[str, str], aliases: Collection[str]) -> Certain | None:
    """Where an expression's values come from; None where one of its columns may be of several tables, or an alias."""
    found = []
    for column in expression.find_all(exp.Column):
        table = named.get(column.table) if column.table else None
        if not column.table and len(named) == 1 and column.name not in aliases:
            table = next(iter(named.values()))
        if table is None:
            return None
        found.append((table, column.name))
    return Certain(tuple(dict.fromkeys(found)), is_computed=not isinstance(expression, exp.Column))


def _starred(tree: exp.Select, named: Mapping[str, str]) -> str:
    stars = [p for p in tree.selects if isinstance(p, exp.Star) and not any(p.args.values())]
    return next(iter(named.values())) if stars and len(named) == 1 else ""
