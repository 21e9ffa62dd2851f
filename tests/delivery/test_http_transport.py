"""HTTP over real sockets: bounded in time and size, and sure of nothing that it did not see (N1 to N7, N14, D13, D25)."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable

import httpx
import pytest

from engine.delivery.answer import RESPONSE_BYTES_MAX
from engine.delivery.transport import TransportLimits
from tests.delivery.sockets import Speak, answer, asked, failure, reset, serving

SHORT = TransportLimits(total_seconds=0.2, connect_seconds=0.2)
MIB = 1024 * 1024


def saying(*pieces: bytes) -> Speak:
    def speak(peer: socket.socket) -> None:
        for piece in pieces:
            peer.sendall(piece)

    return speak


def then_gone(*pieces: bytes) -> Speak:
    def speak(peer: socket.socket) -> None:
        saying(*pieces)(peer)
        peer.shutdown(socket.SHUT_RDWR)

    return speak


def then_reset(*pieces: bytes) -> Speak:
    def speak(peer: socket.socket) -> None:
        saying(*pieces)(peer)
        reset(peer)

    return speak


def body(url: str) -> bytes:
    (reply,) = asked(url)
    assert isinstance(reply, httpx.Response)
    return reply.content


@pytest.mark.parametrize(
    "speak",
    [
        pytest.param(then_reset(), id="before the head"),
        pytest.param(then_reset(b"HTTP/1.1 200"), id="in the head"),
        pytest.param(then_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), id="in the body"),
    ],
)
def test_a_reset_after_the_request_left_leaves_its_effect_unknown(speak: Speak) -> None:
    with serving(speak) as server:
        assert failure(server.url) == ("no_answer", True)
        assert len(server.requests) == 1, "a request is sent once"


@pytest.mark.parametrize(
    "speak",
    [
        pytest.param(then_gone(), id="nothing"),
        pytest.param(then_gone(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), id="shorter than promised"),
        pytest.param(then_gone(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), id="half a chunk"),
        pytest.param(then_gone(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), id="no chunk"),
        pytest.param(saying(b"SMTP ready\r\n\r\n"), id="another protocol"),
        pytest.param(saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000), id="endless head"),
        pytest.param(saying(answer(b"not gzip", "Content-Encoding: gzip")), id="not what it says"),
        pytest.param(saying(answer(gzip.compress(b"{}")[:-1], "Content-Encoding: gzip")), id="gzip without its end"),
        pytest.param(saying(answer(gzip.compress(b"{}")[:9], "Content-Encoding: gzip")), id="gzip without content"),
        pytest.param(saying(answer(gzip.compress(b"{}") + b"x", "Content-Encoding: gzip")), id="more than gzip"),
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(speak: Speak) -> None:
    with serving(speak) as server:
        assert failure(server.url) == ("no_answer", True)


def test_a_connection_that_is_refused_carried_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"

    assert failure(url) == ("connect", False)


def test_a_connection_that_is_never_accepted_carried_nothing() -> None:
    """N2: the queue of the listener is full, so the connection hangs until its own deadline."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        try:
            limits = TransportLimits(total_seconds=5.0, connect_seconds=0.2)
            assert failure(f"http://127.0.0.1:{full.getsockname()[1]}/", limits) == ("connect", False)
        finally:
            for each in waiting:
                each.close()


def silent(_: socket.socket, release: threading.Event) -> None:
    release.wait(5)


def dripping(head: bytes, piece: bytes, release: threading.Event) -> Speak:
    def speak(peer: socket.socket) -> None:
        peer.sendall(head)
        while not release.wait(0.01):
            peer.sendall(piece)

    return speak


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda release: lambda peer: silent(peer, release), id="silent"),
        pytest.param(lambda release: dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", release), id="head"),
        pytest.param(lambda release: dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n", release), id="1xx"),
        pytest.param(
            lambda release: dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" ", release), id="body"
        ),
        pytest.param(
            lambda release: dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", release),
            id="chunks",
        ),
    ],
)
def test_however_slowly_it_is_answered_a_request_ends_at_its_deadline(made: Callable[[threading.Event], Speak]) -> None:
    """N3, N4: each piece comes in time, and the whole does not."""
    release = threading.Event()
    with serving(made(release)) as server:
        began = time.monotonic()
        assert failure(server.url, SHORT) == ("no_answer", True)
        assert time.monotonic() - began < 30, "it would go on for ever"
        release.set()


