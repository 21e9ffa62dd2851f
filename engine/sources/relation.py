"""Names in SQL text: what a selection reads, quoted so that any character is part of a name and nothing else."""

from __future__ import annotations

import re

from engine.sources.base import Selection

_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')


def quoted(identifier: str) -> str:
    """An identifier of any characters."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string of any characters."""
    return "'" + text.replace("'", "''") + "'"


def qualified(table: str) -> str:
    """``schema.table`` with each part quoted; a part with a dot in it stands in double quotes, as in SQL."""
    parts = [(inner.replace('""', '"') or plain) for inner, plain in _PART.findall(table)]
    return ".".join(quoted(part) for part in parts)


def relation(selection: Selection) -> str:
    """What stands after FROM: the quoted table, or the query in parentheses."""
    if selection.query is not None:
        # The line break ends a comment in the query's last line.
        return f"({selection.query.strip().rstrip(';')}\n) AS source"
    assert selection.table is not None, "a selection is a table or a query"
    return qualified(selection.table)
