"""The gates of a dataset measure what a model measures row by row, and each limit is exact: n passes, n + 1 does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checks import continuity, identifiers, volume
from engine.checks.facts import CandidateFacts
from engine.checks.registry import (
    AGAINST_BEFORE,
    CANDIDATE,
    NOTHING_BEFORE,
    aggregates,
    compared,
    judged,
    judged_against,
)
from engine.checks.rules import DatasetRules, History, IdentifierRules, RowRules, ValueRules
from engine.core.events import CheckResult
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.verdict import Verdict
from engine.segments.compute import Compute, Session
from tests.checks import continuity_model as model
from tests.property.effort import examples

SCHEMA = TableSchema(
    (
        Column("id", LogicalType.INTEGER, required=True, key_position=1),
        Column("email", LogicalType.STRING),
        Column("tier", LogicalType.STRING),
    )
)
ARROW = pa.schema([("id", pa.int64()), ("email", pa.string()), ("tier", pa.string())])
EVERY = IdentifierRules(
    columns=("id", "email"),
    max_null_increase=0.0,
    max_duplicate_increase=0.0,
    max_distinct_change=0.0,
    min_match_rate=1.0,
    max_rekeyed=0.0,
)
ACTIONS = (Verdict.BLOCK, Verdict.HOLD, Verdict.WARN)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


def facts(**more: Any) -> CandidateFacts:
    rules = {name: more.pop(name) for name in ("rows", "identifiers", "values") if name in more}
    return CandidateFacts(SCHEMA, allow_empty=False, rules=DatasetRules(**rules), **more)


def row_verdicts(count: int, rules: RowRules, **more: Any) -> dict[str, str]:
    """What the three checks on row counts say, those that apply."""
    known = facts(rows=rules, **more)
    checks = [c for c in CANDIDATE if c.name.startswith("volume.") and c.words(known)]
    return {c.name: c.verdict({"rows": count}, known)[0].verdict for c in checks}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("count", "is_within"), [(4, False), (5, True), (6, True), (9, True), (10, True), (11, False)])
def test_bounds_of_rows_are_exact_and_get_the_declared_action(count: int, is_within: bool, action: Verdict) -> None:
    found = row_verdicts(count, RowRules(min=5, max=10, on_fail=action))

    assert found == {volume.NAME: Verdict.PASS if is_within else action}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_empty_result_blocks_whatever_the_bounds_say_of_failing(action: Verdict) -> None:
    assert (
        row_verdicts(0, RowRules(min=5, max_change=0.1, on_fail=action), rows_before=10)[volume.NAME] == Verdict.BLOCK
    )


@pytest.mark.parametrize(
    ("count", "is_within"), [(699, False), (700, True), (701, True), (1_299, True), (1_300, True), (1_301, False)]
)
def test_a_change_of_rows_is_exact_in_both_directions(count: int, is_within: bool) -> None:
    found = row_verdicts(count, RowRules(max_change=0.3, on_fail=Verdict.HOLD), rows_before=1_000)

    assert found[volume.CHANGE] == (Verdict.PASS if is_within else Verdict.HOLD)


@pytest.mark.parametrize(
    ("history", "count", "is_within"),
    [
        ((100, 110, 90, 105, 95), 114, True),
        ((100, 110, 90, 105, 95), 115, True),
        ((100, 110, 90, 105, 95), 116, False),
        ((100, 110, 90, 105, 95), 84, False),
        ((2_900,) * 5, 2_987, True),
        ((2_900,) * 5, 2_988, False),
        ((2_900,) * 5, 2_812, False),
        ((3,) * 5, 6, True),
        ((3,) * 5, 7, False),
        ((0,) * 5, 3, True),
        ((0,) * 5, 4, False),
        ((100, 100, 100, 101), 10_000, True),
    ],
    ids=str,
)
def test_a_row_count_is_judged_by_its_history_once_that_is_long_enough(
    history: tuple[int, ...], count: int, is_within: bool
) -> None:
    rules = RowRules(history=History(20, 3), on_fail=Verdict.HOLD)

    found = row_verdicts(count, rules, history=history)

    assert found[volume.HISTORY] == (Verdict.PASS if is_within else Verdict.HOLD)


def people(*rows: tuple[int, str | None] | tuple[int, str | None, str | None]) -> list[dict[str, Any]]:
    return [dict(zip(ARROW.names, (*row, None)[:3], strict=True)) for row in rows]


def results(
    session: Session, after: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]], rules: DatasetRules
) -> dict[str, CheckResult]:
    """Every result about identifiers and values, by check, of a candidate after a version that recorded the same."""
    tables = [session.rows(pa.Table.from_pylist(list(rows), ARROW)) for rows in (before, after)]
    asked = CandidateFacts(SCHEMA, allow_empty=True, rules=rules)
    earlier = judged(CANDIDATE, session.single(aggregates(CANDIDATE, tables[0], asked)), asked)
    known = CandidateFacts(
        SCHEMA,
        allow_empty=True,
        rules=rules,
        rows_before=len(before),
        before={result.check: result.metrics for result in earlier},
    )
    found = judged(CANDIDATE, session.single(aggregates(CANDIDATE, tables[1], known)), known)
    question = compared(tables[1], tables[0], known)
    against = judged_against(session.single(question), known) if question is not None else ()
    return {r.check: r for r in (*found, *against) if r.check.startswith(("identity.", "values."))}


TEN = [(n, f"p{n}@x", "gold" if n < 5 else "blue") for n in range(10)]


def _nulls(count: int) -> list[dict[str, Any]]:
    return people(*((n, None if n < count else email, tier) for n, email, tier in TEN))


def _repeats(count: int) -> list[dict[str, Any]]:
    return people(*((n, "p0@x" if n <= count else email, tier) for n, email, tier in TEN))


def _left(count: int) -> list[dict[str, Any]]:
    return people(*TEN[count:])


def _renamed(count: int) -> list[dict[str, Any]]:
    return people(*((n, f"q{n}@x" if n < count else email, tier) for n, email, tier in TEN))


def _moved(count: int) -> list[dict[str, Any]]:
    return people(*((n + 100 if n < count else n, email, tier) for n, email, tier in TEN))


def _tiers(count: int) -> list[dict[str, Any]]:
    return people(*((n, email, "odd" if n < count else tier) for n, email, tier in TEN))


BOUNDARIES: dict[str, tuple[Callable[[int], list[dict[str, Any]]], str, dict[str, float]]] = {
    "nulls": (_nulls, identifiers.NULLS, {"max_null_increase": 0.3}),
    "repeats": (_repeats, identifiers.DUPLICATES, {"max_duplicate_increase": 0.3}),
    "different values": (_left, identifiers.DISTINCT, {"max_distinct_change": 0.3}),
    "matches": (_left, continuity.MATCH_RATE, {"min_match_rate": 0.7}),
    "key stayed": (_renamed, continuity.REKEYED, {"max_rekeyed": 0.3}),
    "identifier stayed": (_moved, continuity.REKEYED, {"max_rekeyed": 0.3}),
}


@pytest.mark.parametrize(("changes", "check", "limit"), BOUNDARIES.values(), ids=BOUNDARIES)
def test_limits_of_identifiers_are_exact_and_get_the_declared_action(
    session: Session,
    changes: Callable[[int], list[dict[str, Any]]],
    check: str,
    limit: dict[str, float],
) -> None:
    for count, action in zip((2, 3, 4), ACTIONS, strict=True):
        rules = DatasetRules(identifiers=IdentifierRules(columns=("email",), on_fail=action, **limit))
        found = results(session, changes(count), people(*TEN), rules)
        assert found[check].verdict == (Verdict.PASS if count < 4 else action), (count, found[check].message)
        assert all("@" not in result.message for result in found.values()), "no message shows a value"


@pytest.mark.parametrize(("count", "is_within"), [(2, True), (3, True), (4, False)])
def test_the_limit_of_rows_with_unexpected_values_is_exact(session: Session, count: int, is_within: bool) -> None:
    rules = DatasetRules(values=ValueRules(("tier",), 0.3, Verdict.HOLD))

    found = results(session, _tiers(count), people(*TEN), rules)[continuity.NEW_VALUES]

    assert found.verdict == (Verdict.PASS if is_within else Verdict.HOLD)
    assert (found.metrics["values"], found.metrics["rows"], "odd" in found.message) == (1, count, False)


def test_an_increase_is_exact_where_floating_numbers_are_not(session: Session) -> None:
    rules = DatasetRules(identifiers=IdentifierRules(columns=("email",), max_null_increase=0.2))

    assert results(session, _nulls(8), _nulls(6), rules)[identifiers.NULLS].verdict == Verdict.PASS
    assert results(session, _nulls(9), _nulls(6), rules)[identifiers.NULLS].verdict == Verdict.BLOCK


emails = st.sampled_from([None, "a", "b", "c", "d"])
tiers = st.sampled_from([None, "gold", "blue", "red"])
versions = st.dictionaries(st.integers(0, 6), st.tuples(emails, tiers), max_size=7).map(
    lambda found: people(*((id, email, tier) for id, (email, tier) in found.items()))
)


@pytest.mark.slow
@given(after=versions, before=versions)
@examples(15)
def test_what_is_measured_against_the_version_before_is_what_the_model_counts(
    session: Session, after: list[dict[str, Any]], before: list[dict[str, Any]]
) -> None:
    asked = facts(identifiers=EVERY, values=ValueRules(("tier", "email")))
    tables = [session.rows(pa.Table.from_pylist(rows, ARROW)) for rows in (after, before)]
    question = compared(tables[0], tables[1], asked)
    assert question is not None

    rates, rekeyed, *news = judged_against(session.single(question), asked)

    assert {name: rates.metrics[name] for name in ("id", "email")} == {
        name: pytest.approx(model.match_rate(after, before, name)) for name in ("id", "email")
    }
    assert rekeyed.metrics["email"] * len(after) == pytest.approx(model.rekeyed(after, before, "email"))
    assert [(r.metrics["values"], r.metrics["rows"]) for r in news] == [
        model.new_values(after, before, name) for name in ("tier", "email")
    ]


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    asked = facts(identifiers=EVERY, values=ValueRules(("tier",)))

    found = judged_against(None, asked)

    assert [result.message for result in found] == [NOTHING_BEFORE] * 3
    assert {result.verdict for result in found} == {Verdict.PASS}


def test_every_check_has_one_result_for_each_of_its_rules(session: Session) -> None:
    asked = facts(
        rows=RowRules(min=1, max=2, max_change=0.5, history=History(5, 1)),
        identifiers=EVERY,
        values=ValueRules(("tier", "email")),
    )
    table = session.rows(pa.Table.from_pylist(people(*TEN), ARROW))
    row = session.single(aggregates(CANDIDATE, table, asked))
    question = compared(table, table, asked)
    assert question is not None
    against = judged_against(session.single(question), asked)

    for check in CANDIDATE:
        named = [result for result in judged(CANDIDATE, row, asked) if result.check == check.name]
        assert len(named) == len(check.words(asked)), check.name
    for pair in AGAINST_BEFORE:
        named = [result for result in against if result.check == pair.name]
        assert len(named) == len(pair.words(asked)), pair.name
