"""The other side of an adapter: what it holds, what it was sent, and the trouble that it makes when asked.

A fake of an HTTP API is the mirror of its adapter: ``received`` reads what ``encode`` writes, and ``answered`` writes
what ``decode`` reads. All that lies between is here: records, effects, idempotency keys, limits and faults.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, assert_never

import httpx

from destinations.base import Delivered, Idempotency, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.testing.faults import Answered, Dripping, Fault, Lost, Spoiled

DRIP_SECONDS = 0.005
STRANGER = "nobody-was-sent-under-this-id"
UNSUBSCRIBED = "unsubscribed"
"""The field by which a fake shows that an unsubscribe reached a record."""


class Fake(ABC):
    """What the suite asks of any other side. ``spec`` is that of the adapter; ``folder`` is for files."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self.complaints: list[str] = []

    def config(self) -> Mapping[str, Any]:  # a config is whatever the adapter's model takes
        """What of the adapter's config only the fake knows, such as where it is."""
        return {}

    @abstractmethod
    def held(self) -> Mapping[str, Mapping[str, Value]]:
        """The fields of every record by id; what a test judges."""

    @abstractmethod
    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        """Hold a record that nobody sent."""

    @abstractmethod
    def reject(self, id: str) -> None:
        """From now on refuse this record, and take the others."""

    def close(self) -> None:  # noqa: B027  # most fakes open nothing
        """Release what was opened."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of a request, as the API reads it; null clears a field."""

    op: Op
    id: str
    fields: Mapping[str, Value] = field(default_factory=dict)


class Speech(StrEnum):
    """How the answer speaks of the records."""

    IN_ORDER = "in order"
    BACKWARDS = "backwards"
    WITHOUT_THE_LAST = "without the last"
    TWICE = "twice of the first"
    OF_A_STRANGER = "of a stranger"


