"""Stories in which many people take consent back, each at a point of a run that chance picks, and all is judged afterwards.

Each person of a story is one interleaving. Destinations refuse, fall silent and lose answers; runs die and are resumed. The
clock moves only when it is waited on, and where several calls are made at a time chance is the machine's.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from goals.dispatches import Withdrawn, late
from goals.goal import Effort
from goals.people import opened
from goals.simulated import SeededClock

from engine import bootstrap, failpoints
from engine.core.consent_rule import REMOVING
from engine.core.names import CONSENT_STREAM, SyncId
from engine.delivery.stop import StopRequest
from engine.ledger.projections import states
from engine.service.app import App
from engine.service.runs import run_syncs
from engine.steps.decisions import DECISIONS, decide
from tests.projects import TestProject
from tests.receiver import Answer, Receiver, receiving

INTERLEAVINGS = 10_000
A_STORY = 25
PEOPLE, BATCH = 60, 2
SYNC = SyncId("people_to_hook")
RUNS_MAX = 8
ANSWERING = "while a call is answered"
POINTS = {
    "plan.before_commit": 1,
    "plan.after_commit": 1,
    "window.before_intent": 3,
    "window.after_intent": 3,
    "batch.before_send": 30,
    "batch.after_send": 30,
    "window.before_receipt": 3,
    "window.after_receipt": 3,
    "fold.before_commit": 1,
    "fold.after_commit": 1,
    ANSWERING: 30,
}
"""Points that a run passes, and about how often."""
IN_FLIGHT = frozenset({"batch.before_send", ANSWERING})
"""Points at which a call has been looked at for the last time and has not arrived yet."""
NAMES = (
    "withdrawals during a run",
    "windows dispatched after a withdrawal",
    "calls in flight at a withdrawal",
    "calls after the one in flight",
    "withdrawals that left nothing owed",
    "windows that were looked at again",
    "runs that died",
    "people who were still held in the end",
    "stories that the checker refuses",
)


def measure_interleavings(effort: Effort) -> dict[str, float]:
    """Tell as many stories as it takes for the effort's withdrawals to fall into a run."""
    wanted, rng = effort.of(INTERLEAVINGS), random.Random(effort.seed)
    found = dict.fromkeys(NAMES, 0.0)
    points: Counter[str] = Counter()
    with _still_clock():
        while found["withdrawals during a run"] < wanted:
            seed = rng.randrange(10**9)
            with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
                story = Story(Path(folder), receiver, random.Random(seed))
                story.tell()
            for sentence in story.unhappy:
                print(f"a story of seed {seed}: {sentence}", file=sys.stderr)
            for name in NAMES:
                found[name] += story.counts[name]
            points.update(story.points)
    return {"withdrawals wanted": wanted, "points that withdrawals fell on": len(points), **found}


@contextmanager
def _still_clock() -> Iterator[None]:
    before, clock = bootstrap.SystemClock, SeededClock()
    bootstrap.SystemClock = lambda: clock  # type: ignore[assignment, misc]  # each project is opened anew
    try:
        yield
    finally:
        bootstrap.SystemClock = before  # type: ignore[misc]


