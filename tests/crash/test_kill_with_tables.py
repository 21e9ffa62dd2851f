"""Real kills around a table: a trigger that counts sees every row once, however the run before it died (P2, I5)."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.projects import TestProject

pytestmark = pytest.mark.crash
SYNC = "people_to_hook"
ROWS = 120


@pytest.mark.parametrize("point", ["batch.before_send@3", "batch.after_send@2", "window.before_receipt"])
def test_a_run_that_died_and_the_one_that_ends_it_write_each_row_once(tmp_path: Path, point: str) -> None:
    project, table = TestProject(tmp_path / "project", "http://127.0.0.1:9/"), tmp_path / "crm.db"
    asked(table, "CREATE TABLE contacts (external_id integer PRIMARY KEY, name text, score real)")
    asked(table, "CREATE TABLE seen (id integer)")
    for event in ("INSERT", "UPDATE"):
        counting = "BEGIN INSERT INTO seen VALUES (new.external_id); END"
        asked(table, f"CREATE TRIGGER on_{event} AFTER {event} ON contacts {counting}")
    config = {"url": f"sqlite:///{table}"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "sql", "config": config, "batch": {"records": 20}})
    project.people({n: (f"person {n}", n / 4) for n in range(ROWS)})
    name, _, hit = point.partition("@")

    died = project.run_process("run", SYNC, env={VARIABLE: f"{name}=kill" + (f"@{hit}" if hit else "")})
    assert died.code == -signal.SIGKILL, died
    assert asked(table, "SELECT count(*) FROM seen") != [(0,)], "the run died before it wrote anything"
    report, deadline = project.report(), time.monotonic() + 60
    while report["status"] == "busy":
        assert time.monotonic() < deadline
        time.sleep(0.2)
        report = project.report()

    assert report["status"] == "succeeded", report
    assert report["delivered"] == {"inserts": ROWS, "updates": 0, "deletes": 0}
    assert asked(table, "SELECT count(*), count(DISTINCT id) FROM seen") == [(ROWS, ROWS)]
    assert project.report()["status"] == "unchanged"


def asked(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()
