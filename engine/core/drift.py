"""Drift: what a destination must hold by the delivered state, as rows that it can be asked about."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.core.canonical import object_text
from engine.core.desired import FIELD
from engine.core.state import field_columns


class Difference(StrEnum):
    """How a record at a destination is not as it was delivered."""

    MISSING = "missing"
    CHANGED = "changed"
    PRESENT = "present"
    """It was removed, and is there again."""


def is_known(held: Table) -> BooleanValue:
    """Of which state rows it is known what the destination acknowledged, so that there is something to compare."""
    return held.acked & ~held.unknown & ~held.inert


def must_be_there(held: Table, sendable: Table, targets: Collection[str]) -> Table:
    """A row a record, as a batch carries it: the fields ``targets`` as they were acknowledged last.

    Of a record that is not in ``sendable.id`` nothing may leave but its key, so that only whether it is there is asked.
    """
    columns = [c for c in field_columns(held) if c.removeprefix(FIELD) in targets]
    payload = object_text([c.removeprefix(FIELD) for c in columns], [held[c] for c in columns])
    rows = held.mutate(_payload=payload).filter(is_known)
    may_leave = rows.id.isin(sendable.id)
    return _asked(rows.mutate(_payload=may_leave.ifelse(rows["_payload"], "{}")), "upsert")


def must_be_gone(lost: Table) -> Table:
    """A row a record that was removed, by its key alone."""
    return _asked(lost.mutate(_payload=ibis.literal("{}")), "delete")


def _asked(rows: Table, op: str) -> Table:
    return rows.select("id", "key", op=ibis.literal(op), fields=rows["_payload"], changed=ibis.literal("[]"))
