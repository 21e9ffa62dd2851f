"""Acme with jobs, as docs/adapters.md shows it, its API, and their suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import httpx

from destinations.base import Batch, Jobs, Outcome, Reply, Running, Submitted, Unavailable
from destinations.http import News, Talk
from destinations.testing.conformance import Conformance
from destinations.testing.example import Acme
from destinations.testing.example.test_acme import AcmeFake
from destinations.testing.example.test_acme import TestAcme as AtOnce
from destinations.testing.fake import Sent
from destinations.testing.fake_jobs import JobsFake


class AcmeBulk(Acme):
    spec = replace(Acme.spec, jobs=Jobs(deadline_seconds=1800, ask_seconds=2))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return Submitted(response.json()["job"])

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        answer = yield httpx.Request("GET", f"{self.config.url}/jobs/{job}", headers=headers)
        match answer.json()["state"]:
            case "running":
                return Running()
            case "ended":
                return super().decode(batch, answer)
            case state:
                return Unavailable("job_failed", f"the job ended as {state}", applied_unknown=False)


class BulkFake(JobsFake, AcmeFake):
    def received(self, request: httpx.Request) -> Sequence[Sent]:
        return AcmeFake.received(self, request)

    def submitted(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(202, json={"job": job})

    def asked(self, request: httpx.Request) -> str | None:
        return request.url.path.removeprefix("/jobs/") if request.method == "GET" else None

    def running(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(200, json={"state": "running"})

    def failed(self, request: httpx.Request, job: str) -> httpx.Response:
        return httpx.Response(200, json={"state": "failed"})

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        results = AcmeFake.answered(self, request, outcomes).json()["results"]
        return httpx.Response(200, json={"state": "ended", "results": results})


class TestAcmeBulk(Conformance):
    adapter = AcmeBulk
    config = AtOnce.config
    fake = BulkFake
    stored = AtOnce.stored
