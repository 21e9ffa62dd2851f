"""Where a plan is cut depends on its rows and the limits alone, so that a later process cuts it the same (I6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.split import Cut
from engine.delivery.batches import Slice, exact, slices
from tests.delivery.scripted import rows
from tests.property.effort import examples

PLANS = st.lists(
    st.tuples(st.sampled_from(["delete", "upsert"]), st.integers(0, 80), st.sampled_from(["x", "é", "😀"])), max_size=30
)
"""Per row its operation, how long a field is, and of what."""


def table(plan: Sequence[tuple[str, int, str]]) -> pa.RecordBatch:
    made = [rows([f"r{n}"], op, padding=letter * length) for n, (op, length, letter) in enumerate(plan)]
    return pa.concat_batches(made) if made else rows([])


def in_blocks(whole: pa.RecordBatch, edges: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """The rows in blocks that end at some edges; an edge that stands twice gives an empty block."""
    ends = [*sorted(edge % (len(whole) + 1) for edge in edges), len(whole)]
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield whole.slice(start, end - start)


def shown(found: Iterator[Slice]) -> list[tuple[Cut, str, list[dict[str, str]]]]:
    return [(s.cut, s.op, s.rows.to_pylist()) for s in found]


@pytest.mark.slow
@given(
    plan=PLANS,
    edges=st.lists(st.integers(0, 30), max_size=12),
    records=st.integers(1, 7),
    size=st.integers(100, 900),
    first=st.integers(0, 1_000),
)
@examples(300)
def test_the_reader_s_chunks_leave_no_trace_in_the_cuts(
    plan: list[tuple[str, int, str]], edges: list[int], records: int, size: int, first: int
) -> None:
    whole = table(plan)

    chunked = shown(slices(in_blocks(whole, edges), first=first, records=records, size=size))

    assert chunked == shown(slices([whole], first=first, records=records, size=size))
    assert [row for _, _, part in chunked for row in part] == whole.to_pylist()
    assert [n for cut, _, _ in chunked for n in range(cut.first, cut.last + 1)] == list(range(first, first + len(plan)))
    assert all(cut.count == len(part) <= records and {row["op"] for row in part} == {op} for cut, op, part in chunked)


@given(plan=PLANS, edges=st.lists(st.integers(0, 30), max_size=12), records=st.integers(1, 7), data=st.data())
@examples(150)
def test_what_was_intended_is_cut_again_row_for_row(
    plan: list[tuple[str, int, str]], edges: list[int], records: int, data: st.DataObject
) -> None:
    """Also under other limits than now: the next process cuts at what stands in the ledger."""
    whole = table(plan)
    before = shown(slices([whole], first=0, records=records, size=10**6))
    if not before:
        return
    start = data.draw(st.integers(0, len(before) - 1))
    intended = [cut for cut, _, _ in before[start:]]
    rest = whole.slice(intended[0].first)

    assert shown(exact(in_blocks(rest, edges), first=intended[0].first, wanted=intended)) == before[start:]


def test_a_size_counts_bytes_and_not_letters() -> None:
    plain = [
        len(part) for _, _, part in shown(slices([table([("upsert", 100, "x")] * 8)], first=0, records=9, size=500))
    ]
    wide = [
        len(part) for _, _, part in shown(slices([table([("upsert", 100, "😀")] * 8)], first=0, records=9, size=500))
    ]

    assert plain == [2, 2, 2, 2]
    assert wide == [1] * 8


@pytest.mark.parametrize("blocks", [[], [rows([])], [rows([]), rows([])]])
def test_an_empty_plan_has_no_slices(blocks: list[pa.RecordBatch]) -> None:
    assert list(slices(blocks, first=0, records=10, size=10**6)) == []


def test_a_part_of_a_slice_is_its_rows_at_those_places() -> None:
    (made,) = slices([rows(["a", "b", "c", "d"])], first=10, records=9, size=10**6)

    part = made.part(Cut(11, 12))

    assert (part.cut, part.op, part.rows.column("id").to_pylist()) == (Cut(11, 12), "upsert", ["b", "c"])
    assert part.part(Cut(12, 12)).rows.column("id").to_pylist() == ["c"]


def test_a_long_plan_is_read_as_it_is_sent() -> None:
    """Memory: a slice leaves before the block after the next is read."""
    read: list[int] = []

    def blocks() -> Iterator[pa.RecordBatch]:
        for n in range(100):
            read.append(n)
            yield rows([f"{n}-{i}" for i in range(10)])

    found = slices(blocks(), first=0, records=10, size=10**6)
    for n in range(10):
        assert next(found).cut == Cut(10 * n, 10 * n + 9)
        assert read[-1] <= n + 1
