"""The sandbox's rate limit: a small burst, then a steady pace, and a wait that is true."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from destinations.sandbox.rate import BURST, admitted, full
from tests.destinations.sandbox.visitor import upsert, visiting


def test_calls_that_come_too_fast_are_told_when_to_come_again(tmp_path: Path) -> None:
    with visiting(tmp_path, rate=0.02) as sandbox:
        answers = [sandbox.send(upsert(str(n)), key=f"k{n}") for n in range(12)]
        sandbox.switch({"kind": "drop_before"})
        throttled = sandbox.send(upsert("13"))

        assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
        assert {answer.headers["retry-after"] for answer in [*answers[10:], throttled]} <= {"49", "50"}
        assert len(sandbox.held()) == 10
        assert sandbox.http.get("/health").status_code == 200, "only batches are limited"


@given(per_second=st.floats(0.01, 1e6), pauses=st.lists(st.floats(0, 1e4), max_size=50))
def test_no_pauses_let_in_more_than_the_burst_and_the_pace(per_second: float, pauses: list[float]) -> None:
    bucket, now, let_in = full(0.0), 0.0, 0
    for pause in pauses:
        now += pause
        bucket, early_seconds = admitted(bucket, per_second, now)
        let_in += early_seconds == 0

    assert let_in <= BURST + now * per_second + 1e-6


@given(per_second=st.floats(0.01, 1e6), starts=st.floats(0, 1e6))
def test_a_caller_that_waits_as_long_as_it_is_told_is_let_in(per_second: float, starts: float) -> None:
    bucket, now = full(starts), starts
    for _ in range(BURST + 5):
        bucket, early_seconds = admitted(bucket, per_second, now)
        if early_seconds:
            now += early_seconds * 1.000_001 + 1e-9
            bucket, early_seconds = admitted(bucket, per_second, now)
        assert early_seconds == 0

    assert now > starts, "after the burst there was a wait"
