"""The suites of the adapters that come with Tidegate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Delivered, Destination, Op, Outcome, Rejected
from destinations.sandbox.adapter import Sandbox
from destinations.sandbox.application import SERVICE
from destinations.testing.conformance import Conformance
from destinations.testing.fake import Fake, HttpFake, Sent
from destinations.testing.fake_jobs import JobsFake
from destinations.webhook import Webhook

_LONG_SECRET = "a secret of the suite that is long enough"  # noqa: S105  # opens nothing


class BatchProtocolFake(HttpFake):
    """A receiver of the webhook protocol."""

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        if request.method != "POST":
            return None
        body = json.loads(request.content, parse_float=Decimal)
        return [Sent(Op(record["op"]), record["id"], record.get("fields", {})) for record in body["records"]]

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        del request
        return httpx.Response(200, json={"results": [_result(outcome) for outcome in outcomes]})

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json={"service": SERVICE})


def _result(outcome: Outcome) -> dict[str, str]:
    if isinstance(outcome, Delivered):
        return {"id": outcome.id, "status": "delivered"}
    status = "rejected" if isinstance(outcome, Rejected) else "failed"
    return {"id": outcome.id, "status": status, "code": outcome.code, "message": outcome.message}


class TestWebhook(Conformance):
    """The webhook, signed and with a header of its own."""

    adapter: ClassVar[type[Destination]] = Webhook
    config: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "url": "https://hook.example/in",
            "secret": _LONG_SECRET,
            "headers": {"authorization": "Bearer t0ken-of-suite"},
        }
    )
    fake: ClassVar[type[Fake]] = BatchProtocolFake


class TestSandbox(Conformance):
    """The sandbox."""

    adapter: ClassVar[type[Destination]] = Sandbox
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({"url": "http://127.0.0.1:8765"})
    fake: ClassVar[type[Fake]] = BatchProtocolFake


class SandboxJobsFake(JobsFake, BatchProtocolFake):
    """A sandbox that takes batches as jobs."""

    def submitted(self, request: httpx.Request, job: str) -> httpx.Response:
        del request
        return httpx.Response(202, json={"job": job})

    def asked(self, request: httpx.Request) -> str | None:
        place, _, job = request.url.path.rpartition("/")
        return job if place.endswith("/jobs") else None

    def running(self, request: httpx.Request, job: str) -> httpx.Response:
        del request, job
        return httpx.Response(200, json={"state": "running"})

    def failed(self, request: httpx.Request, job: str) -> httpx.Response:
        del request, job
        return httpx.Response(200, json={"state": "failed"})

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        del request
        return httpx.Response(200, json={"state": "ended", "results": [_result(outcome) for outcome in outcomes]})


class TestSandboxWithJobs(Conformance):
    """The sandbox, asked to answer later."""

    adapter: ClassVar[type[Destination]] = Sandbox
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({"url": "http://127.0.0.1:8765", "answers": "later"})
    fake: ClassVar[type[Fake]] = SandboxJobsFake
