"""An adapter may read more from a refusal than its status says, and its questions end in words that help."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from destinations.base import AllDelivered, CheckFailed, Op, Refused, Stop, Transport, Unavailable
from destinations.http import NoAnswer
from tests.destinations.batches import batch
from tests.destinations.calls import asked, send
from tests.destinations.test_http_replies import Scripted

ONE = batch(Op.UPSERT, {"a": {"name": "Ada"}})
QUESTION = httpx.Request("GET", "http://127.0.0.1/fields")


class Explains(Scripted):
    """A refusal is everybody's fault where its body says so."""

    def explained(self, response: httpx.Response, meant: NoAnswer) -> NoAnswer:
        return Stop("all", "no record can be taken") if response.json()["of"] == "all" else meant


def answering(status: int, **body: Any) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _request: httpx.Response(status, **body))


def test_a_body_turns_the_refusal_of_a_call_into_the_end_of_the_run() -> None:
    assert send(Explains(AllDelivered()), ONE, answering(400, json={"of": "all"})) == Stop(
        "all", "no record can be taken"
    )
    assert isinstance(send(Explains(AllDelivered()), ONE, answering(400, json={"of": "one"})), Refused)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b"\xff"])
def test_a_body_that_explains_nothing_leaves_it_to_the_status(content: bytes) -> None:
    replies = {
        status: send(Explains(AllDelivered()), ONE, answering(status, content=content)) for status in (401, 400, 503)
    }

    assert [type(reply) for reply in replies.values()] == [Stop, Refused, Unavailable]


def test_an_answer_is_never_explained_away() -> None:
    assert send(Explains(AllDelivered()), ONE, answering(200, json={"of": "all"})) == AllDelivered()


def ask(wire: httpx.AsyncBaseTransport) -> Any:
    async def question(transport: Transport) -> Any:
        return await Explains(AllDelivered()).answer(QUESTION, transport)

    return asked(question, wire)


def test_a_question_is_answered_with_json() -> None:
    assert ask(answering(200, json={"fields": ["a"]})) == {"fields": ["a"]}


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (answering(401), "the credential is refused"),
        (answering(403, json={"of": "all"}), "no record can be taken"),
        (answering(429), "it asks for fewer calls"),
        (answering(503), "answered 503"),
        (answering(200, text="<html>Sign in</html>"), "no JSON"),
    ],
    ids=["credential", "explained", "throttled", "unavailable", "sign-in page"],
)
def test_a_question_that_is_not_answered_says_why(wire: httpx.AsyncBaseTransport, words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        ask(wire)
