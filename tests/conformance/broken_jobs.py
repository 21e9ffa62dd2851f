"""Adapters with jobs that are each wrong in one way; see `broken`, of which this is the part about jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    Ended,
    Outcomes,
    Progress,
    Reply,
    Running,
    Statuses,
    Submitted,
    Throttled,
    Unavailable,
)
from destinations.http import News, Talk
from tests.conformance.bulk import AcmeBulk
from tests.conformance.bulk import TestAcmeBulk as Honest


class TestNothingWrongWithJobs(Honest):
    """The example as it is; what fails for it is wrong with the kit."""


class TakenIsDelivered(AcmeBulk):
    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        reply = super().decode(batch, response)
        return AllDelivered() if isinstance(reply, Submitted) else reply


class TestTakenIsDelivered(Honest):
    adapter = TakenIsDelivered


class Asking(AcmeBulk):
    """Believes of a job what `believed` makes of it."""

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        return self.believed((yield from super().ask(job, batch)), batch)

    def believed(self, news: News, batch: Batch) -> News:
        raise NotImplementedError


class RunningIsDelivered(Asking):
    def believed(self, news: News, batch: Batch) -> News:
        return AllDelivered() if isinstance(news, Running) else news


class TestRunningIsDelivered(Honest):
    adapter = RunningIsDelivered


class RunningIsFailed(Asking):
    """A job that takes its time is submitted again."""

    def believed(self, news: News, batch: Batch) -> News:
        return Unavailable("slow", "not yet", applied_unknown=False) if isinstance(news, Running) else news


class TestRunningIsFailed(Honest):
    adapter = RunningIsFailed


class EndedIsDelivered(Asking):
    """Does not look at the rows that failed."""

    def believed(self, news: News, batch: Batch) -> News:
        return AllDelivered() if isinstance(news, Outcomes) else news


class TestEndedIsDelivered(Honest):
    adapter = EndedIsDelivered


class FailedIsDelivered(Asking):
    """Whatever has an end is a success."""

    def believed(self, news: News, batch: Batch) -> News:
        return AllDelivered() if isinstance(news, Unavailable) else news


class TestFailedIsDelivered(Honest):
    adapter = FailedIsDelivered


class SubmitsAgain(AcmeBulk):
    """A question that goes unanswered is the end of the job."""

    async def poll(self, job: str, batch: Batch, transport: Any) -> Progress:
        progress = await super().poll(job, batch, transport)
        if isinstance(progress, Throttled | Unavailable):
            return Ended(Unavailable("lost", "nobody answers", applied_unknown=True))
        return progress


class TestSubmitsAgain(Honest):
    adapter = SubmitsAgain


class ReadsEverything(AcmeBulk):
    """Whatever comes with a 2xx is the end of the job."""

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        answer = yield httpx.Request("GET", f"{self.config.url}/jobs/{job}", headers=headers)
        return AllDelivered() if b"running" not in answer.content else Running()


class TestReadsEverything(Honest):
    adapter = ReadsEverything


class RemembersTheJobItself(AcmeBulk):
    """The id that it is given is not used, so another process asks about nothing."""

    _job = "none"

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        reply = super().decode(batch, response)
        if isinstance(reply, Submitted):
            self._job = reply.job
        return reply

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        return (yield from super().ask(self._job, batch))


class TestRemembersTheJobItself(Honest):
    adapter = RemembersTheJobItself


class GoneIsDelivered(AcmeBulk):
    """A job that is cleared away must have ended."""

    spec = replace(AcmeBulk.spec, statuses=Statuses(answers=frozenset({404})))

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        talk = super().ask(job, batch)
        answer = yield next(talk)
        if answer.status_code == 404:
            return Outcomes(tuple(map(Delivered, batch.ids)))
        try:
            talk.send(answer)
        except StopIteration as end:
            news: News = end.value
            return news
        raise AssertionError("one question is enough")


class TestGoneIsDelivered(Honest):
    adapter = GoneIsDelivered
