"""The token endpoint beside a fake API, and the API's look at the tokens of its calls."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl

import httpx

from destinations.base import Spec
from destinations.testing.fake import HttpFake

LIFE_SECONDS = 3600


class Issuer:
    """It gives tokens out one by one, knows how many calls each is good for, and takes a refresh token once."""

    def __init__(self, address: str, refresh_token: str = "") -> None:
        self.address = address
        self.refresh_token = refresh_token
        """The only one that is taken; empty where no call brings one."""
        self.asked: list[httpx.Request] = []
        """Calls of the token endpoint."""
        self.turned_away: list[httpx.Request] = []
        """Calls of the API that came without a token that is good."""
        self.issued: list[str] = []
        """Every secret that was given out."""
        self.calls_left: list[int] = []
        """For how many calls the next tokens are good, one each; those after them are good for ever."""
        self.answers: list[httpx.Response] = []
        """What the token endpoint answers in place of a token, one each."""
        self.is_closed = False
        """Whether the API takes no token at all."""
        self.is_jealous = False
        """Whether a new token takes those back that were given out before."""
        self._good: dict[str, int | None] = {}
        self._used: Counter[str] = Counter()

    def answer(self, request: httpx.Request) -> httpx.Response | None:
        """A token, or a refusal; None for a call that the API may answer."""
        if str(request.url) == self.address:
            self.asked.append(request)
            return self.answers.pop(0) if self.answers else self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        limit = self._good.get(token, 0)
        self._used[token] += 1
        if self.is_closed or (limit is not None and self._used[token] > limit):
            self.turned_away.append(request)
            return httpx.Response(401, json={"error": "invalid_token", "you_sent": dict(request.headers)})
        return None

    def forget(self) -> None:
        """Take none of the tokens any more that were given out."""
        self._good.clear()

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        if self.refresh_token and form.get("refresh_token") != self.refresh_token:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": f"you sent {form}"})
        if self.is_jealous:
            self.forget()
        token = self._new("access")
        self._good[token] = self.calls_left.pop(0) if self.calls_left else None
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": LIFE_SECONDS}
        if self.refresh_token:
            self.refresh_token = answer["refresh_token"] = self._new("refresh")
        return httpx.Response(200, json=answer)

    def _new(self, kind: str) -> str:
        self.issued.append(f"{kind}-token-{len(self.issued) + 1}-that-nobody-may-see")
        return self.issued[-1]


class IssuesTokens(HttpFake):
    """Goes before the class of a fake whose adapter renews its token: calls without a good one do not reach the API."""

    token_url = "https://auth.example/token"  # noqa: S105  # an address

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.issuer = Issuer(self.token_url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = self.issuer.answer(request)
        return await super().handle_async_request(request) if answer is None else answer
