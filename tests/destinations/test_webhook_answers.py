"""What a webhook's answers mean, through the engine's own HTTP client: silence about a record never delivers it."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from destinations.base import (
    AllDelivered,
    CheckFailed,
    Delivered,
    Failed,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Unavailable,
)
from destinations.batch_protocol import NOT_REPORTED
from destinations.webhook import Webhook, WebhookConfig
from engine.delivery.transport import TransportLimits
from tests.destinations.batches import batch
from tests.destinations.calls import asked, send

URL = "http://127.0.0.1:9/batch"
TWO = batch(Op.UPSERT, {"42": {"name": "Ada"}, "43": {"name": "Bo"}})
SILENT = Failed("43", NOT_REPORTED, "the answer does not name this record")


def said(status: int, **answer: Any) -> Reply:
    """The reply to two records when the receiver answers so."""
    router = respx.MockRouter()
    route = router.post(URL).mock(return_value=httpx.Response(status, **answer))
    reply = send(Webhook(WebhookConfig(url=URL)), TWO, httpx.MockTransport(router.async_handler))
    assert route.call_count == 1, "the adapter sends once, and the engine decides about more"
    return reply


def named(*results: dict[str, Any]) -> Reply:
    return said(200, json={"results": list(results)})


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
@pytest.mark.parametrize("content", [b"", b" \r\n", b"{}", b'{"ok": true, "count": 2}'])
def test_a_2xx_without_results_delivers_the_whole_batch(status: int, content: bytes) -> None:
    assert said(status, content=content) == AllDelivered()


def test_a_2xx_that_says_something_else_than_results_still_delivers() -> None:
    """The protocol has one word for trouble, ``results``; a receiver that has another must answer outside 2xx."""
    assert said(200, json={"success": False}) == AllDelivered()


@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>Please log in</body></html>",
        b"OK",
        b"{",
        b'{"results": [{"id": "42", "status": "delivered"}, {"id": "43", "sta',
        b'{"results": [{"id": "42", "status": "delivered"}]} trailing',
        b'{"results": [{"id": "42", "status": NaN}]}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"[" * 5_000,
        b"[]",
        b'"results"',
        b"null",
        b"true",
        b"7",
        b'{"results": null}',
        b'{"results": {}}',
        b'{"results": ""}',
        b'{"results": 0}',
        b'{"results": {"42": "delivered"}}',
        b'{"results": ["42", "43"]}',
        b'{"results": [null]}',
        b'{"results": [{"id": "42"}]}',
        b'{"results": [{"status": "delivered"}]}',
        b'{"results": [{"id": 42, "status": "delivered"}]}',
        b'{"results": [{"id": null, "status": "delivered"}]}',
    ],
)
def test_a_2xx_that_cannot_be_read_says_nothing_of_any_record(content: bytes) -> None:
    """N14, D4: a page of a proxy or half an answer is not success, and the batch may have been applied."""
    reply = said(200, content=content)

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == ("bad_answer", True)


def test_each_status_word_has_its_outcome() -> None:
    words = [("delivered", "rejected"), ("failed", "delivered")]

    assert [
        named({"id": "42", "status": one, "code": "c", "message": "m"}, {"id": "43", "status": other})
        for one, other in words
    ] == [
        Outcomes((Delivered("42"), Rejected("43", "rejected", ""))),
        Outcomes((Failed("42", "c", "m"), Delivered("43"))),
    ]


@pytest.mark.parametrize(
    "word", ["", "Delivered", "DELIVERED", "delivered ", "ok", "success", True, 200, None, ["delivered"]]
)
def test_any_other_status_word_is_not_delivered(word: object) -> None:
    reply = named({"id": "42", "status": word}, {"id": "43", "status": "delivered"})

    assert isinstance(reply, Outcomes)
    assert isinstance(reply.outcomes[0], Failed)
    assert reply.outcomes[1] == Delivered("43")


def test_with_results_a_record_that_is_not_named_has_failed() -> None:
    assert named({"id": "42", "status": "delivered"}) == Outcomes((Delivered("42"), SILENT))
    assert named() == Outcomes((Failed("42", NOT_REPORTED, SILENT.message), SILENT))


@pytest.mark.parametrize(
    "results",
    [
        [{"id": "42", "status": "delivered"}, {"id": "44", "status": "delivered"}],
        [{"id": "42", "status": "delivered"}, {"id": "42", "status": "rejected"}],
        [{"id": "42", "status": "delivered"}, {"id": " 43", "status": "delivered"}],
    ],
)
def test_an_answer_about_records_that_were_not_sent_or_twice_about_one_is_not_believed(results: Any) -> None:
    reply = named(*results)

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == ("protocol", True)


def test_the_receivers_code_and_message_become_short_plain_lines() -> None:
    reply = named({"id": "42", "status": "rejected", "code": "\x1b[2Jbad\n" + "x" * 9_999, "message": "a\nb\0"})

    assert isinstance(reply, Outcomes)
    (rejected, _) = reply.outcomes
    assert isinstance(rejected, Rejected)
    assert (rejected.code[:9], len(rejected.code), rejected.message) == ("[2Jbad xx", 200, "a b")


@pytest.mark.parametrize(("code", "message"), [(None, None), (0, 0), ("", ""), ("\0", "\0")])
def test_a_result_without_a_code_is_named_after_its_status(code: object, message: object) -> None:
    reply = named({"id": "42", "status": "rejected", "code": code, "message": message})

    assert reply == Outcomes((Rejected("42", "rejected", ""), SILENT))


def test_trouble_of_the_whole_call_is_said_by_the_status() -> None:
    assert said(400, text="row 7 is bad") == Refused("http_400", "row 7 is bad")
    assert said(429, headers={"retry-after": "7"}) == Throttled(timedelta(seconds=7))
    assert said(503) == Unavailable("http_503", "the destination answered 503", applied_unknown=False)
    assert said(502) == Unavailable("http_502", "the destination answered 502", applied_unknown=True)
    assert isinstance(said(410), Stop)


def test_a_redirect_is_not_followed_and_stops() -> None:
    """D13: the credential and the records go nowhere that the operator did not name."""
    assert isinstance(said(307, headers={"location": "http://127.0.0.1:9/elsewhere"}), Stop)


def test_a_compressed_answer_is_read() -> None:
    content = gzip.compress(json.dumps({"results": [{"id": "42", "status": "delivered"}]}).encode())

    assert said(200, content=content, headers={"content-encoding": "gzip"}) == Outcomes((Delivered("42"), SILENT))


def test_a_body_that_is_not_what_its_encoding_says_leaves_the_effect_unknown() -> None:
    def speak(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nplai")

    assert answered(speak) == ("no_answer", True)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"not http at all\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_leaves_the_effect_unknown(sent: bytes) -> None:
    """N5, N7."""
    assert answered(lambda peer: peer.sendall(sent)) == ("no_answer", True)


def test_an_answer_in_drips_ends_at_the_deadline_of_the_whole_call() -> None:
    """N4: each piece comes in time, and the whole does not."""

    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while peer.send(b" "):
            time.sleep(0.01)

    began = time.monotonic()

    assert answered(drip, TransportLimits(total_seconds=0.2)) == ("no_answer", True)
    assert time.monotonic() - began < 30, "it would take 100 seconds"


def test_a_receiver_that_is_not_there_was_sent_nothing() -> None:
    """N1."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"

    reply = send(Webhook(WebhookConfig(url=url)), TWO)

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown) == ("connect", False)


