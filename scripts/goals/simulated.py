"""Stories of the whole engine by seed: `simulated.py FIRST COUNT STEPS` prints for each what it came to, as a line of JSON.

The steps and the invariants are those of the state machine in `tests/property/test_engine.py`. The clock moves only between
steps and when it is waited on, chance comes from the seed, and one call is made at a time, so that the same seed is the same story.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from engine import bootstrap  # the checkout is not installed
from tests.acceptance import test_consent as consents
from tests.property.test_engine import IDS, POINTS, Engine

STARTS = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a", "b", "ü", "")
WITHDRAWALS = ("delete", "unsubscribe", "ignore")
STEP_SECONDS = 60.0


class SeededClock:
    """Time that stands still but for what is waited and for `pass_on`: a look at it by whatever thread changes nothing."""

    def __init__(self) -> None:
        self._microseconds = 0

    def now(self) -> datetime:
        return STARTS + timedelta(microseconds=self._microseconds)

    def monotonic(self) -> float:
        return self._microseconds / 1_000_000

    async def sleep(self, seconds: float) -> None:
        self.pass_on(seconds)
        await asyncio.sleep(0)

    def pass_on(self, seconds: float) -> None:
        self._microseconds += math.ceil(seconds * 1_000_000)


class SeededEntropy:
    """Chance that comes back."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def token(self, nbytes: int) -> str:
        return self._dice.randbytes(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        return self._dice.uniform(low, high)


class Story:
    """One seed's life of a sync."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._clock, entropy = SeededClock(), SeededEntropy(random.Random(-1 - seed))
        bootstrap.SystemClock = lambda: self._clock  # type: ignore[assignment, misc]  # each command opens the project anew
        bootstrap.SystemEntropy = lambda: entropy  # type: ignore[assignment, misc]
        consents.NOW = STARTS
        self._engine = Engine()

    def told(self, steps: int) -> dict[str, object]:
        """Tell it to its end; raises what an invariant raises."""
        engine, dice = self._engine, self._dice
        began, worked = time.perf_counter(), time.process_time()
        try:
            withdrawal = dice.choice(WITHDRAWALS)
            engine.begin(
                rows={id: self._name() for id in self._some(4)}, agreed=self._some(3), on_withdrawal=withdrawal
            )
            rate = {"requests": 1_000_000, "per": "1s", "concurrency": 1}
            engine.project.destination("hook", engine.receiver.url, batch={"records": 2}, rate=rate)
            for _ in range(steps):
                self._clock.pass_on(STEP_SECONDS)
                self._step()
                engine.the_ledger_and_the_destination_agree()
            engine._settle()  # noqa: SLF001  # the machine's own end
            took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}
            return {"trace": self._trace(), "events": self._events, **took}
        finally:
            engine.ends.close()

    def _step(self) -> None:
        engine, dice = self._engine, self._dice
        steps: tuple[Callable[[], None], ...] = (
            lambda: engine.the_source_changes(edits={id: dice.choice((*NAMES, None)) for id in self._some(4)}),
            lambda: engine.people_decide(subjects=self._some(3), grants=dice.random() < 0.6),
            engine.a_run_that_nothing_disturbs_brings_the_desired_state,
            lambda: engine.a_run_in_which_records_are_rejected(refused=self._some(3)),
            lambda: engine.a_run_in_which_records_fail(failing=self._some(3)),
            lambda: engine.a_run_in_which_batches_are_refused_for_one_record(poison=dice.choice(IDS)),
            engine.a_run_in_which_one_answer_is_lost,
            lambda: engine.a_run_that_dies(point=dice.choice(POINTS), hit=dice.randint(1, 3)),
            engine.a_look_changes_nothing,
        )
        dice.choice(steps)()

    def _name(self) -> str:
        return self._dice.choice(NAMES)

    def _some(self, most: int) -> set[int]:
        return set(self._dice.sample(IDS, self._dice.randint(1, most)))

    def _trace(self) -> str:
        """A digest of all events, byte by byte, and of all that the destination was sent."""
        with closing(sqlite3.connect(self._engine.project.folder / ".tidegate" / "ledger.db")) as connection:
            events = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
        self._events = len(events)
        sent = [(entry.key, entry.records, entry.applied) for entry in self._engine.receiver.journal]
        return hashlib.sha256(repr((events, sent)).encode()).hexdigest()


def main() -> None:
    first, count, steps = (int(argument) for argument in sys.argv[1:4])
    for seed in range(first, first + count):
        try:
            told = Story(seed).told(steps)
        except AssertionError as error:
            told = {"trace": "", "broken": str(error)[:300]}
        print(json.dumps({"seed": seed, **told}), flush=True)


if __name__ == "__main__":
    main()
