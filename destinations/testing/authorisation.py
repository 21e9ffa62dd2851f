"""Checks of what an adapter makes of tokens that expire, are refused, or cannot be had."""

from __future__ import annotations

import logging
from collections import Counter

import httpx
import pytest

from destinations.auth import Fixed
from destinations.http import HttpDestination
from destinations.testing.faults import WAIT_SECONDS, Answered
from destinations.testing.issuer import Issuer, IssuesTokens
from destinations.testing.secrecy import leaks, said_of
from destinations.testing.suite import Stage, Suite

_NOT_APPLIED = Answered("503 before it was applied", 503)


def issuer_of(stage: Stage) -> Issuer:
    """The token endpoint of the fake; the test is skipped for an adapter whose credential nothing renews."""
    adapter = stage.made()
    auth = adapter.auth() if isinstance(adapter, HttpDestination) else None
    if auth is None or isinstance(auth, Fixed):
        pytest.skip("the adapter's credential is not one that is renewed")
    assert isinstance(stage.fake, IssuesTokens), "the adapter renews its token, so its fake derives from `IssuesTokens`"
    return stage.fake.issuer


class Authorisation(Suite):
    """Who may call."""

    def test_a_token_that_expires_in_a_run_is_renewed_once(self, stage: Stage) -> None:
        """D8: the first call was answered, so the token was good; it is refused to the second."""
        issuer, records = issuer_of(stage), stage.people(3)
        issuer.calls_left = [1]
        stage.api.trouble(_NOT_APPLIED)

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        assert len(issuer.asked) == 2
        assert len(issuer.turned_away) == 1
        assert max(Counter(request.content for request in stage.api.sent).values()) == 2, "a call came once too often"

    def test_a_token_that_is_refused_again_stops_the_run(self, stage: Stage) -> None:
        """D8: one renewal, one repeated call, and nobody tries for ever."""
        issuer, records = issuer_of(stage), stage.people(3)
        issuer.is_closed = True

        ended = stage.deliver(records)

        stage.assert_open(set(records), ended)
        assert ended.stop is not None
        assert len(issuer.asked) == len(issuer.turned_away) == 2

    def test_a_credential_that_gets_no_token_stops_the_run(self, stage: Stage) -> None:
        issuer, records = issuer_of(stage), stage.people(3)
        issuer.answers = [httpx.Response(401, json={"error": "invalid_client"}) for _ in range(9)]

        ended = stage.deliver(records)

        stage.assert_open(set(records), ended)
        assert ended.stop is not None
        assert len(issuer.asked) == 1
        assert stage.api.requests == issuer.turned_away == []

    def test_while_no_token_can_be_had_nothing_is_sent(self, stage: Stage) -> None:
        """I19: the token endpoint is waited for as it asks, and no call leaves without a token."""
        issuer, records = issuer_of(stage), stage.people(3)
        issuer.answers = [httpx.Response(503, headers={"retry-after": str(WAIT_SECONDS)})]

        ended = stage.deliver(records)

        stage.assert_once(records, ended)
        assert ended.waited_seconds >= WAIT_SECONDS
        assert issuer.turned_away == []

    def test_a_later_run_is_authorised_too(self, stage: Stage) -> None:
        """D9: what the token endpoint takes back at each use has a successor that is kept."""
        issuer, records = issuer_of(stage), stage.people(3)

        before = stage.deliver(records)
        ended = stage.deliver(records, plan="plan-2")

        assert (before.stop, ended.stop) == (None, None)
        assert len(issuer.asked) == 2

    def test_no_token_is_logged_or_said_or_stands_in_an_address(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        """I24: not even when a record is rejected, and when both sides repeat what they were sent."""
        issuer, records = issuer_of(stage), stage.people(3)
        caplog.set_level(logging.DEBUG)
        stage.fake.reject(next(iter(records)))

        said = [*said_of(stage.deliver(records))]
        issuer.is_closed = True
        said += said_of(stage.deliver(records, plan="plan-2"))
        issuer.answers = [
            httpx.Response(400, json={"error": token, "error_description": token}) for token in issuer.issued
        ]
        said += said_of(stage.deliver(records, plan="plan-3"))

        addresses = [str(request.url) for request in (*issuer.asked, *issuer.turned_away, *stage.api.requests)]
        assert leaks((*issuer.issued, *stage.secrets()), [*said, *addresses, caplog.text]) == []
