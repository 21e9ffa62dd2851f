"""Suppression lists and a dataset change in any order: the incremental plan is the full one, and nobody listed is held.

Holds promises 2, 3 and 7 of the design for lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ibis.expr.types import Table

from engine.core.desired import FIELD, FieldMapping, MatchKey, Mode, Refusal, desired, ids, touched_rows
from engine.core.desired import Mapping as SyncMapping
from engine.core.plan import PlanRules, compared, operations
from engine.core.state import FACTS, folded, live
from engine.core.suppression import Identifier, entries, listed_records, suppressed_keys, unproven
from engine.core.touched import moving, touched_ids
from engine.segments.compute import ORDINAL, Compute
from tests.property.effort import PATIENCE, examples
from tests.property.tables import Tables

pytestmark = PATIENCE
KEY = ("pk",)
FIELDS = (FieldMapping("a", "a"), FieldMapping("sent", "mail"))
COLUMNS = {"mail": Identifier.EMAIL, "other": Identifier.EMAIL}
MAPPING = SyncMapping("people", Mode.UPSERT, (MatchKey("pk", "pk"),), FIELDS)
ROWS = pa.schema([("pk", pa.int64()), ("mail", pa.string()), ("other", pa.string()), ("a", pa.int64())])
STATE = ibis.schema({**FACTS, **{FIELD + field.target: "string" for field in FIELDS}}).to_pyarrow()
EXCEPTIONS = pa.schema([("ordinal", pa.int64()), ("outcome", pa.string()), ("uncertain", pa.bool_())])
MAILS = ("ada@x.example", "Ada@X.example ", "b.o@gmail.com", "bo+news@gmail.com", "cy@x.example", "nobody")
PEOPLE: Mapping[str, str] = dict(zip(MAILS, ("ada", "ada", "bo", "bo", "cy", ""), strict=True))
"""Who an address belongs to, however it is written; nobody in the last case, which is none."""


@dataclass(frozen=True)
class Row:
    """What becomes of one person's row."""

    mail: str | None
    other: str | None
    a: int


@dataclass(frozen=True)
class Round:
    """Changes before a run (None removes a row), the list if it changed, and which rows the destination refuses."""

    edits: Mapping[int, Row | None]
    listed: frozenset[str] | None
    refused: frozenset[int]


_ROW = st.builds(Row, st.sampled_from([*MAILS, None]), st.sampled_from([*MAILS, None, None]), st.integers(0, 1))
_PKS = st.integers(0, 5)
_ROUND = st.builds(
    Round,
    st.dictionaries(_PKS, st.one_of(_ROW, _ROW, st.none()), max_size=4),
    st.one_of(st.none(), st.frozensets(st.sampled_from(MAILS[:5]), max_size=3)),
    st.frozensets(_PKS, max_size=2),
)


