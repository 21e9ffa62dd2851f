"""A version is what was captured, whether it is kept whole or put together from an older one and the changes since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bootstrap import open_app
from engine.core.names import VersionNumber, dataset_id
from engine.errors import StorageError
from engine.ledger.projections import versions
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.look import diff_versions
from engine.steps.capture import Accepted, Unchanged, capture
from engine.steps.snapshots import snapshot_table
from tests.projects import CONTRACT, TestProject
from tests.property.effort import PATIENCE, examples

pytestmark = PATIENCE
PEOPLE = dataset_id("people", 1)
SCHEMA = pa.schema(
    [
        ("area", pa.string()),
        ("id", pa.int64()),
        ("name", pa.string()),
        ("score", pa.float64()),
        ("spent", pa.decimal128(12, 2)),
        ("seen", pa.timestamp("us", "UTC")),
        ("agreed", pa.bool_()),
    ]
)
KEY = ("area", "id")
COLUMNS: list[dict[str, Any]] = [
    {"name": "area", "logicalType": "string", "primaryKey": True, "primaryKeyPosition": 1, "required": True},
    {"name": "id", "logicalType": "integer", "primaryKey": True, "primaryKeyPosition": 2, "required": True},
    {"name": "name", "logicalType": "string"},
    {"name": "score", "logicalType": "number", "physicalType": "double"},
    {"name": "spent", "logicalType": "number", "physicalType": "decimal(12,2)"},
    {"name": "seen", "logicalType": "timestamp"},
    {"name": "agreed", "logicalType": "boolean"},
]
Key = tuple[str, int]
Version = dict[Key, dict[str, Any]]

_values = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "a", "é", "e\u0301", "null", None]),
        "score": st.sampled_from([0.0, 0.1, 1e300, None]),
        "spent": st.sampled_from([Decimal("0.00"), Decimal("1.10"), Decimal("-9999999999.99"), None]),
        "seen": st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, 1, UTC), None]),
        "agreed": st.sampled_from([True, False, None]),
    }
)
_keys = st.tuples(st.sampled_from(["n", "s"]), st.integers(0, 3))
_edits = st.dictionaries(_keys, st.one_of(_values, _values, st.none()), max_size=5)
histories = st.tuples(st.dictionaries(_keys, _values, min_size=1, max_size=6), st.lists(_edits, max_size=5))


def opened(folder: Path) -> tuple[TestProject, App]:
    project = TestProject(folder, "http://127.0.0.1:1")
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, "schema": [{"name": "people", "properties": COLUMNS}]})
    fields = {"name": "name"}
    project.sync("people_to_hook", match={"area": "area", "id": "id"}, fields=fields)
    return project, open_app(folder, environment=None)


def table_of(rows: Version) -> pa.Table:
    listed = [{"area": area, "id": id, **values} for (area, id), values in rows.items()]
    return pa.Table.from_pylist(listed, schema=SCHEMA)


def captured(project: TestProject, app: App, history: Sequence[Version]) -> list[Version]:
    """Capture one state of the source after the other; returns those that became versions."""
    kept: list[Version] = []
    for rows in history:
        project.data(table_of(rows))
        result = capture(app.tools, app.dataset("people"))
        if kept and rows == kept[-1]:
            assert isinstance(result, Unchanged)
        else:
            assert isinstance(result, Accepted), result
            kept.append(dict(rows))
            assert result.version == len(kept)
    return kept


def read(app: App, number: int) -> Version:
    with app.tools.compute.session() as session:
        rows = session.fetch(snapshot_table(app.tools, session, PEOPLE, VersionNumber(number)))
    found = {tuple(row.pop(name) for name in KEY): row for row in rows}
    assert len(found) == len(rows), "a key came twice"
    return found


def grown(first: Version, edits: Sequence[Mapping[Key, dict[str, Any] | None]]) -> list[Version]:
    history = [first]
    for changes in edits:
        rows = {**history[-1], **changes}
        left = {key: values for key, values in rows.items() if values is not None}
        history.append(left or history[-1])
    return history


@examples(12)
@given(history=histories)
def test_every_version_is_rebuilt_from_every_older_snapshot_as_it_was_captured(history: tuple[Any, Any]) -> None:
    with TemporaryDirectory() as made:
        project, app = opened(Path(made))
        kept = captured(project, app, grown(*history))
        assert [read(app, number) for number in range(1, len(kept) + 1)] == kept

        listed = {row.version: row for row in versions.listing(app.tools.database, PEOPLE)}
        for number in range(len(kept), 1, -1):
            app.tools.storage.remove(listed[VersionNumber(number)].snapshot)
            assert [read(app, n) for n in range(number, len(kept) + 1)] == kept[number - 1 :]
        assert [read(app, number) for number in range(1, len(kept) + 1)] == kept
        app.close()


@examples(8)
@given(history=histories)
def test_the_difference_of_two_versions_is_that_of_their_rows(history: tuple[Any, Any]) -> None:
    with TemporaryDirectory() as made:
        project, app = opened(Path(made))
        kept = captured(project, app, grown(*history))
        for a, before in enumerate(kept, 1):
            for b, after in enumerate(kept, 1):
                found = diff_versions(app, "people", a, b, samples=0)
                both = before.keys() & after.keys()
                assert (found.inserts, found.updates, found.deletes) == (
                    len(after.keys() - before.keys()),
                    sum(before[key] != after[key] for key in both),
                    len(before.keys() - after.keys()),
                )
        app.close()


def test_a_version_whose_chain_is_broken_is_named_and_not_guessed(tmp_path: Path) -> None:
    project, app = opened(tmp_path)
    one = {("n", 1): {"name": "a", "score": None, "spent": None, "seen": None, "agreed": None}}
    two = {("n", 1): {**one[("n", 1)], "name": "b"}}
    captured(project, app, [one, two])
    second = versions.listing(app.tools.database, PEOPLE)[-1]
    assert second.changes is not None
    app.tools.storage.remove(second.snapshot)
    app.tools.storage.remove(second.changes)

    with pytest.raises(StorageError, match="changes"):
        read(app, 2)
    assert read(app, 1) == one
    app.close()


def test_versions_live_in_a_store_of_objects_as_they_do_in_a_folder(tmp_path: Path) -> None:
    project, app = opened(tmp_path)
    objects = Storage("memory://tidegate-versions", scratch=app.scratch, entropy=app.tools.entropy)
    app = replace(app, tools=replace(app.tools, storage=objects))
    one = {("n", 1): {"name": "a", "score": 0.5, "spent": Decimal("1.10"), "seen": None, "agreed": True}}
    two = {**one, ("s", 1): {**one[("n", 1)], "name": "b"}}

    kept = captured(project, app, [one, two, two, one])

    assert kept == [one, two, one]
    assert [read(app, number) for number in (1, 2, 3)] == kept
    assert not (tmp_path / ".tidegate" / "segments").exists()
    app.close()
