"""The sandbox's socket: whatever comes over it gets an answer or is dropped, and the next caller is served."""

from __future__ import annotations

import json
import random
import socket

import pytest

from destinations.sandbox.batch import RECORDS_MAX
from tests.destinations.sandbox.visitor import Visitor, upsert

BATCH = b"POST /batches HTTP/1.1\r\nHost: localhost\r\n"


def spoken(sandbox: Visitor, content: bytes) -> bytes:
    """All that a socket gives back after it was given ``content`` and then closed for writing."""
    with socket.create_connection((sandbox.http.base_url.host, sandbox.http.base_url.port or 0), timeout=10) as peer:
        answer = bytearray()
        try:
            peer.sendall(content)
            peer.shutdown(socket.SHUT_WR)
            while piece := peer.recv(65_536):
                answer += piece
        except ConnectionError:
            """It was cut off in the middle, as is its right."""
        return bytes(answer)


def is_well(sandbox: Visitor) -> bool:
    return sandbox.send(upsert("well"), key="well").status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\n",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/a.b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\xff" * 70_000,
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /objects/%00%0d%0aX-Injected:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"__class__ / HTTP/1.1\r\n\r\n",
        BATCH + b"\r\n",
        BATCH + b"Content-Length: -1\r\n\r\n",
        BATCH + b"Content-Length: 1e3\r\n\r\n",
        BATCH + b"Content-Length: \xb2\r\n\r\n{}",
        BATCH + b"Content-Length: 2, 2\r\n\r\n{}",
        BATCH + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        BATCH + b"Content-Length: 99999999999\r\n\r\n{}",
        BATCH + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
        BATCH + b"Content-Length: 9\r\n\r\n{}",
        BATCH + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        BATCH + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_request_that_is_none_harms_nobody(
    sandbox: Visitor, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = spoken(sandbox, content)

    assert b" 200 " not in answer.partition(b"\r\n")[0] or content.startswith(b"GET /")
    assert is_well(sandbox)
    assert sandbox.journal == [("well", "well", "delivered")]
    assert capfd.readouterr() == ("", ""), "no trace of an error"


def test_noise_harms_nobody(sandbox: Visitor, capfd: pytest.CaptureFixture[str]) -> None:
    noise = random.Random(4711)
    words = [
        b"GET ",
        b"POST ",
        b"/",
        b"/batches",
        b" HTTP/1.1",
        b"\r\n",
        b": ",
        b"Host",
        b"Content-Length",
        b"\x00",
        b"\xff",
        b"9",
    ]

    for _ in range(200):
        spoken(sandbox, b"".join(noise.choices(words, k=noise.randrange(20))))

    assert is_well(sandbox)
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_nobody_waits_for_harms_nobody(sandbox: Visitor, capfd: pytest.CaptureFixture[str]) -> None:
    sandbox.send(*(upsert(str(n), text="x" * 1_000) for n in range(RECORDS_MAX)))
    for _ in range(20):
        peer = socket.create_connection((sandbox.http.base_url.host, sandbox.http.base_url.port or 0))
        peer.sendall(b"GET /objects/contacts HTTP/1.1\r\nHost: localhost\r\n\r\n")
        peer.close()

    assert is_well(sandbox)
    assert capfd.readouterr() == ("", "")


def test_an_old_client_reads_a_whole_answer(sandbox: Visitor) -> None:
    """HTTP/1.0 knows no pieces; the end of the connection is the end of the answer."""
    sandbox.send(upsert("1", a=1))

    head, _, body = spoken(sandbox, b"GET /objects/contacts HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")

    assert b"chunked" not in head
    assert json.loads(body) == [{"id": "1", "key": {"id": "1"}, "fields": {"a": 1}}]


def test_every_answer_forbids_to_guess_its_type(sandbox: Visitor) -> None:
    answers = [sandbox.http.get(path) for path in ("/", "/health", "/objects", "/journal", "/faults", "/nothing")]

    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


@pytest.mark.parametrize("second", [0, -1, 1])
def test_two_lengths_are_no_length_even_when_a_batch_fits_one_of_them(sandbox: Visitor, second: int) -> None:
    """Two readers of such a request may see two requests in it."""
    body = json.dumps({"sync": "s", "object": "o", "plan": "p", "batch": 0, "records": [upsert("1")]}).encode()
    lengths = b"".join(b"Content-Length: %d\r\n" % length for length in (len(body), len(body) + second))

    answer = spoken(
        sandbox, BATCH + b"Content-Type: application/json\r\nIdempotency-Key: k\r\n" + lengths + b"\r\n" + body
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert sandbox.journal == []
