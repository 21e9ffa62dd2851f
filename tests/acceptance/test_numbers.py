"""A number keeps its text whatever type its source keeps it in: what was delivered as 5 is not sent again as 5.0 (I9, I10)."""

from __future__ import annotations

from copy import deepcopy

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

INTEGERS, DOUBLES, DECIMALS = pa.int64(), pa.float64(), pa.decimal128(12, 2)
SKIP = {"name": "name", "score": {"from": "score", "on_null": "skip"}}
"""Another mapping that gives the same records where no score is null."""


def scored(kind: pa.DataType, *scores: int) -> pa.Table:
    ids = pa.array(range(1, 1 + len(scores)), pa.int64())
    return pa.table(
        {"id": ids, "name": pa.array(["x"] * len(scores)), "score": pa.array(scores, pa.int32()).cast(kind)}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [(INTEGERS, DOUBLES), (DOUBLES, INTEGERS), (DECIMALS, DOUBLES), (DOUBLES, DECIMALS)],
    ids=str,
)
def test_a_number_whose_source_turns_to_another_type_is_unchanged_in_every_comparison(
    project: TestProject, receiver: Receiver, before: pa.DataType, after: pa.DataType
) -> None:
    contract = deepcopy(CONTRACT)
    del contract["schema"][0]["properties"][2]["physicalType"]
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.data(scored(before, 5, 0, -7))
    assert project.report()["status"] == "succeeded"

    project.data(scored(after, 5, 0, -7))
    assert project.report()["status"] == "unchanged"
    project.data(scored(after, 5, 0, -8))
    incremental = project.report()
    assert (incremental["plan"]["comparison"], incremental["delivered"]["updates"]) == ("incremental", 1)

    project.sync("people_to_hook", fields=SKIP)
    full = project.report()
    assert (full["status"], full["requests"]) == ("unchanged", 0)
    assert {id: record["score"] for id, record in receiver.records.items()} == {"1": 5, "2": 0, "3": -8}
