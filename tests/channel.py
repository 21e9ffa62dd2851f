"""Where alerts are told to: a channel on loopback, and a project that has one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from tests.projects import TestProject


class Channel(ThreadingHTTPServer):
    """What Apprise's ``json://`` posts to, on loopback; ``status`` is what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"json://user:canary-5f1e@127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        channel = self.server
        assert isinstance(channel, Channel)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if channel.status == 200:
            channel.messages.append(body)
        self.send_response(channel.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def told_to(project: TestProject) -> Iterator[Channel]:
    """The channel of a project whose pages and tickets all go there; its address is to be in ``ONCALL_URL``."""
    with Channel() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings = yaml.safe_load((project.folder / "tidegate.yaml").read_text(encoding="utf-8"))
        settings["environments"]["development"]["alerts"] = {
            "channels": {"oncall": {"url": "${env:ONCALL_URL}"}},
            "routes": [{"channel": "oncall", "severity": ["page", "ticket"]}],
        }
        project.write("tidegate.yaml", settings)
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
