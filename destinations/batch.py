"""What a plan asks of a destination: one operation on some records, sent in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow as pa

Value: TypeAlias = Any
"""A decoded JSON value; ``Any`` because JSON is recursive and adapters index into it freely."""


class Op(StrEnum):
    """What a batch asks of the destination; one operation a batch.

    ``unsubscribe`` keeps the record and lets nothing be sent to its person any more; where there is no record, there is
    nothing to do. Whatever writes the record later takes it back, unless `Spec.resubscribes` says otherwise.
    """

    UPSERT = "upsert"
    UPDATE = "update"
    INSERT = "insert"
    DELETE = "delete"
    UNSUBSCRIBE = "unsubscribe"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a batch, decoded.

    ``id`` is the match key as text and unique within the batch; ``key`` the match key by destination field;
    ``fields`` the mapped values; ``changed`` the names that differ from what the destination acknowledged last.
    """

    id: str
    key: Mapping[str, Value]
    fields: Mapping[str, Value]
    changed: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Batch:
    """A slice of a plan that is sent in one call.

    ``rows`` is an Arrow batch of UTF-8 columns ``id`` (plain text) and ``key``, ``fields``, ``changed`` (JSON text:
    object, object, array; for a delete and an unsubscribe ``fields`` is ``{}`` and ``changed`` is ``[]``). Adapters for speed render
    from ``rows`` set by set; the others iterate over `records`.

    ``run`` and ``first`` say which rows these are: those of run ``run`` from the one with number ``first`` on, counted from
    0 over its ``plan_records``. They stay the same when rows are sent again, alone or with others, which a key does not.
    """

    sync: str
    object: str
    op: Op
    run: str
    plan: str
    number: int
    first: int
    idempotency_key: str
    rows: pa.RecordBatch
    plan_records: int = 0

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The records' ids in order."""
        return tuple(self.rows.column("id").to_pylist())

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The records, decoded from JSON; numbers with a fraction come as ``decimal.Decimal``, so none loses digits."""
        columns = (self.rows.column(name).to_pylist() for name in ("id", "key", "fields", "changed"))
        return tuple(
            Record(id=i, key=_decoded(k), fields=_decoded(f), changed=frozenset(_decoded(c)))
            for i, k, f, c in zip(*columns, strict=True)
        )


def _decoded(text: str) -> Value:
    return json.loads(text, parse_float=Decimal)
