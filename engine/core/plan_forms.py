"""The forms in which a plan is sent and shown."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from engine.core.canonical import object_text
from engine.core.desired import FIELD
from engine.core.remembered import remembered
from engine.core.state import field_columns


@remembered
def payloads(plan: Table) -> Table:
    """A plan's rows as `destinations.base.Batch` carries them, in plan order, with ``op`` and ``change``."""
    columns = field_columns(plan)
    sent = object_text([c.removeprefix(FIELD) for c in columns], [plan[c] for c in columns])
    return plan.select("op", "change", "id", "key", fields=sent, changed=plan.changed)


@remembered
def samples(plan: Table, limit: int) -> Table:
    """The first ``limit`` rows of each kind of change, with before and after per field."""
    place = ibis.row_number().over(group_by="change", order_by="id")
    return plan.mutate(_place=place).filter(lambda t: t["_place"] < limit).order_by("change", "id").drop("_place")
