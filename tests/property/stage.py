"""The planner as `engine.steps` drives it, but over tables in memory: what tests compare with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from engine.core.canonical import key_text
from engine.core.desired import FIELD, Mode, desired, ids, touched_rows
from engine.core.desired import Mapping as SyncMapping
from engine.core.plan import PlanRules, compared, counts, operations, touched_ids
from engine.core.state import FACTS, folded, live
from engine.segments.compute import Session
from tests.property.model import FIELDS, MAX_ATTEMPTS, Held, Operation, Row, State

ROWS = pa.schema(
    [("pk", pa.int64()), ("mail", pa.string()), ("a", pa.string()), ("b", pa.int64()), ("subject", pa.string())]
)
EXCEPTIONS = pa.schema([("ordinal", pa.int64()), ("outcome", pa.string())])


@dataclass(frozen=True)
class Stage:
    """One sync in one session."""

    session: Session
    mapping: SyncMapping

    @property
    def rules(self) -> PlanRules:
        return PlanRules(self.mapping.mode, MAX_ATTEMPTS)

    def rows(self, rows: Mapping[int, Row]) -> Table:
        listed = [{"pk": pk, "mail": r.mail, "a": r.a, "b": r.b, "subject": r.subject} for pk, r in rows.items()]
        return self.session.rows(pa.Table.from_pylist(listed, schema=ROWS))

    def subjects(self, granted: set[str] | None) -> Table | None:
        if granted is None:
            return None
        return self.session.rows(pa.table({"subject": pa.array(sorted(granted), pa.string())}))

    def nothing_held(self) -> Table:
        return self.session.rows(ibis.schema(FACTS).to_pyarrow().empty_table())

    def full(self, rows: Table, granted: Table | None, layers: Sequence[Table]) -> Table:
        """The comparison of everything with everything."""
        return compared(desired(rows, self.mapping, ("pk",), granted), live(layers), self.rules)

    def incremental(
        self, rows: Table, before: Table, changed: Sequence[int], granted: Table | None, layers: Sequence[Table]
    ) -> Table:
        """The comparison of what may have changed since the version ``before``, which the state answers."""
        pks = self.session.rows(pa.table({"pk": pa.array([str(pk) for pk in changed], pa.string())}))
        identities, earlier = (ids(table, self.mapping, ("pk",)) for table in (rows, before))
        touched = self.session.cached(touched_ids(pks, identities, live(layers), earlier))
        wanted = desired(touched_rows(rows, self.mapping, touched), self.mapping, ("pk",), granted)
        held = live([layer.semi_join(touched, "id") for layer in layers])
        return compared(self.session.cached(wanted), self.session.cached(held), self.rules)

    def plan(self, judged: Table) -> Table:
        """A plan as its segment holds it, with the row's place as ``ordinal``."""
        listed = self.session.stream(operations(judged)).read_all()
        return self.session.rows(listed.append_column("ordinal", pa.array(range(len(listed)), pa.int64())))

    def fold(self, plan: Table, outcomes: Mapping[int, str]) -> Table:
        exceptions = pa.table({"ordinal": list(outcomes), "outcome": list(outcomes.values())}, schema=EXCEPTIONS)
        return self.session.cached(folded(plan, self.session.rows(exceptions), "ordinal"))

    def counts(self, judged: Table) -> dict[str, int]:
        return {name: int(number) for name, number in self.session.single(counts(judged)).items()}

    def operations(self, plan: Table) -> list[Operation]:
        return [_operation(row) for row in self.session.fetch(plan)]

    def state(self, layers: Sequence[Table]) -> State:
        """The delivered state as the model has it, but for what was tried."""
        return {row["id"]: _held(row) for row in self.session.fetch(live(layers))}


def primary_keys(table: Table) -> Table:
    return table.select(pk=key_text([table.pk]))


def _fields(row: Mapping[str, Any]) -> dict[str, str]:
    return {f: row[FIELD + f] for f in FIELDS if row.get(FIELD + f) is not None}


def _operation(row: Mapping[str, Any]) -> Operation:
    assert json.loads(row["key"]) == {"mail": row["id"]}
    return Operation(
        row["op"],
        row["change"],
        row["reason"],
        row["id"],
        int(row["pk"]),
        tuple(json.loads(row["changed"])),
        _fields(row),
    )


def _held(row: Mapping[str, Any]) -> Held:
    flags = {name: row[name] for name in ("acked", "unknown", "owed", "attempts")}
    return Held(int(row["pk"]), **flags, fields=_fields(row))
