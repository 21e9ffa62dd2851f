"""Adapters that are each wrong in one way about their tokens, and their suites; `test_teeth` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from destinations.auth import Auth, RefreshToken
from destinations.base import Batch, Outcomes, Rejected, Reply, Sign, Stop, Transport, Unavailable
from destinations.testing.example.test_acme import TestAcme as Honest
from tests.conformance.authorised import CLIENT, FIRST_TOKEN, AcmeWithLogin, AuthorisedFake, RotatingFake


class WithTokens(Honest):
    config: Mapping[str, Any] = {"login": CLIENT}
    fake = AuthorisedFake


class RenewsForEver(AcmeWithLogin):
    """A refusal is taken for a token that has expired, as often as it comes."""

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        for _ in range(5):
            reply = await super().send(batch, transport)
            if not isinstance(reply, Stop):
                break
        return reply


class TestRenewsForEver(WithTokens):
    adapter = RenewsForEver


class RepeatsTwice(AcmeWithLogin):
    """What was answered is sent once more, for safety."""

    def authorized(self, transport: Transport) -> Transport:
        return _Twice(super().authorized(transport))


class _Twice:
    def __init__(self, wire: Transport) -> None:
        self._wire = wire

    def monotonic(self) -> float:
        return self._wire.monotonic()

    async def request(self, request: httpx.Request, sign: Sign | None = None) -> httpx.Response | Unavailable:
        answer = await self._wire.request(request, sign)
        is_answered = isinstance(answer, httpx.Response) and answer.is_success
        return await self._wire.request(request, sign) if is_answered else answer


class TestRepeatsTwice(WithTokens):
    adapter = RepeatsTwice


class RenewsEachTime(AcmeWithLogin):
    """A login of its own for every call."""

    def authorized(self, transport: Transport) -> Transport:
        self.__dict__.pop("_tokens", None)
        return super().authorized(transport)


class TestRenewsEachTime(WithTokens):
    adapter = RenewsEachTime


class KeepsTrying(AcmeWithLogin):
    """A refused credential is taken for an outage."""

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        reply = await super().send(batch, transport)
        return Unavailable("auth", "later", applied_unknown=False) if isinstance(reply, Stop) else reply


class TestKeepsTrying(WithTokens):
    adapter = KeepsTrying


class SendsAnyway(AcmeWithLogin):
    """Without a token the call leaves without one."""

    def authorized(self, transport: Transport) -> Transport:
        return _Anyway(super().authorized(transport), transport)


class _Anyway(_Twice):
    def __init__(self, wire: Transport, bare: Transport) -> None:
        super().__init__(wire)
        self._bare = bare

    async def request(self, request: httpx.Request, sign: Sign | None = None) -> httpx.Response | Unavailable:
        answer = await self._wire.request(request, sign)
        return await self._bare.request(request, sign) if isinstance(answer, Unavailable) else answer


class TestSendsAnyway(WithTokens):
    adapter = SendsAnyway


class QuotesItsCall(AcmeWithLogin):
    """A rejection says what was sent, headers and all."""

    def decode(self, batch: Batch, response: httpx.Response) -> Outcomes:
        sent = response.request.headers["authorization"]
        outcomes = super().decode(batch, response).outcomes
        return Outcomes(tuple(replace(o, message=sent) if isinstance(o, Rejected) else o for o in outcomes))


class TestQuotesItsCall(WithTokens):
    adapter = QuotesItsCall


class ForgetsItsSuccessor(AcmeWithLogin):
    """The refresh token is always the one that was there first."""

    def auth(self) -> Auth | None:
        auth = self.config.login
        assert isinstance(auth, RefreshToken)
        auth.refresh_token_file.write_text(FIRST_TOKEN)
        auth.refresh_token_file.chmod(0o600)
        return auth


class TestForgetsItsSuccessor(Honest):
    adapter = ForgetsItsSuccessor
    config: Mapping[str, Any] = {}
    fake = RotatingFake