@dataclass
class Story:
    """One project, in which everybody is delivered, everything changes, and people withdraw while it is sent."""

    folder: Path
    receiver: Receiver
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    unhappy: list[str] = field(default_factory=list)
    _due: list[tuple[str, int, str]] = field(default_factory=list)
    """Point, how often it is passed before, and who withdraws there."""
    _passed: Counter[str] = field(default_factory=Counter)
    _withdrawn: list[Withdrawn] = field(default_factory=list)
    _places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Where somebody withdrew, and behind how many calls."""

    def tell(self) -> None:
        """From the first delivery to the last, and what was found on the way."""
        dice, project = self.rng, TestProject(self.folder / "project", self.receiver.url)
        self._concurrency = dice.choice((1, 1, 2))
        rate = {"requests": 1_000_000, "per": "1s", "concurrency": self._concurrency}
        project.destination("hook", self.receiver.url, batch={"records": BATCH}, rate=rate)
        asked = {"purpose": "email", "subject": "id", "on_withdrawal": dice.choice(("delete", "unsubscribe"))}
        project.sync(SYNC, mode=dice.choice(("upsert", "mirror", "update")), consent=asked)
        project.people({n: (f"person {n}", 0.0) for n in range(1, PEOPLE + 1)})
        with opened(project.folder) as app:
            self._decided(app, [str(n) for n in range(1, PEOPLE + 1)], "granted")
            if dice.random() < 0.5:
                self._run(app)
                project.people({n: (f"person {n}", 1.0) for n in range(1, PEOPLE + 1)})
            self._disturbed(app)
            self.receiver.answer = lambda _: None
            self._settled(app)
            self._judged(app, project)

    def _disturbed(self, app: App) -> None:
        """Runs under withdrawals, odd answers and, in a third of stories, a crash at one of the points."""
        dice = self.rng
        people = dice.sample(range(1, PEOPLE + 1), A_STORY)
        where = [dice.choice((*POINTS, "window.before_intent", "window.before_intent")) for _ in people]
        self._due = [(at, dice.randrange(POINTS[at]), str(n)) for at, n in zip(where, people, strict=True)]
        if dice.random() < 1 / 3:
            point = dice.choice([name for name in POINTS if name != ANSWERING])
            hit = dice.randrange(POINTS[point]) + 1
            failpoints._points.armed[point] = failpoints._Armed("raise", "", hit)  # noqa: SLF001  # armed from outside
        answers = [dice.choice(_ANSWERS) if dice.random() < 0.2 else None for _ in range(4 * PEOPLE)]

        def answer(body: dict[str, Any]) -> Answer | None:
            self._pass(app, ANSWERING)
            made = answers.pop() if answers else None
            return made(body) if made is not None else None

        self.receiver.answer = answer
        try:
            with _passing(lambda name: self._pass(app, name)):
                self._run(app)
                failpoints._points.armed.clear()  # noqa: SLF001
                self._run(app)
        finally:
            failpoints._points.armed.clear()  # noqa: SLF001

    def _run(self, app: App) -> None:
        try:
            run_syncs(app, [SYNC], StopRequest())
        except failpoints.FailpointRaised:
            self.counts["runs that died"] += 1

    def _pass(self, app: App, point: str) -> None:
        """Whoever is due at this point withdraws."""
        self._passed[point] += 1
        now = [due for due in self._due if due[0] == point and due[1] < self._passed[point]]
        for due in now:
            self._due.remove(due)
            self._withdraw(app, due[2], point)

    def _withdraw(self, app: App, subject: str, point: str) -> None:
        # While a call is answered it stands in no journal yet.
        self._places[subject] = (point, len(self.receiver.journal))
        self._decided(app, [subject], "withdrawn")
        (fact,) = app.tools.ledger.tail(1, CONSENT_STREAM)
        self._withdrawn.append(Withdrawn(subject, fact.sequence, fact.recorded_at))
        self.counts["withdrawals during a run"] += 1
        self.points[point] += 1
        state = states.current(app.tools.database, SYNC)
        if state is not None and state.registers.get(CONSENT_STREAM, 0) >= fact.position:
            self.counts["withdrawals that left nothing owed"] += 1

    def _decided(self, app: App, subjects: list[str], status: str) -> None:
        moment = app.tools.clock.now()
        rows = [{"subject": s, "purpose": "email", "status": status, "collected_at": moment} for s in subjects]
        decide(app.tools, [pa.RecordBatch.from_pylist(rows, schema=DECISIONS)], "command")

    def _settled(self, app: App) -> None:
        """Run until nothing is left to do."""
        for _ in range(RUNS_MAX):
            if run_syncs(app, [SYNC], StopRequest())[0].status == "unchanged":
                return
        self.unhappy.append("something was left to do in the end")

    def _judged(self, app: App, project: TestProject) -> None:
        behind = late(app, self._withdrawn)
        self.unhappy += behind
        self.counts["windows dispatched after a withdrawal"] += len(behind)
        for one in self._withdrawn:
            self._calls(one.subject)
            held = self.receiver.records.get(one.subject)
            if held is not None and not held.get("unsubscribed"):
                self.unhappy.append(f"{one.subject} is still held")
                self.counts["people who were still held in the end"] += 1
        self.counts["windows that were looked at again"] += (
            self._passed["window.before_intent"] - self._passed["window.after_intent"]
        )
        try:
            project.checked(self.receiver)
        except AssertionError as error:
            self.unhappy.append(str(error))
            self.counts["stories that the checker refuses"] += 1

    def _calls(self, subject: str) -> None:
        """Calls that arrived with somebody after the withdrawal: one may have been under way, and only where one was."""
        point, behind = self._places[subject]
        calls = sum(
            any(r["id"] == subject and r["op"] not in REMOVING for r in call.records)
            for call in self.receiver.journal[behind:]
        )
        allowed = 1 if self._concurrency > 1 or point in IN_FLIGHT else 0
        self.counts["calls in flight at a withdrawal"] += min(calls, allowed)
        if calls > allowed:
            self.unhappy.append(f"{calls} calls with {subject} came after the withdrawal at {point}")
            self.counts["calls after the one in flight"] += calls - allowed


def _lost(_: dict[str, Any]) -> Answer:
    return 200, {}, b"{"


def _down(_: dict[str, Any]) -> Answer:
    return 503, {}, b""


def _throttled(_: dict[str, Any]) -> Answer:
    return 429, {"retry-after": "1"}, b""


def _refused(_: dict[str, Any]) -> Answer:
    return 400, {}, b"no"


_ANSWERS: tuple[Callable[[dict[str, Any]], Answer], ...] = (_down, _throttled, _refused, _lost)


@contextmanager
def _passing(told: Callable[[str], None]) -> Iterator[None]:
    """Tell of each named point that is passed, before what was armed there happens."""
    real = failpoints.failpoint

    def failpoint(name: str) -> None:
        if name in POINTS:
            told(name)
        real(name)

    modules = [m for m in list(sys.modules.values()) if getattr(m, "failpoint", None) is real and m is not failpoints]
    for module in modules:
        module.failpoint = failpoint  # type: ignore[attr-defined]  # it has one
    try:
        yield
    finally:
        for module in modules:
            module.failpoint = real  # type: ignore[attr-defined]
