"""G13: bad records among good ones cost a few calls; the good are delivered, the bad rejected in the destination's words.

The webhook adapter, the sender and the transport that runs use send four batches of 1,000 to a destination that refuses
a whole batch for one bad record in it. Bad ones stand in one batch, which is not the last: what follows must not wait.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pyarrow as pa
from goals.goal import Effort, Goal, Numbers, never

from destinations.webhook import Webhook, WebhookConfig
from engine.delivery.rehearsal import Line, Rehearsal, rehearse

BATCH, BATCHES = 1_000, 4
BAD = (1, 2, 5, 10, 20)
SEEDS = 60
SPREADS = ("anywhere", "neighbours", "ends")
CASES, UNFINISHED = "cases", "cases in which a later batch was not sent"
BAD_SENT, GOOD_SENT = "bad records", "good records"
LOST, TWICE = "good records that were not delivered", "good records that were delivered twice"
ACCEPTED, MISNAMED = "bad records that were not rejected", "rejections without the destination's message"
OVER = "cases that took more calls than allowed"


@dataclass
class Picky:
    """A destination that takes no batch which holds one of ``bad``, and says which it was."""

    bad: frozenset[str]
    calls: int = 0
    held: Counter[str] = field(default_factory=Counter)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        ids = [record["id"] for record in json.loads(request.content)["records"]]
        refused = next((id for id in ids if id in self.bad), None)
        if refused is not None:
            return httpx.Response(422, text=_words(refused))
        self.held.update(ids)
        return httpx.Response(200, json={})


def measure(effort: Effort) -> Numbers:
    dice = random.Random(effort.seed)
    found = Counter[str](dict.fromkeys((LOST, TWICE, ACCEPTED, MISNAMED, OVER, UNFINISHED), 0))
    worst = 0.0
    for _ in range(effort.of(SEEDS)):
        for bad in BAD:
            for spread in SPREADS:
                worst = max(worst, _case(dice, bad, spread, found))
    return {**found, "calls beyond the first, worst share of what is allowed": round(worst, 3)}


def _case(dice: random.Random, count: int, spread: str, found: Counter[str]) -> float:
    """Count one case; returns which share of the calls that are allowed it took."""
    first = dice.randrange(BATCHES - 1) * BATCH
    bad = frozenset(str(first + place) for place in _places(dice, count, spread))
    picky = Picky(bad)
    line = Line(httpx.MockTransport(picky.answer))
    done = rehearse(Webhook(WebhookConfig(url="https://receiver.test/batch")), _rows(), line, object="people", plan="p")
    good = {str(n) for n in range(BATCH * BATCHES)} - bad
    found[CASES] += 1
    found[BAD_SENT] += len(bad)
    found[GOOD_SENT] += len(good)
    found[LOST] += len(good - done.delivered) + len(good - picky.held.keys())
    found[TWICE] += sum(times > 1 for times in picky.held.values())
    found[ACCEPTED] += sum(not _is_rejected(done, id) for id in bad)
    found[MISNAMED] += sum(_is_rejected(done, id) and done.others[id].message != _words(id) for id in bad)
    found[UNFINISHED] += done.stop is not None
    allowed = 2 * count * math.ceil(math.log2(BATCH / count)) + 2 * count
    found[OVER] += picky.calls - BATCHES > allowed
    return (picky.calls - BATCHES) / allowed


def _places(dice: random.Random, count: int, spread: str) -> list[int]:
    if spread == "neighbours":
        start = dice.randrange(BATCH - count + 1)
        return list(range(start, start + count))
    if spread == "ends":
        return [n // 2 if n % 2 else BATCH - 1 - n // 2 for n in range(count)]
    return dice.sample(range(BATCH), count)


def _rows() -> pa.RecordBatch:
    ids = [str(n) for n in range(BATCH * BATCHES)]
    return pa.RecordBatch.from_pydict(
        {
            "op": ["upsert"] * len(ids),
            "change": ["insert"] * len(ids),
            "id": ids,
            "key": [json.dumps({"external_id": id}) for id in ids],
            "fields": ['{"name": "somebody"}'] * len(ids),
            "changed": ['["name"]'] * len(ids),
        }
    )


def _is_rejected(done: Rehearsal, id: str) -> bool:
    return id in done.others and done.others[id].outcome == "rejected"


def _words(id: str) -> str:
    return f"record {id}: the address is not one"


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, LOST, TWICE, ACCEPTED, MISNAMED, OVER, UNFINISHED)
    if numbers[CASES] < len(BAD) * len(SPREADS):
        told.append("not every number and spread of bad records was tried")
    return told


GOAL = Goal("G13", "poison is cut out in few calls and blocks nothing", measure, broken, share=0.05)
