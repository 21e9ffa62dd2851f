"""A quality rule is met or not exactly as its contract says, and tells what it measured without showing a value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checks import quality
from engine.checks.facts import CandidateFacts
from engine.checks.registry import CANDIDATE, aggregates, judged, row_rules
from engine.core.demands import Allowed, Demands, Metric, Operator, Rule, Severity, Threshold, Unit
from engine.core.events import CheckResult
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.verdict import Verdict
from engine.segments.compute import Compute, Session
from tests.checks.quality_model import count, is_met
from tests.property.effort import examples

SCHEMA = TableSchema(
    (
        Column("id", LogicalType.INTEGER, required=True, key_position=1),
        Column("name", LogicalType.STRING),
        Column("size", LogicalType.DECIMAL, precision=6, scale=2),
        Column("day", LogicalType.DATE),
        Column("seen", LogicalType.TIMESTAMP),
    )
)
ARROW = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("size", pa.decimal128(6, 2)),
        ("day", pa.date32()),
        ("seen", pa.timestamp("us", "UTC")),
    ]
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


def rows(*names: str | None) -> list[dict[str, Any]]:
    return [{"id": n, "name": name} for n, name in enumerate(names)]


def judge(session: Session, found: list[dict[str, Any]], *rules: Rule) -> list[CheckResult]:
    """The results of rules through the registry, in the one aggregate of all checks."""
    facts = CandidateFacts(SCHEMA, allow_empty=True, demands=Demands(rules))
    table = session.rows(pa.Table.from_pylist(found, ARROW))
    row = session.single(aggregates(CANDIDATE, table, facts))
    return [result for result in judged(CANDIDATE, row, facts) if result.check == quality.NAME]


def rule(metric: Metric, threshold: Threshold, *columns: str, **more: Any) -> Rule:
    return Rule("`r`", metric, threshold, columns, **more)


def threshold(operator: Operator, *bounds: float | str) -> Threshold:
    return Threshold(operator, tuple(Decimal(str(bound)) for bound in bounds))


NONE = threshold(Operator.EQUAL, 0)
COUNTED = {
    Metric.NULL: (rule(Metric.NULL, NONE, "name"), None, "a"),
    Metric.MISSING: (rule(Metric.MISSING, NONE, "name", allowed=Allowed(("",), null=True)), "", "a"),
    Metric.INVALID: (rule(Metric.INVALID, NONE, "name", allowed=Allowed(pattern="^a$")), "b", "a"),
    Metric.DUPLICATE: (rule(Metric.DUPLICATE, NONE, "name"), "same", None),
}
AROUND = {
    Operator.EQUAL: ((5,), {4: False, 5: True, 6: False}),
    Operator.NOT_EQUAL: ((5,), {4: True, 5: False, 6: True}),
    Operator.GREATER: ((5,), {4: False, 5: False, 6: True}),
    Operator.GREATER_OR_EQUAL: ((5,), {4: False, 5: True, 6: True}),
    Operator.LESS: ((5,), {4: True, 5: False, 6: False}),
    Operator.LESS_OR_EQUAL: ((5,), {4: True, 5: True, 6: False}),
    Operator.BETWEEN: ((5, 7), {4: False, 5: True, 6: True, 7: True, 8: False}),
    Operator.NOT_BETWEEN: ((5, 7), {4: True, 5: False, 6: False, 7: False, 8: True}),
}


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("metric", COUNTED)
@pytest.mark.parametrize("count", range(4, 9))
def test_a_metric_of_columns_is_exact_at_every_bound_of_every_operator(
    session: Session, metric: Metric, unit: Unit, count: int
) -> None:
    """Among 20 rows, n bad ones are n rows or 5n percent; one row more or less than the bound is told apart."""
    pattern, bad, good = COUNTED[metric]
    step = 1 if unit is Unit.ROWS else 5
    tried = {
        operator: rule(
            metric, threshold(operator, *(b * step for b in bounds)), "name", unit=unit, allowed=pattern.allowed
        )
        for operator, (bounds, expected) in AROUND.items()
        if count in expected
    }
    many = count + 1 if metric is Metric.DUPLICATE else count
    found = rows(*[bad] * many, *[good] * (20 - many))
    verdicts = dict(zip(tried, (r.verdict for r in judge(session, found, *tried.values())), strict=True))
    assert verdicts == {o: Verdict.PASS if AROUND[o][1][count] else Verdict.BLOCK for o in tried}


@pytest.mark.parametrize("count", range(4, 9))
def test_the_row_count_is_exact_at_every_bound_of_every_operator(session: Session, count: int) -> None:
    within = {operator: expected[count] for operator, (_, expected) in AROUND.items() if count in expected}
    tried = [rule(Metric.ROWS, threshold(operator, *AROUND[operator][0])) for operator in within]
    verdicts = [result.verdict for result in judge(session, rows(*["a"] * count), *tried)]
    assert verdicts == [Verdict.PASS if is_within else Verdict.BLOCK for is_within in within.values()]


@pytest.mark.parametrize("metric", COUNTED)
def test_no_rows_of_no_rows_are_nothing_in_percent(session: Session, metric: Metric) -> None:
    allowed = COUNTED[metric][0].allowed
    at_most = rule(metric, threshold(Operator.EQUAL, 0), "name", unit=Unit.PERCENT, allowed=allowed)
    some = rule(metric, threshold(Operator.GREATER, 0), "name", unit=Unit.PERCENT, allowed=allowed)
    assert [r.verdict for r in judge(session, [], at_most, some)] == [Verdict.PASS, Verdict.BLOCK]


def test_a_share_that_binary_fractions_cannot_hold_is_still_judged_exactly(session: Session) -> None:
    found = rows(*[None] * 3, *["a"] * 2997)
    exact = rule(Metric.NULL, threshold(Operator.EQUAL, "0.1"), "name", unit=Unit.PERCENT)
    assert judge(session, found, exact)[0].verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [(Severity.INFO, Verdict.PASS), (Severity.WARNING, Verdict.WARN), (Severity.ERROR, Verdict.BLOCK)],
)
def test_the_severity_says_what_a_rule_that_is_not_met_does(
    session: Session, severity: Severity, verdict: Verdict
) -> None:
    (result,) = judge(session, rows(None, "a"), rule(Metric.NULL, NONE, "name", severity=severity))
    assert result.verdict == verdict
    assert "nullValues of name are 1, and must be 0" in result.message


def test_a_message_names_rule_metric_column_measure_and_bound_and_shows_no_value(session: Session) -> None:
    tried = rule(
        Metric.INVALID,
        threshold(Operator.LESS, 20),
        "name",
        unit=Unit.PERCENT,
        allowed=Allowed(("fine",)),
    )
    (result,) = judge(session, rows("planted-canary", "fine", "fine"), tried)
    expected = "quality rule `r`: invalidValues of name are 1 of 3 rows, 33.33 %, and must be less than 20 %"
    assert result.message == expected
    assert result.metrics == {"count": 1, "rows": 3}


def test_null_is_never_invalid_and_missing_only_when_it_is_listed(session: Session) -> None:
    found = rows(None, "", "a")
    counts = [
        rule(Metric.INVALID, NONE, "name", allowed=Allowed(("a", ""))),
        rule(Metric.INVALID, NONE, "name", allowed=Allowed(pattern="^.?$")),
        rule(Metric.MISSING, NONE, "name", allowed=Allowed(("",))),
        rule(Metric.MISSING, NONE, "name", allowed=Allowed((), null=True)),
        rule(Metric.MISSING, NONE, "name", allowed=Allowed(("",), null=True)),
    ]
    assert [r.metrics["count"] for r in judge(session, found, *counts)] == [0, 0, 1, 1, 2]


def test_duplicates_are_the_rows_beyond_the_first_of_a_complete_combination(session: Session) -> None:
    day = date(2024, 1, 1)
    found: list[dict[str, Any]] = [{"id": n, "name": name, "day": day} for n, name in enumerate("aaab")]
    found += [{"id": 8, "name": None, "day": day}, {"id": 9, "name": None, "day": day}]
    both = rule(Metric.DUPLICATE, threshold(Operator.EQUAL, 2), "name", "day")
    assert judge(session, found, both)[0].verdict == Verdict.PASS


def test_a_value_of_another_scale_or_zone_is_the_same_value(session: Session) -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    found = [{"id": 2**62, "size": Decimal("1.50"), "day": noon.date(), "seen": noon}]
    valid = [
        rule(Metric.INVALID, NONE, "size", allowed=Allowed((Decimal("1.5"), Decimal("1.505"), Decimal("1E+30")))),
        rule(Metric.INVALID, NONE, "day", allowed=Allowed((date(2024, 5, 1),))),
        rule(Metric.INVALID, NONE, "seen", allowed=Allowed((noon,))),
        rule(Metric.INVALID, NONE, "id", allowed=Allowed((Decimal(2**62), Decimal("0.5")))),
    ]
    assert [r.verdict for r in judge(session, found, *valid)] == [Verdict.PASS] * 4
    outside = rule(Metric.INVALID, NONE, "size", allowed=Allowed((Decimal("1.505"),)))
    assert judge(session, found, outside)[0].verdict == Verdict.BLOCK


NAMES = st.sampled_from([None, "", "a", "b", "ab", "é", "a\nb", "'; --"])
TABLES = st.lists(NAMES, max_size=12).map(lambda names: rows(*names))
BOUNDS = st.lists(st.integers(0, 40).map(lambda n: Decimal(n) * 5 / 2), min_size=2, max_size=2, unique=True)
THRESHOLDS = st.builds(
    lambda operator, pair: Threshold(operator, tuple(sorted(pair)) if "Between" in operator else (pair[0],)),
    st.sampled_from(Operator),
    BOUNDS,
)
ALLOWED = st.builds(
    Allowed,
    st.lists(NAMES.filter(lambda name: name is not None), max_size=4).map(tuple),
    st.booleans(),
    st.sampled_from([None, "a", "^a", "^[ab]*$", "b+"]),
)
RULES = st.builds(
    lambda metric, bound, unit, allowed: rule(
        metric, bound, *([] if metric is Metric.ROWS else ["name"]), unit=unit, allowed=allowed
    ),
    st.sampled_from(Metric),
    THRESHOLDS,
    st.sampled_from(Unit),
    ALLOWED,
).filter(lambda made: made.metric is not Metric.ROWS or made.unit is Unit.ROWS)


@examples(60)
@given(found=TABLES, tried=st.lists(RULES, min_size=1, max_size=8))
def test_every_rule_agrees_with_counting_row_by_row(
    session: Session, found: list[dict[str, Any]], tried: list[Rule]
) -> None:
    expected = [Verdict.PASS if is_met(each, found) else Verdict.BLOCK for each in tried]
    assert [result.verdict for result in judge(session, found, *tried)] == expected


@examples(15)
@given(found=TABLES, tried=st.lists(RULES, min_size=1, max_size=4))
def test_what_is_counted_is_what_is_taken_out(session: Session, found: list[dict[str, Any]], tried: list[Rule]) -> None:
    """Of each rule about single rows, the rows that its condition finds are those that the gate counted."""
    table = session.rows(pa.Table.from_pylist(found, ARROW))
    for each in tried:
        (of_rows,) = row_rules(Demands((each,))) or (None,)
        assert (of_rows is None) == (each.metric in (Metric.ROWS, Metric.DUPLICATE))
        if of_rows is not None:
            taken = session.fetch(table.filter(of_rows.breaks(table)))
            assert len(taken) == count(each, found)
