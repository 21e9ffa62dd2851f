"""A version is its snapshot plus the changes after it, whatever the rows and whatever became of the columns (promise 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.diff import CHANGE, IncomparableTypes, change_rows, changed_keys, version_rows
from engine.segments.compute import Session
from tests.property.effort import examples
from tests.property.tables import Tables

KEY = ("region", "number")
KEYS = (("region", pa.string()), ("number", pa.int64()))
NAME, POINTS, SHARE = ("name", pa.string()), ("points", pa.int64()), ("share", pa.decimal128(10, 2))
VERSIONS = 3

Row = dict[str, Any]
Rows = dict[tuple[str, int], Row]

SHAPES: Mapping[str, tuple[pa.Schema, ...]] = {
    name: tuple(pa.schema([*KEYS, *columns]) for columns in versions)
    for name, versions in {
        "same": [(NAME, POINTS, SHARE)] * 3,
        "only_keys": [()] * 3,
        "reordered": [(NAME, POINTS), (POINTS, NAME), (NAME, POINTS)],
        "added": [(NAME,), (NAME, POINTS), (NAME, POINTS, SHARE)],
        "removed": [(NAME, POINTS, SHARE), (NAME, POINTS), (NAME,)],
        "removed_and_back": [(NAME, POINTS), (NAME,), (NAME, POINTS)],
        "exchanged": [(NAME,), (POINTS,), (NAME,)],
        "widened": [(POINTS,), (("points", pa.decimal128(38, 0)),), (("points", pa.decimal128(38, 2)),)],
        "narrowed": [(("points", pa.decimal128(38, 2)),), (("points", pa.decimal128(38, 0)),), (POINTS,)],
    }.items()
}

WHOLE = st.none() | st.integers(-1, 2)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from([None, "", "a", "A", "é", "null"]),
    "points": WHOLE,
    "share": st.sampled_from([None, Decimal("0.00"), Decimal("0.10"), Decimal("-1.00")]),
}
PLACES = st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 2))
HISTORIES = st.lists(st.dictionaries(PLACES, st.fixed_dictionaries(dict(VALUES)), max_size=9), min_size=3, max_size=3)


def fitting(rows: Rows, schema: pa.Schema) -> list[Row]:
    """Rows as a version with these columns holds them."""
    return [
        {**dict(zip(KEY, place, strict=True)), **{n: row[n] for n in schema.names if n not in KEY}}
        for place, row in rows.items()
    ]


def by_key(rows: list[Row]) -> Rows:
    found = {(row["region"], row["number"]): row for row in rows}
    assert len(found) == len(rows), "a key stands twice"
    return found


def differences(before: list[Row], after: list[Row], schema: pa.Schema) -> dict[tuple[str, int], str]:
    """What `changed_keys` must find: a column that ``before`` lacks is null there."""
    old = {key: {n: row.get(n) for n in schema.names} for key, row in by_key(before).items()}
    new = by_key(after)
    kinds = {key: "insert" if key not in old else "delete" if key not in new else "update" for key in old | new}
    return {key: kind for key, kind in kinds.items() if old.get(key) != new.get(key)}


@dataclass
class Chain:
    """Versions with given columns, the changes between them, and the last one put together again."""

    tables: Tables
    schemas: tuple[pa.Schema, ...]

    @classmethod
    def made(cls, session: Session, prefix: str, schemas: tuple[pa.Schema, ...]) -> Chain:
        tables = Tables(session, prefix)
        versions = [tables.given(f"v{n}", schema) for n, schema in enumerate(schemas)]
        segments = []
        for n in range(1, VERSIONS):
            keys = tables.computed(f"keys{n}", changed_keys(versions[n - 1], versions[n], KEY))
            segments.append(tables.computed(f"c{n}", change_rows(keys, versions[n - 1], versions[n], KEY)))
        tables.computed("rebuilt", version_rows(versions[0], segments, KEY))
        return cls(tables, schemas)

    def happen(self, history: list[Rows]) -> list[list[Row]]:
        """Fill everything, and return the rows of each version."""
        versions = [fitting(rows, schema) for rows, schema in zip(history, self.schemas, strict=True)]
        for n, rows in enumerate(versions):
            self.tables.put(f"v{n}", rows)
        self.tables.fill("keys1", "c1", "keys2", "c2", "rebuilt")
        return versions


Chains = Callable[[str], Chain]


@pytest.fixture(scope="session")
def chains(session: Session) -> Chains:
    made: dict[str, Chain] = {}

    def chain(shape: str) -> Chain:
        if shape not in made:
            made[shape] = Chain.made(session, f"diff_{shape}_", SHAPES[shape])
        return made[shape]

    return chain


@pytest.mark.parametrize("shape", SHAPES)
def test_changes_are_the_rows_that_differ_and_with_the_snapshot_they_are_the_version(
    chains: Chains, shape: str
) -> None:
    @given(history=HISTORIES)
    @examples(25)
    def held(history: list[Rows]) -> None:
        chain = chains(shape)
        versions = chain.happen(history)
        for n in range(1, VERSIONS):
            before, after = by_key(versions[n - 1]), by_key(versions[n])
            expected = differences(versions[n - 1], versions[n], chain.schemas[n])
            assert {key: row[CHANGE] for key, row in by_key(chain.tables.fetch(f"keys{n}")).items()} == expected
            for key, row in by_key(chain.tables.fetch(f"c{n}")).items():
                source = before[key] if expected.pop(key) == "delete" else after[key]
                assert row.items() - {(CHANGE, row[CHANGE])} == {(c, source.get(c)) for c in chain.schemas[n].names}
            assert expected == {}, "every changed key has its row"
        assert by_key(chain.tables.fetch("rebuilt")) == by_key(versions[-1])

    held()


def test_a_new_column_that_holds_nothing_changes_no_row(chains: Chains) -> None:
    chain, rows = chains("added"), {("a", 1): {"name": "x", "points": None, "share": None}}

    chain.happen([rows, rows, rows])

    assert chain.tables.fetch("keys1") == chain.tables.fetch("keys2") == []


def test_a_version_without_later_changes_is_its_snapshot(session: Session) -> None:
    snapshot = session.rows(pa.table({"id": [1, 2], "name": ["a", None]}))

    assert session.fetch(version_rows(snapshot, [], ["id"])) == session.fetch(snapshot)


def test_of_many_changes_of_a_key_the_newest_counts(session: Session) -> None:
    """Ten segments in which rows come, change and go; names repeat in no order that sorting could find."""
    number, rows = count(), {1: "start", 2: "start"}
    history = [dict(rows)]
    for step in range(10):
        rows = {key: f"{9 - step}" if (key + step) % 3 else name for key, name in rows.items() if (key + step) % 5}
        rows[step] = f"{next(number)}"
        history.append(dict(rows))
    tables = [
        session.rows(pa.table({"id": pa.array(v, pa.int64()), "name": pa.array(v.values(), pa.string())}))
        for v in history
    ]
    segments = [
        session.cached(change_rows(session.cached(changed_keys(before, after, ["id"])), before, after, ["id"]))
        for before, after in pairwise(tables)
    ]

    for n in range(len(history)):
        rebuilt = session.fetch(version_rows(tables[0], segments[:n], ["id"]))
        assert {row["id"]: row["name"] for row in rebuilt} == history[n]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pa.array(["1"]), pa.array([1])),
        (pa.array([1]), pa.array(["1"])),
        (pa.array([True]), pa.array([1])),
        (pa.array([b"1"]), pa.array(["1"])),
        (pa.array([0], pa.date32()), pa.array([0], pa.timestamp("us"))),
    ],
)
def test_another_kind_of_value_is_refused_instead_of_changing_every_row(
    session: Session, before: pa.Array, after: pa.Array
) -> None:
    old, new = (session.rows(pa.table({"id": [1], "v": values})) for values in (before, after))

    with pytest.raises(IncomparableTypes) as error:
        changed_keys(old, new, ["id"])

    assert error.value.column == "v"


def test_a_number_in_another_exact_type_is_the_same_number(session: Session) -> None:
    whole = session.rows(pa.table({"id": [1], "v": pa.array([2**53 + 1], pa.int64())}))
    exact = session.rows(pa.table({"id": [1], "v": pa.array([Decimal(2**53 + 1)], pa.decimal128(20, 2))}))
    other = session.rows(pa.table({"id": [1], "v": pa.array([Decimal(2**53)], pa.decimal128(20, 2))}))

    assert session.fetch(changed_keys(whole, exact, ["id"])) == session.fetch(changed_keys(exact, whole, ["id"])) == []
    assert session.fetch(changed_keys(whole, other, ["id"])) == [{CHANGE: "update", "id": 1}]
