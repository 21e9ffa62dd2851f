"""Anchors: an event that once stood in a ledger is missed when the ledger is older, another one, or was rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.clock import SystemEntropy
from engine.core.names import dataset_stream
from engine.errors import StorageError
from engine.ledger.anchor import PAGE_ANCHORS, Gap, Unreadable, decode, encode, gaps, identity, newest
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from engine.segments.files import Storage
from tests.ledger.facts import (
    CUSTOMERS,
    STREAM,
    StillClock,
    accepted,
    as_intruder,
    intended,
    planned,
    received,
    started,
)

DATASET = dataset_stream(CUSTOMERS)


def test_an_anchor_is_answered_while_the_ledger_grows(engine: Engine, ledger: Ledger) -> None:
    ledger.append(STREAM, started(), planned(), intended(1))
    anchor = newest(engine, STREAM)
    assert (anchor.stream, anchor.position, anchor.sequence) == (STREAM, 3, 3)
    assert gaps(engine, {"a": anchor}) == ()

    ledger.append(STREAM, received(1))
    ledger.append(DATASET, accepted())
    assert gaps(engine, {"a": anchor}) == ()


@pytest.mark.parametrize(
    "change",
    [
        ["DELETE FROM run_window", f"DELETE FROM event WHERE stream = '{STREAM}' AND position = 3"],
        [f"UPDATE event SET hash = '{'0' * 64}' WHERE stream = '{STREAM}' AND position = 3"],
        ["DELETE FROM run_window", "DELETE FROM run", "DELETE FROM stream_head", "DELETE FROM event"],
    ],
    ids=["cut off", "rewritten", "emptied"],
)
def test_an_anchor_is_missed_when_its_event_is_gone_or_is_another(
    engine: Engine, ledger: Ledger, change: list[str]
) -> None:
    ledger.append(STREAM, started(), planned())
    older = newest(engine, STREAM)
    ledger.append(STREAM, intended(1))
    newer = newest(engine, STREAM)
    as_intruder(engine, *change)
    found = gaps(engine, {"newer": newer})
    assert found == (Gap("newer", newer),)
    is_empty = identity(engine) is None
    assert [gap.name for gap in gaps(engine, {"a": older, "b": newer})] == (["a", "b"] if is_empty else ["b"])


def test_another_ledger_with_the_same_history_at_another_moment_is_another(
    engine: Engine, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.append(STREAM, started(), planned())
    anchor = newest(engine, STREAM)
    later = StillClock()
    later.advance(1)
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    try:
        upgrade(other)
        assert identity(other) is None
        Ledger(other, later, "tester").append(STREAM, started(), planned())
        assert [gap.anchor for gap in gaps(other, {"a": anchor})] == [anchor]
        assert identity(other) not in {None, anchor.ledger}
        assert identity(engine) == anchor.ledger
    finally:
        other.dispose()


def test_more_anchors_than_one_statement_takes_are_all_looked_at(engine: Engine, ledger: Ledger) -> None:
    ledger.append(STREAM, started(), planned())
    held = newest(engine, STREAM)
    ledger.append(STREAM, intended(1))
    lost = newest(engine, STREAM)
    as_intruder(engine, "DELETE FROM run_window", f"DELETE FROM event WHERE stream = '{STREAM}' AND position = 3")
    anchors = {f"{n:04d}": held for n in range(2 * PAGE_ANCHORS)} | {"last": lost}
    assert [gap.name for gap in gaps(engine, anchors)] == ["last"]


def test_an_anchor_reads_back_as_it_was_written(engine: Engine, ledger: Ledger) -> None:
    ledger.append(STREAM, started())
    anchor = newest(engine, STREAM)
    assert decode(encode(anchor)) == anchor


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b"\xff", b'{"format": 2}', b'{"format": 1, "ledger": "x", "position": "y"}'],
)
def test_what_is_no_anchor_is_unreadable_and_never_answered(engine: Engine, content: bytes) -> None:
    assert decode(content) == Unreadable()
    assert gaps(engine, {"a": decode(content)}) == (Gap("a", Unreadable()),)


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_notes_of_a_storage_are_replaced_whole_and_none_is_no_error(tmp_path: Path, kind: str) -> None:
    url = str(tmp_path / "segments") if kind == "folder" else f"memory://{tmp_path.name}"
    storage = Storage(url, scratch=tmp_path / "scratch", entropy=SystemEntropy())
    assert storage.notes("anchors", ".json") == {}
    storage.put_note("anchors/a.json", b"a long first content")
    storage.put_note("anchors/a.json", b"second")
    storage.put_note("anchors/b.json", b"")
    assert storage.notes("anchors", ".json") == {"a.json": b"second", "b.json": b""}


def test_a_half_written_note_is_no_note(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path), scratch=tmp_path / "scratch", entropy=SystemEntropy())
    storage.put_note("anchors/a.json", b"whole")
    (tmp_path / "anchors" / "a.json.0123.writing").write_bytes(b"ha")
    assert storage.notes("anchors", ".json") == {"a.json": b"whole"}


def test_a_folder_of_notes_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    (tmp_path / "anchors" / "a.json").mkdir(parents=True)
    storage = Storage(str(tmp_path), scratch=tmp_path / "scratch", entropy=SystemEntropy())
    with pytest.raises(StorageError, match="cannot be read"):
        storage.notes("anchors", ".json")
