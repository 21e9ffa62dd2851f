"""Where: the rows of a version that meet an expression which a person wrote."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ibis.expr.types import Table

from engine.contracts.queries import BadCondition, rows_where
from engine.core.canonical import key_text
from engine.core.names import VersionNumber
from engine.errors import ConfigurationError
from engine.owner_only import make_folder
from engine.segments.compute import Session
from engine.segments.sandbox import NoNumber, candidate_sandbox
from engine.steps.facts import Sync, Tools

CONDITION_SECONDS_MAX = 60.0


def rows_meeting(
    tools: Tools, session: Session, sync: Sync, expression: str, rows: Table, version: VersionNumber
) -> Table:
    """``pk`` of the rows for which the expression holds, asked in a database that sees nothing but these rows."""
    schema = sync.dataset.schema
    present = [column for column in schema.columns if column.name in rows.columns]
    try:
        query = rows_where(expression, schema.key, present)
    except BadCondition as error:
        raise _unusable(error.why, error.hint) from None
    make_folder(tools.compute.spill)
    with tempfile.TemporaryDirectory(dir=tools.compute.spill) as folder:
        path = Path(folder, "rows.parquet")
        session.write(rows, path)
        with candidate_sandbox(tools.compute, path) as sandbox:
            found = sandbox.table(query, seconds_max=CONDITION_SECONDS_MAX)
    if isinstance(found, NoNumber):
        raise _unusable(f"{found.why} over the rows of version {version}", "")
    keys = session.rows(found)
    return session.cached(keys.select(pk=key_text([keys[c] for c in schema.key])).distinct())


def _unusable(why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(
        f"The expression {why}",
        where="--where",
        safe="Nothing was changed.",
        next=hint or "write one over the dataset's columns, such as `country = 'DE'`",
    )
