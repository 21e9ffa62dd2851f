"""The adapter of the sandbox, a fake CRM that `python -m destinations.sandbox` serves."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlsplit

import httpx
import orjson
from pydantic import AfterValidator, BaseModel

from destinations.addresses import LOOPBACK, NetworkConfig
from destinations.base import (
    Batch,
    CheckFailed,
    Idempotency,
    Jobs,
    Limits,
    Op,
    Reply,
    Running,
    Spec,
    Statuses,
    Submitted,
    Transport,
    Unavailable,
)
from destinations.batch_protocol import body, reply
from destinations.http import HttpDestination, News, Talk
from destinations.sandbox.application import SERVICE
from destinations.sandbox.batch import RECORDS_MAX

_STATUSES = Statuses()


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must carry no user, password, query or fragment")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be on this machine, or https")
    return url.rstrip("/")


class SandboxConfig(NetworkConfig):
    """``url`` is what the sandbox says when it starts; nothing in it is secret.

    ``answers`` ``later`` submits each batch as a job and asks what became of it.
    """

    url: Annotated[str, AfterValidator(_address)]
    answers: Literal["at_once", "later"] = "at_once"


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
        jobs=Jobs(ask_seconds=0.1, ask_seconds_max=5.0),
        erasure="the record is deleted",
        undo="nothing: it keeps all it was sent in one local folder",
        docs="https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/",
    )

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        assert isinstance(config, SandboxConfig)
        self._url = config.url
        self._later = config.answers == "later"

    def encode(self, batch: Batch) -> httpx.Request:
        headers = {"content-type": "application/json", "idempotency-key": batch.idempotency_key}
        where = "jobs" if self._later else "batches"
        return httpx.Request("POST", f"{self._url}/{where}", content=body(batch), headers=headers)

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return Submitted(orjson.loads(response.content)["job"]) if self._later else reply(batch, response)

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        answer = yield httpx.Request("GET", f"{self._url}/jobs/{quote(job, safe='')}")
        match orjson.loads(answer.content)["state"]:
            case "running":
                return Running()
            case "ended":
                return reply(batch, answer)
            case _:
                raise ValueError("a job runs or has ended")

    async def check(self, transport: Transport) -> str:
        """Ask for its health; an answer of something else than a sandbox is a failure."""
        answer = await transport.request(httpx.Request("GET", f"{self._url}/health"))
        if isinstance(answer, Unavailable):
            raise CheckFailed(f"{answer.message}; `tidegate sandbox` serves one")
        if not _is_sandbox(answer):
            raise CheckFailed(f"what answers at `url` ({answer.status_code}) is not a sandbox")
        return "the sandbox answers"


def _is_sandbox(answer: httpx.Response) -> bool:
    try:
        said = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return False
    return answer.status_code == 200 and isinstance(said, dict) and said.get("service") == SERVICE
