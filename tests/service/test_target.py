"""What an operator lowers holds however large a plan is, and whichever way the adapter takes then."""

from __future__ import annotations

import pytest

from destinations.base import Limits
from destinations.salesforce.adapter import JOB_LIMITS, Salesforce
from engine.core.classification import Classification
from engine.steps.facts import Target
from tests.destinations.salesforce.org import adapter

CALL = Salesforce.spec.limits


def target(**lowered: int) -> Target:
    return Target(
        name="crm", destination=adapter(), paces={}, clearance=Classification("public", 0, is_shown=True), **lowered
    )


@pytest.mark.parametrize(
    ("lowered", "plan", "limits"),
    [
        ({}, 1_999, CALL),
        ({}, 2_000, JOB_LIMITS),
        ({"records_max": 100}, 1_999, Limits(100, CALL.bytes, concurrency=CALL.concurrency)),
        ({"records_max": 1_000}, 1_999, CALL),
        ({"records_max": 1_000}, 2_000, Limits(1_000, JOB_LIMITS.bytes, concurrency=JOB_LIMITS.concurrency)),
        ({"concurrency": 1}, 2_000, Limits(JOB_LIMITS.records, JOB_LIMITS.bytes, concurrency=1)),
    ],
)
def test_the_lower_of_both_limits_holds(lowered: dict[str, int], plan: int, limits: Limits) -> None:
    assert target(**lowered).limits_for(plan) == limits
