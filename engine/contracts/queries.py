"""Queries of ``type: sql`` quality rules: judged word by word, bound to the contract's columns, and written anew.

What is not on the lists here is refused by name. What runs is the text that is generated from what was judged, so that
two readers of one text cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.places import Place
from engine.contracts.query_words import CLAUSES, COUNTING, FUNCTIONS, NAMED
from engine.core.demands import CANDIDATE_VIEW
from engine.core.schema import Column, LogicalType
from engine.segments.sandbox import empty_sandbox

CHARACTERS_MAX = 10_000
NODES_MAX = 2_000
_PLACEHOLDER = re.compile(r"\$?\{\s*(\w+)\s*\}")
_TABLE, _COLUMN = "tidegate_placeholder_table", "tidegate_placeholder_column"
_MEANING = {"object": _TABLE, "table": _TABLE, "property": _COLUMN, "column": _COLUMN}
_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.DECIMAL: "DECIMAL(38, 9)",
    LogicalType.DOUBLE: "DOUBLE",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMPTZ",
    LogicalType.TIME: "TIME",
    LogicalType.BINARY: "BLOB",
}
_NUMERIC = re.compile(r"BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_MISSING = re.compile(r'(?:Referenced column|Table .* does not have a column named) "([^"]*)"')


class _Refused(Exception):
    """Why a query cannot be used, with a hint; both stay inside this module."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class Query(NamedTuple):
    """A query as it will run, and whether its number only counts rows or values."""

    text: str
    counts: bool


def read_query(written: object, label: str, at: KeyPath, place: Place) -> Query | Finding:
    """The query as it will run over `CANDIDATE_VIEW`, or why it cannot."""
    column = place.column.name if place.column else None
    if not isinstance(written, str) or not written.strip():
        return Finding("missing_key", f"the quality rule {label} has no `query`", "", at)
    try:
        tree = _parsed(_filled(written, column))
        _check(tree, {name.casefold() for name in place.tables})
        counts = _counts(tree)
        text = _rewritten(tree, column)
        _bind(text, place.columns)
    except _Refused as refused:
        return Finding("bad_query", f"the query of the quality rule {label} {refused}", refused.hint, (*at, "query"))
    return Query(text, counts)


class BadCondition(Exception):
    """An expression that cannot be used: ``why`` completes "the expression …"; it shows nothing of what was written."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def rows_where(written: str, key: Sequence[str], columns: Sequence[Column]) -> str:
    """The query for the ``key`` of the rows of `CANDIDATE_VIEW` for which an expression over its columns holds.

    It is judged as a query of a contract is, and may not select anything itself. Raises `BadCondition`.
    """
    try:
        _check_text(written)
        # On a line of its own the bracket ends the expression also behind a comment.
        tree = _parsed(f"SELECT 1 FROM {_TABLE} WHERE ({written}\n)")
        _check(tree, set())
        text = _keys_where(tree, key)
        _describe(text, columns)
    except _Refused as refused:
        raise BadCondition(str(refused), refused.hint) from None
    return text


def _keys_where(tree: exp.Query, key: Sequence[str]) -> str:
    condition = tree.args["where"].this if tree.args.get("where") else None
    parts = {name for name, value in tree.args.items() if value}
    if parts != {"expressions", "from_", "where"} or not isinstance(condition, exp.Paren):
        raise _Refused("must be one expression over the columns", "such as `country = 'DE'`")
    if len(list(tree.find_all(exp.Query))) != 1 or len(list(tree.find_all(exp.Table))) != 1:
        raise _Refused("selects something itself", "it may look at the columns of a row only")
    names = [exp.column(exp.to_identifier(name, quoted=True)) for name in key]
    query = exp.select(*names).from_(exp.to_identifier(CANDIDATE_VIEW)).where(condition)
    return query.sql(dialect="duckdb", comments=False)


def _check_text(written: str) -> None:
    if len(written) > CHARACTERS_MAX:
        raise _Refused(f"has more than {CHARACTERS_MAX:,} characters")
    if "tidegate_" in written.casefold():
        raise _Refused("names something of Tidegate's own")


def _filled(written: str, column: str | None) -> str:
    """The text with each placeholder as an identifier of its own; what it stands for is put in after parsing."""
    _check_text(written)
    for name in _PLACEHOLDER.findall(written):
        if name not in _MEANING:
            raise _Refused("has an unknown placeholder", nearest(name, _MEANING))
        if _MEANING[name] == _COLUMN and column is None:
            raise _Refused(f"has the placeholder `{name}`, and stands under the table", "name the column")
    return _PLACEHOLDER.sub(lambda found: _MEANING[found[1]], written)


def _parsed(text: str) -> exp.Query:
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
        # Anything else might be taken for a command and be kept as mere text.
        if not tokens or tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH):
            raise _Refused("must be one `SELECT`")
        if any(token.token_type in (TokenType.TILDE, TokenType.PARAMETER, TokenType.PLACEHOLDER) for token in tokens):
            raise _Refused("uses an operator or a parameter that is not available", "`regexp_matches` finds a pattern")
        trees = sqlglot.parse(text, read="duckdb")
    except SqlglotError:
        raise _Refused("is not valid SQL", "it is read as DuckDB's") from None
    except RecursionError:
        raise _Refused("is nested too deeply") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query) or isinstance(trees[0], exp.Subquery):
        raise _Refused("must be one `SELECT`")
    return trees[0]


def _check(tree: exp.Query, tables: set[str]) -> None:
    """Every node is one that is listed, and every table the contract's own or one that the query itself defines."""
    names = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    if names & tables:
        raise _Refused("defines a table of the contract's name")
    for count, node in enumerate(tree.walk()):
        if count > NODES_MAX:
            raise _Refused("is too long")
        if isinstance(node, exp.Table):
            _check_table(node, tables | names)
        else:
            _check_word(node)


