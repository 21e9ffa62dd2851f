"""A destination that honours idempotency keys, remembers what it was sent, and makes trouble when it is told to."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tests.receiver import Answer, Receiver

Trouble = Literal["throttled", "error before", "error after", "broken answer", "silence asked", "silence needed"]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
TROUBLE_WEIGHTS = (8, 8, 8, 8, 1, 1)
"""Silence is asked for seldom, since it is the one trouble that costs a second."""
_BEFORE: dict[str, Answer] = {
    "throttled": (429, {"retry-after": "0"}, b""),
    "error before": (503, {}, b""),
    "silence asked": (429, {"retry-after": "1"}, b""),
    "silence needed": (503, {"retry-after": "1"}, b""),
}
_AFTER: dict[str, Answer] = {
    "error after": (500, {}, b""),
    "broken answer": (200, {"content-type": "application/json"}, b'{"results": [{"id": "'),
}


@dataclass(frozen=True, slots=True)
class Silence:
    """From when to when, by the destination's own clock, it had asked for no calls."""

    began: float
    ends: float


@dataclass
class Troubled(Receiver):
    """``troubles`` meet one call each; a batch that holds one of ``poison`` is refused as a whole.

    ``idle`` are the ids of effects that changed nothing: what they did had been done before. ``arrivals`` are the moments
    of all calls.
    """

    arrivals: list[float] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    troubles: deque[Trouble] = field(default_factory=deque)
    poison: frozenset[str] = frozenset()
    disturbed: int = 0
    idle: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.answer = self._instead

    def receive(self, key: str, body: dict[str, Any]) -> Answer:
        self.arrivals.append(time.perf_counter())
        answer = super().receive(key, {**body, "idempotency_key": key})
        if wait := float(answer[1].get("retry-after", 0)):
            now = time.perf_counter()
            self.silences.append(Silence(now, now + wait))
        with self._lock:
            spoiled = _AFTER.get(self.troubles[0]) if answer[0] == 200 and self.troubles else None
            if spoiled is None:
                return answer
            self.troubles.popleft()
            self.disturbed += 1
            return spoiled

    def _instead(self, body: dict[str, Any]) -> Answer | None:
        answer = _BEFORE.get(self.troubles[0]) if self.troubles else None
        if answer is not None:
            self.troubles.popleft()
        elif self._is_poisoned(body):
            answer = 400, {}, b""
        self.disturbed += answer is not None
        return answer

    def _is_poisoned(self, body: dict[str, Any]) -> bool:
        """A batch that was taken stays taken: under its key it gets the answer that it had."""
        fresh = body["idempotency_key"] not in self._keys
        return fresh and any(record["id"] in self.poison for record in body["records"])

    def _apply(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            held = self.records.get(record["id"])
            if record["op"] == "delete":
                self.idle[record["id"]] += held is None
            else:
                self.idle[record["id"]] += held is not None and {**held, **record["fields"]} == held
        super()._apply(records)

    @property
    def effects(self) -> int:
        """How many batches took effect."""
        return len(self._keys)

    def calm(self) -> None:
        """No trouble but poison, of which a batch that is half applied still needs to know."""
        with self._lock:
            self.troubles.clear()
