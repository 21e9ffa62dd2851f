"""Checks of what an adapter makes of an API that is slow, full, broken or closed; the faults are data."""

from __future__ import annotations

import pytest

from destinations.base import Idempotency
from destinations.testing.faults import OUTAGES, REFUSALS, Answered, Dripping, Lost, Spoiled, Throttling
from destinations.testing.suite import Stage, Suite

REQUESTS_MAX = 4
"""Calls after which a refusal must have been understood; a new token may have been asked for in between."""
CUT_OFF_SECONDS = 0.05


class Trouble(Suite):
    """What happens when something happens."""

    def test_a_throttled_call_waits_as_asked_and_arrives(self, stage: Stage, throttling: Throttling) -> None:
        """D1."""
        records = stage.people(3)
        stage.api.trouble(throttling.fault)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        assert ended.waited_seconds >= throttling.seconds

    @pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
    def test_after_an_outage_the_same_call_comes_again(self, stage: Stage, outage: Answered | Lost) -> None:
        """N3, N5, N6: the repeated call is the same byte for byte, and has no second effect."""
        if outage.applied:
            stage.needs_repeats()
        records = stage.people(3)
        stage.api.trouble(outage)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        # Where a record is a call, those of the others come after.
        first, second, *others = stage.api.sent
        assert (stage.api.address(first), first.content) == (stage.api.address(second), second.content)
        assert not any((other.url, other.content) == (first.url, first.content) for other in others)
        if stage.spec.idempotency is Idempotency.KEYED:
            assert stage.api.key(first) == stage.api.key(second)

    @pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
    def test_while_an_outage_lasts_nothing_counts_as_delivered(self, stage: Stage, outage: Answered | Lost) -> None:
        """I5."""
        records = stage.people(3)
        stage.api.trouble(outage, always=True)

        ended = stage.deliver(records)

        stage.assert_open(set(records), ended)
        if outage.applied:
            assert {one.outcome for one in ended.others.values()} == {"unknown"}

    def test_an_answer_that_cannot_be_read_delivers_nothing(self, stage: Stage, spoiling: Spoiled) -> None:
        """N7, N14, D4."""
        records = stage.people(3)
        stage.api.trouble(spoiling, always=True)

        ended = stage.deliver(records, line=stage.line(attempts=2))

        if not stage.api.is_spoiled:
            pytest.skip("the API's answers have no body")
        stage.assert_open(set(records), ended)

    def test_an_answer_that_never_ends_is_cut_off(self, stage: Stage) -> None:
        """N4: every piece comes in time, and the whole never does."""
        records = stage.people(3)
        stage.api.trouble(Dripping("a body without end"), always=True)

        ended = stage.deliver(records, line=stage.line(CUT_OFF_SECONDS, attempts=2))

        assert {id: one.outcome for id, one in ended.others.items()} == dict.fromkeys(records, "unknown")

    @pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
    def test_a_refused_credential_or_address_stops_the_run(self, stage: Stage, refusal: Answered) -> None:
        """D8, D10, D13: no batch can succeed, no record is to blame, and nobody tries for ever."""
        records = stage.people(3)
        stage.api.trouble(refusal, always=True)

        ended = stage.deliver(records)

        stage.assert_open(set(records), ended)
        assert ended.stop is not None
        assert len(stage.api.requests) <= REQUESTS_MAX
