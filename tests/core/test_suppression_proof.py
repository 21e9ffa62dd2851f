"""The gate on suppression finds what a planner let through, whatever the planner did."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.core.suppression import Identifier, entries, unproven
from engine.segments.compute import Compute


@pytest.mark.parametrize(
    ("op", "mail", "phone", "is_found"),
    [
        ("upsert", "ADA@x.example", None, True),
        ("insert", None, "0044 20 7946 0018", True),
        ("upsert", "a.da+1@x.example", "+1 650 555 1212", False),
        ("upsert", "bo@x.example", None, False),
        ("delete", "ada@x.example", None, False),
        ("unsubscribe", "ada@x.example", None, False),
        ("upsert", None, None, False),
    ],
)
def test_a_planned_record_about_somebody_listed_is_found(
    tmp_path: Path, op: str, mail: str | None, phone: str | None, is_found: bool
) -> None:
    columns = {"mail": Identifier.EMAIL, "phone": Identifier.PHONE}
    with Compute("256MB", 1, tmp_path).session() as session:
        people = {Identifier.EMAIL: "ada@x.example", Identifier.PHONE: "+44 20 7946 0018"}
        lists = {kind: entries(session.rows(pa.table({"value": [who]})), kind) for kind, who in people.items()}
        rows = session.rows(
            pa.table({"id": [1], "mail": pa.array([mail], pa.string()), "phone": pa.array([phone], pa.string())})
        )
        plan = session.rows(pa.table({"op": [op], "pk": ["1"]}))

        found = session.fetch(unproven(plan, rows, columns, lists, ("id",)))

    assert [row["pk"] for row in found] == (["1"] if is_found else [])
