"""Limits of changes are exact: what one allows passes, and one more gets just the action that was declared (I17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checks import delta
from engine.checks.delta import KINDS, Kind, judged
from engine.checks.facts import Coverage, PlanFacts
from engine.checks.registry import PLAN, aggregates
from engine.checks.registry import judged as results
from engine.checks.rules import DESTRUCTION, Budget, ChangeLimit, SyncRules
from engine.core.verdict import Verdict
from engine.segments.compute import Compute, Session
from tests.property.effort import examples

ACTIONS = (Verdict.BLOCK, Verdict.HOLD, Verdict.WARN)
FACTS = PlanFacts(("id",), "crm", "development", None, per_call=lambda _: 10, coverage=Coverage(1, 1))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("count", "is_within"), [(0, True), (99, True), (100, True), (101, False), (1_000, False)])
def test_a_count_beyond_the_limit_gets_the_declared_action(
    kind: Kind, count: int, is_within: bool, action: Verdict
) -> None:
    found = judged(kind, count, 1_000, ChangeLimit(100, None, action))

    assert found.verdict == (Verdict.PASS if is_within else action)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("count", "held", "is_within"),
    [(49, 1_000, True), (50, 1_000, True), (51, 1_000, False), (1, 19, False), (1, 20, True), (20, 20, False)],
)
def test_a_share_beyond_the_limit_gets_the_declared_action(kind: Kind, count: int, held: int, is_within: bool) -> None:
    found = judged(kind, count, held, ChangeLimit(None, 0.05, Verdict.BLOCK))

    assert found.verdict == (Verdict.PASS if is_within else Verdict.BLOCK)


@pytest.mark.parametrize(("share", "held"), [(0.1, 30), (0.07, 100), (0.29, 100), (1.1, 10), (0.3, 1_000_000_000_000)])
def test_a_share_is_the_decimal_number_that_was_written(share: float, held: int) -> None:
    just = round(share * held)
    limit = ChangeLimit(None, share, Verdict.HOLD)

    assert [judged(KINDS[0], just + n, held, limit).verdict for n in (-1, 0, 1)] == ["pass", "pass", "hold"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_while_nothing_is_held_there_is_no_share_and_a_count_still_counts(kind: Kind) -> None:
    assert judged(kind, 1_000, 0, ChangeLimit(None, 0.0, Verdict.BLOCK)).verdict == Verdict.PASS
    assert judged(kind, 1_000, 0, ChangeLimit(999, 0.5, Verdict.BLOCK)).verdict == Verdict.BLOCK


def test_a_limit_of_none_at_all_admits_no_delete() -> None:
    assert judged(KINDS[2], 1, 1_000_000, ChangeLimit(0, None, Verdict.BLOCK)).verdict == Verdict.BLOCK
    assert judged(KINDS[2], 0, 1_000_000, ChangeLimit(0, 0.0, Verdict.BLOCK)).verdict == Verdict.PASS


def test_either_limit_is_enough_to_stop() -> None:
    limit = ChangeLimit(100, 0.5, Verdict.HOLD)

    assert judged(KINDS[2], 101, 100_000, limit).verdict == Verdict.HOLD
    assert judged(KINDS[2], 60, 100, limit).verdict == Verdict.HOLD


@pytest.mark.parametrize(
    ("count", "held", "is_within"),
    [
        (25, 30, True),
        (26, 30, False),
        (25, 0, True),
        (26, 1300, True),
        (27, 1300, False),
        (100, 5000, True),
        (101, 5000, False),
        (20000, 1000000, True),
        (20001, 1000000, False),
    ],
)
@pytest.mark.parametrize("kind", KINDS[2:4], ids=lambda kind: kind.name)
def test_where_nothing_is_declared_25_records_or_two_in_a_hundred_may_go_and_more_is_held(
    kind: Kind, count: int, held: int, is_within: bool
) -> None:
    assert kind.limit(SyncRules()) is DESTRUCTION
    assert judged(kind, count, held, DESTRUCTION).verdict == (Verdict.PASS if is_within else Verdict.HOLD)


operations = st.sampled_from(
    [
        ("upsert", "insert", "new"),
        ("upsert", "update", "changed"),
        ("upsert", "update", "outcome unknown"),
        ("delete", "delete", "gone"),
        ("delete", "delete", "re-keyed"),
        ("delete", "delete", "consent"),
        ("delete", "delete", "erasure"),
    ]
)
EVERY = ChangeLimit(0, 0.0, Verdict.WARN)
PLAN_SCHEMA = pa.schema([("op", pa.string()), ("change", pa.string()), ("reason", pa.string())])


@given(plan=st.lists(operations, max_size=40))
@examples(15)
def test_what_a_plan_holds_is_counted_as_people_count(session: Session, plan: list[tuple[str, str, str]]) -> None:
    rules = SyncRules(EVERY, EVERY, EVERY, EVERY, EVERY, budget=Budget(0, 0, Verdict.WARN))
    facts = replace(FACTS, rules=rules)
    rows = [dict(zip(PLAN_SCHEMA.names, row, strict=True)) for row in plan]
    table = session.rows(pa.Table.from_pylist(rows, PLAN_SCHEMA))

    row = session.single(aggregates(PLAN, table, facts))
    found = {result.check: result.metrics for result in results(PLAN, row, replace(facts, held=1_000))}

    changes, reasons = Counter(change for _, change, _ in plan), Counter(reason for *_, reason in plan)
    assert found["delta.inserts"]["inserts"] == changes["insert"]
    assert found["delta.updates"]["updates"] == changes["update"]
    assert found["delta.deletes"]["deletes"] == reasons["gone"]
    assert found["delta.rekeyed"]["rekeyed"] == reasons["re-keyed"]
    owed = reasons["consent"] + reasons["erasure"]
    assert found["delta.total"]["total"] == len(plan) - owed
    sent = len(plan) - changes["delete"]
    runs = (owed, sent, changes["delete"] - owed)
    assert found["budget"] == {"records": len(plan), "requests": sum(-(-rows // 10) for rows in runs)}
    assert delta.asks_share(row, facts) == any(
        [changes["insert"], changes["update"], reasons["gone"], reasons["re-keyed"], len(plan) - owed]
    )
