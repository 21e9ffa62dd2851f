"""The circuit of an account: it opens after failures in a row, lets one probe through, and closes on an answer."""

from __future__ import annotations

import pytest

from engine.core.breaker import (
    ASK_AGAIN_SECONDS,
    CLOSED,
    COOL_GROWTH,
    COOL_SECONDS,
    COOL_SECONDS_MAX,
    FAILURES_MAX,
    PROBE_SECONDS_MAX,
    THROTTLED_WEIGHT,
    Circuit,
    entered,
    failed,
    wait_seconds,
)

JITTER = 0.9
"""What is left of a pause when the dice fall in the middle."""


def opened(times: int = 1, now: float = 100.0) -> Circuit:
    circuit = CLOSED
    for _ in range(FAILURES_MAX):
        circuit = failed(circuit, now, 0.5)
    for _ in range(times - 1):
        now = circuit.probe_at
        circuit = failed(entered(circuit, now), now, 0.5)
    return circuit


def test_it_stays_closed_until_enough_calls_failed_in_a_row() -> None:
    circuit = CLOSED
    for _ in range(FAILURES_MAX - 1):
        circuit = failed(circuit, 100.0, 0.5)

    assert wait_seconds(circuit, 100.0) == 0.0
    assert wait_seconds(failed(circuit, 100.0, 0.5), 100.0) == pytest.approx(COOL_SECONDS * JITTER)


def test_an_open_circuit_admits_one_probe_at_a_time() -> None:
    circuit = opened()
    due = circuit.probe_at

    assert wait_seconds(circuit, due - 1.0) == 1.0
    assert wait_seconds(circuit, due) == 0.0
    probed = entered(circuit, due)
    assert wait_seconds(probed, due) == ASK_AGAIN_SECONDS
    assert wait_seconds(probed, due + PROBE_SECONDS_MAX) == 0.0


def test_a_probe_that_fails_opens_it_for_longer_up_to_a_limit() -> None:
    waits = [round(opened(times).probe_at - opened(times - 1).probe_at, 6) for times in range(2, 120)]

    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(COOL_GROWTH * COOL_SECONDS * JITTER)
    assert waits[-1] == pytest.approx(COOL_SECONDS_MAX * JITTER)


@pytest.mark.parametrize("outage", [30.0, 60.0, 600.0, 3_000.0])
def test_the_end_of_an_outage_is_noticed_within_a_small_share_of_it_and_few_probes(outage: float) -> None:
    circuit, now, probes = opened(), 100.0, 0
    while now < 100.0 + outage:
        now, probes = circuit.probe_at, probes + 1
        circuit = failed(entered(circuit, now), now, 1.0)

    assert now - (100.0 + outage) <= COOL_SECONDS + 0.05 * outage
    assert probes <= 6 + outage / 6


def test_a_call_that_was_throttled_counts_for_all_that_were_in_that_moment() -> None:
    circuit = CLOSED
    for _ in range(4):
        circuit = failed(circuit, 100.0, 0.5, THROTTLED_WEIGHT)

    assert circuit.is_open


def test_calls_that_were_under_way_when_it_opened_do_not_open_it_further() -> None:
    circuit = opened()

    assert failed(circuit, 101.0, 0.5) == circuit


def test_probes_of_many_accounts_are_spread() -> None:
    almost = opened()
    soon, late = (failed(entered(almost, almost.probe_at), almost.probe_at, jitter) for jitter in (0.0, 1.0))

    assert soon.probe_at < late.probe_at
    assert wait_seconds(late, almost.probe_at) == pytest.approx(COOL_GROWTH * COOL_SECONDS)


def test_a_time_that_was_written_under_another_clock_does_not_keep_it_shut() -> None:
    assert wait_seconds(opened(now=1_000_000.0), 5.0) == COOL_SECONDS_MAX
