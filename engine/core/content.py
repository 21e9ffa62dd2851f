"""What a candidate holds, as one digest that does not depend on the order of its rows or on how its file was written.

Two reads of the same rows have one digest, so that what was held, blocked or rejected is recognised when it is read again.
Rows count by a 64-bit hash each: what is accepted is never told by this digest, only what is *not* asked about again.
"""

from __future__ import annotations

from typing import Any

from ibis.expr.types import Table

from engine.core.canonical import digest_of, row_hash
from engine.core.names import Digest


def sums(rows: Table) -> Table:
    """One row with the count and the sum of the hashes of ``rows``, for `content_digest`."""
    return rows.aggregate(rows=rows.count(), total=row_hash(rows, rows.columns).sum())


def content_digest(rows: Table, summed: dict[str, Any]) -> Digest:
    """The digest of ``rows``, given their `sums`."""
    columns = [[name, str(kind.copy(nullable=True))] for name, kind in rows.schema().items()]
    return digest_of([columns, int(summed["rows"]), str(summed["total"])])
