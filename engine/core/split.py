"""Where a plan is cut into batches, and how a refused batch is halved."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.canonical import digest_of
from engine.core.names import Digest


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows ``first`` to ``last``, both included, counted from 0."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


def halves(cut: Cut) -> tuple[Cut, Cut]:
    """A cut of at least two rows as two that differ by at most one row."""
    middle = cut.first + cut.count // 2
    return Cut(cut.first, middle - 1), Cut(middle, cut.last)


def idempotency_key(sync: str, plan: Digest, cut: Cut) -> str:
    """The same rows of the same plan always leave under the same key, and no others ever do."""
    return digest_of([sync, plan, cut.first, cut.last])[:40]


def cuts(runs: Iterator[tuple[int, int]], totals: list[int], *, records: int, size: int) -> Iterator[Cut]:
    """Greedy cuts of runs of one operation: at most ``records`` rows and ``size`` bytes each.

    ``runs`` are half-open row ranges; ``totals[i]`` is the size of all rows before row ``i``. A row larger than
    ``size`` stands alone.
    """
    for start, stop in runs:
        first = start
        while first < stop:
            end = min(first + records, stop)
            if totals[end] - totals[first] > size:
                end = _last_fitting(totals, first, end, size)
            yield Cut(first, end - 1)
            first = end


def _last_fitting(totals: list[int], first: int, end: int, size: int) -> int:
    return max(first + 1, bisect_right(totals, totals[first] + size, first, end + 1) - 1)
