"""The other side of an adapter that submits jobs: it takes a batch, runs it later, and tells of it when it is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from destinations.base import Outcome, Spec
from destinations.testing.fake import HttpFake, Sent
from destinations.testing.faults import Fault


@dataclass(slots=True)
class _Job:
    """A batch that was taken; it has ``outcomes`` once it was run."""

    sent: Sequence[Sent]
    asked: int = 0
    outcomes: list[Outcome] | None = None


class JobsFake(HttpFake):
    """An API with jobs: a batch has no effect when it is submitted, and its effect when its job ends.

    ``answered`` is the answer to a question about a job that has ended.
    """

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self._jobs: dict[str, _Job] = {}
        self._questions: int | None = 1
        self._fails = False
        self._forgets = False
        self._asking: list[Fault] = []

    @abstractmethod
    def submitted(self, request: httpx.Request, job: str) -> httpx.Response:
        """The answer to a call whose records were taken as a job."""

    @abstractmethod
    def asked(self, request: httpx.Request) -> str | None:
        """The job that a call asks about; None for a call that asks about none."""

    @abstractmethod
    def running(self, request: httpx.Request, job: str) -> httpx.Response:
        """The answer to a question about a job that has not ended."""

    @abstractmethod
    def failed(self, request: httpx.Request, job: str) -> httpx.Response:
        """The answer to a question about a job that ended and did nothing."""

    def forgotten(self, request: httpx.Request) -> httpx.Response:
        """The answer to a question about a job that nobody knows."""
        del request
        return httpx.Response(404, text="there is no such job")

    def lasts(self, questions: int | None) -> None:
        """Let jobs run until they were asked about so often; None lets them run for ever."""
        self._questions = questions

    def fail(self) -> None:
        """From now on jobs end and did nothing."""
        self._fails = True

    def forget(self) -> None:
        """From now on no job is known to whoever asks."""
        self._forgets = True

    def trouble_asking(self, *faults: Fault) -> None:
        """Let faults meet the next questions, one each."""
        self._asking = list(faults)

    @property
    def sent(self) -> list[httpx.Request]:
        return [request for request in self.requests if self.asked(request) is None and self.received(request)]

    def _met(self, request: httpx.Request) -> Fault | None:
        if self._asking and self.asked(request) is not None:
            return self._asking.pop(0)
        return super()._met(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        job = self.asked(request)
        return super()._answer(request) if job is None else self._told(request, job)

    def _first(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        job = f"job-{len(self._jobs) + 1}"
        self._jobs[job] = _Job(tuple(sent))
        return self.submitted(request, job)

    def _told(self, request: httpx.Request, name: str) -> httpx.Response:
        job = None if self._forgets else self._jobs.get(name)
        if job is None:
            return self.forgotten(request)
        if self._questions is None or job.asked < self._questions:
            job.asked += 1
            return self.running(request, name)
        if self._fails:
            return self.failed(request, name)
        if job.outcomes is None:
            job.outcomes = [self._applied(record) for record in job.sent]
        return self._said(request, job.outcomes)
