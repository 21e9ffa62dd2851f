"""Cuts hold every row once, within the limits; the same rows always leave under the same key (I4, I6)."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.core.names import Digest
from engine.core.split import Cut, cuts, halves, idempotency_key
from tests.property.effort import examples

DIGEST = Digest("d" * 64)
RUNS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=25), max_size=6)
"""Sizes of rows, one list per run of rows of one operation."""


def cut(runs: list[list[int]], records: int, size: int) -> list[Cut]:
    ends = [0, *accumulate(len(run) for run in runs)]
    totals = [0, *accumulate(row for run in runs for row in run)]
    return list(cuts(pairwise(ends), totals, records=records, size=size))


@given(runs=RUNS, records=st.integers(1, 12), size=st.integers(1, 60))
@examples(300)
def test_every_row_is_in_exactly_one_cut_and_in_order(runs: list[list[int]], records: int, size: int) -> None:
    rows = [row for c in cut(runs, records, size) for row in range(c.first, c.last + 1)]

    assert rows == list(range(sum(map(len, runs))))


@given(runs=RUNS, records=st.integers(1, 12), size=st.integers(1, 60))
@examples(300)
def test_a_cut_keeps_to_its_limits_and_holds_one_operation(runs: list[list[int]], records: int, size: int) -> None:
    sizes = [row for run in runs for row in run]
    operations = [number for number, run in enumerate(runs) for _ in run]

    for c in cut(runs, records, size):
        assert 1 <= c.count <= records
        assert sum(sizes[c.first : c.last + 1]) <= size or c.count == 1
        assert len(set(operations[c.first : c.last + 1])) == 1


@given(runs=RUNS, records=st.integers(1, 12), size=st.integers(1, 60))
@examples(300)
def test_no_cut_could_have_held_the_next_row_too(runs: list[list[int]], records: int, size: int) -> None:
    sizes = [row for run in runs for row in run]
    operations = [number for number, run in enumerate(runs) for _ in run]

    for c, following in pairwise(cut(runs, records, size)):
        assert (
            c.count == records
            or sum(sizes[c.first : following.first + 1]) > size
            or operations[c.last] != operations[following.first]
        )


def test_a_row_larger_than_the_limit_stands_alone() -> None:
    assert cut([[5, 99, 5, 5]], 10, 10) == [Cut(0, 0), Cut(1, 1), Cut(2, 3)]


def test_nothing_to_send_is_no_cut() -> None:
    assert cut([], 10, 10) == []


@given(first=st.integers(0, 10**9), count=st.integers(2, 10**6))
@examples(200)
def test_halves_hold_the_rows_of_the_whole_and_differ_by_at_most_one(first: int, count: int) -> None:
    whole = Cut(first, first + count - 1)

    left, right = halves(whole)

    assert (left.first, left.last + 1, right.last) == (whole.first, right.first, whole.last)
    assert abs(left.count - right.count) <= 1


def test_halving_ends_at_single_rows() -> None:
    parts, singles = [Cut(3, 1_002)], []
    while parts:
        part = parts.pop()
        if part.count == 1:
            singles.append(part.first)
        else:
            parts += halves(part)

    assert sorted(singles) == list(range(3, 1_003))


def test_the_same_rows_of_the_same_plan_have_the_same_key_and_no_others_do() -> None:
    cases = [
        (sync, plan, part)
        for sync in ("people", "people2", "peopl")
        for plan in (DIGEST, Digest("e" * 64))
        for part in (Cut(0, 0), Cut(0, 1), Cut(1, 1), Cut(1, 11), Cut(11, 1), Cut(11, 11), Cut(111, 111))
    ]

    assert [idempotency_key(*case) for case in cases] == [idempotency_key(*case) for case in cases]
    assert len({idempotency_key(*case) for case in cases}) == len(cases)


def test_a_key_is_the_same_in_every_process_and_release() -> None:
    """A destination compares the key with one that an earlier release sent; another text would apply a batch twice."""
    assert idempotency_key("people_to_hook", DIGEST, Cut(0, 99)) == "d33a0d1a3b9fbea9569c1eef50115452ad1e6180"
