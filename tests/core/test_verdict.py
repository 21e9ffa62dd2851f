"""Of several checks the heaviest verdict counts, and everything that did not pass is told."""

from __future__ import annotations

from itertools import permutations

import pytest

from engine.core.events import CheckResult
from engine.core.verdict import Verdict, blocked, passed, reasons, warned, worst

HELD = CheckResult("delta", "hold", "too many deletes", {})
PASSED, WARNED, BLOCKED = passed("a", "fine"), warned("b", "odd"), blocked("c", "wrong")


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([], Verdict.PASS),
        ([PASSED], Verdict.PASS),
        ([PASSED, WARNED], Verdict.WARN),
        ([PASSED, WARNED, HELD], Verdict.HOLD),
        ([PASSED, WARNED, HELD, BLOCKED], Verdict.BLOCK),
        ([PASSED, BLOCKED], Verdict.BLOCK),
    ],
)
def test_the_heaviest_verdict_counts_in_whatever_order(results: list[CheckResult], verdict: Verdict) -> None:
    assert {worst(order) for order in permutations(results)} == {verdict}


def test_a_verdict_that_nobody_knows_is_not_taken_for_harmless() -> None:
    with pytest.raises(ValueError, match="shrug"):
        worst([PASSED, CheckResult("d", "shrug", "?", {})])


def test_reasons_are_the_sentences_of_what_did_not_pass() -> None:
    assert reasons([PASSED, WARNED, PASSED, HELD, BLOCKED]) == "odd; too many deletes; wrong"
    assert reasons([PASSED]) == reasons([]) == ""


def test_a_check_carries_its_numbers() -> None:
    made = [check("rows", "said", {"n": 2.0}) for check in (passed, warned, blocked)]

    assert [(r.check, r.verdict, r.metrics) for r in made] == [
        ("rows", v, {"n": 2.0}) for v in ("pass", "warn", "block")
    ]
    assert PASSED.metrics == {}
