from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from engine.clock import SystemClock
from engine.core.events import Event, RunResumed, VersionDecisionRefused, VersionHeld
from engine.core.names import (
    DatasetId,
    Digest,
    RunId,
    StreamId,
    SyncId,
    VersionNumber,
    dataset_stream,
    run_stream,
    sync_stream,
)
from engine.errors import LedgerTampered
from engine.ledger import projection
from engine.ledger import recorded as stored
from engine.ledger.holds import rejection
from engine.ledger.log import Ledger
from engine.ledger.projection import rebuild, snapshot
from engine.ledger.projections import captures, runs, states, versions, windows
from tests.ledger.facts import (
    CRM,
    CUSTOMERS,
    RUN,
    STREAM,
    StillClock,
    accepted,
    as_intruder,
    blocked,
    check,
    dropped,
    finished,
    folded,
    held,
    intended,
    planned,
    received,
    refused,
    released,
    segment,
    started,
    unchanged,
)

DATASET = dataset_stream(CUSTOMERS)
NOBODY = SyncId("nobody")


def test_versions_are_found_by_number_and_newest(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    assert versions.latest(engine, CUSTOMERS) is None
    ledger.append(DATASET, accepted(1))
    clock.advance(60)
    ledger.append(DATASET, accepted(2))

    newest = versions.latest(engine, CUSTOMERS)
    assert newest is not None
    assert (newest.version, newest.snapshot, newest.changes) == (2, segment("s2"), segment("c2"))
    assert (newest.key, newest.checks, newest.recorded_at) == (("customer_id",), (check(),), clock.now())
    assert versions.get(engine, CUSTOMERS, VersionNumber(2)) == newest
    assert versions.get(engine, CUSTOMERS, VersionNumber(3)) is None
    assert [row.version for row in versions.listing(engine, CUSTOMERS)] == [1, 2]


def test_versions_are_listed_however_many(engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "NAMES_MAX", 5)
    ledger.append(DATASET, *(accepted(n) for n in range(1, 13)))
    assert [row.version for row in versions.listing(engine, CUSTOMERS)] == list(range(1, 13))


def test_the_last_capture_says_how_it_ended(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    assert captures.last(engine, CUSTOMERS) is None
    ends = []
    for event in (accepted(), unchanged(), blocked(), held(), refused()):
        clock.advance(1)
        ledger.append(DATASET, event)
        row = captures.last(engine, CUSTOMERS)
        assert row is not None
        assert row.checked_at == clock.now()
        ends.append((row.status, row.rows, row.version, row.reason))
    assert ends == [
        ("accepted", 3, 1, ""),
        ("unchanged", 3, 1, ""),
        ("blocked", 0, None, "0 rows, at least 1 is demanded"),
        ("held", 3, None, "3 rows are many"),
        ("rejected", 0, None, "a broken join"),
    ]


def test_a_candidate_waits_until_it_is_decided_about_or_another_capture_found_something_else(
    engine: Engine, ledger: Ledger, clock: StillClock
) -> None:
    ends = (accepted(2), unchanged(), blocked(), held(3), refused())
    for end in ends:
        clock.advance(1)
        ledger.append(DATASET, held(), VersionDecisionRefused(CUSTOMERS, Digest("a"), "approve", "no"))
        waits = captures.held(engine, CUSTOMERS)
        assert waits is not None
        assert (waits.event, waits.since, waits.asked_by) == (held(), clock.now(), ledger.actor)
        ledger.append(DATASET, end)
        now = captures.held(engine, CUSTOMERS)
        assert (now and now.event) == (end if isinstance(end, VersionHeld) else None)


def test_a_word_against_a_candidate_counts_until_another_version_is_accepted(engine: Engine, ledger: Ledger) -> None:
    ledger.append(DATASET, accepted(1), held(), refused(), blocked(), unchanged())
    said = rejection(engine, CUSTOMERS, Digest("c" * 64))
    assert said is not None
    assert said.event == refused()
    assert rejection(engine, CUSTOMERS, Digest("d" * 64)) is None
    assert rejection(engine, DatasetId("others@1"), Digest("c" * 64)) is None
    ledger.append(DATASET, accepted(2))
    assert rejection(engine, CUSTOMERS, Digest("c" * 64)) is None


def test_a_run_shows_its_plan_and_the_sum_of_its_receipts(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    began = clock.now()
    ledger.append(STREAM, started())
    row = runs.get(engine, RUN)
    assert row is not None
    assert (row.status, row.plan, row.version, row.seconds, row.finished_at) == ("running", None, None, {}, None)
    assert runs.unfinished(engine, CRM) == row

    clock.advance(9)
    ledger.append(STREAM, planned(), intended(1), received(1, inserts=2), intended(2), received(2, rejected=3))
    ledger.append(STREAM, finished(status="partial"))
    row = runs.get(engine, RUN)
    assert row is not None
    assert (row.started_at, row.finished_at, row.status, row.reason) == (began, clock.now(), "partial", "done")
    assert (row.plan, row.segment, row.registers) == (planned().plan, planned().segment, planned().registers)
    assert (row.inserts, row.updates, row.deletes, row.unchanged, row.withheld) == (2, 1, 1, 7, 1)
    assert (row.delivered_inserts, row.delivered_updates, row.delivered_deletes) == (3, 2, 0)
    assert (row.rejected, row.failed, row.unknown, row.requests, row.bytes_sent) == (3, 0, 0, 2, 100)
    assert row.seconds == {"plan": 0.5, "deliver": 2}
    assert runs.unfinished(engine, CRM) is None


def test_runs_are_listed_newest_first(engine: Engine, ledger: Ledger) -> None:
    names = [RunId(f"r{n}") for n in range(3)]
    for name in names:
        ledger.append(run_stream(name), started(name))
    ledger.append(run_stream(RunId("other")), started(RunId("other"), NOBODY))
    assert [row.run for row in runs.listing(engine, CRM, 2)] == ["r2", "r1"]
    last = runs.last(engine, CRM)
    assert last is not None
    assert last.run == "r2"
    assert runs.last(engine, SyncId("unheard of")) is None
    assert runs.get(engine, RunId("unheard of")) is None


@pytest.mark.parametrize("count", [0, 4, 5, 11])
def test_every_run_is_told_page_by_page_from_either_end(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(runs, "PAGE_RUNS", 5)
    names = [RunId(f"r{n}") for n in range(count)]
    for name in names:
        ledger.append(run_stream(name), started(name))
        ledger.append(run_stream(RunId(f"other {name}")), started(RunId(f"other {name}"), NOBODY))

    assert [row.run for row in runs.history(engine, CRM)] == names
    assert [row.run for row in runs.history(engine, CRM, newest_first=True)] == names[::-1]


def test_the_run_of_a_moment_is_the_newest_that_had_begun(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    before, moments = clock.now(), []
    for name in (RunId("r0"), RunId("r1")):
        clock.advance(60)
        moments.append(clock.now())
        ledger.append(run_stream(name), started(name))
        ledger.append(run_stream(RunId(f"other {name}")), started(RunId(f"other {name}"), NOBODY))
    clock.advance(60)

    found = [runs.begun_by(engine, CRM, moment) for moment in (before, *moments, clock.now())]

    assert [row and row.run for row in found] == [None, "r0", "r1", "r1"]


def test_the_open_window_is_the_one_without_a_receipt(engine: Engine, ledger: Ledger) -> None:
    assert windows.last(engine, RUN) is None
    ledger.append(STREAM, started(), intended(1), received(1), intended(2))
    opened = windows.open_window(engine, RUN)
    assert opened is not None
    assert (opened.window, opened.intent, opened.receipt) == (2, intended(2).batches, None)
    assert windows.last(engine, RUN) == opened
    assert [(w.window, w.receipt) for w in windows.listing(engine, RUN)] == [(1, received(1)), (2, None)]
    ledger.append(STREAM, received(2))
    assert windows.open_window(engine, RUN) is None


@pytest.mark.parametrize("count", [0, 4, 5, 11])
def test_windows_are_listed_in_order_page_by_page(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(windows, "PAGE_WINDOWS", 5)
    events: list[Event] = [event for n in range(1, count + 1) for event in (intended(n), received(n))]
    ledger.append(STREAM, started(), *events)
    assert [w.window for w in windows.listing(engine, RUN)] == list(range(1, count + 1))


def test_the_delivered_state_is_the_last_fold(engine: Engine, ledger: Ledger) -> None:
    assert states.current(engine, CRM) is None
    ledger.append(sync_stream(CRM), folded(delivered=1), folded(delivered=2))
    assert states.current(engine, CRM) == folded(delivered=2)


def test_a_decision_about_rejections_is_stored_under_its_name_and_leaves_the_state_to_the_fold_beside_it(
    engine: Engine, ledger: Ledger
) -> None:
    ledger.append(sync_stream(CRM), folded(delivered=1), released(records=3), folded(delivered=0), dropped(records=2))
    stored = [(recorded.type, recorded.schema, recorded.event) for recorded in ledger.read(sync_stream(CRM))]
    assert stored[1] == ("sync.rejections_released", 1, released(records=3))
    assert stored[3] == ("sync.rejections_dropped", 1, dropped(records=2))
    assert states.current(engine, CRM) == folded(delivered=0)


def test_a_read_model_that_names_a_missing_event_is_not_taken_for_empty(engine: Engine, ledger: Ledger) -> None:
    ledger.append(sync_stream(CRM), folded())
    as_intruder(engine, "DELETE FROM event")
    with pytest.raises(LedgerTampered, match="ledger verify"):
        states.current(engine, CRM)


def test_a_query_in_a_transaction_sees_what_it_appended(engine: Engine, ledger: Ledger) -> None:
    with ledger.transaction() as transaction:
        transaction.append(sync_stream(CRM), folded())
        assert states.current(transaction.connection, CRM) == folded()


def test_a_rebuild_mends_a_damaged_read_model(engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "PAGE_EVENTS", 3)
    ledger.append(STREAM, started(), planned(), intended(1), received(1))
    before = snapshot(engine)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE run SET delivered_inserts = 99"))
        connection.execute(text("DELETE FROM run_window"))
    assert snapshot(engine) != before
    assert rebuild(engine) == 4
    assert snapshot(engine) == before


class History:
    """A random, legal history: what each drawn number does depends on what happened before."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._versions: dict[DatasetId, int] = {}
        self._runs = 0
        self._open: dict[SyncId, tuple[RunId, int, bool]] = {}

    def dataset(self, dataset: DatasetId, kind: int) -> None:
        number = self._versions.get(dataset, 0)
        if kind == 0:
            number = self._versions[dataset] = number + 1
        event = (accepted(number, dataset), unchanged(number, dataset), blocked(dataset))[kind]
        self._append(dataset_stream(dataset), event)

    def sync(self, sync: SyncId, kind: int, amount: int) -> None:
        if sync not in self._open:
            self._runs += 1
            run = RunId(f"run-{self._runs}-{sync}")
            self._open[sync] = (run, 0, False)
            self._append(run_stream(run), started(run, sync))
            return
        run, window, is_open = self._open[sync]
        if is_open:
            self._append(run_stream(run), received(window, run, inserts=amount, rejected=amount % 2))
            self._open[sync] = (run, window, False)
        elif kind == 0:
            self._append(run_stream(run), planned(run, sync))
        elif kind == 1:
            self._append(run_stream(run), intended(window + 1, run))
            self._open[sync] = (run, window + 1, True)
        elif kind == 2:
            self._append(run_stream(run), RunResumed(run=run, sync=sync, window=window))
        else:
            self._append(sync_stream(sync), folded(run, sync, amount))
            self._append(run_stream(run), finished(run, sync))
            del self._open[sync]

    def _append(self, stream: StreamId, event: Event) -> None:
        self._ledger.append(stream, event)


DATASETS = st.sampled_from([DatasetId("customers@1"), DatasetId("orders@2")])
SYNCS = st.sampled_from([SyncId("to_crm"), SyncId("to_ads")])
STEPS = st.one_of(
    st.tuples(st.just("dataset"), DATASETS, st.integers(0, 2), st.just(0)),
    st.tuples(st.just("sync"), SYNCS, st.integers(0, 3), st.integers(0, 10**12)),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_rebuilt_read_models_equal_those_that_grew_with_the_log(engine: Engine, steps: list) -> None:
    history = History(Ledger(engine, SystemClock(), "tester"))
    case = uuid4()  # examples share the database, so each has names of its own
    for subject, name, kind, amount in steps:
        unique = f"{name}-{case}"
        if subject == "dataset":
            history.dataset(DatasetId(unique), kind)
        else:
            history.sync(SyncId(unique), kind, amount)
    grown = snapshot(engine)
    rebuild(engine)
    assert snapshot(engine) == grown
