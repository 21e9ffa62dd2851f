"""A fake API at an address on this machine, for those who come over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import httpx


@contextmanager
def served(api: httpx.AsyncBaseTransport) -> Iterator[str]:
    """The address at which ``api`` answers, one call after the other."""
    turn = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx.Request(self.command, f"http://x{self.path}", headers=dict(self.headers), content=content)
            with turn:
                answer = asyncio.run(api.handle_async_request(request))
            self.send_response(answer.status_code)
            for name in {"content-type", "link"} & set(answer.headers):
                self.send_header(name, answer.headers[name])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PATCH = do_DELETE = do_PUT = do_POST  # noqa: N815  # names that the standard library calls

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
