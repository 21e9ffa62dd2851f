"""The sandbox on a loopback port: sockets, limits of time and size, and an end without noise."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from destinations.addresses import LOOPBACK
from destinations.sandbox.application import Answer, Application, Call, Drop, problem
from destinations.sandbox.batch import BODY_BYTES_MAX
from destinations.sandbox.store import Store

HOST = "127.0.0.1"
IDLE_SECONDS_MAX = 120.0
"""How long a connection may be silent, in the middle of a body as well."""
CONNECTIONS_MAX = 64
UNREAD_BYTES_MAX = 4 * BODY_BYTES_MAX
"""How much of a body that is too large is read and dropped, so that its sender comes to read the answer."""
_END_SECONDS = 0.01
"""How long it may take to notice that the end has come."""
_ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM})
_LENGTH = re.compile(r"[0-9]{1,15}")
_PIECE_BYTES = 64 * 1024
_Socket: TypeAlias = socket.socket | tuple[bytes, socket.socket]
_Address: TypeAlias = tuple[str, int]


class CannotStartError(Exception):
    """The port or the store cannot be used; the message is one sentence."""


def serve(port: int, store: Path, say: Callable[[str], None], rate: float | None = None) -> None:
    """Serve from the main thread until SIGTERM or SIGINT; the first thing said is the address.

    ``port`` 0 takes a free one; ``rate`` is in batches per second. Raises `CannotStartError`.
    """
    # Blocked before any thread starts, so that all inherit it and the signal waits for `sigwait` wherever it comes.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        with running(port, store, rate) as address:
            say(f"Sandbox at {address} (store {store})")
            signal.sigwait(_ENDINGS)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def running(port: int, store: Path, rate: float | None = None) -> Iterator[str]:
    """Serve in threads for as long as a block lasts; gives scheme, host and port. Raises `CannotStartError`."""
    kept = _opened(store)
    try:
        server = _Server(port, Application(kept, rate, time.monotonic))
    except OSError as error:
        kept.close()
        raise CannotStartError(f"port {port} cannot be used ({error.strerror})") from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _END_SECONDS}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
        kept.close()


def _opened(folder: Path) -> Store:
    try:
        return Store(folder)
    except OSError as error:
        raise CannotStartError(f"`{folder}` cannot be used as a store ({error.strerror})") from None
    except sqlite3.Error as error:
        raise CannotStartError(f"`{folder}` cannot be used as a store ({error})") from None


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self.stopping = threading.Event()
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__((HOST, port), _Handler)

    def verify_request(self, request: _Socket, client_address: object) -> bool:
        """Whether a place is free; a connection that is one too many is closed."""
        del request, client_address
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: _Socket, client_address: _Address) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: _Socket, client_address: _Address) -> None:
        """A client that goes away in the middle is no error of ours, and neither is our own end."""
        if not self.stopping.is_set() and not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "TidegateSandbox"
    sys_version = ""
    timeout = IDLE_SECONDS_MAX
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nothing is logged: the journal and the page say what came."""

    def _handled(self) -> None:
        body = self._body()
        reaction = body if isinstance(body, Answer) else self._reaction(body)
        if isinstance(reaction, Drop):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if reaction.wait_seconds:
            self.server.stopping.wait(reaction.wait_seconds)
        self._send(reaction)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handled  # noqa: N815  # the base's names

    def _reaction(self, body: bytes) -> Answer | Drop:
        try:
            host = urlsplit(f"//{self.headers.get('host', HOST)}").hostname
            path = tuple(unquote(part, errors="strict") for part in urlsplit(self.path).path.split("/")[1:])
        except ValueError:
            return problem(400, "bad_address", "the address cannot be read")
        if host not in LOOPBACK:
            # A page of another site that makes its own name mean this machine must not read what is kept here.
            return problem(403, "foreign_host", "the sandbox is addressed by a name of this machine only")
        media, key = self.headers.get("content-type", ""), self.headers.get("idempotency-key", "")
        return self.server.application.reaction(Call(self.command, path, media, key, body))

    def _body(self) -> bytes | Answer:
        """The whole body, or the answer to one that cannot be taken; after that answer the connection is closed."""
        lengths = self.headers.get_all("content-length", [])
        if not lengths and "transfer-encoding" not in self.headers and self.command not in {"POST", "PUT"}:
            return b""
        self.close_connection = True
        if "transfer-encoding" in self.headers or not lengths:
            return problem(411, "length_required", "a body needs its Content-Length")
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
            return problem(400, "bad_length", "the Content-Length is not one whole number")
        if (length := int(lengths[0])) > BODY_BYTES_MAX:
            self._discard(min(length, UNREAD_BYTES_MAX))
            return problem(413, "too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionAbortedError
        self.close_connection = self.headers.get("connection", "").lower() == "close" or self._is_old
        return content

    def _discard(self, length: int) -> None:
        while length > 0 and (piece := self.rfile.read(min(length, _PIECE_BYTES))):
            length -= len(piece)

    @property
    def _is_old(self) -> bool:
        """Whether the client speaks a version in which connections close and pieces are unknown."""
        return self.request_version < self.protocol_version

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = [("Content-Type", answer.media), ("X-Content-Type-Options", "nosniff"), *answer.headers]
        if isinstance(answer.content, bytes):
            headers.append(("Content-Length", str(len(answer.content))))
        elif not self._is_old:
            headers.append(("Transfer-Encoding", "chunked"))
        if self.close_connection:
            headers.append(("Connection", "close"))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(answer.content, bytes):
            self.wfile.write(answer.content)
            return
        for piece in answer.content:
            self.wfile.write(piece if self._is_old else b"%x\r\n%b\r\n" % (len(piece), piece))
        if not self._is_old:
            self.wfile.write(b"0\r\n\r\n")
