from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from engine.clock import SystemClock
from engine.core.names import StreamId
from engine.errors import ConfigurationError, LedgerError
from engine.ledger.chain import Verified, verify
from engine.ledger.database import open_database, patiently, reading, writing
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from tests.ledger.facts import unchanged

ROOT = Path(__file__).parents[2]
WRITERS = 8
SECRET = "hunter2"
WRITER = """
import sys, time
from engine.clock import SystemClock
from engine.core.names import StreamId
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from tests.ledger.facts import unchanged
engine = open_database(sys.argv[1])
ledger = Ledger(engine, SystemClock(), sys.argv[2])
sys.stdin.readline()
until, written = time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < until:
    ledger.append(StreamId("dataset:shared"), unchanged())
    ledger.append(StreamId("dataset:own" + sys.argv[2]), unchanged())
    written += 2
print(written)
engine.dispose()
"""


@pytest.mark.slow
def test_eight_processes_append_at_once_and_none_is_refused(ledger_url: str) -> None:
    engine = open_database(ledger_url)
    upgrade(engine)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, ledger_url, str(n), "2.5"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(WRITERS)
    ]
    ends = [None] * WRITERS

    def talk(n: int) -> None:
        ends[n] = writers[n].communicate("go\n", timeout=60)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [w.returncode for w in writers] == [0] * WRITERS, ends
    total = sum(int(out) for out, _ in ends)
    assert verify(engine) == Verified(events=total, streams=WRITERS + 1)
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://user@127.0.0.1:1/ledger?password={SECRET}",
    ],
)
def test_a_ledger_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with pytest.raises(LedgerError, match=r"cannot be opened.*127\.0\.0\.1") as caught:
        open_database(url)
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__)


def test_a_file_that_is_no_ledger_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(LedgerError, match=r"file is damaged \(SQLITE_NOTADB\)"):
        open_database(f"sqlite:///{tmp_path}/ledger.db")


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="folder cannot be created"):
        open_database(f"sqlite:///{tmp_path}/file/ledger.db")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", f"mysql://u:{SECRET}@h/d", f"{SECRET}", f"postgresql://{SECRET}@h:x/d"]
)
def test_an_address_of_another_kind_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///path") as caught:
        open_database(url)
    assert SECRET not in str(caught.value)


def test_the_folder_of_a_sqlite_ledger_is_created_and_the_file_is_safe_to_share(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/deep/down/ledger.db")
    with engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_a_reader_does_not_wait_for_a_writer_nor_see_its_half_written_facts(engine: Engine) -> None:
    ledger = Ledger(engine, SystemClock(), "tester")
    stream = StreamId("dataset:a@1")
    with ledger.transaction() as transaction:
        transaction.append(stream, unchanged())
        assert ledger.head(stream) == 0
    assert ledger.head(stream) == 1


def test_statements_on_postgresql_have_time_limits(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one limit, its busy time-out")
    with writing(engine) as connection:
        limits = [
            connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["1min", "10s", "1min"]


def test_a_database_failure_is_told_without_its_values(engine: Engine) -> None:
    with pytest.raises(LedgerError) as caught, writing(engine) as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE a = :value"), {"value": SECRET})
    assert SECRET not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("cause", "attempts"),
    [
        (psycopg.errors.DeadlockDetected(), 3),
        (psycopg.errors.SerializationFailure(), 3),
        (psycopg.errors.DiskFull(), 1),
        (psycopg.errors.AdminShutdown(), 1),
    ],
)
def test_only_a_transaction_that_lost_a_race_is_tried_again(cause: psycopg.Error, attempts: int) -> None:
    made = 0

    def loses_twice() -> str:
        nonlocal made
        made += 1
        if made < 3:
            raise LedgerError("The ledger's database failed.") from OperationalError("", {}, cause)
        return "written"

    if attempts == 3:
        assert patiently(loses_twice) == "written"
    else:
        with pytest.raises(LedgerError):
            patiently(loses_twice)
    assert made == attempts


def test_a_sqlite_file_that_is_replaced_is_opened_anew_and_one_that_is_removed_is_not_made_again(
    tmp_path: Path,
) -> None:
    def count(engine: Engine) -> int:
        with reading(engine) as connection:
            return int(connection.execute(text("SELECT count(*) FROM there")).scalar_one())

    path, other = tmp_path / "ledger.db", tmp_path / "other.db"
    for file, rows in ((path, 1), (other, 2)):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE there (n)")
            connection.executemany("INSERT INTO there VALUES (?)", [(n,) for n in range(rows)])
    engine = open_database(f"sqlite:///{path}")
    try:
        assert count(engine) == 1
        other.replace(path)
        assert count(engine) == 2
        path.unlink()
        for _ in range(2):
            with pytest.raises(LedgerError, match="was removed while it was in use"):
                count(engine)
        assert not path.exists()
    finally:
        engine.dispose()