def _check_word(node: exp.Expr) -> None:
    if isinstance(node, exp.Anonymous):
        if node.name.casefold() not in NAMED:
            raise _Refused(f"calls `{_shown(node.name)}`, which is not available", _functions_near(node.name))
    elif isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
        if type(node) not in FUNCTIONS:
            raise _Refused(f"calls `{_shown(node.sql_name().lower())}`, which is not available")
    elif type(node) not in CLAUSES:
        raise _Refused(f"uses `{_shown(node.key.upper())}`, which is not available")
    elif isinstance(node, exp.With) and node.args.get("recursive"):
        raise _Refused("is recursive")
    elif isinstance(node, exp.Literal) and node.is_string and "tidegate_placeholder" in node.name:
        raise _Refused("has a placeholder inside a text")


def _check_table(node: exp.Table, known: set[str]) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise _Refused("reads from a function", "it may read from its own table only")
    if node.args.get("db") or node.args.get("catalog") or node.name.casefold() not in {*known, _TABLE}:
        raise _Refused("reads from another table", "it may read from its own table only: `${table}`")


def _counts(tree: exp.Query) -> bool:
    """Whether no value of a row can be the result: columns stand inside of what counts, and nothing is selected within."""
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1:
        return False
    result = tree.expressions[0]
    inner = (node for node in result.walk() if isinstance(node, exp.Column | exp.Query))
    return all(isinstance(node, exp.Column) and node.find_ancestor(*COUNTING) is not None for node in inner)


def _rewritten(tree: exp.Query, column: str | None) -> str:
    """The query over `CANDIDATE_VIEW`, in which every table keeps the name that its columns are qualified with."""
    own = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name.casefold() not in own:
            alias = table.alias or table.name
            table.set("this", exp.to_identifier(CANDIDATE_VIEW))
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    for identifier in list(tree.find_all(exp.Identifier)):
        if identifier.this == _COLUMN:
            identifier.replace(exp.to_identifier(column, quoted=True))
    try:
        return tree.sql(dialect="duckdb", comments=False)
    except (SqlglotError, RecursionError):
        raise _Refused("cannot be written as DuckDB's SQL") from None


def _bind(query: str, columns: Sequence[Column]) -> None:
    """Whether the query is one number of a table with the contract's columns."""
    types = _describe(query, columns)
    if len(types) != 1 or not _NUMERIC.fullmatch(types[0]):
        raise _Refused("must give one number or one truth value")


def _describe(query: str, columns: Sequence[Column]) -> tuple[str, ...]:
    """The types that a query would give over a table with these columns."""
    try:
        # Its table cannot be made of columns without a usable name, of which the contract's reader tells.
        with empty_sandbox(list(_typed(columns))) as sandbox:
            return sandbox.described(query).types
    except duckdb.Error as error:
        if missing := _MISSING.search(str(error)):
            hint = nearest(missing[1], (column.name for column in columns))
            raise _Refused("names a column that the contract does not have", hint) from None
        raise _Refused(f"cannot be evaluated over the contract's columns ({type(error).__name__})") from None


def _typed(columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    for column in columns:
        size = f"DECIMAL({column.precision}, {column.scale or 0})" if column.precision else _TYPES[column.type]
        yield column.name, size


def _functions_near(name: str) -> str:
    return nearest(name, sorted(NAMED | {kind.sql_name().lower() for kind in FUNCTIONS}))


def _shown(word: str) -> str:
    return word if word.isidentifier() and len(word) <= 40 else "…"
