from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from engine.core.event_codec import Upcast
from engine.core.events import Event
from engine.core.names import DatasetId, Position, RunId, StreamId, SyncId, dataset_stream
from engine.errors import FactsMoved, LedgerConflict, SchemaMismatch
from engine.ledger import log
from engine.ledger.chain import Verified, verify
from engine.ledger.log import Ledger
from tests.ledger.facts import (
    CUSTOMERS,
    RUN,
    STREAM,
    StillClock,
    accepted,
    intended,
    planned,
    received,
    started,
    unchanged,
)

DATASET = dataset_stream(CUSTOMERS)
OTHER = dataset_stream(DatasetId("others@1"))


def test_what_was_appended_is_read_back_in_order(ledger: Ledger, clock: StillClock) -> None:
    assert ledger.append(STREAM, started(), planned()) == 2
    clock.advance(1)
    assert ledger.append(STREAM, intended(1)) == 3

    read = list(ledger.read(STREAM))

    assert [r.event for r in read] == [started(), planned(), intended(1)]
    assert [r.position for r in read] == [1, 2, 3]
    assert read[0].sequence < read[1].sequence < read[2].sequence
    assert (read[2].actor, read[2].recorded_at) == ("tester", clock.now())
    assert ledger.head(STREAM) == 3


def test_reading_goes_on_behind_a_position_page_by_page(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "PAGE_EVENTS", 5)
    ledger.append(DATASET, *(unchanged() for _ in range(15)))
    assert [r.position for r in ledger.read(DATASET, Position(12))] == [13, 14, 15]
    assert [r.position for r in ledger.read(DATASET)] == list(range(1, 16))


def test_an_unknown_stream_is_empty(ledger: Ledger) -> None:
    assert ledger.head(StreamId("run:none")) == 0
    assert list(ledger.read(StreamId("run:none"))) == []
    assert ledger.append(StreamId("run:none")) == 0


def test_the_tail_is_the_newest_events_newest_last(ledger: Ledger) -> None:
    ledger.append(STREAM, started())
    ledger.append(DATASET, accepted(), unchanged())
    assert [r.type for r in ledger.tail(2)] == ["dataset.version_accepted", "dataset.capture_unchanged"]
    assert [r.type for r in ledger.tail(9, STREAM)] == ["run.started"]


def test_an_append_at_another_position_than_expected_is_a_conflict_and_writes_nothing(ledger: Ledger) -> None:
    ledger.append(DATASET, accepted(1), expected=Position(0))
    with pytest.raises(LedgerConflict, match="is at position 1, not 0"):
        ledger.append(DATASET, accepted(2), expected=Position(0))
    assert ledger.append(DATASET, accepted(2), expected=Position(1)) == 2


def test_of_two_appends_that_expect_the_same_position_one_wins(ledger: Ledger) -> None:
    gate = threading.Barrier(4)
    results: list[object] = []

    def attempt(number: int) -> None:
        gate.wait()
        try:
            results.append(ledger.append(DATASET, unchanged(number), expected=Position(0)))
        except LedgerConflict as error:
            results.append(type(error))

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == sorted(map(str, [1, LedgerConflict, LedgerConflict, LedgerConflict]))
    assert ledger.head(DATASET) == 1


def test_an_append_that_rests_on_a_stream_is_refused_once_that_stream_moved(engine: Engine, ledger: Ledger) -> None:
    read = ledger.heads([DATASET, OTHER])
    assert read == {DATASET: 0, OTHER: 0}
    ledger.append(STREAM, started(), resting_on=read)
    ledger.append(DATASET, accepted(1))

    with pytest.raises(FactsMoved, match="is at position 1, and was read at 0"):
        ledger.append(STREAM, planned(), resting_on=read)

    assert ledger.head(STREAM) == 1
    assert ledger.heads([DATASET, OTHER]) == {DATASET: 1, OTHER: 0}
    assert isinstance(verify(engine), Verified), (
        "a stream that was looked at and never had an event is no trace of tampering"
    )


@pytest.mark.parametrize("before", [0, 1])
def test_nobody_appends_to_a_stream_between_the_proof_that_it_stands_still_and_the_end_of_the_transaction(
    ledger: Ledger, before: int
) -> None:
    for version in range(before):
        ledger.append(DATASET, accepted(version + 1))
    other = threading.Thread(target=ledger.append, args=(DATASET, accepted(before + 1)))

    with ledger.transaction() as transaction:
        transaction.hold({DATASET: Position(before)})
        other.start()
        other.join(timeout=0.3)
        assert other.is_alive(), "it waits"
        transaction.append(STREAM, started())
    other.join()

    assert [recorded.stream for recorded in ledger.tail(2)] == [STREAM, DATASET]


