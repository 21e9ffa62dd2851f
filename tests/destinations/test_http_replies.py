"""What a response stands for: its status says whether anything was applied, and nothing it holds makes a call raise."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    DestinationConfig,
    Failed,
    Idempotency,
    Limits,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Spec,
    Statuses,
    Stop,
    Throttled,
    Unavailable,
)
from destinations.http import MESSAGE_LENGTH_MAX, HttpDestination, readable
from tests.destinations.batches import batch

DATE = "Wed, 25 Nov 2026 08:00:00 GMT"
TWO = batch(Op.UPSERT, {"a": {"name": "Ada"}, "b": {"name": "Bo"}})

THROTTLED = {429}
MAY_HAVE_ACTED = {408, 500, 502, 504, 520, 521, 522, 523, 524, 529}
DID_NOT_ACT = {409, 421, 423, 425, 503}
REFUSED = {400, 413, 422}


class Scripted(HttpDestination):
    """Decodes every answer to what a test wants, and remembers which answers it was asked about."""

    spec: ClassVar[Spec] = Spec(
        name="scripted",
        title="Scripted",
        config=DestinationConfig,
        operations=frozenset({Op.UPSERT}),
        limits=Limits(records=10, bytes=10_000),
        idempotency=Idempotency.KEYED,
    )

    def __init__(self, says: Reply | Exception) -> None:
        super().__init__(DestinationConfig())
        self.says = says
        self.asked: list[int] = []

    def encode(self, batch: Batch) -> httpx.Request:
        return httpx.Request("POST", "http://127.0.0.1/", content=batch.object)

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        del batch
        self.asked.append(response.status_code)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Saying:
    """A transport on which every request is given one answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    async def request(self, request: httpx.Request, sign: object = None) -> httpx.Response:
        return self._answer


def classified(destination: HttpDestination, batch: Batch, response: httpx.Response) -> Reply:
    """The reply that a response stands for."""
    return asyncio.run(destination.send(batch, Saying(response)))


class AnswersIn422(Scripted):
    """An API that answers 422 with results of each record."""

    spec: ClassVar[Spec] = Spec(
        name="created",
        title="AnswersIn422",
        config=DestinationConfig,
        operations=frozenset({Op.UPSERT}),
        limits=Limits(records=10, bytes=10_000),
        idempotency=Idempotency.KEYED,
        statuses=Statuses(answers=frozenset({422})),
    )


def meaning(status: int) -> tuple[type[Reply], bool]:
    """The kind of reply and whether the batch may have been applied, as the adapters' documents have it."""
    match status:
        case _ if 200 <= status < 300:
            return AllDelivered, False
        case _ if status in THROTTLED:
            return Throttled, False
        case _ if status in MAY_HAVE_ACTED | DID_NOT_ACT:
            return Unavailable, status in MAY_HAVE_ACTED
        case _ if status in REFUSED:
            return Refused, False
        case _:
            return Stop, False


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>\x1b[31m</html>", b'{"results": [', b"\xff\xfe\x00"])
@pytest.mark.parametrize("hundred", range(1, 6))
def test_every_status_from_100_to_599_has_one_meaning_whatever_its_body(hundred: int, content: bytes) -> None:
    destination = Scripted(AllDelivered())
    statuses = range(hundred * 100, hundred * 100 + 100)

    replies = {status: classified(destination, TWO, httpx.Response(status, content=content)) for status in statuses}

    found = {
        status: (type(reply), isinstance(reply, Unavailable) and reply.applied_unknown)
        for status, reply in replies.items()
    }
    assert found == {status: meaning(status) for status in statuses}
    assert destination.asked == [status for status in statuses if 200 <= status < 300]


def test_only_an_answer_of_the_spec_reaches_the_adapter_from_outside_2xx() -> None:
    named = Outcomes((Delivered("a"), Rejected("b", "bad", "")))

    assert classified(AnswersIn422(named), TWO, httpx.Response(422)) == named
    assert classified(Scripted(named), TWO, httpx.Response(422)) == Refused("http_422", "the destination answered 422")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (301, "redirects (301)"),
        (307, "redirects (307)"),
        (401, "credential is refused (401)"),
        (403, "may not do this (403)"),
        (404, "does not exist (404)"),
        (410, "gone for good (410)"),
        (418, "refuses the call (418)"),
    ],
)
def test_a_stop_says_in_words_what_an_operator_has_to_mend(status: int, words: str) -> None:
    reply = classified(Scripted(AllDelivered()), TWO, httpx.Response(status, headers={"location": "http://elsewhere/"}))

    assert isinstance(reply, Stop)
    assert words in reply.message
    assert "elsewhere" not in reply.message


