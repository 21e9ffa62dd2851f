"""What each address of the sandbox does, between calls and answers as values; sockets are the server's.

| call | does |
|---|---|
| ``POST /batches`` | takes a batch of the webhook protocol once per ``Idempotency-Key``; the key with another body is 409 |
| ``POST /jobs`` | takes a batch likewise, as a job that is run later: 202 and its id |
| ``GET /jobs/{job}``, ``GET /jobs`` | a state, with the answer to the batch once it ended; all jobs, and how often they came |
| ``GET /objects``, ``GET /objects/{object}`` | counts by object; all records of one, an array (empty when unknown) |
| ``GET /journal`` | every record that arrived, in order, with what became of it |
| ``GET`` · ``PUT`` · ``DELETE /faults`` | reads, replaces and clears the faults; they meet batches only |
| ``GET /health``, ``GET /`` | says that it is a sandbox; shows a page |
"""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias, assert_never

from destinations.sandbox.batch import ReceivedBatch, Unusable, received
from destinations.sandbox.exact_json import TooDeepError, written
from destinations.sandbox.faults import (
    NO_FAULTS,
    AfterCommit,
    BeforeCommit,
    Decision,
    DropAfter,
    DropBefore,
    ErrorAfter,
    ErrorBefore,
    Faults,
    JobLost,
    JobRuns,
    Malformed,
    Slow,
    Throttle,
    asked,
    decided,
    questioned,
)
from destinations.sandbox.jobs import Job, Jobs, told
from destinations.sandbox.page import POLICY, View, page
from destinations.sandbox.rate import admitted, full
from destinations.sandbox.store import Conflict, Refused, Store, Taken