@pytest.mark.parametrize(("status", "words"), [(204, "(204)"), (404, "(404)"), (405, "(405)"), (500, "(500)")])
def test_a_check_sends_no_record_and_says_that_something_answers(status: int, words: str) -> None:
    assert words in checked(httpx.Response(status))


@pytest.mark.parametrize("status", [401, 403])
def test_a_check_fails_when_the_credential_is_refused(status: int) -> None:
    with pytest.raises(CheckFailed, match=str(status)):
        checked(httpx.Response(status))


def test_a_check_fails_when_nothing_answers() -> None:
    with pytest.raises(CheckFailed, match="no connection"):
        checked(httpx.ConnectError("refused"))


def checked(answer: httpx.Response | Exception) -> str:
    router = respx.MockRouter()
    route = router.route(method="OPTIONS", url=URL).mock(
        side_effect=answer if isinstance(answer, Exception) else None,
        return_value=None if isinstance(answer, Exception) else answer,
    )
    hook = Webhook(WebhookConfig.model_validate({"url": URL, "headers": {"Authorization": "Bearer t"}}))
    try:
        return asked(hook.check, httpx.MockTransport(router.async_handler))
    finally:
        (call,) = route.calls
        assert (call.request.content, call.request.headers["authorization"]) == (b"", "Bearer t")


def answered(speak: Callable[[socket.socket], None], limits: TransportLimits | None = None) -> tuple[str, bool]:
    """Code and uncertainty of the reply when a socket speaks so after it read the request."""
    with listening(speak) as url:
        reply = send(Webhook(WebhookConfig(url=url)), TWO, limits=limits)
    assert isinstance(reply, Unavailable)
    return reply.code, reply.applied_unknown


@contextmanager
def listening(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A receiver of one call."""

    def serve() -> None:
        peer, _ = server.accept()
        with peer:
            while not peer.recv(65_536).endswith(b"}]}"):
                pass
            with suppress(ConnectionError):
                speak(peer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()
