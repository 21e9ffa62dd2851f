"""Promises about time are kept or broken at the moment of a capture, to the microsecond."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from engine.checks import promises
from engine.checks.facts import CandidateFacts
from engine.checks.registry import CANDIDATE, aggregates, judged
from engine.core.demands import Severity
from engine.core.events import CheckResult
from engine.core.promises import Latency, Lifetime, Promises
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.verdict import Verdict
from engine.segments.compute import Compute, Session

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SCHEMA = TableSchema((Column("x", LogicalType.TIMESTAMP, key_position=1),))
STEP = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


def judge(session: Session, values: list[Any], promised: Promises, kind: pa.DataType | None = None) -> CheckResult:
    """The one result of a promise, through the registry."""
    facts = CandidateFacts(SCHEMA, allow_empty=True, promises=promised, now=NOW)
    table = session.rows(pa.table({"x": pa.array(values, kind or pa.timestamp("us", "UTC"))}))
    results = judged(CANDIDATE, session.single(aggregates(CANDIDATE, table, facts)), facts)
    (found,) = [r for r in results if r.check in (promises.LATENCY, promises.LIFETIME)]
    return found


def latency(limit: timedelta, severity: Severity = Severity.ERROR) -> Promises:
    return Promises((Latency("x", limit, "2 h", severity),))


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (timedelta(hours=2), Verdict.PASS),
        (timedelta(hours=2) + STEP, Verdict.BLOCK),
        (timedelta(0), Verdict.PASS),
    ],
)
def test_the_newest_value_decides_to_the_microsecond(session: Session, age: timedelta, verdict: Verdict) -> None:
    values = [NOW - age, NOW - timedelta(days=400), None]
    assert judge(session, values, latency(timedelta(hours=2))).verdict == verdict


def test_a_value_in_the_future_says_nothing_about_freshness(session: Session) -> None:
    values = [NOW + timedelta(days=9), NOW - timedelta(hours=3)]
    assert judge(session, values, latency(timedelta(hours=2))).verdict == Verdict.BLOCK
    assert judge(session, [NOW + STEP], latency(timedelta(hours=2))).verdict == Verdict.BLOCK


def test_no_value_is_not_fresh_and_no_rows_promise_nothing(session: Session) -> None:
    assert judge(session, [None], latency(timedelta(hours=2))).verdict == Verdict.BLOCK
    assert judge(session, [], latency(timedelta(hours=2))).verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("day", "limit", "verdict"),
    [
        (date(2026, 3, 10), timedelta(seconds=1), Verdict.PASS),
        (date(2026, 3, 9), timedelta(hours=12), Verdict.PASS),
        (date(2026, 3, 9), timedelta(hours=12) - STEP, Verdict.BLOCK),
        (date(2026, 3, 11), timedelta(days=900), Verdict.BLOCK),
    ],
)
def test_a_day_ages_from_its_end_on(session: Session, day: date, limit: timedelta, verdict: Verdict) -> None:
    assert judge(session, [day], latency(limit), pa.date32()).verdict == verdict


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [(Severity.ERROR, Verdict.BLOCK), (Severity.WARNING, Verdict.WARN), (Severity.INFO, Verdict.PASS)],
)
def test_its_severity_says_what_a_late_version_does(session: Session, severity: Severity, verdict: Verdict) -> None:
    found = judge(session, [NOW - timedelta(hours=3)], latency(timedelta(hours=2), severity))
    assert found.verdict == verdict
    assert "the newest value of column x is more than 2 h old" in found.message
    assert found.metrics == {"age_seconds": 10_800.0}


@pytest.mark.parametrize(
    ("life", "verdict", "words"),
    [
        (Lifetime(end_of_life=NOW), Verdict.BLOCK, "life ended on 2026-03-10"),
        (Lifetime(end_of_life=NOW + STEP), Verdict.PASS, ""),
        (Lifetime(end_of_support=NOW), Verdict.WARN, "support ended on 2026-03-10"),
        (Lifetime(end_of_support=NOW + STEP), Verdict.PASS, ""),
        (Lifetime(general_availability=NOW + STEP), Verdict.WARN, "only from 2026-03-10 on"),
        (Lifetime(general_availability=NOW), Verdict.PASS, ""),
        (Lifetime(NOW + STEP, NOW, NOW), Verdict.BLOCK, "life ended"),
    ],
)
def test_the_dates_of_a_contract_count_from_their_moment_on(
    session: Session, life: Lifetime, verdict: Verdict, words: str
) -> None:
    found = judge(session, [NOW], Promises(lifetime=life))
    assert found.verdict == verdict
    assert words in found.message
