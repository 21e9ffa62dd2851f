"""A plan's rows as batches: cut deterministically, whatever chunks the reader gives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.split import Cut, cuts

BATCH_COLUMNS = ("id", "key", "fields", "changed")
_RECORD_OVERHEAD_BYTES = 64
"""What surrounds a record's texts in a request body: braces, names, separators."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of a plan that may leave in one call: one operation, within the limits."""

    cut: Cut
    op: str
    rows: pa.RecordBatch

    def without(self, ordinals: Collection[int]) -> list[Slice]:
        """What is left of this slice when rows are taken out: parts of rows that follow one another."""
        edges = [self.cut.first - 1, *sorted(ordinals), self.cut.last + 1]
        gaps = ((before + 1, after - 1) for before, after in pairwise(edges))
        return [self.part(Cut(first, last)) for first, last in gaps if first <= last]

    def part(self, cut: Cut) -> Slice:
        """The rows of ``cut``, which lies within this slice."""
        return Slice(cut, self.op, self.rows.slice(cut.first - self.cut.first, cut.count))


def slices(blocks: Iterable[pa.RecordBatch], *, first: int, records: int, size: int) -> Iterator[Slice]:
    """Cut plan rows, the first of which has ordinal ``first``, into slices of ``records`` rows and ``size`` bytes.

    Where the cuts fall depends only on the rows and the limits. Holds one block and one slice in memory.
    """
    rest: pa.RecordBatch | None = None
    for block in blocks:
        if not block.num_rows:
            continue
        rows = block if rest is None else _joined(rest, block)
        found = list(_cut(rows, records, size))
        for cut in found[:-1]:
            yield _slice(rows, cut, first)
        held = found[-1]
        rest = rows.slice(held.first)
        first += held.first
    if rest is not None:
        for cut in _cut(rest, records, size):
            yield _slice(rest, cut, first)


def exact(blocks: Iterable[pa.RecordBatch], *, first: int, wanted: Iterable[Cut]) -> Iterator[Slice]:
    """Slices at given cuts, which follow one another from ``first``: what an earlier process intended."""
    table = pa.Table.from_batches(list(blocks))
    for cut in wanted:
        (rows,) = table.slice(cut.first - first, cut.count).combine_chunks().to_batches()
        yield Slice(cut, rows.column("op")[0].as_py(), rows)


def _slice(rows: pa.RecordBatch, cut: Cut, offset: int) -> Slice:
    part = rows.slice(cut.first, cut.count)
    return Slice(Cut(offset + cut.first, offset + cut.last), part.column("op")[0].as_py(), part)


def _joined(left: pa.RecordBatch, right: pa.RecordBatch) -> pa.RecordBatch:
    return pa.concat_batches([left, right])


def _cut(rows: pa.RecordBatch, records: int, size: int) -> Iterator[Cut]:
    lengths = pc.add(pc.binary_length(rows.column(BATCH_COLUMNS[0])), _RECORD_OVERHEAD_BYTES)
    for name in BATCH_COLUMNS[1:]:
        lengths = pc.add(lengths, pc.binary_length(rows.column(name)))
    totals = [0, *pc.cumulative_sum(lengths.cast(pa.int64())).to_pylist()]
    runs = pc.run_end_encode(rows.column("op"), run_end_type=pa.int64())
    ends = runs.run_ends.to_pylist()
    return cuts(zip([0, *ends[:-1]], ends, strict=True), totals, records=records, size=size)
