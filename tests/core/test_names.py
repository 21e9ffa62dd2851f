"""Names of streams and runs: one thing, one name, and no two things share one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.core.names import (
    LEDGER_STREAM,
    DatasetId,
    Digest,
    RunId,
    SyncId,
    dataset_id,
    dataset_stream,
    plan_id,
    run_id,
    run_stream,
    sync_stream,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_another_contract_major_is_another_dataset() -> None:
    assert dataset_id("customers", 1) == "customers@1"
    assert dataset_id("customers", 1) != dataset_id("customers", 2) != dataset_id("customers", 12)


def test_a_dataset_a_sync_and_a_run_of_one_name_have_streams_of_their_own() -> None:
    streams = [dataset_stream(DatasetId("x")), sync_stream(SyncId("x")), run_stream(RunId("x")), LEDGER_STREAM]

    assert streams == ["dataset:x", "sync:x", "run:x", "ledger"]


def test_runs_sort_by_their_start() -> None:
    moments = [START, START + timedelta(seconds=1), START + timedelta(days=300), START.replace(year=2027)]
    names = [run_id(moment, token) for moment, token in zip(moments, ("ffff", "0000", "aaaa", "0001"), strict=True)]

    assert names == sorted(names)
    assert names[0] == "20260102T030405-ffff"


def test_a_plan_is_named_by_the_beginning_of_its_digest() -> None:
    assert plan_id(Digest("0123456789abcdef" * 4)) == "0123456789abcdef"
