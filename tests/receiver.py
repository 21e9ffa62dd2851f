"""A destination over real sockets that speaks the webhook protocol and remembers everything it was sent.

It applies records to a state of its own, honours idempotency keys, and keeps a log, so that a test judges the end
state and the traffic instead of calls.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import Quiet, serving

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Received:
    """One request: its key, its records, and whether the destination took them (now, or under the same key before)."""

    key: str
    records: list[dict[str, Any]]
    applied: bool


Content = tuple[
    dict[str, dict[str, Any]], list[tuple[str, tuple[str, ...]]], list[Received], Counter[str], int, set[str]
]
"""Records, log, journal, counts, duplicate effects and keys of a receiver."""


@dataclass
class Receiver:
    """``records`` is what the destination holds by id; ``log`` one entry per request that was applied or repeated."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    journal: list[Received] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    duplicate_effects: int = 0
    answer: Callable[[dict[str, Any]], Answer | None] = lambda _body: None
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, key: str, body: dict[str, Any]) -> Answer:
        """Apply a batch once per key."""
        with self._lock:
            scripted = self.answer(body)
            self.journal.append(Received(key, body["records"], scripted is None))
            if scripted is not None:
                return scripted
            ids = tuple(r["id"] for r in body["records"])
            self.log.append((key, ids))
            self.sent.update(ids)
            if key not in self._keys:
                self._keys.add(key)
                self._apply(body["records"])
            return 200, dict(self.headers), b""

    def _apply(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            held = self.records.get(record["id"])
            if record["op"] == "delete":
                self.records.pop(record["id"], None)
            elif record["op"] == "unsubscribe":
                if held is not None:
                    held["unsubscribed"] = True
            else:
                kept = {name: value for name, value in (held or {}).items() if name != "unsubscribed"}
                self.records[record["id"]] = kept | record["fields"]

    def content(self) -> Content:
        """A copy of what the destination holds and remembers."""
        held = (self.records, self.log, self.journal, self.sent, self.duplicate_effects, self._keys)
        return copy.deepcopy(held)

    def fill(self, content: Content) -> None:
        """Hold and remember what ``content`` says and nothing else; dicts and lists that a test has stay the same ones."""
        records, log, journal, sent, self.duplicate_effects, self._keys = copy.deepcopy(content)
        self.records.clear()
        self.records.update(records)
        self.log[:], self.journal[:] = log, journal
        self.sent.clear()
        self.sent.update(sent)

    def forget(self) -> None:
        """Forget every key, as a destination of another test: what it holds stays."""
        self._keys.clear()

    @property
    def requests(self) -> int:
        return len(self.log)


class Address:
    """A loopback address at which one receiver after the other is reached.

    A connection stays with the receiver that was there when it was opened, also when it is read later.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.receiver: Receiver | None = None

    @contextmanager
    def lent(self, receiver: Receiver) -> Iterator[Receiver]:
        """``receiver`` at this address, for as long as the context lasts."""
        receiver.url = self.url
        self.receiver = receiver
        try:
            yield receiver
        finally:
            self.receiver = None


@contextmanager
def addressed() -> Iterator[Address]:
    """An address on a free port."""

    class Calls(Quiet, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            self.receiver = address.receiver

        def do_POST(self) -> None:
            assert self.receiver is not None, "a call between two tests"
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, headers, content = self.receiver.receive(self.headers["idempotency-key"], body)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    with serving(Calls) as place:
        address = Address(f"{place}/batch")
        yield address


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """``receiver``, or a new one, at an address of its own."""
    with addressed() as address, address.lent(receiver or Receiver()) as running:
        yield running