class HttpFake(Fake, httpx.AsyncBaseTransport):
    """An API over HTTP, in this process; ``limits`` are the API's own where they are tighter than the adapter's."""

    limits: ClassVar[Limits | None] = None
    answers_by_place: ClassVar[bool] = False
    """The API names no record in its answer and says everything in the order of the request."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.records: dict[str, dict[str, Value]] = {}
        self.effects: Counter[str] = Counter()
        self.requests: list[httpx.Request] = []
        self.speech = Speech.IN_ORDER
        self.is_heard = False
        """Whether ``speech`` made the answer another one; an API may have no words for it."""
        self.is_spoiled = False
        """Whether an answer had a body that could be damaged."""
        self._faults: list[Fault] = []
        self._lasting: Fault | None = None
        self._rejected: set[str] = set()
        self._poison: set[str] = set()
        self._answers: dict[str, tuple[bytes, httpx.Response]] = {}

    @abstractmethod
    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        """The records of a request; None for a call that carries none, such as a check."""

    @abstractmethod
    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        """The API's answer that says these outcomes, as far as it says any."""

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        """The answer to a call that carries no records."""
        del request
        return httpx.Response(200, json={})

    def refused(self, request: httpx.Request) -> httpx.Response:
        """The answer to a call that is refused as a whole for one record, without saying which."""
        del request
        return httpx.Response(400, text="a record cannot be read")

    def refused_inside(self, request: httpx.Request) -> httpx.Response | None:
        """A 2xx that says that nothing was done; None when the API never answers so."""
        del request
        return None

    def key(self, request: httpx.Request) -> str:
        """The idempotency key of a request."""
        return str(request.headers.get("idempotency-key", ""))

    def address(self, request: httpx.Request) -> str:
        """Where a call goes, without what an API makes anew for each attempt, such as the id of a job."""
        return str(request.url)

    def held(self) -> Mapping[str, Mapping[str, Value]]:
        return self.records

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        self.records[id] = dict(fields)

    def reject(self, id: str) -> None:
        self._rejected.add(id)

    def poison(self, id: str) -> None:
        """From now on refuse every call that holds this record, without saying which it is."""
        self._poison.add(id)

    def trouble(self, *faults: Fault, always: bool = False) -> None:
        """Let faults meet the next calls, one each; ``always`` lets the last one meet all that follow."""
        self._faults = list(faults)
        self._lasting = faults[-1] if always else None

    @property
    def sent(self) -> list[httpx.Request]:
        """The calls that carried records, in order."""
        return [request for request in self.requests if self.received(request) is not None]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        fault = self._met(request)
        if fault is None:
            return self._answer(request)
        answer = self._answer(request) if fault.applied else None
        match fault:
            case Answered(_, status, headers, content):
                return httpx.Response(status, headers=dict(headers), content=content)
            case Lost(name, error):
                raise error(name, request=request)
            case Spoiled(_, spoil):
                assert answer is not None, "spoiling needs an answer"
                self.is_spoiled = self.is_spoiled or answer.content != b""
                return httpx.Response(answer.status_code, content=spoil(answer.content))
            case Dripping():
                return httpx.Response(200, stream=_Drip())
            case _:
                assert_never(fault)

    def _met(self, request: httpx.Request) -> Fault | None:
        """The fault that meets a call."""
        del request
        return self._faults.pop(0) if self._faults else self._lasting

    def _answer(self, request: httpx.Request) -> httpx.Response:
        try:
            sent = self.received(request)
        except Exception as error:  # noqa: BLE001  # whatever stops the reader is the suite's to tell
            self.complaints.append(f"a request cannot be read ({type(error).__name__}: {error})")
            return httpx.Response(400)
        if sent is None:
            return self.elsewhere(request)
        if complaint := self._complaint(request, sent):
            self.complaints.append(complaint)
            return httpx.Response(413 if "limit" in complaint else 422)
        if self._poison.intersection(record.id for record in sent):
            return self.refused(request)
        return self._once(request, sent)

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        limits = self.limits or self.spec.limits
        if len(sent) > limits.records:
            return f"{len(sent):,} records came in one call; the limit is {limits.records:,}"
        if len(request.content) > limits.bytes:
            return f"{len(request.content):,} bytes came in one call; the limit is {limits.bytes:,}"
        if len({record.id for record in sent}) < len(sent):
            return "one record came twice in one call"
        if self.spec.idempotency is not Idempotency.KEYED:
            return ""
        before = self._answers.get(self.key(request))
        if not self.key(request):
            return "a call came without the idempotency key that the spec promises"
        return "one idempotency key came with two bodies" if before and before[0] != request.content else ""

    def _once(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        """Apply a call, once per idempotency key where the API honours one."""
        key = self.key(request) if self.spec.idempotency is Idempotency.KEYED else ""
        if key in self._answers:
            return _copy(self._answers[key][1])
        answer = self._first(request, sent)
        if key:
            self._answers[key] = (request.content, answer)
        return _copy(answer)

    def _first(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        """The answer to a call that did not come before."""
        return self._said(request, [self._applied(record) for record in sent])

    def _said(self, request: httpx.Request, outcomes: list[Outcome]) -> httpx.Response:
        said = self._spoken(outcomes)
        answer = self.answered(request, said)
        self.is_heard = answer.content != self.answered(request, outcomes).content
        return answer

    def _spoken(self, outcomes: list[Outcome]) -> list[Outcome]:
        match self.speech:
            case Speech.IN_ORDER:
                return outcomes
            case Speech.BACKWARDS:
                return outcomes[::-1]
            case Speech.WITHOUT_THE_LAST:
                return outcomes[:-1]
            case Speech.TWICE:
                return [*outcomes, outcomes[0]]
            case Speech.OF_A_STRANGER:
                return [*outcomes, Delivered(STRANGER)]
            case _:
                assert_never(self.speech)

    def _applied(self, record: Sent) -> Outcome:
        """The effect of one record: a field that is absent keeps its value."""
        if record.id in self._rejected:
            return Rejected(record.id, "rejected", "this record is refused")
        held = self.records.get(record.id)
        if record.op is Op.UPDATE and held is None:
            return Rejected(record.id, "not_found", "there is no such record")
        if record.op is Op.INSERT and held is not None:
            return Rejected(record.id, "exists", "there is such a record")
        self.effects[record.id] += 1
        match record.op:
            case Op.DELETE:
                self.records.pop(record.id, None)
            case Op.UNSUBSCRIBE:
                if held is not None:
                    self.records[record.id] = {**held, UNSUBSCRIBED: True}
            case _:
                kept = {name: value for name, value in (held or {}).items() if name != UNSUBSCRIBED}
                self.records[record.id] = {**kept, **record.fields}
        return Delivered(record.id)


class _Drip(httpx.AsyncByteStream):
    """A body of blanks without end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(DRIP_SECONDS)


def _copy(answer: httpx.Response) -> httpx.Response:
    """A response is read once; the next call needs one of its own."""
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
