"""A version is what was captured, whether it is kept whole or put together from an older one and the changes since."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bootstrap import open_app
from engine.core.schema import Column, LogicalType, TableSchema
from engine.errors import SegmentDamaged
from engine.service.app import App
from engine.service.look import diff_versions, version_list
from engine.steps.capture import Accepted, Captured, Unchanged
from tests.projects import TestProject
from tests.property.effort import PATIENCE, examples
from tests.versions.kept import Kept, Shelf

pytestmark = PATIENCE
KEY = ("area", "id")
COLUMNS = (
    Column("area", LogicalType.STRING, required=True, key_position=1),
    Column("id", LogicalType.INTEGER, required=True, key_position=2),
    Column("name", LogicalType.STRING),
    Column("score", LogicalType.DOUBLE),
    Column("spent", LogicalType.DECIMAL, precision=12, scale=2),
    Column("seen", LogicalType.TIMESTAMP),
    Column("agreed", LogicalType.BOOLEAN),
)
ADDED = Column("added", LogicalType.STRING)
TYPES = pa.schema(
    [
        ("area", pa.string()),
        ("id", pa.int64()),
        ("name", pa.string()),
        ("score", pa.float64()),
        ("spent", pa.decimal128(12, 2)),
        ("seen", pa.timestamp("us", "UTC")),
        ("agreed", pa.bool_()),
        ("added", pa.string()),
    ]
)
Key = tuple[str, int]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """What the source holds at one time, and whether the contract has `ADDED` by then."""

    rows: Mapping[Key, Row]
    has_added: bool

    @property
    def schema(self) -> TableSchema:
        return TableSchema((*COLUMNS, ADDED) if self.has_added else COLUMNS)

    @property
    def table(self) -> pa.Table:
        listed = [{**dict(zip(KEY, key, strict=True)), **row} for key, row in self.rows.items()]
        return pa.Table.from_pylist(listed, schema=TYPES).select(self.schema.names)

    @property
    def captured(self) -> dict[Key, Row]:
        """The rows as a version has them: what is no number is null, and a column without a contract is not there."""
        names = [name for name in self.schema.names if name not in KEY]
        return {key: {name: _value(row[name]) for name in names} for key, row in self.rows.items()}


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def changes(before: State, after: State) -> tuple[int, int, int]:
    """Inserts, updates and deletes, by sets."""
    old, new = before.captured, after.captured
    both = old.keys() & new.keys()
    updated = [key for key in both if any(old[key].get(name) != value for name, value in new[key].items())]
    return len(new.keys() - old.keys()), len(updated), len(old.keys() - new.keys())


def texts(*others: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from(
        ["", "a", "null", "\u00e9", "e\u0301", "\U0001f469\u200d\U0001f680", "'\n\\\"", None, *others]
    )


_rows = st.fixed_dictionaries(
    {
        "name": texts(" a", "A"),
        "score": st.sampled_from([0.0, -0.0, 0.1, math.nextafter(0.1, 1), 1e300, 5e-324, math.nan, None]),
        "spent": st.sampled_from([Decimal("0.00"), Decimal("1.10"), Decimal("-9999999999.99"), None]),
        "seen": st.sampled_from([datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, UTC), None]),
        "agreed": st.sampled_from([True, False, None]),
        "added": texts(),
    }
)
_keys = st.tuples(st.sampled_from(["", "\u00e9", "s"]), st.sampled_from([0, 1, 2**53 + 1, -(2**63)]))
_edits = st.dictionaries(_keys, st.one_of(_rows, _rows, st.none()), max_size=5)
_steps = st.lists(st.tuples(st.sampled_from([False, False, True]), _edits), max_size=5)


def _told(first: State, steps: Sequence[tuple[bool, Mapping[Key, Row | None]]]) -> list[State]:
    history = [first]
    for turns, edits in steps:
        rows = {key: row for key, row in {**history[-1].rows, **edits}.items() if row is not None}
        history.append(State(rows, history[-1].has_added is not turns))
    return history


histories = st.builds(_told, st.builds(State, st.dictionaries(_keys, _rows, max_size=6), st.booleans()), _steps)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("versions")
    TestProject(folder, "http://127.0.0.1:1")
    opened = open_app(folder, environment=None)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shelf(app: App) -> Shelf:
    return Shelf(app.tools)


def capture_all(kept: Kept, history: Sequence[State]) -> list[State]:
    """Capture one state after the other; returns those that must have become versions."""
    made: list[State] = []
    for state in history:
        is_new = not made or any(changes(made[-1], state)) or made[-1].has_added is not state.has_added
        if is_new:
            made.append(state)
        assert_captured(kept.capture(state.schema, state.table), made, is_new=is_new)
        assert isinstance(kept.capture(state.schema, state.table), Unchanged)
    return made


def assert_captured(result: Captured, made: Sequence[State], *, is_new: bool) -> None:
    assert isinstance(result, Accepted if is_new else Unchanged), result
    assert (result.version, result.rows) == (len(made), len(made[-1].rows))
    if isinstance(result, Accepted):
        before = made[-2] if len(made) > 1 else State({}, has_added=False)
        assert (result.inserts, result.updates, result.deletes) == changes(before, made[-1])


def assert_reads(kept: Kept, numbers: range, made: Sequence[State]) -> None:
    for number, table in zip(numbers, kept.tables(numbers), strict=True):
        state = made[number - 1]
        assert table.schema.names == list(state.schema.names)
        assert table.schema.types == state.table.schema.types
        rows = table.to_pylist()
        assert {tuple(row.pop(name) for name in KEY): row for row in rows} == state.captured
        assert len(rows) == len(state.rows), "no key came twice"


@pytest.mark.slow
@examples(10)
@given(history=histories)
def test_every_version_is_rebuilt_from_every_older_snapshot_as_it_was_captured(
    shelf: Shelf, history: list[State]
) -> None:
    kept = shelf.dataset()
    made = capture_all(kept, history)
    assert_reads(kept, range(1, len(made) + 1), made)

    for number in range(len(made), 1, -1):
        kept.forget(number)
        assert_reads(kept, range(number, len(made) + 1), made)
    assert_reads(kept, range(1, len(made) + 1), made)


@pytest.mark.slow
@examples(8)
@given(history=histories, distance=st.integers(1, 5), forgotten=st.sets(st.integers(2, 6)))
def test_the_difference_of_two_versions_is_that_of_their_rows(
    app: App, shelf: Shelf, history: list[State], distance: int, forgotten: set[int]
) -> None:
    kept = shelf.dataset()
    made = capture_all(kept, history)
    for number in forgotten & set(range(2, len(made) + 1)):
        kept.forget(number)
    known = replace(app, datasets={kept.id: kept.dataset(made[-1].schema, made[-1].table)})
    assert [row.version for row in version_list(known, kept.id) if not row.snapshot_kept] == sorted(
        forgotten & set(range(2, len(made) + 1))
    )
    for a in range(len(made)):
        b = (a + distance) % len(made)
        found = diff_versions(known, kept.id, a + 1, b + 1, samples=1)
        assert (found.inserts, found.updates, found.deletes) == changes(made[a], made[b])


@pytest.mark.parametrize("lost", ["changes", "snapshot"])
def test_a_version_whose_chain_is_broken_is_named_and_not_guessed(shelf: Shelf, lost: str) -> None:
    kept = shelf.dataset()
    row = dict.fromkeys(TYPES.names[len(KEY) :])
    states = [State({("n", 1): {**row, "name": name}}, has_added=False) for name in ("a", "b", "c")]
    made = capture_all(kept, states)
    kept.forget(2)
    second = kept.listed(2)
    assert second.changes is not None
    broken = second.changes if lost == "changes" else kept.listed(1).snapshot
    kept.tools.storage.remove(broken)

    with pytest.raises(SegmentDamaged, match=f"{broken.path} is missing"):
        kept.rows(2)
    assert_reads(kept, range(3, 4), made)
