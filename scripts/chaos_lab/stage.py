"""One life: a project on a fresh ledger, its destination behind a proxy, and the state that both must come to."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from chaos_lab.destination import TROUBLE_WEIGHTS, TROUBLES, Troubled
from chaos_lab.ledgers import Ledgers, Look
from chaos_lab.processes import Processes, Running, Setting
from chaos_lab.tally import Tally

from engine.failpoints import VARIABLE
from engine.steps.deliver import WINDOW_BATCHES_PER_CALL
from tests.faultproxy import NO_FAULTS, FaultProxy, Faults, proxying
from tests.projects import TestProject
from tests.receiver import receiving

SYNC = "people_to_hook"
OBJECT_ROWS = 300
CHANGED, ADDED, REMOVED = 120, 12, 12
BATCH = 10
CONCURRENCY = 2
WINDOW_BATCHES = WINDOW_BATCHES_PER_CALL * CONCURRENCY
WINDOW_RECORDS = WINDOW_BATCHES * BATCH
DATA, NEXT_DATA = "people.parquet", "people.next.parquet"


class Life:
    """What blows are dealt to; ``windows`` counts how many may have been sent twice by what was dealt so far.

    ``hits`` are the moments at which a process may have lost what it had just heard, ``continued`` those at which one that
    knows nothing of the time between went on.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        receiver: Troubled,
        proxy: FaultProxy,
        processes: Processes,
        tally: Tally,
        dice: random.Random,
    ) -> None:
        self.url = url
        self.folder = folder
        self.look = Look(url)
        self.receiver = receiver
        self.proxy = proxy
        self.tally = tally
        self.dice = dice
        self.windows = 0
        self.hits: list[float] = []
        self.continued: list[float] = []
        self.setting = Setting()
        self.history: list[str] = []
        self._processes = processes
        self._next_id = OBJECT_ROWS
        self.people: dict[int, tuple[str | None, float | None]] = {
            n: (f"person {n}", n / 4) for n in range(OBJECT_ROWS)
        }
        self.project = _project(folder, url, proxy.through(receiver.url))
        self._save()

    def change(self) -> None:
        """A new state of the source: some rows changed, some new, some gone."""
        ids = list(self.people)
        for id in self.dice.sample(ids, REMOVED):
            del self.people[id]
        self.touch(self.dice.sample(list(self.people), CHANGED))
        for id in range(self._next_id, self._next_id + ADDED):
            self.people[id] = (None, id / 4)
        self._next_id += ADDED
        self._save()

    def touch(self, ids: list[int]) -> None:
        """Give these rows, as far as they are there, another value; some come back to one that they had before."""
        for id in ids:
            if id in self.people:
                self.people[id] = (f"person {id}", float(self.dice.randrange(4)))
        self._save()

    def _save(self) -> None:
        """Replace the source in one step, as a process may read it at any time."""
        table = pa.table(
            {
                "id": pa.array(list(self.people), pa.int64()),
                "name": pa.array([name for name, _ in self.people.values()], pa.string()),
                "score": pa.array([score for _, score in self.people.values()], pa.float64()),
            }
        )
        self.project.data(table, NEXT_DATA)
        (self.folder / "data" / NEXT_DATA).replace(self.folder / "data" / DATA)

    @property
    def wanted(self) -> dict[str, dict[str, Any]]:
        """What the destination must hold in the end."""
        return {str(id): {"name": name, "score": score} for id, (name, score) in self.people.items()}

    def hit(self) -> None:
        """Something just happened to a process or under it."""
        self.hits.append(time.perf_counter())

    def go_on(self, stopped: Running) -> None:
        """Continue a process that was stopped."""
        self.continued.append(time.perf_counter())
        stopped.go_on()

    def start(self, *, points: str = "", actor: str = "chaos", cold: bool = False) -> Running:
        """A process that runs the sync; ``points`` arms failpoints."""
        return self.command("--json", "run", SYNC, points=points, actor=actor, cold=cold)

    def command(self, *arguments: str, points: str = "", actor: str = "chaos", cold: bool = False) -> Running:
        self.tally.runs += 1
        environment = {"TIDEGATE_ACTOR": actor} | ({VARIABLE: points} if points else {})
        whole = ["--project", str(self.folder), *arguments]
        if cold:
            return self._processes.cold(whole, environment)
        return self._processes.warm(whole, environment, self.setting)

    def trouble(self) -> None:
        """Let destination or network misbehave for a while, or not."""
        self.calm()
        dice = self.dice
        kind = dice.random()
        if kind < 0.3:
            self.receiver.troubles.extend(dice.choices(TROUBLES, TROUBLE_WEIGHTS, k=dice.randint(1, 3)))
        elif kind < 0.6:
            self.proxy.faults = dice.choice(
                (
                    Faults(latency_seconds=0.004),
                    Faults(bytes_per_second=200_000),
                    Faults(lost_responses=dice.randint(1, 2)),
                    Faults(repeated_share=0.2),
                    Faults(to_server_bytes_max=dice.randint(6_000, 20_000), resets=dice.random() < 0.5),
                    Faults(to_client_bytes_max=dice.randint(600, 2_000), resets=dice.random() < 0.5),
                )
            )
        if dice.random() < 0.1 and not self.receiver.poison:
            self.receiver.poison = frozenset(str(id) for id in dice.sample(list(self.people), 2))

    def calm(self) -> None:
        """No trouble any more, but for poison."""
        self.receiver.calm()
        self.proxy.faults = NO_FAULTS

    @property
    def disturbed(self) -> int:
        """Calls that may have been made again for a reason that is not the engine's."""
        counts = self.proxy.counts
        return self.receiver.disturbed + counts.broken + counts.repeated


def _project(folder: Path, url: str, destination: str) -> TestProject:
    project = TestProject(folder, destination, ledger=url)
    rate = {"concurrency": CONCURRENCY}
    project.destination("hook", destination, rate=rate, batch={"records": BATCH})
    deletes = {"max": 10_000, "max_ratio": 1.0, "on_fail": "warn"}
    project.sync(SYNC, gates={"deletes": deletes}, rejects={"max_attempts": 100, "stop_ratio": 1.0})
    return project


@contextmanager
def living(folder: Path, ledgers: Ledgers, processes: Processes, tally: Tally, dice: random.Random) -> Iterator[Life]:
    """A life that ends with the block; its folder stays."""
    folder.mkdir()
    receiver = Troubled()
    with receiving(receiver), proxying(receiver.url, seed=dice.randrange(1_000_000)) as proxy:
        tally.lives += 1
        life = Life(folder, ledgers.fresh(folder), receiver, proxy, processes, tally, dice)
        try:
            yield life
        finally:
            tally.requests += len(receiver.journal)
            tally.records += sum(len(entry.records) for entry in receiver.journal)
            tally.disturbed += life.disturbed