SERVICE = "tidegate sandbox"
NEWEST_SHOWN = 25
_JSON = "application/json"
_BROKEN_OFF = b'{"results": [{"id": "'
_KEY = re.compile(r"[!-~]{1,200}")
_JOB = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose body was read; ``path`` holds the decoded parts between slashes."""

    method: str
    path: tuple[str, ...]
    media: str
    idempotency_key: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back after ``wait_seconds``; content in pieces is sent as it comes."""

    status: int
    content: bytes | Iterable[bytes]
    media: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed without an answer."""


Reaction: TypeAlias = Answer | Drop
Take: TypeAlias = Callable[[Call, ReceivedBatch, Decision], Answer]


class Application:
    """One sandbox over a store; ``rate`` limits batches per second, None does not."""

    def __init__(self, store: Store, rate: float | None, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._jobs = Jobs(store)
        self._rate = rate
        self._monotonic = monotonic
        self._bucket = full(monotonic())
        self._faults = NO_FAULTS
        self._answers: Counter[str] = Counter()
        self._changing = threading.Lock()

    def reaction(self, call: Call) -> Reaction:
        """What a call brings about; every call gets an answer or is dropped on purpose."""
        try:
            return self._routed(call)
        except Unusable as error:
            return problem(error.status, error.code, str(error))
        except sqlite3.Error as error:
            return problem(503, "store", f"the store cannot be used ({getattr(error, 'sqlite_errorname', 'closed')})")

    def _routed(self, call: Call) -> Reaction:
        methods = self._methods(call.path)
        if not methods:
            return problem(404, "no_such_address", "there is nothing at this address")
        if call.method not in methods:
            allowed = ", ".join(methods)
            refusal = problem(405, "wrong_method", f"this address takes {allowed}")
            return replace(refusal, headers=(("Allow", allowed),))
        return methods[call.method](call)

    def _methods(self, path: tuple[str, ...]) -> dict[str, Callable[[Call], Reaction]]:
        """What can be done at an address; empty when there is nothing."""
        if len(path) == 2 and path[0] == "objects" and path[1]:
            return {"GET": self._records}
        if len(path) == 2 and path[0] == "jobs" and _JOB.fullmatch(path[1]):
            return {"GET": self._job}
        addresses: dict[tuple[str, ...], dict[str, Callable[[Call], Reaction]]] = {
            ("",): {"GET": self._page},
            ("health",): {"GET": _healthy},
            ("objects",): {"GET": self._objects},
            ("journal",): {"GET": self._journal},
            ("faults",): {"GET": self._switched, "PUT": self._switch, "DELETE": self._clear},
            ("batches",): {"POST": partial(self._counted, self._taken)},
            ("jobs",): {"POST": partial(self._counted, self._submitted), "GET": self._job_list},
        }
        return addresses.get(path, {})

    def _page(self, call: Call) -> Answer:
        del call
        with self._changing:
            faults, answers = self._faults, dict(sorted(self._answers.items()))
        shown = page(View(self._store.counts(), self._store.newest(NEWEST_SHOWN), faults, answers))
        return Answer(200, shown, "text/html; charset=utf-8", (("Content-Security-Policy", POLICY),))

    def _objects(self, call: Call) -> Answer:
        del call
        return _json(self._store.counts())

    def _records(self, call: Call) -> Answer:
        return Answer(200, self._store.records(call.path[1]))

    def _journal(self, call: Call) -> Answer:
        del call
        return Answer(200, self._store.journal())

    def _switched(self, call: Call) -> Answer:
        del call
        with self._changing:
            return _json(self._faults.model_dump())

    def _switch(self, call: Call) -> Answer:
        return self._replaced(asked(_json_content(call)))

    def _clear(self, call: Call) -> Answer:
        del call
        return self._replaced(NO_FAULTS)

    def _replaced(self, faults: Faults) -> Answer:
        with self._changing:
            self._faults = faults
        return _json(faults.model_dump())

    def _counted(self, taken: Take, call: Call) -> Reaction:
        """A batch, and its answer counted for the page."""
        try:
            reaction = self._batch(taken, call)
        except Unusable as error:
            reaction = problem(error.status, error.code, str(error))
        with self._changing:
            self._answers["dropped" if isinstance(reaction, Drop) else str(reaction.status)] += 1
        return reaction

    def _batch(self, taken: Take, call: Call) -> Reaction:
        early_seconds = self._early_seconds()
        if early_seconds > 0:
            return _throttled(math.ceil(early_seconds))
        batch = received(_json_content(call))
        if not _KEY.fullmatch(call.idempotency_key):
            raise Unusable("no_key", "`Idempotency-Key` is not 1 to 200 visible ASCII characters")
        with self._changing:
            decision, self._faults = decided(self._faults, batch.records)
        if isinstance(decision.disturbance, BeforeCommit):
            return _instead(decision.disturbance)
        try:
            answer = taken(call, batch, decision)
        except TooDeepError as error:
            raise Unusable("too_deep", "a value is nested too deeply") from error
        return answer if decision.disturbance is None else _spoiled(decision.disturbance, answer)

    def _early_seconds(self) -> float:
        if self._rate is None:
            return 0.0
        with self._changing:
            self._bucket, seconds = admitted(self._bucket, self._rate, self._monotonic())
        return seconds

    def _taken(self, call: Call, batch: ReceivedBatch, decision: Decision) -> Answer:
        refuse = decision.refusal is not None
        reception = self._store.take(
            call.idempotency_key, call.content, batch, rejections=decision.rejections, refuse=refuse
        )
        return Answer(200, reception.answer) if isinstance(reception, Taken) else _not_taken(reception, decision)

    def _submitted(self, call: Call, batch: ReceivedBatch, decision: Decision) -> Answer:
        refuse = decision.refusal is not None
        submission = self._jobs.submit(
            call.idempotency_key, call.content, batch, rejections=decision.rejections, refuse=refuse
        )
        if isinstance(submission, Job):
            return replace(_json({"job": str(submission.number)}), status=202)
        return _not_taken(submission, decision)

    def _job(self, call: Call) -> Answer:
        """A job is seen to run before it is run, by whoever asks a second time."""
        with self._changing:
            fault, self._faults = questioned(self._faults)
        number = int(call.path[1])
        asked = self._jobs.asked(number)
        if asked is None or isinstance(fault, JobLost):
            return problem(404, "no_such_job", "there is no such job")
        runs = asked == 1 or isinstance(fault, JobRuns)
        return Answer(200, told(None if runs else self._jobs.run(number)))

    def _job_list(self, call: Call) -> Answer:
        del call
        return _json(self._jobs.listing())


def problem(status: int, code: str, message: str) -> Answer:
    """An answer that says what is wrong."""
    return replace(_json({"code": code, "message": message}), status=status)


def _json(value: object) -> Answer:
    return Answer(200, written(value))


def _healthy(call: Call) -> Answer:
    del call
    return _json({"service": SERVICE, "status": "ok"})


def _json_content(call: Call) -> bytes:
    """The body of a call that says it is JSON, which no page of another site can say without asking first."""
    if call.media.partition(";")[0].strip().lower() != _JSON:
        raise Unusable("not_json", f"the content type is not {_JSON}", status=415)
    return call.content


def _not_taken(why: Refused | Conflict, decision: Decision) -> Answer:
    if isinstance(why, Refused):
        return problem(400, "refused", decision.refusal or "")
    return problem(409, "key_reused", "this idempotency key came with another body before")


def _throttled(seconds: int | None) -> Answer:
    headers = () if seconds is None else (("Retry-After", str(seconds)),)
    return replace(problem(429, "throttled", "too many batches"), headers=headers)


def _instead(disturbance: BeforeCommit) -> Reaction:
    """What is answered by a disturbance that comes before the batch is applied."""
    match disturbance:
        case Throttle():
            return _throttled(disturbance.retry_after)
        case ErrorBefore():
            return problem(disturbance.status, "fault", "a fault, before anything was applied")
        case DropBefore():
            return Drop()
        case _:
            assert_never(disturbance)


def _spoiled(disturbance: AfterCommit, answer: Answer) -> Reaction:
    """What a disturbance makes of the answer to a batch that was applied."""
    match disturbance:
        case ErrorAfter():
            return problem(disturbance.status, "fault", "a fault, after the batch was applied")
        case DropAfter():
            return Drop()
        case Slow():
            return replace(answer, wait_seconds=disturbance.seconds)
        case Malformed():
            return replace(answer, content=_BROKEN_OFF)
        case _:
            assert_never(disturbance)
