"""The planner as `engine.steps` drives it, over tables of fixed names whose rows an example replaces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table

from engine.core.canonical import key_text
from engine.core.consent import taken_back
from engine.core.consent_rule import OnWithdrawal
from engine.core.desired import FIELD, desired, ids, touched_rows
from engine.core.desired import Mapping as SyncMapping
from engine.core.names import Digest
from engine.core.plan import PlanRules, compared, counts, operations
from engine.core.quarantine import claims, left_alone, without_claimed
from engine.core.state import FACTS, folded, live
from engine.core.touched import ids_are_keys, keyed_rows, moving, touched_ids, touched_keys
from engine.segments.compute import ORDINAL, Session
from engine.segments.digest import content_digest
from tests.property.model import FIELDS, MAX_ATTEMPTS, Held, Operation, Row, State
from tests.property.tables import Tables

ROWS = pa.schema(
    [("pk", pa.int64()), ("mail", pa.string()), ("a", pa.string()), ("b", pa.int64()), ("subject", pa.string())]
)
SUBJECTS = pa.schema([("subject", pa.string()), ("basis", pa.string())])
REGISTER = pa.schema([("reach", pa.string())])
PKS = pa.schema([("pk", pa.string())])
EXCEPTIONS = pa.schema([("ordinal", pa.int64()), ("outcome", pa.string()), ("uncertain", pa.bool_())])
STATE = ibis.schema({**FACTS, **{FIELD + name: "string" for name in FIELDS}}).to_pyarrow()
KEY = ("pk",)
LAYERS = ("bottom", "middle", "top")


class Stage:
    """One sync: versions of its dataset, who granted, and the delivered state as a stack of segments."""

    def __init__(
        self, session: Session, mapping: SyncMapping, folder: Path, name: str, *, holds_doubt: bool = False
    ) -> None:
        self._mapping = mapping
        on_withdrawal = mapping.consent.on_withdrawal if mapping.consent else OnWithdrawal.DELETE
        self._rules = PlanRules(mapping.mode, MAX_ATTEMPTS, holds_doubt, on_withdrawal=on_withdrawal)
        self._file = folder / f"{name}.parquet"
        self._tables = Tables(session, name)
        rows = self._tables.given("rows", ROWS)
        subjects = self._tables.given("subjects", SUBJECTS)
        self._register = self._tables.given("register", REGISTER)
        self._bad = self._tables.given("bad", PKS)
        self._granted = subjects if mapping.consent else None
        layers = [self._tables.given(layer, STATE) for layer in LAYERS]
        self._prepare_full(rows, layers)
        self._prepare_incremental(rows, layers)
        self._prepare_fold(layers)

    def reset(self) -> None:
        """No version, no decision, nothing delivered."""
        for name in ("rows", "subjects", "register", "bad", *LAYERS):
            self._tables.put(name, ())

    def version(self, rows: Mapping[int, Row], bad: Iterable[int]) -> None:
        """The newest version, and which of its rows are quarantined."""
        self._tables.put("bad", ({"pk": str(pk)} for pk in bad))
        listed = ({"pk": pk, "mail": r.mail, "a": r.a, "b": r.b, "subject": r.subject} for pk, r in rows.items())
        self._tables.put("rows", listed)

    def grant(self, subjects: Iterable[str], known: Iterable[str]) -> None:
        """Who consents, and about whom anything was ever decided."""
        self._tables.put("register", ({"reach": subject} for subject in known))
        self._tables.put("subjects", ({"subject": subject, "basis": None} for subject in subjects))

    def plan(self) -> list[Operation]:
        """The plan of a comparison of everything with everything."""
        self._tables.fill("claimed", "full")
        self._tables.write("plan", self._file)
        return self._written()

    def plan_incrementally(self, changed: Iterable[int]) -> list[Operation]:
        """The plan of a comparison of what is unsettled, and of what rows touch whose values or standing ``changed``."""
        self._tables.put("changed", ({"pk": str(pk)} for pk in changed))
        self._tables.fill(*self._narrowing, "touched", "held", "wanted", "incremental")
        self._tables.write("quick plan", self._file)
        return self._written()

    def digest(self) -> Digest:
        """The digest of the last plan's content."""
        return content_digest(self._file, ["op", "id", "key", "changed", *(FIELD + name for name in FIELDS)])

    def counts(self) -> dict[str, int]:
        """How many records got each verdict in the last comparison of everything."""
        self._tables.fill("counts")
        (row,) = self._tables.fetch("counts")
        return {name: int(number) for name, number in row.items()}

    def fold(self, exceptions: Mapping[int, str]) -> None:
        """Remember the outcomes of the last plan; rows that ``exceptions`` does not name were delivered."""
        self._tables.read("planned", self._file, ", file_row_number = true")
        named = ({"ordinal": place, "outcome": word, "uncertain": False} for place, word in exceptions.items())
        self._tables.put("exceptions", named)
        self._tables.fill("folded", "merged")
        self._tables.copy("merged", "bottom")
        self._tables.copy("top", "middle")
        self._tables.copy("folded", "top")

    def state(self) -> State:
        """The delivered state as the model has it, but for what was tried."""
        self._tables.fill("live")
        return {row["id"]: _held(row) for row in self._tables.fetch("live")}

    def _prepare_full(self, rows: Table, layers: list[Table]) -> None:
        wanted = desired(rows, self._mapping, KEY, self._granted)
        mine = desired(rows.filter(key_text([rows["pk"]]).isin(self._bad.pk)), self._mapping, KEY, self._granted)
        self._claimed = self._tables.computed("claimed", claims(mine, ids(rows, self._mapping, KEY)))
        judged = self._tables.computed("full", self._compared(wanted, live(layers)))
        self._tables.computed("plan", operations(judged))
        self._tables.computed("counts", counts(judged))
        self._tables.computed("live", live(layers))

    def _prepare_incremental(self, rows: Table, layers: list[Table]) -> None:
        changed = self._tables.given("changed", PKS)
        self._narrowing: tuple[str, ...] = ()
        if ids_are_keys(self._mapping, KEY):
            touched = self._tables.computed("touched", touched_keys(changed, live(layers)))
            touching = keyed_rows(rows, KEY, touched)
        else:
            now, self._narrowing = ids(rows, self._mapping, KEY), ("moving",)
            in_motion = self._tables.computed("moving", moving(changed, now, live(layers)))
            touched = self._tables.computed("touched", touched_ids(in_motion, now, live(layers)))
            touching = touched_rows(rows, self._mapping, KEY, touched, in_motion)
        held = self._tables.computed("held", live([layer.semi_join(touched, "id") for layer in layers]))
        wanted = self._tables.computed("wanted", desired(touching, self._mapping, KEY, self._granted))
        judged = self._tables.computed("incremental", self._compared(wanted, held))
        self._tables.computed("quick plan", operations(judged))

    def _compared(self, wanted: Table, held: Table) -> Table:
        refused = None if self._granted is None else taken_back(held, self._register, self._granted)
        judged = compared(without_claimed(wanted, self._claimed), held, self._rules, refused)
        return left_alone(judged, self._claimed)

    def _prepare_fold(self, layers: list[Table]) -> None:
        plan = self._tables.schema("plan").append(pa.field(ORDINAL, pa.int64()))
        planned = self._tables.given("planned", plan)
        exceptions = self._tables.given("exceptions", EXCEPTIONS)
        self._tables.computed("folded", folded(planned, exceptions, ORDINAL))
        self._tables.computed("merged", live(layers[:2]))

    def _written(self) -> list[Operation]:
        return [_operation(row) for row in pq.read_table(self._file).to_pylist()]


def _fields(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[FIELD + name] for name in FIELDS if row[FIELD + name] is not None}


def _operation(row: Mapping[str, Any]) -> Operation:
    assert {name: str(value) for name, value in json.loads(row["key"]).items()} == {"mail": row["id"]}
    return Operation(
        row["op"],
        row["change"],
        row["reason"],
        row["id"],
        int(row["pk"]),
        row["subject"],
        tuple(json.loads(row["changed"])),
        _fields(row),
    )


def _held(row: Mapping[str, Any]) -> Held:
    flags = {name: row[name] for name in ("acked", "unknown", "owed", "attempts", "inert")}
    return Held(int(row["pk"]), **flags, subject=row["subject"] or "", fields=_fields(row))
