"""A payload that was given up, and is sent after all because a removal is owed, is counted like any other."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.core.state import DROPPED, folded, payload_digest
from engine.segments.compute import ORDINAL, Compute

ROW = {
    "id": "1",
    "pk": "1",
    "key": '{"id":"1"}',
    "subject": "s",
    "receipt": "r",
    "op": "delete",
    "was_acked": True,
    "was_unknown": False,
    "f:name": None,
    "b:name": '"Ada"',
    ORDINAL: 0,
}
TEXT = ("was_tried", "f:name")


@pytest.mark.parametrize(("before", "after"), [(DROPPED, 1), (0, 1), (1, 2), (7, 8)])
def test_a_rejection_of_the_same_payload_counts_one_more(tmp_path: Path, before: int, after: int) -> None:
    with Compute("256MB", 1, tmp_path / "spill").session() as session:
        fields = session.rows(pa.table({"f:name": pa.array([None], pa.string())}))
        tried = session.single(fields.select(tried=payload_digest(fields, ["f:name"])))["tried"]
        row = {**ROW, "was_attempts": before, "was_tried": tried}
        plan = pa.table({n: pa.array([v], pa.string()) if n in TEXT else pa.array([v]) for n, v in row.items()})
        exceptions = pa.table({"ordinal": [0], "outcome": ["rejected"], "uncertain": [False]})
        state = session.single(folded(session.rows(plan), session.rows(exceptions), ORDINAL))
    assert (state["attempts"], state["tried"], state["owed"], state["gone"]) == (after, tried, True, False)
