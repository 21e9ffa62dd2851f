"""The example adapter with credentials that are renewed, and its other side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson

from destinations.auth import Auth, ClientCredentials, RefreshToken
from destinations.base import Batch, CheckFailed, DestinationConfig, Spec, Transport, Unavailable
from destinations.testing.example import Acme
from destinations.testing.example.test_acme import AcmeFake
from destinations.testing.fake import Sent
from destinations.testing.issuer import IssuesTokens

CLIENT = {"client_id": "tidegate", "client_secret": "a-client-secret-of-the-suite", "token_url": IssuesTokens.token_url}
FIRST_TOKEN = "the-refresh-token-that-somebody-put-there"


class LoginConfig(DestinationConfig):
    url: str = "https://api.acme.example"
    login: ClientCredentials | RefreshToken


class AcmeWithLogin(Acme):
    config: LoginConfig
    spec = replace(Acme.spec, config=LoginConfig)

    def auth(self) -> Auth:
        return self.config.login

    def encode(self, batch: Batch) -> httpx.Request:
        contacts = [{"id": record.id, "fields": record.fields} for record in batch.records]
        content = orjson.dumps({"op": batch.op, "contacts": contacts}, default="{:f}".format)
        headers = {"idempotency-key": batch.idempotency_key}
        return httpx.Request("POST", f"{self.config.url}/{batch.object}", content=content, headers=headers)

    async def check(self, transport: Transport) -> str:
        answer = await self.authorized(transport).request(httpx.Request("GET", self.config.url))
        if isinstance(answer, Unavailable) or answer.status_code != 200:
            raise CheckFailed("it does not answer as Acme does")
        return "it answers"


class AuthorisedFake(IssuesTokens, AcmeFake):
    """Acme with a token endpoint."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:  # type: ignore[override]
        return None if request.method == "GET" else super().received(request)


class RotatingFake(AuthorisedFake):
    """Its refresh token is good for one use, and the first one lies in a file."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.issuer.refresh_token = FIRST_TOKEN
        self._file = folder / "refresh-token"
        self._file.write_text(FIRST_TOKEN)
        self._file.chmod(0o600)

    def config(self) -> Mapping[str, Any]:
        return {"login": {**CLIENT, "refresh_token_file": str(self._file)}}
