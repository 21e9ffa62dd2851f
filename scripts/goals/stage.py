"""A project with one version delivered and the next one due, put back to that state before each case."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goals.damaged import named_segments

from engine.clock import SystemEntropy
from engine.errors import StorageError
from engine.segments.files import Storage
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

SYNC = "people_to_hook"
BATCH = 5
RUNS_MAX = 4
WAIT_SECONDS_MAX = 30.0
WAITING = frozenset({"busy", "paused"})
SENT = frozenset({"succeeded", "partial", "unchanged"})
STATE = ("records", "log", "journal", "sent", "_keys")


@dataclass(frozen=True)
class Stage:
    """The project as it is used; ``kept`` is what it is put back from."""

    project: TestProject
    kept: Path
    receiver: Receiver
    received: dict[str, Any]
    wanted: dict[str, Any]

    @property
    def state(self) -> Path:
        return self.project.folder / ".tidegate"

    @property
    def command(self) -> list[str]:
        return ["--project", str(self.project.folder), "--json", "run", SYNC]

    def reset(self) -> None:
        """The first version stands delivered, in the project and at the destination."""
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)
        for name, value in deepcopy(self.received).items():
            setattr(self.receiver, name, value)

    def lies(self, code: int) -> list[str]:
        """What a run that ended with ``code``, and the ledger, claim and is not so."""
        told = []
        with closing(sqlite3.connect(self.state / "ledger.db")) as connection:
            newest = "SELECT json_extract(data, '$.status') FROM event WHERE type = 'run.finished' ORDER BY seq DESC"
            runs = connection.execute("SELECT count(*) FROM event WHERE type = 'run.finished'").fetchone()[0]
            claims = code == 0 or (runs > 1 and connection.execute(newest).fetchone()[0] in {"succeeded", "unchanged"})
        if claims and self.receiver.records != self.wanted:
            told.append("a run succeeded with something owed")
        return told + self._checked()

    def damages(self) -> list[str]:
        """What is not as the ledger says: its own chain, or a segment that it names."""
        told = []
        verified = self.project.run("--json", "ledger", "verify")
        if verified.code != 0:
            told.append(f"the ledger does not verify: {verified.out}")
        storage = Storage(str(self.state / "segments"), scratch=self.state / "scratch", entropy=SystemEntropy())
        for ref in named_segments(self.state / "ledger.db"):
            try:
                if storage.exists(ref):
                    storage.local(ref)
            except StorageError as error:
                told.append(str(error))
        return told

    def converged(self) -> list[str]:
        """Run until `unchanged`; what went wrong on the way."""
        until = time.perf_counter() + WAIT_SECONDS_MAX
        runs = 0
        while runs < RUNS_MAX:
            outcome = self.project.run("--json", "run", SYNC)
            report = outcome.json[0] if isinstance(outcome.json, list) else {"status": "none", "reason": outcome.err}
            if report["status"] in WAITING and time.perf_counter() < until:
                time.sleep(0.1)
                continue
            if report["status"] not in SENT:
                return [f"a run on a whole disk ended as {report['status']}: {report['reason']}"]
            runs += 1
            if report["status"] == "unchanged":
                break
        same = self.receiver.records == self.wanted
        return self._checked() if same else ["the destination does not hold what the source says"]

    def _checked(self) -> list[str]:
        try:
            self.project.checked(self.receiver)
        except AssertionError as error:
            return [str(error)]
        return []


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Sixty people, of whom twenty change, four come and four go."""
    with receiving() as receiver:
        project = TestProject(folder / "project", receiver.url)
        rate = {"requests": 100_000, "per": "1s", "concurrency": 2}
        project.destination("hook", receiver.url, rate=rate, batch={"records": BATCH})
        people: dict[int, tuple[str | None, float | None]] = {n: (f"person {n}", n / 4) for n in range(60)}
        project.people(people)
        assert project.report()["status"] == "succeeded"
        for id in range(4):
            del people[id]
            people[100 + id] = (None, 0.5)
        people |= {id: (f"person {id} again", 1.5) for id in range(10, 30)}
        project.people(people)
        kept = folder / "kept"
        shutil.copytree(project.folder / ".tidegate", kept)
        received = {name: deepcopy(getattr(receiver, name)) for name in STATE}
        wanted = {str(id): {"name": name, "score": score} for id, (name, score) in people.items()}
        yield Stage(project, kept, receiver, received, wanted)
