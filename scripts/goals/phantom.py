"""G16: equal data in another encoding plans nothing, and the smallest change of one value is seen.

A hundred thousand rows in twelve encodings by three writers: pyarrow, DuckDB, and pandas (which brings its own types and
writes through pyarrow). A whole run must call each of them unchanged. Then comes the same with one other row and the
mapping's fields in another order, so that a version is made of it and everything is compared with what was delivered:
that one row must be planned and nothing else.

Then values are changed one at a time, each by the least that its type can say: every one is an update of its row.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
from goals.changed_values import detected
from goals.encodings import FORMS, KINDS, WRITERS, rows_of, written
from goals.goal import Effort, Goal, Numbers, never

from tests.projects import CONTRACT, TestProject
from tests.receiver import receiving

ROWS = 100_000
ALL_FROM = 0.1
"""The share from which on every writer writes every encoding; below, each encoding comes from one of them."""
MUTATIONS = 10_000
FIELDS = tuple(name for name in KINDS.names if name != "id")
TYPES: dict[str, tuple[str, str | None]] = {
    "name": ("string", None),
    "amount": ("number", "decimal(24,4)"),
    "score": ("number", "double"),
    "points": ("number", None),
    "active": ("boolean", None),
    "born": ("date", None),
    "seen": ("timestamp", None),
    "wakes": ("time", None),
    "photo": ("string", "binary"),
}
PHANTOMS, MISSED = "operations planned though nothing changed", "changed values that were not seen"
OTHER = "operations planned beside the one row that changed"
ZEROS = (PHANTOMS, OTHER, MISSED, "runs that failed")


def measure(effort: Effort) -> Numbers:
    dice = random.Random(effort.seed)
    found: Counter[str] = Counter(dict.fromkeys(("encodings", *ZEROS), 0))
    with tempfile.TemporaryDirectory(prefix="tidegate-phantom-") as folder:
        pairs = [(writer, form) for writer in WRITERS for form in FORMS]
        if effort.share < ALL_FROM:
            pairs = [(dice.choice(list(WRITERS)), form) for form in FORMS]
        found["encodings asked for"] = len(pairs)
        _encodings(Path(folder), rows_of(effort.of(ROWS), dice), pairs, found)
    with tempfile.TemporaryDirectory(prefix="tidegate-mutations-") as folder:
        mutations = effort.of(MUTATIONS)
        seen = detected(Path(folder), mutations, dice)
    found[MISSED] += mutations - seen
    return {"rows": effort.of(ROWS), **found, "values changed one at a time": mutations, "of them seen": seen}


def _encodings(folder: Path, table: pa.Table, pairs: Sequence[tuple[str, str]], found: Counter[str]) -> None:
    with receiving() as receiver:
        project = _project(folder, receiver.url)
        data = folder / "data" / "people.parquet"
        data.parent.mkdir()
        written(table, data, "pyarrow", "writer")
        first = project.report()
        assert first["status"] == "succeeded", first
        for turn, (writer, form) in enumerate(pairs):
            found["encodings"] += 1
            written(table, data, writer, form)
            _note(found, project.report(), f"{writer}, {form}: equal", 0, PHANTOMS)

            table = _with_name(table, turn)
            written(table, data, writer, form)
            _map(project, is_reversed=turn % 2 == 0)
            changed = project.report()
            _note(found, changed, f"{writer}, {form}: one other row", 1, OTHER)
            found["comparisons of everything"] += changed["plan"]["comparison"] == "full"


def _note(found: Counter[str], report: dict[str, Any], what: str, due: int, name: str) -> None:
    plan = report["plan"]
    planned = plan["inserts"] + plan["updates"] + plan["deletes"]
    found[name] += abs(planned - due)
    failed = report["status"] != ("succeeded" if due else "unchanged")
    found["runs that failed"] += failed
    if failed or planned != due:
        print(f"{what}: {report['status']}, {planned} operations: {report['reason']}")


def _with_name(table: pa.Table, turn: int) -> pa.Table:
    """The table with another name in one row."""
    place = turn % len(table)
    names = table["name"].combine_chunks()
    other = pa.concat_arrays([names.slice(0, place), pa.array([f"turn {turn}"]), names.slice(place + 1)])
    return table.set_column(KINDS.get_field_index("name"), "name", other)


def _project(folder: Path, url: str) -> TestProject:
    project = TestProject(folder, url)
    contract = deepcopy(CONTRACT)
    properties = contract["schema"][0]["properties"]
    del properties[1:]
    for name, (logical, physical) in TYPES.items():
        typed = {"physicalType": physical} if physical else {}
        properties.append({"name": name, "logicalType": logical, **typed, "classification": "internal"})
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.destination("hook", url, rate={"requests": 100_000, "per": "1s", "concurrency": 4})
    _map(project, is_reversed=False)
    return project


def _map(project: TestProject, *, is_reversed: bool) -> None:
    """The order of the fields is part of a mapping and changes no record."""
    project.sync("people_to_hook", fields={name: name for name in (FIELDS[::-1] if is_reversed else FIELDS)})


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    wanted = numbers["encodings asked for"]
    if numbers["encodings"] != wanted or numbers["comparisons of everything"] != wanted:
        told.append(f"{wanted:g} encodings must be compared in full")
    return told


GOAL = Goal("G16", "equal data plans nothing, a changed value is seen", measure, broken, share=0.02)