def test_throttled_and_unavailable_carry_the_wait_and_the_others_do_not() -> None:
    headers = {"retry-after": "9"}
    destination = Scripted(AllDelivered())

    replies = [classified(destination, TWO, httpx.Response(status, headers=headers)) for status in (429, 503, 500)]

    assert replies == [
        Throttled(timedelta(seconds=9)),
        Unavailable("http_503", "the destination answered 503", False, timedelta(seconds=9)),
        Unavailable("http_500", "the destination answered 500", True, timedelta(seconds=9)),
    ]


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ((Delivered("a"), Delivered("b"), Delivered("c")), "the answer names a record that was not sent"),
        ((Delivered("A"), Delivered("b")), "the answer names a record that was not sent"),
        ((Delivered("a"), Delivered("a")), "the answer names a record twice"),
        ((Delivered("a"), Failed("b", "x", ""), Rejected("a", "x", "")), "the answer names a record twice"),
    ],
)
def test_outcomes_that_cannot_be_of_this_batch_leave_all_of_it_unknown(
    outcomes: tuple[Delivered | Failed | Rejected, ...], why: str
) -> None:
    """D5: what is said of the other records is not believed either."""
    reply = classified(Scripted(Outcomes(outcomes)), TWO, httpx.Response(200))

    assert reply == Unavailable("protocol", why, applied_unknown=True)


def test_outcomes_may_come_in_any_order_and_leave_records_out() -> None:
    shuffled = Outcomes((Failed("b", "x", ""), Delivered("a")))
    partial = Outcomes((Delivered("b"),))

    assert classified(Scripted(shuffled), TWO, httpx.Response(207)) == shuffled
    assert classified(Scripted(partial), TWO, httpx.Response(207)) == partial


@pytest.mark.parametrize(
    "error", [ValueError("v-4711"), KeyError("k-4711"), RecursionError(), AssertionError("a-4711")]
)
def test_an_answer_that_cannot_be_decoded_leaves_the_effect_unknown_and_shows_nothing_of_it(error: Exception) -> None:
    reply = classified(Scripted(error), TWO, httpx.Response(200))

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == ("bad_answer", True)
    assert type(error).__name__ in reply.message
    assert "4711" not in reply.message


@pytest.mark.parametrize(
    "charset",
    [
        "utf-8",
        "nonsense",
        "hex",
        "base64",
        "zlib",
        "bz2",
        "rot13",
        "idna",
        "undefined",
        "punycode",
        "utf-16",
        "\0",
        "a" * 999,
    ],
)
def test_a_refusal_is_readable_whatever_charset_it_claims(charset: str) -> None:
    headers = {"content-type": f"text/plain; charset={charset}"}

    reply = classified(Scripted(AllDelivered()), TWO, httpx.Response(400, headers=headers, content="naïve ✓".encode()))

    assert reply == Refused("http_400", "naïve ✓")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain words", "plain words"),
        ("  two\r\nlines\tand  blanks ", "two lines and blanks"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("nul\0 bell\x07 del\x7f c1\x9b", "nul bell del c1"),
        ("left\u202eright\u200bzero\ufeff", "left right zero"),
        ("\ud800", ""),
        ("naïve ✓ 語", "naïve ✓ 語"),
        ("", ""),
        ("x" * MESSAGE_LENGTH_MAX, "x" * MESSAGE_LENGTH_MAX),
        ("x" * (MESSAGE_LENGTH_MAX + 1), "x" * (MESSAGE_LENGTH_MAX - 1) + "…"),
        ("x" * 10_000_000, "x" * (MESSAGE_LENGTH_MAX - 1) + "…"),
    ],
    ids=range(11),
)
def test_a_destinations_words_become_one_short_line_without_control_characters(written: str, shown: str) -> None:
    assert readable(written) == shown


@pytest.mark.slow
@given(st.text())
def test_readable_words_are_printable_and_stay_as_they_are_the_second_time(text: str) -> None:
    once = readable(text)

    assert once.isprintable()
    assert len(once) <= MESSAGE_LENGTH_MAX
    assert readable(once) == once
