"""What a plan is judged by beside its changes: who consents, what may be called, and where it may go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.checks import budget, coverage, environment
from engine.checks.facts import Coverage, PlanFacts
from engine.checks.registry import IDENTITIES, PLAN
from engine.checks.rules import Budget, ConsentLimit, SyncRules
from engine.core.verdict import Verdict

ACTIONS = (Verdict.BLOCK, Verdict.HOLD, Verdict.WARN)
FACTS = PlanFacts(("id",), "crm", "development", None, per_call=lambda _: 100, asks_consent=True)


def covered(limit: ConsentLimit | None, now: Coverage, before: Coverage | None = None) -> str:
    facts = replace(FACTS, rules=SyncRules(consent=limit), coverage=now, coverage_before=before)
    (found,) = coverage.verdict({}, facts)
    assert found.metrics["consenting"] == now.consenting
    return found.verdict


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("consenting", "is_within"), [(49, False), (50, True), (51, True)])
def test_the_floor_of_consent_is_exact(consenting: int, is_within: bool, action: Verdict) -> None:
    assert covered(ConsentLimit(0.5, None, action), Coverage(100, consenting)) == (
        Verdict.PASS if is_within else action
    )


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("consenting", "is_within"), [(59, False), (60, True), (61, True), (100, True)])
def test_a_drop_of_consent_is_exact(consenting: int, is_within: bool, action: Verdict) -> None:
    found = covered(ConsentLimit(None, 0.2, action), Coverage(100, consenting), Coverage(1_000, 800))

    assert found == (Verdict.PASS if is_within else action)


def test_consent_has_no_share_of_no_rows_and_no_drop_before_the_first_plan() -> None:
    assert covered(ConsentLimit(1.0, 0.0, Verdict.BLOCK), Coverage(0, 0), Coverage(10, 10)) == Verdict.PASS
    assert covered(ConsentLimit(None, 0.0, Verdict.BLOCK), Coverage(10, 1), None) == Verdict.PASS
    assert covered(None, Coverage(10, 0), Coverage(10, 10)) == Verdict.PASS


def test_the_share_of_consent_is_recorded_without_a_limit_and_asked_of_nobody_without_a_rule() -> None:
    assert coverage.words(FACTS) == ("the share of rows whose subject consents is recorded",)
    assert coverage.words(replace(FACTS, asks_consent=False)) == ()


def needed(rows: tuple[int, int, int], limit: Budget | None, left: dict[str, int] | None = None) -> str:
    facts = replace(FACTS, rules=SyncRules(budget=limit), left_today=left or {})
    (found,) = budget.verdict(dict(zip(("first", "sent", "last"), rows, strict=True)), facts)
    return found.verdict


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("rows", "is_within"),
    [((0, 199, 0), True), ((0, 200, 0), True), ((0, 201, 0), False), ((1, 100, 0), True), ((1, 100, 1), False)],
)
def test_calls_are_counted_in_full_batches_of_one_operation(
    rows: tuple[int, int, int], is_within: bool, action: Verdict
) -> None:
    assert needed(rows, Budget(2, None, action)) == (Verdict.PASS if is_within else action)


@pytest.mark.parametrize(("rows", "is_within"), [((0, 499, 0), True), ((100, 300, 100), True), ((0, 501, 0), False)])
def test_records_of_a_run_are_limited_exactly(rows: tuple[int, int, int], is_within: bool) -> None:
    assert needed(rows, Budget(None, 500, Verdict.HOLD)) == (Verdict.PASS if is_within else Verdict.HOLD)


@pytest.mark.parametrize(
    ("left", "is_within"),
    [({"requests": 3}, True), ({"requests": 2}, False), ({"records": 300}, True), ({"records": 299}, False)],
)
def test_what_is_left_of_the_day_gets_the_declared_action_and_is_told_without_one(
    left: dict[str, int], is_within: bool
) -> None:
    rows = (0, 300, 0)
    assert needed(rows, Budget(None, None, Verdict.BLOCK), left) == (Verdict.PASS if is_within else Verdict.BLOCK)
    assert needed(rows, None, left) == (Verdict.PASS if is_within else Verdict.WARN)


@pytest.mark.parametrize(
    ("environments", "verdict"),
    [(None, "pass"), (("development",), "pass"), (("staging", "development"), "pass"), (("production",), "block")],
)
def test_nothing_leaves_for_a_destination_of_another_environment(
    environments: tuple[str, ...] | None, verdict: str
) -> None:
    (found,) = environment.verdict({}, replace(FACTS, environments=environments))

    assert found.verdict == verdict


def test_every_check_of_a_plan_says_its_rule_where_it_applies() -> None:
    limits = SyncRules(consent=ConsentLimit(0.5, 0.1, Verdict.HOLD), budget=Budget(1, 2, Verdict.HOLD))
    facts = replace(FACTS, rules=limits, left_today={"requests": 0})
    said = {check.name: check.words(facts) for check in (*IDENTITIES, *PLAN)}

    assert {name for name, words in said.items() if not words} == {"delta.inserts", "delta.updates", "delta.total"}
    assert said["delta.deletes"] == ("deletes: at most 25, or 2 % of the records held if that is more",)
    assert said["budget"] == ("at most 1 calls a run, at most 2 records a run, within what is left of the day of crm",)
    assert said["consent.coverage"] == (
        "subjects consent: at least 50 % of the rows and at most 10 % of the rows less than before",
    )


def test_the_calls_of_a_plan_are_counted_by_what_a_call_carries_in_a_plan_of_that_size() -> None:
    """An adapter may take large plans another way, such as by jobs."""
    facts = replace(
        FACTS, per_call=lambda n: 10 if n < 100 else 1_000, rules=SyncRules(budget=Budget(9, None, Verdict.HOLD))
    )

    (small,), (large,) = (budget.verdict({"first": 0, "sent": count, "last": 0}, facts) for count in (99, 100))

    assert (small.verdict, large.verdict) == (Verdict.HOLD, Verdict.PASS)
