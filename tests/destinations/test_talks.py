"""Talks of several calls: what each status means in their middle, and what a question about a job may bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import httpx
import pytest

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    DestinationConfig,
    Ended,
    Idempotency,
    Jobs,
    Limits,
    Op,
    Outcomes,
    Progress,
    Refused,
    Reply,
    Running,
    Spec,
    Stop,
    Submitted,
    Throttled,
    Unavailable,
)
from destinations.http import HttpDestination, News, Talk
from tests.destinations.batches import batch

ONE = batch(Op.UPSERT, {"a": {"name": "Ada"}})
URL = "http://127.0.0.1/"


class Bulk(HttpDestination):
    """Opens a job, fills it and starts it; tells its state and then its results."""

    spec: ClassVar[Spec] = Spec(
        name="bulk",
        title="Bulk",
        config=DestinationConfig,
        operations=frozenset({Op.UPSERT}),
        limits=Limits(records=10, bytes=10_000),
        idempotency=Idempotency.KEYED,
        jobs=Jobs(),
    )

    def __init__(self) -> None:
        super().__init__(DestinationConfig())
        self.closed = 0

    def encode(self, batch: Batch) -> httpx.Request:
        return httpx.Request("POST", URL + "jobs")

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        raise AssertionError("the talk does not ask for it")

    def talk(self, batch: Batch) -> Talk[Reply]:
        try:
            job = (yield self.encode(batch)).json()["job"]
            yield httpx.Request("PUT", f"{URL}jobs/{job}", content=",".join(batch.ids))
            yield httpx.Request("POST", f"{URL}jobs/{job}/start")
            return Submitted(job)
        finally:
            self.closed += 1

    def ask(self, job: str, batch: Batch) -> Talk[News]:
        state = (yield httpx.Request("GET", f"{URL}jobs/{job}")).json()["state"]
        if state == "running":
            return Running(timedelta(seconds=3))
        rows = (yield httpx.Request("GET", f"{URL}jobs/{job}/rows")).json()
        return Outcomes(tuple(map(Delivered, rows)))


class Api:
    """A transport that gives one answer a call, and remembers the calls."""

    def __init__(self, *answers: httpx.Response | Unavailable) -> None:
        self._answers = list(answers)
        self.calls: list[str] = []

    async def request(self, request: httpx.Request, sign: object = None) -> httpx.Response | Unavailable:
        self.calls.append(f"{request.method} {request.url.path}")
        return self._answers.pop(0)


def ok(content: object = None) -> httpx.Response:
    return httpx.Response(200, json=content)


def sent(*answers: httpx.Response | Unavailable) -> tuple[Reply, list[str]]:
    api, destination = Api(*answers), Bulk()
    reply = asyncio.run(destination.send(ONE, api))
    assert destination.closed == 1, "a talk is brought to its end, also one that is cut short"
    return reply, api.calls


def asked(*answers: httpx.Response | Unavailable) -> tuple[Progress, list[str]]:
    api = Api(*answers)
    return asyncio.run(Bulk().poll("7", ONE, api)), api.calls


def test_a_talk_makes_its_calls_in_order_and_says_what_they_mean_together() -> None:
    assert sent(ok({"job": "7"}), ok(), ok()) == (
        Submitted("7"),
        ["POST /jobs", "PUT /jobs/7", "POST /jobs/7/start"],
    )


@pytest.mark.parametrize("first", [0, 1, 2], ids=["the first call", "the second", "the last"])
@pytest.mark.parametrize(
    ("answer", "cut"),
    [
        (httpx.Response(429, headers={"retry-after": "9"}), lambda doubt: Throttled(timedelta(seconds=9), doubt)),
        (httpx.Response(503), lambda doubt: Unavailable("http_503", "the destination answered 503", doubt)),
        (httpx.Response(500), lambda _: Unavailable("http_500", "the destination answered 500", True)),
        (
            Unavailable("connect", "no connection", applied_unknown=False),
            lambda doubt: Unavailable("connect", "no connection", doubt),
        ),
        (httpx.Response(403), lambda doubt: Stop("http_403", "the credential may not do this (403)", doubt)),
        (httpx.Response(400, text="bad row"), lambda _: Refused("http_400", "bad row")),
    ],
    ids=["429", "503", "500", "lost", "403", "400"],
)
def test_what_cuts_a_talk_short_leaves_in_doubt_what_was_answered_before(
    first: int, answer: httpx.Response | Unavailable, cut: Callable[[bool], Reply]
) -> None:
    reply, calls = sent(*[ok({"job": "7"}), ok(), ok()][:first], answer)

    assert reply == cut(first > 0)
    assert len(calls) == first + 1


def test_an_answer_that_the_talk_cannot_read_leaves_the_effect_unknown() -> None:
    reply, calls = sent(ok({"marker-4711": 1}))

    assert reply == Unavailable("bad_answer", "the answer cannot be read (KeyError)", applied_unknown=True)
    assert calls == ["POST /jobs"]


def test_an_adapter_that_breaks_before_its_first_call_is_told_apart_from_an_answer_that_is_bad() -> None:
    class Broken(Bulk):
        def encode(self, batch: Batch) -> httpx.Request:
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        asyncio.run(Broken().send(ONE, Api()))


@pytest.mark.parametrize("job", ["", "a b", "naïve", "x" * 201, "line\n", 7, None])
def test_a_job_that_could_not_be_asked_about_is_none(job: Any) -> None:
    reply, _ = sent(ok({"job": "7"}), ok(), ok())
    assert reply == Submitted("7")

    class Odd(Bulk):
        def talk(self, batch: Batch) -> Talk[Reply]:
            yield self.encode(batch)
            return Submitted(job)

    odd = asyncio.run(Odd().send(ONE, Api(ok())))

    assert isinstance(odd, Unavailable)
    assert (odd.code, odd.applied_unknown) == ("protocol", True)


def test_a_question_may_take_several_calls() -> None:
    running, ended = asked(ok({"state": "running"})), asked(ok({"state": "ended"}), ok(["a"]))

    assert running == (Running(timedelta(seconds=3)), ["GET /jobs/7"])
    assert ended == (Ended(Outcomes((Delivered("a"),))), ["GET /jobs/7", "GET /jobs/7/rows"])


@pytest.mark.parametrize("before", [[], [ok({"state": "ended"})]], ids=["the state", "the results"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(429), Throttled),
        (httpx.Response(503), Unavailable),
        (httpx.Response(200, text="<html>"), Unavailable),
        (Unavailable("no_answer", "timed out", applied_unknown=True), Unavailable),
        (httpx.Response(400, text="no such job"), Stop),
        (httpx.Response(404), Stop),
        (httpx.Response(401), Stop),
    ],
    ids=["429", "503", "unreadable", "lost", "400", "404", "401"],
)
def test_trouble_with_a_question_says_nothing_of_the_batch(
    before: list[httpx.Response], answer: httpx.Response | Unavailable, kind: type
) -> None:
    """It is neither refused, so that it would be halved and submitted again, nor ended."""
    progress, _ = asked(*before, answer)

    assert type(progress) is kind


def test_results_are_handed_on_as_they_are_so_that_nobody_submits_again_for_them() -> None:
    strange = asked(ok({"state": "ended"}), ok(["a", "nobody"]))[0]

    assert strange == Ended(Outcomes((Delivered("a"), Delivered("nobody"))))


def test_an_adapter_without_jobs_cannot_be_asked() -> None:
    class Plain(Bulk):
        ask = HttpDestination.ask

    with pytest.raises(NotImplementedError):
        asyncio.run(Plain().poll("7", ONE, Api()))


def test_a_talk_of_one_call_is_its_request_and_its_answer() -> None:
    class Plain(Bulk):
        talk = HttpDestination.talk

        def decode(self, batch: Batch, response: httpx.Response) -> Reply:
            return AllDelivered()

    assert asyncio.run(Plain().send(ONE, Api(ok()))) == AllDelivered()
