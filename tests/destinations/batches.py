"""Batches for tests of adapters, in the form in which the engine hands them over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any

import pyarrow as pa

from destinations.base import Batch, Op

_RUNS = count()


def _json(value: Any) -> str:
    """JSON text in which a decimal is a number with all its digits."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_json(member)}" for name, member in value.items()) + "}"
        case _:
            return json.dumps(value)


def batch(
    op: Op,
    records: Mapping[Any, dict[str, Any]],
    *,
    key: str = "id",
    object: str = "contacts",
    number: int = 0,
    idempotency_key: str = "k0",
    run: str | None = None,
    first: int = 0,
) -> Batch:
    """One batch, of a run of its own where none is named; ``records`` holds the fields by the value of the match key."""
    rows = {
        "id": [str(value) for value in records],
        "key": [json.dumps({key: value}) for value in records],
        "fields": [_json(fields) for fields in records.values()],
        "changed": [json.dumps(sorted(fields)) for fields in records.values()],
    }
    arrow = pa.RecordBatch.from_pydict({name: pa.array(column, pa.string()) for name, column in rows.items()})
    return Batch(
        sync="people_to_hook",
        object=object,
        op=op,
        run=run or f"r{next(_RUNS)}",
        plan="p1",
        number=number,
        first=first,
        idempotency_key=idempotency_key,
        rows=arrow,
    )
