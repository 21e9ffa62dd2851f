"""A webhook that takes each batch as a job, so that what happens between a job's submission and its end can be disturbed.

It is found as anybody's adapter is: by an entry point, in a folder that `installed` puts on the path of the processes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
from chaos_lab.destination import Troubled

from destinations.base import AllDelivered, Batch, Jobs, Reply, Running, Spec, Submitted
from destinations.http import News, Talk
from destinations.registry import GROUP
from destinations.webhook import Webhook
from tests.receiver import Answer

NAME = "jobs"
ASKED_PER_JOB = 2


class JobsWebhook(Webhook):
    """Submits by the webhook's request, and asks by another to the same address."""

    spec: ClassVar[Spec] = replace(Webhook.spec, name=NAME, jobs=Jobs(deadline_seconds=60, ask_seconds=0.002))

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        del batch
        return Submitted(response.json()["job"])

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        del batch
        answer = yield httpx.Request("POST", self._url, json={"job": job})
        return AllDelivered() if answer.json()["ended"] else Running()


class Employer(Troubled):
    """Takes a batch as the webhook's receiver does, and says of its job that it runs, once, before it says that it ended."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._asked: dict[str, int] = {}

    def receive(self, key: str, body: dict[str, Any]) -> Answer:
        if "job" not in body:
            status, headers, content = super().receive(key, body)
            return status, headers, f'{{"job": "job-{key}"}}'.encode() if status == 200 else content
        with self._lock:
            asked = self._asked[body["job"]] = self._asked.get(body["job"], 0) + 1
        return 200, {}, b'{"ended": true}' if asked >= ASKED_PER_JOB else b'{"ended": false}'


def installed(folder: Path) -> None:
    """Let processes that are started from now on find the adapter."""
    described = folder / "tidegate_jobs-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: tidegate-jobs\nVersion: 1\n", encoding="utf-8")
    (described / "entry_points.txt").write_text(f"[{GROUP}]\n{NAME} = {__name__}:JobsWebhook\n", encoding="utf-8")
    sys.path.append(str(folder))