class Lane:
    """One sync: its rows, its list, and what its destination holds."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        rows = tables.given("rows", ROWS)
        listed = tables.computed(
            "list", entries(tables.given("values", pa.schema([("value", pa.string())])), Identifier.EMAIL)
        )
        state, key = tables.given("state", STATE), KEY
        self._listed = listed
        bars = suppressed_keys(rows, COLUMNS, {Identifier.EMAIL: listed}, key)
        bars = tables.computed("bars", bars.mutate(reason=ibis.literal(Refusal.SUPPRESSED.value)))
        full = tables.computed("full", self._plan(desired(rows, MAPPING, key, None, bars), live([state])))
        tables.computed("unproven", unproven(full, rows, COLUMNS, {Identifier.EMAIL: listed}, key))
        self._incremental(rows, state, bars)
        planned = tables.given("planned", tables.schema("full").append(pa.field(ORDINAL, pa.int64())))
        after = folded(planned, tables.given("exceptions", EXCEPTIONS), ORDINAL)
        new = tables.computed("folded", after)
        tables.computed("next", live([state, new]))

    def _incremental(self, rows: Table, state: Table, bars: Table) -> None:
        now = ids(rows, MAPPING, KEY)
        changed = self._tables.given("changed", pa.schema([("pk", pa.string())]))
        in_motion = self._tables.computed("moving", moving(changed, now, live([state])))
        touched = self._tables.computed("touched", touched_ids(in_motion, now, live([state])))
        near = touched_rows(rows, MAPPING, KEY, touched, in_motion)
        held = live([state]).semi_join(touched, "id")
        wanted = desired(near, MAPPING, KEY, None, bars)
        self._tables.computed("incremental", self._plan(wanted, held))

    def _plan(self, wanted: Table, held: Table) -> Table:
        lists = ((Identifier.EMAIL, self._listed),)
        refused = listed_records(held, MAPPING, KEY, tuple(COLUMNS.items()), lists)
        return operations(compared(wanted, held, PlanRules(Mode.UPSERT, 5), refused))

    def reset(self) -> None:
        for name in ("rows", "values", "state"):
            self._tables.put(name, ())

    def become(self, rows: Mapping[int, Row], listed: frozenset[str]) -> None:
        self._tables.put("rows", ({"pk": pk, "mail": r.mail, "other": r.other, "a": r.a} for pk, r in rows.items()))
        self._tables.put("values", ({"value": value} for value in sorted(listed)))
        self._tables.fill("list", "bars")

    def plan(self, changed: set[int] | None) -> list[dict[str, Any]]:
        """The full plan, which an incremental one must equal; no row of it may be unproven."""
        self._tables.fill("full", "unproven")
        planned = self._tables.fetch("full")
        assert self._tables.fetch("unproven") == []
        if changed is not None:
            self._tables.put("changed", ({"pk": str(pk)} for pk in changed))
            self._tables.fill("moving", "touched", "incremental")
            assert self._tables.fetch("incremental") == planned
        return planned

    def fold(self, planned: list[dict[str, Any]], refused: frozenset[int]) -> None:
        self._tables.put("planned", ({**row, ORDINAL: place} for place, row in enumerate(planned)))
        exceptions = (
            {"ordinal": place, "outcome": "rejected", "uncertain": False}
            for place, row in enumerate(planned)
            if int(row["pk"]) in refused
        )
        self._tables.put("exceptions", exceptions)
        self._tables.fill("folded", "next")
        self._tables.copy("next", "state")

    def held(self) -> dict[int, str | None]:
        """The address that each record was sent with."""
        return {int(row["pk"]): json.loads(row[FIELD + "sent"]) for row in self._tables.fetch("state") if row["acked"]}


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as session:
        yield Lane(Tables(session, "lane"))


@examples(8)
@given(history=st.lists(_ROUND, min_size=1, max_size=6))
def test_whatever_becomes_of_lists_and_rows_nobody_listed_is_sent_or_held(lane: Lane, history: list[Round]) -> None:
    lane.reset()
    rows: dict[int, Row] = {}
    listed: frozenset[str] = frozenset()
    gone: set[int] = set()
    for round in [*history, Round({}, None, frozenset())]:
        before, rows = rows, {**rows, **{pk: row for pk, row in round.edits.items() if row is not None}}
        rows = {pk: row for pk, row in rows.items() if pk not in round.edits or round.edits[pk] is not None}
        gone = (gone | before.keys()) - rows.keys()
        is_new_list = round.listed is not None and round.listed != listed
        listed = listed if round.listed is None else round.listed
        lane.become(rows, listed)
        changed = {pk for pk in before.keys() | rows.keys() if before.get(pk) != rows.get(pk)}

        planned = lane.plan(None if is_new_list else changed)

        people = {PEOPLE[mail] for mail in listed}
        about = {pk for pk, row in rows.items() if people & {PEOPLE.get(row.mail or ""), PEOPLE.get(row.other or "")}}
        assert {int(o["pk"]) for o in planned if o["op"] != "delete"}.isdisjoint(about)
        assert {o["reason"] for o in planned if o["op"] == "delete"} <= {"suppressed"}
        lane.fold(planned, round.refused)

    held = lane.held()
    assert held.keys() - gone == rows.keys() - about
    assert people.isdisjoint({PEOPLE.get(mail or "") for mail in held.values()}), "also of rows that had left before"
    assert lane.plan(set()) == []
