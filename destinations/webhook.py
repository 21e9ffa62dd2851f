"""A receiver of one's own: JSON batches by POST, signed as Standard Webhooks asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

import httpx
from pydantic import AfterValidator, BaseModel, SecretStr

from destinations.addresses import UrlConfig
from destinations.base import Batch, CheckFailed, Idempotency, Limits, Op, Reply, Spec, Transport
from destinations.base import Unavailable as NoAnswer
from destinations.batch_protocol import body, reply
from destinations.headers import sendable
from destinations.http import HttpDestination
from destinations.signing import HEADERS, secret_bytes, signed

_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "idempotency-key", *HEADERS})


def _strong(secret: SecretStr) -> SecretStr:
    try:
        secret_bytes(secret.get_secret_value())
    except ValueError:
        raise ValueError("needs at least 24 bytes, as text or as `whsec_` and base64") from None
    return secret


Secret = Annotated[SecretStr, AfterValidator(_strong)]
Headers = Annotated[dict[str, SecretStr], AfterValidator(lambda headers: sendable(headers, _OURS))]


class WebhookConfig(UrlConfig):
    """``secret`` signs each request; a list signs with each, for the time of a rotation."""

    secret: Secret | tuple[Secret, ...] = ()
    headers: Headers = {}


class Webhook(HttpDestination):
    """Whatever answers at a URL in the protocol of PROJECT.md."""

    spec: ClassVar[Spec] = Spec(
        name="webhook",
        title="Webhook",
        config=WebhookConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=1_000, bytes=4_000_000),
        idempotency=Idempotency.KEYED,
        composite_match=True,
        erasure="the receiver is sent a delete, and answers for what it does with it",
        undo="what the receiver did with a record beyond storing it",
        docs="https://github.com/standard-webhooks/standard-webhooks",
    )

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        assert isinstance(config, WebhookConfig)
        secrets = config.secret if isinstance(config.secret, tuple) else (config.secret,)
        self._url = config.url
        self._keys = tuple(secret_bytes(secret.get_secret_value()) for secret in secrets)
        self._headers = {name: value.get_secret_value() for name, value in config.headers.items()}

    def encode(self, batch: Batch) -> httpx.Request:
        headers = {**self._headers, "content-type": "application/json", "idempotency-key": batch.idempotency_key}
        return httpx.Request("POST", self._url, content=body(batch), headers=headers)

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return reply(batch, response)

    def sign(self, request: httpx.Request, now: datetime) -> httpx.Request:
        if not self._keys:
            return request
        return signed(request, id=request.headers["idempotency-key"], now=now, keys=self._keys)

    async def check(self, transport: Transport) -> str:
        """An OPTIONS request: it proves that something listens, and sends no record."""
        answer = await transport.request(httpx.Request("OPTIONS", self._url, headers=self._headers))
        if isinstance(answer, NoAnswer):
            raise CheckFailed(answer.message)
        if answer.status_code in {401, 403}:
            raise CheckFailed(f"the credential is refused ({answer.status_code})")
        return f"something answers ({answer.status_code}); whether it speaks the protocol, the first batch shows"
