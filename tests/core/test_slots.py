"""Whether one more run may begin: overall, into one destination, out of one connection."""

from __future__ import annotations

import pytest

from engine.core.slots import Limits, Needs, may_begin

CRM = Needs("crm", ("warehouse",))
ADS = Needs("ads", ("lake",))
BOTH = Needs("files", ("warehouse", "lake"))
MANY = 99


@pytest.mark.parametrize(
    ("limits", "under_way", "begins"),
    [
        (Limits(2, MANY, MANY), [ADS], True),
        (Limits(2, MANY, MANY), [ADS, ADS], False),
        (Limits(MANY, 2, MANY), [CRM, ADS, ADS], True),
        (Limits(MANY, 2, MANY), [CRM, CRM], False),
        (Limits(MANY, MANY, 2), [BOTH, ADS, ADS], True),
        (Limits(MANY, MANY, 2), [BOTH, CRM], False),
        (Limits(1, 1, 1), [], True),
    ],
)
def test_a_run_begins_below_each_limit_and_not_at_one(limits: Limits, under_way: list[Needs], begins: bool) -> None:
    assert may_begin(CRM, under_way, limits) is begins


def test_a_run_out_of_two_connections_needs_room_in_both() -> None:
    assert not may_begin(BOTH, [ADS], Limits(MANY, MANY, 1))
    assert may_begin(BOTH, [Needs("crm", ())], Limits(MANY, MANY, 1))