def test_a_transaction_writes_all_its_streams_or_none(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="half way"), ledger.transaction() as transaction:  # noqa: PT012
        transaction.append(DATASET, accepted())
        transaction.append(STREAM, started())
        raise RuntimeError("half way")
    assert ledger.tail(9) == []

    with ledger.transaction() as transaction:
        transaction.append(DATASET, accepted())
        transaction.append(STREAM, started())
    assert len(ledger.tail(9)) == 2


def test_a_window_is_received_once_so_a_resumed_run_counts_nothing_twice(ledger: Ledger) -> None:
    ledger.append(STREAM, started(), intended(1), received(1))
    with pytest.raises(LedgerConflict, match=r"Window 1 .* is not open"):
        ledger.append(STREAM, received(1))
    with pytest.raises(LedgerConflict):
        ledger.append(STREAM, intended(1))
    assert ledger.head(STREAM) == 3


def test_nothing_happens_to_a_run_that_never_started(ledger: Ledger) -> None:
    with pytest.raises(LedgerConflict, match="has ended, or never started"):
        ledger.append(STREAM, planned())
    assert ledger.head(STREAM) == 0


def test_data_that_json_cannot_say_is_refused(ledger: Ledger) -> None:
    @dataclass(frozen=True, slots=True)
    class Odd(Event):
        type = "run.started"
        run: float

    with pytest.raises(ValueError, match="JSON"):
        ledger.append(STREAM, Odd(float("nan")))
    assert ledger.head(STREAM) == 0


def test_text_of_every_kind_survives_in_an_event(ledger: Ledger) -> None:
    odd = replace(started(), destination='Ünï "quoted" \\ \n\x00 \ud800 🌊')
    ledger.append(STREAM, odd)
    assert ledger.tail(1)[0].event == odd


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'somebody else'",
        "DELETE FROM event",
        "DELETE FROM event WHERE position = 1",
        "TRUNCATE event CASCADE",
        "INSERT OR REPLACE INTO event SELECT seq, stream, position, type, schema, '{}', actor, '', '', '' FROM event",
    ],
)
def test_the_database_refuses_to_change_an_event(engine: Engine, ledger: Ledger, statement: str) -> None:
    only = {"TRUNCATE": "postgresql", "INSERT OR REPLACE": "sqlite"}
    for prefix, dialect in only.items():
        if statement.startswith(prefix) and engine.dialect.name != dialect:
            pytest.skip(f"{engine.dialect.name} has no {prefix}")
    ledger.append(STREAM, started())
    with (
        pytest.raises(DBAPIError, match="the ledger is append-only"),
        engine.connect() as connection,
        connection.begin(),
    ):
        connection.execute(text(statement))
    assert [r.event for r in ledger.read(STREAM)] == [started()]


@dataclass(frozen=True, slots=True)
class OldRunStarted(Event):
    """The shape of `RunStarted` before it named its destination."""

    type = "run.started"
    schema = 0
    run: RunId
    sync: SyncId
    dataset: DatasetId


OLD_SHAPES: Mapping[tuple[str, int], Upcast] = MappingProxyType(
    {("run.started", 0): lambda data: {**data, "destination": "crm"}}
)


def test_an_event_of_an_older_schema_is_read_in_todays_shape(engine: Engine, clock: StillClock) -> None:
    ledger = Ledger(engine, clock, "tester", upcasts=OLD_SHAPES)
    ledger.append(STREAM, OldRunStarted(RUN, started().sync, started().dataset))
    (read,) = ledger.read(STREAM)
    assert (read.schema, read.event) == (0, started())


def test_an_event_of_a_newer_schema_is_refused_in_both_directions(engine: Engine, ledger: Ledger) -> None:
    @dataclass(frozen=True, slots=True)
    class FutureRunStarted(OldRunStarted):
        schema = 9

    with pytest.raises(SchemaMismatch, match="newer than this code"):
        ledger.append(STREAM, FutureRunStarted(RUN, started().sync, started().dataset))
    assert ledger.tail(9) == []
