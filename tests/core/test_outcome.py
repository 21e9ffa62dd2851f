"""A run's status says what became of its records, and the exit code says what a script must know (I7, I8)."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.outcome import EXIT_CODES, Buckets, RunStatus, exit_code, run_status
from tests.property.effort import examples

COUNTS = st.integers(0, 3)


@given(
    delivered=COUNTS, rejected=COUNTS, failed=COUNTS, unknown=COUNTS, unsent=COUNTS, stopped=st.none() | st.just("x")
)
@examples(500)
def test_a_run_succeeded_exactly_when_nothing_stopped_it_and_nothing_is_owed(
    delivered: int, rejected: int, failed: int, unknown: int, unsent: int, stopped: str | None
) -> None:
    owed = rejected + failed + unknown + unsent
    buckets = Buckets(delivered + owed, delivered, rejected, failed, unknown)

    status, _ = run_status(buckets, stopped)

    assert buckets.unsent == unsent
    assert (status is RunStatus.SUCCEEDED) == (owed == 0 and stopped is None)
    assert (status is RunStatus.FAILED) == (stopped is not None)


@pytest.mark.parametrize(
    ("buckets", "stopped", "status", "reason"),
    [
        (Buckets(0, 0, 0, 0, 0), None, RunStatus.SUCCEEDED, ""),
        (Buckets(5, 5, 0, 0, 0), None, RunStatus.SUCCEEDED, ""),
        (Buckets(5, 4, 1, 0, 0), None, RunStatus.PARTIAL, "1 rejected of 5 records"),
        (Buckets(5, 4, 0, 1, 0), None, RunStatus.PARTIAL, "1 failed of 5 records"),
        (Buckets(5, 4, 0, 0, 1), None, RunStatus.PARTIAL, "1 of unknown outcome of 5 records"),
        (Buckets(5, 4, 0, 0, 0), None, RunStatus.PARTIAL, "1 not sent of 5 records"),
        (Buckets(5, 0, 5, 0, 0), None, RunStatus.PARTIAL, "5 rejected of 5 records"),
        (
            Buckets(9_999, 1, 1_000, 2, 3),
            None,
            RunStatus.PARTIAL,
            "1,000 rejected, 2 failed, 3 of unknown outcome, 8,993 not sent of 9,999 records",
        ),
        (Buckets(5, 4, 0, 0, 0), "401: refused", RunStatus.FAILED, "401: refused; 1 not sent of 5 records"),
        (Buckets(5, 5, 0, 0, 0), "503: away", RunStatus.FAILED, "503: away; every record was delivered"),
    ],
)
def test_status_and_reason_name_every_record_that_was_not_delivered(
    buckets: Buckets, stopped: str | None, status: RunStatus, reason: str
) -> None:
    assert run_status(buckets, stopped) == (status, reason)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        ([RunStatus.SUCCEEDED], 0),
        ([RunStatus.UNCHANGED], 0),
        ([RunStatus.FAILED], 1),
        ([RunStatus.PAUSED], 1),
        ([RunStatus.CANCELLED], 1),
        ([RunStatus.BLOCKED], 3),
        ([RunStatus.HELD], 4),
        ([RunStatus.PARTIAL], 5),
        ([RunStatus.BUSY], 6),
        ([RunStatus.RUNNING], 130),
    ],
)
def test_a_status_has_this_exit_code(statuses: list[RunStatus], code: int) -> None:
    assert exit_code(statuses) == code


def test_every_status_has_an_exit_code_and_only_those_that_owe_nothing_have_zero() -> None:
    assert EXIT_CODES.keys() == set(RunStatus)
    nothing_owed = {RunStatus.SUCCEEDED, RunStatus.UNCHANGED}
    assert {status for status, code in EXIT_CODES.items() if code == 0} == nothing_owed


@pytest.mark.parametrize("pair", list(product(RunStatus, repeat=2)), ids="-".join)
def test_of_several_syncs_the_most_urgent_decides_in_whatever_order(pair: tuple[RunStatus, RunStatus]) -> None:
    urgency = [130, 1, 3, 4, 5, 6, 0]
    expected = min((EXIT_CODES[status] for status in pair), key=urgency.index)

    assert exit_code([RunStatus.SUCCEEDED, *pair]) == exit_code([*reversed(pair)]) == expected