def test_an_answer_as_large_as_allowed_is_read_and_one_byte_more_is_not() -> None:
    whole = b"x" * RESPONSE_BYTES_MAX

    with serving(saying(answer(whole))) as server:
        assert len(body(server.url)) == RESPONSE_BYTES_MAX
    with serving(saying(answer(whole + b"x"))) as server:
        assert failure(server.url) == ("answer_too_large", True)


def packed(size: int, times: int = 1) -> bytes:
    """So many zeros, in gzip as often as told."""
    data = b""
    for _ in range(times):
        packer = zlib.compressobj(9, wbits=31)
        parts = [packer.compress(data)] if data else [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
        data = b"".join(parts) + packer.flush()
    return data


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        pytest.param(packed(256 * MIB), "gzip", id="once"),
        pytest.param(packed(256 * MIB, times=2), "gzip, gzip", id="twice"),
        pytest.param(packed(256 * MIB, times=2), "gzip\r\nContent-Encoding: gzip", id="in two headers"),
        pytest.param(packed(256 * MIB, times=3), "gzip, gzip, gzip", id="thrice"),
    ],
)
def test_a_small_answer_that_unpacks_without_end_is_not_unpacked(content: bytes, encoding: str) -> None:
    """D25: what an answer may hold is bounded by its size in memory, and so is the memory that it takes to find out."""
    with serving(saying(answer(content, f"Content-Encoding: {encoding}"))) as server:
        tracemalloc.start()
        try:
            code, unknown = failure(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert (code, unknown) in {("answer_too_large", True), ("no_answer", True)}
    assert peak < 4 * RESPONSE_BYTES_MAX


@pytest.mark.parametrize(
    ("packer", "name"),
    [(gzip.compress, "gzip"), (gzip.compress, "GZIP"), (zlib.compress, "deflate"), (bytes, "identity"), (bytes, "")],
)
def test_an_answer_is_unpacked_and_says_no_more_that_it_was_packed(packer: Callable[[bytes], bytes], name: str) -> None:
    with serving(saying(answer(packer(b'{"ok": true}'), f"Content-Encoding: {name}"))) as server:
        (reply,) = asked(server.url)

    assert isinstance(reply, httpx.Response)
    assert reply.json() == {"ok": True}
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer_and_is_not_followed(status: str) -> None:
    """D13: a credential goes to the address that the operator wrote, and to no other."""
    with serving(saying(answer())) as elsewhere:
        with serving(saying(answer(b"", f"Location: {elsewhere.url}", status=status))) as server:
            (reply,) = asked(server.url)
        assert elsewhere.connections == 0

    assert isinstance(reply, httpx.Response)
    assert reply.status_code == int(status[:3])


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with serving(saying(answer(b"proxy"))) as proxy, serving(saying(answer(b"server"))) as server:
        monkeypatch.setenv(name, f"http://{proxy.host}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

        assert body(server.url) == b"server"
        assert proxy.connections == 0


def test_a_password_file_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login marker password marker\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with serving(saying(answer())) as server:
        asked(server.url)

    assert b"authorization" not in server.requests[0].lower()


def test_calls_share_a_connection_and_no_cookie() -> None:
    with serving(saying(answer(b"", "Set-Cookie: session=marker; Path=/"))) as server:
        asked(server.url, calls=3)

    assert (server.connections, len(server.requests)) == (1, 3)
    assert not any(b"cookie" in head.lower() for head in server.requests)


def test_a_request_leaves_as_it_was_made() -> None:
    """The adapter says which headers it wants; the client adds none that would tell more or invite packed answers."""
    with serving(saying(answer())) as server:
        asked(server.url)

    names = {line.split(b":")[0].lower() for line in server.requests[0].split(b"\r\n")[1:]}
    assert names == {b"host", b"content-length"}
