"""The adapter of the sandbox, a fake CRM that `python -m destinations.sandbox` serves."""

from __future__ import annotations

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import AfterValidator, BaseModel

from destinations.base import (
    Batch,
    CheckFailed,
    DestinationConfig,
    Idempotency,
    Limits,
    Op,
    Reply,
    Spec,
    Statuses,
    Transport,
    Unavailable,
)
from destinations.batch_protocol import body, reply
from destinations.http import HttpDestination
from destinations.sandbox.application import SERVICE
from destinations.sandbox.batch import RECORDS_MAX

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_STATUSES = Statuses()


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must carry no user, password, query or fragment")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be on this machine, or https")
    return url.rstrip("/")


class SandboxConfig(DestinationConfig):
    """``url`` is what the sandbox says when it starts; nothing in it is secret."""

    url: Annotated[str, AfterValidator(_address)]


class Sandbox(HttpDestination):
    """A sandbox that somebody serves; every object exists in it, and most are empty."""

    spec: ClassVar[Spec] = Spec(
        name="sandbox",
        title="Sandbox",
        config=SandboxConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE, Op.UNSUBSCRIBE}),
        limits=Limits(records=RECORDS_MAX, bytes=4_000_000),
        idempotency=Idempotency.KEYED,
        composite_match=True,
        # It takes batches one after the other, so its 409 never means "in progress": the key came with another body.
        statuses=Statuses(unavailable=_STATUSES.unavailable - {409}),
        undo="nothing: it keeps all it was sent in one local folder",
        docs="https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/",
    )

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        assert isinstance(config, SandboxConfig)
        self._url = config.url

    def encode(self, batch: Batch) -> httpx.Request:
        headers = {"content-type": "application/json", "idempotency-key": batch.idempotency_key}
        return httpx.Request("POST", f"{self._url}/batches", content=body(batch), headers=headers)

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return reply(batch, response)

    async def check(self, transport: Transport) -> str:
        """Ask for its health; an answer of something else than a sandbox is a failure."""
        answer = await transport.request(httpx.Request("GET", f"{self._url}/health"))
        if isinstance(answer, Unavailable):
            raise CheckFailed(answer.message)
        if not _is_sandbox(answer):
            raise CheckFailed(f"what answers at `url` ({answer.status_code}) is not a sandbox")
        return "the sandbox answers"


def _is_sandbox(answer: httpx.Response) -> bool:
    try:
        said = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return False
    return answer.status_code == 200 and isinstance(said, dict) and said.get("service") == SERVICE
