"""G21: whatever came before, a rollback leaves the older version as far as people consent today, and nobody returns.

Random histories of versions, decisions, rollbacks, pins that are taken away and people who are forgotten, each against a
destination over HTTP that applies what it is sent. After every step the destination is compared with a model of
dictionaries; then it is rolled back twice, which must be as once, and brought forward to where it was.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from goals.goal import Effort, Goal, Numbers, never

from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.service.app import App
from engine.service.consent import Decision, Status, record_decision
from engine.service.erasure import forget
from engine.service.reports import RunReport
from engine.service.rollback import roll_back, unpin_sync
from engine.service.runs import run_syncs
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

HISTORIES = 500
STEPS_MIN, STEPS_MAX = 3, 7
PEOPLE_MAX = 8
SYNC = "people_to_hook"
PURPOSE = "email"
WRONG = "steps after which a destination held something else"
ZEROS = (
    WRONG,
    "rollbacks of a rollback that did not lead back",
    "rollbacks that were repeated and sent something",
    "upserts of forgotten people",
    "runs that did not end well",
)
KINDS = ("version", "decide", "roll back", "let go", "forget")
WEIGHTS = (5, 4, 6, 2, 1)

Fields = dict[str, str | float | None]
Version = dict[int, Fields]


@dataclass
class Lab:
    """One history: the project, its destination, and what must be true of it."""

    project: TestProject
    app: App
    receiver: Receiver
    random: random.Random
    found: Counter[str]
    versions: list[Version] = field(default_factory=list)
    granted: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    pinned: int | None = None
    watched: int = 0

    def wanted(self) -> dict[str, Fields]:
        """The version that is wanted, as far as people consent today."""
        version = self.versions[(self.pinned or len(self.versions)) - 1]
        allowed = self.granted - self.forgotten
        return {str(id): fields for id, fields in version.items() if id in allowed}

    def take(self, kind: str) -> None:
        """One step, as an operator takes it, and what must come of it."""
        match kind:
            case "version":
                self._bring(self._people())
            case "decide":
                id = self.random.randrange(PEOPLE_MAX)
                status = self.random.choice((Status.GRANTED, Status.WITHDRAWN))
                record_decision(self.app, Decision(str(id), PURPOSE, status))
                (self.granted.add if status is Status.GRANTED else self.granted.discard)(id)
                self._run()
            case "roll back":
                self._roll_back(self.random.randint(1, len(self.versions)))
            case "let go":
                if self.pinned is not None:
                    unpin_sync(self.app, SYNC, "")
                    self.pinned = None
                self._run()
            case _:
                self._forget(self.random.randrange(PEOPLE_MAX))
        self.found[f"steps: {kind}"] += 1
        self._compare()

    def end(self) -> None:
        """Back once more, twice, then forward again: as once, and to where it was."""
        if self.pinned is not None:
            unpin_sync(self.app, SYNC, "")
            self.pinned = None
        self._run()
        before = {key: dict(fields) for key, fields in self.receiver.records.items()}
        target = self.random.randint(1, len(self.versions))
        self._roll_back(target)
        self._compare()
        calls = len(self.receiver.journal)
        self._roll_back(target)
        self.found["rollbacks that were repeated and sent something"] += len(self.receiver.journal) != calls
        self._roll_back(len(self.versions))
        self.found["rollbacks of a rollback that did not lead back"] += self.receiver.records != before
        self._compare()

    def _people(self) -> Version:
        # One is always there, and never forgotten: a source without anybody would be refused.
        ids = [*self.random.sample(range(PEOPLE_MAX), self.random.randint(0, PEOPLE_MAX)), PEOPLE_MAX]
        return {
            id: {"name": self.random.choice(("Ada", "Bo", None)), "score": self.random.choice((1.5, 2.5, None))}
            for id in ids
        }

    def _bring(self, people: Version) -> None:
        kept = {id: fields for id, fields in people.items() if id not in self.forgotten}
        if not self.versions or kept != self.versions[-1]:
            self.versions.append(kept)
        self.project.people({id: (fields["name"], fields["score"]) for id, fields in people.items()})  # type: ignore[misc]  # each field has its type
        self._run()

    def _forget(self, id: int) -> None:
        forget(self.app, [str(id)], "the goal", StopRequest())
        self.forgotten.add(id)
        for version in self.versions:
            version.pop(id, None)
        self._run()

    def _roll_back(self, to: int) -> None:
        self.pinned = to
        (report,) = roll_back(self.app, SYNC, to, "", StopRequest())
        self.found["rollbacks"] += 1
        self._ended(report)

    def _run(self) -> None:
        (report,) = run_syncs(self.app, [SYNC], StopRequest())
        self._ended(report)

    def _ended(self, report: RunReport) -> None:
        self.found["runs that did not end well"] += report.status not in {"succeeded", "unchanged"}

    def _compare(self) -> None:
        self.found[WRONG] += self.receiver.records != self.wanted()
        for one in self.receiver.journal[self.watched :]:
            returned = [r for r in one.records if r["op"] != "delete" and int(r["id"]) in self.forgotten]
            self.found["upserts of forgotten people"] += len(returned)
        self.watched = len(self.receiver.journal)


def measure(effort: Effort) -> Numbers:
    histories, found = effort.of(HISTORIES), Counter[str]()
    for number in range(histories):
        with tempfile.TemporaryDirectory() as folder:
            chance = random.Random(f"{effort.seed}-{number}")
            with _lab(Path(folder), chance, found) as lab:
                lab.take("version")
                for kind in chance.choices(KINDS, WEIGHTS, k=chance.randint(STEPS_MIN, STEPS_MAX)):
                    lab.take(kind)
                lab.end()
        found["histories"] += 1
    names = ("histories", "rollbacks", *(f"steps: {kind}" for kind in KINDS), *ZEROS)
    return {"histories asked for": histories, **{name: found[name] for name in names}}


@contextmanager
def _lab(folder: Path, chance: random.Random, found: Counter[str]) -> Iterator[Lab]:
    with receiving() as receiver:
        project = TestProject(folder, receiver.url)
        project.destination("hook", receiver.url, rate={"requests": 100_000, "per": "1s", "concurrency": 2})
        dataset = {
            "name": "people",
            "contract": "contracts/people-v1.odcs.yaml",
            "source": {"connection": "lake", "table": "people.parquet"},
        }
        project.write("datasets/people.yaml", dataset)
        project.sync(SYNC, consent={"purpose": PURPOSE, "subject": "id"})
        app = open_app(folder, environment=None)
        try:
            lab = Lab(project, app, receiver, chance, found)
            for id in range(PEOPLE_MAX + 1):
                if chance.random() < 0.7:
                    record_decision(app, Decision(str(id), PURPOSE, Status.GRANTED))
                    lab.granted.add(id)
            yield lab
        finally:
            app.close()


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["histories"] != numbers["histories asked for"]:
        told.append(f"{numbers['histories asked for']:g} histories must be told")
    if numbers["histories"] >= HISTORIES / 10:
        told += [f"no step was: {kind}" for kind in KINDS if not numbers[f"steps: {kind}"]]
    return told


GOAL = Goal(
    "G21", "a rollback gives the older version under today's consent, and nobody returns", measure, broken, 0.008
)
