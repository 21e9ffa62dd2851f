"""The limit of deletes is exact: what it allows passes, and one more gets just the action that was declared (I17)."""

from __future__ import annotations

import pytest

from engine.checks.delta import deletes
from engine.checks.rules import ChangeLimit
from engine.core.verdict import Verdict


@pytest.mark.parametrize("action", [Verdict.BLOCK, Verdict.HOLD, Verdict.WARN])
@pytest.mark.parametrize(("gone", "is_within"), [(0, True), (99, True), (100, True), (101, False), (1_000, False)])
def test_a_count_beyond_the_limit_gets_the_declared_action(gone: int, is_within: bool, action: Verdict) -> None:
    found = deletes(gone, 1_000, ChangeLimit(100, None, action))

    assert found.verdict == (Verdict.PASS if is_within else action)


@pytest.mark.parametrize(
    ("gone", "held", "is_within"),
    [(50, 1_000, True), (51, 1_000, False), (0, 0, True), (1, 19, False), (1, 20, True), (20, 20, False)],
)
def test_a_share_beyond_the_limit_gets_the_declared_action(gone: int, held: int, is_within: bool) -> None:
    found = deletes(gone, held, ChangeLimit(None, 0.05, Verdict.BLOCK))

    assert found.verdict == (Verdict.PASS if is_within else Verdict.BLOCK)


def test_a_limit_of_none_at_all_admits_no_delete() -> None:
    assert deletes(1, 1_000_000, ChangeLimit(0, None, Verdict.BLOCK)).verdict == Verdict.BLOCK
    assert deletes(0, 1_000_000, ChangeLimit(0, 0.0, Verdict.BLOCK)).verdict == Verdict.PASS


def test_either_limit_is_enough_to_stop() -> None:
    limit = ChangeLimit(100, 0.5, Verdict.HOLD)

    assert deletes(101, 100_000, limit).verdict == Verdict.HOLD
    assert deletes(60, 100, limit).verdict == Verdict.HOLD
