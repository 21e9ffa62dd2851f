"""Withdrawals by one process while another delivers, and how long calls about the person go on arriving."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from goals.dispatches import Withdrawn, late
from goals.goal import Effort
from goals.people import opened

from engine.clock import SystemClock
from engine.core.consent import Status
from engine.core.consent_rule import REMOVING
from engine.core.events import ConsentDecided
from engine.core.names import CONSENT_STREAM
from engine.delivery.transport import TransportLimits
from engine.service.app import App
from engine.service.consent import Decision, record_decision
from tests.projects import TestProject
from tests.receiver import Answer, Receiver, receiving

RACES = 200
A_RUN = 20
PEOPLE, BATCH, CONCURRENCY = 1_200, 5, 4
ANSWER_SECONDS, PAUSE_SECONDS = 0.03, 0.15
THROTTLED_EVERY = 25
SYNC = "people_to_hook"


def measure_races(effort: Effort) -> dict[str, float]:
    """Deliver as often as the effort's races need, from nothing each time."""
    left, rng = effort.of(RACES), random.Random(effort.seed + 2)
    took, arrived, behind, held, running = list[float](), 0, 0, 0, 0
    races = left
    while left:
        count = min(left, A_RUN)
        with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
            seconds, told, still, during = _race(Path(folder, "project"), receiver, rng, count)
        for sentence in told:
            print(f"a race of seed {effort.seed}: {sentence}", file=sys.stderr)
        took += [max(0.0, one) for one in seconds]
        arrived += sum(one > 0 for one in seconds)
        behind, held, left = behind + len(told), held + still, left - count
        running += during
    return {
        "races": races,
        "races: withdrawals while it was delivered": running,
        "races: people a call about whom arrived after the withdrawal": arrived,
        "races: windows dispatched after a withdrawal": behind,
        "races: people who were still held in the end": held,
        "races: seconds that a call may take": TransportLimits().total_seconds,
        "races: seconds to the last call, half": statistics.median(took),
        "races: seconds to the last call, 99 of 100": sorted(took)[min(len(took) - 1, int(len(took) * 0.99))],
        "races: seconds to the last call, at most": max(took),
    }


def _race(folder: Path, receiver: Receiver, rng: random.Random, count: int) -> tuple[list[float], list[str], int, int]:
    """Seconds from each withdrawal to the last call about the person, what was dispatched late, and who is still held.

    Last, how many withdrawals stood in the ledger while the other process delivered.
    """
    project, arrivals, clock = _project(folder, receiver), dict[str, float](), SystemClock()

    def answer(body: dict[str, Any]) -> Answer | None:
        arrivals.update({r["id"]: clock.now().timestamp() for r in body["records"] if r["op"] not in REMOVING})
        time.sleep(ANSWER_SECONDS)
        return (429, {"retry-after": "1"}, b"") if len(receiver.journal) % THROTTLED_EVERY == 3 else None

    receiver.answer = answer
    with opened(folder) as app:
        process = project.start("--json", "run", SYNC)
        try:
            while not arrivals and process.poll() is None:
                time.sleep(0.01)
            withdrawn, during = list[Withdrawn](), 0
            for n in rng.sample(range(PEOPLE), count):
                withdrawn.append(_withdraw(app, str(n), rng.uniform(0, PAUSE_SECONDS)))
                during += process.poll() is None
            process.communicate(timeout=300)
        finally:
            process.kill()
        receiver.answer = lambda _: None
        for _ in range(2):
            project.run("run", SYNC)
        told = late(app, withdrawn)
    never = float("-inf")
    seconds = [arrivals.get(one.subject, never) - one.at.timestamp() for one in withdrawn]
    return seconds, told, sum(one.subject in receiver.records for one in withdrawn), during


def _project(folder: Path, receiver: Receiver) -> TestProject:
    folder.mkdir(parents=True)
    project = TestProject(folder, receiver.url)
    rate = {"requests": 100_000, "per": "1s", "concurrency": CONCURRENCY}
    project.destination("hook", receiver.url, batch={"records": BATCH}, rate=rate)
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"})
    project.people({n: (f"person {n}", 0.0) for n in range(PEOPLE)})
    lines = "".join(f"{n},email,granted\n" for n in range(PEOPLE))
    (folder / "list.csv").write_text("subject,purpose,status\n" + lines, encoding="utf-8")
    assert project.run("consent", "import", str(folder / "list.csv")).code == 0
    return project


def _withdraw(app: App, subject: str, pause: float) -> Withdrawn:
    time.sleep(pause)
    record_decision(app, Decision(subject, "email", Status.WITHDRAWN))
    (fact,) = app.tools.ledger.tail(1, CONSENT_STREAM, ConsentDecided)
    return Withdrawn(subject, fact.sequence, fact.recorded_at.astimezone(UTC))
