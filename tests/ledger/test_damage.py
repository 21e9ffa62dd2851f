"""What is not as it was appended is never used: each read holds an event to its hash, and a read model to the log (S7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.core.names import dataset_stream, sync_stream
from engine.errors import LedgerTampered
from engine.ledger.chain import Verified, verify
from engine.ledger.database import check_structure, open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from engine.ledger.projection import stale
from engine.ledger.projections import captures, runs, states, versions, windows
from tests.ledger.facts import (
    CRM,
    CUSTOMERS,
    RUN,
    STREAM,
    StillClock,
    accepted,
    as_intruder,
    finished,
    folded,
    intended,
    planned,
    received,
    started,
    unchanged,
)

Read = Callable[[Engine], object]


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """Two versions and a run that was delivered and folded, and goes on."""
    ledger.append(dataset_stream(CUSTOMERS), accepted(1), unchanged(), accepted(2))
    ledger.append(STREAM, started(), planned(), intended(1), received(1), intended(2))
    ledger.append(sync_stream(CRM), folded())
    return ledger


READS: dict[str, Read] = {
    "the newest version": lambda engine: versions.latest(engine, CUSTOMERS),
    "all versions": lambda engine: versions.listing(engine, CUSTOMERS),
    "the last capture": lambda engine: captures.last(engine, CUSTOMERS),
    "the delivered state": lambda engine: states.current(engine, CRM),
    "the run": lambda engine: runs.last(engine, CRM),
    "its windows": lambda engine: list(windows.listing(engine, RUN)),
}
EDIT = "UPDATE event SET data = replace(data, '3', '4')"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_an_event_that_was_edited_is_not_read(engine: Engine, full: Ledger, read: Read) -> None:
    assert read(engine)
    as_intruder(engine, EDIT)
    with pytest.raises(LedgerTampered, match="not as it was appended"):
        read(engine)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("UPDATE version SET accepted = 1 WHERE version = 2", "the newest version"),
        ("DELETE FROM version WHERE version = 2", "the newest version"),
        ("DELETE FROM version", "the newest version"),
        ("UPDATE version SET dataset = 'customers@2'", "the newest version"),
        ("UPDATE version SET accepted = 3 WHERE version = 1", "all versions"),
        ("UPDATE capture SET checked = 4", "the last capture"),
        ("UPDATE sync_state SET folded = 1", "the delivered state"),
        ("DELETE FROM sync_state", "the delivered state"),
        ("UPDATE run SET started = 5", "the run"),
        ("UPDATE run SET planned = 4", "the run"),
        ("UPDATE run_window SET intended = 8 WHERE run_window.window = 1", "its windows"),
        ("UPDATE run_window SET received = 7 WHERE run_window.window = 2", "its windows"),
    ],
)
def test_a_read_model_that_does_not_say_what_the_log_says_is_not_read(
    engine: Engine, full: Ledger, change: str, name: str
) -> None:
    assert stale(engine) is None
    as_intruder(engine, change)
    with pytest.raises(LedgerTampered):
        READS[name](engine)
    assert stale(engine) == change.split()[2 if change.startswith("DELETE") else 1]


@pytest.mark.parametrize("gone", [1, 3, 5])
def test_a_stream_that_lacks_an_event_is_not_read_to_its_end(engine: Engine, full: Ledger, gone: int) -> None:
    assert len(list(full.read(STREAM))) == 5
    as_intruder(engine, "DELETE FROM run_window", f"DELETE FROM event WHERE stream = '{STREAM}' AND position = {gone}")
    with pytest.raises(LedgerTampered, match="missing"):
        list(full.read(STREAM))


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE stream_head SET hash = '{'0' * 64}'",
        "UPDATE stream_head SET position = position + 1",
        "UPDATE stream_head SET position = position - 1",
        f"DELETE FROM event WHERE stream = '{STREAM}' AND position = 5",
    ],
)
def test_nothing_is_appended_behind_what_is_not_the_end_of_a_stream(engine: Engine, full: Ledger, change: str) -> None:
    as_intruder(engine, "DELETE FROM run_window", change)
    with pytest.raises(LedgerTampered, match="does not end where its head says"):
        full.append(STREAM, finished())


def test_a_total_that_was_changed_is_found_by_a_look_at_everything(engine: Engine, full: Ledger) -> None:
    as_intruder(engine, "UPDATE run SET unknown = 7")
    assert stale(engine) == "run"


def test_a_name_that_was_changed_in_the_file_itself_is_found_wherever_it_stands(
    tmp_path: Path, clock: StillClock
) -> None:
    path = tmp_path / "ledger.db"
    made = open_database(f"sqlite:///{path}")
    upgrade(made)
    Ledger(made, clock, "tester").append(dataset_stream(CUSTOMERS), accepted(1), unchanged())
    made.dispose()
    content, name = path.read_bytes(), CUSTOMERS.encode()
    places = [found.start() for found in re.finditer(re.escape(name), content)]
    assert len(places) > 6, "it stands in tables and in indexes"
    for place in places:
        path.write_bytes(content[:place] + b"C" + content[place + 1 :])
        engine = open_database(f"sqlite:///{path}")
        assert not is_sound(engine), place
        engine.dispose()


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda content: b"x" * 4096 + content[4096:],
        lambda content: content[:8192] + b"\x55" * (len(content) - 8192),
        lambda content: content[:20_000],
        lambda _: b"not a database, but long enough to be looked at as one" * 100,
    ],
)
def test_a_file_that_is_no_database_any_more_is_told_with_a_way_out(
    tmp_path: Path, clock: StillClock, spoilt: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "ledger.db"
    made = open_database(f"sqlite:///{path}")
    upgrade(made)
    Ledger(made, clock, "tester").append(dataset_stream(CUSTOMERS), accepted(1), unchanged())
    made.dispose()
    path.write_bytes(spoilt(path.read_bytes()))

    with pytest.raises(LedgerTampered, match="file is damaged") as refused:
        open_database(f"sqlite:///{path}")

    assert refused.value.where == str(path)
    assert "restore the ledger from a backup" in refused.value.next
    assert "`tidegate ledger verify`" in refused.value.next


def is_sound(engine: Engine) -> bool:
    """What `tidegate ledger verify` looks at."""
    try:
        check_structure(engine)
        return isinstance(verify(engine), Verified) and stale(engine) is None
    except LedgerTampered:
        return False
