"""G22: a change of more than its sync allows changes nothing until just that plan is approved.

Random pairs of versions, each with a limit on its very boundary or one to either side of it. What must wait is then
approached as somebody would who wants it through: by the one who asked, by a stranger, with an approval of another
plan, an old one, one that was taken back. What the destination was really asked for is judged, and whether a person
who may had approved that.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import yaml
from goals.goal import Effort, Goal, Numbers, never

from engine.bootstrap import open_app
from engine.checks.rules import ChangeLimit, SyncRules
from engine.core.verdict import Verdict
from engine.delivery.stop import StopRequest
from engine.errors import ConfigurationError
from engine.ledger.log import Ledger
from engine.service.app import App
from engine.service.approvals import approve_held, reject_held
from engine.service.reports import RunReport
from engine.service.runs import run_syncs
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

PAIRS = 1_000
PEOPLE_MIN = 5
PEOPLE_MAX = 60
SYNC = "people_to_hook"
APPROVALS = ("approved", "rejected first, then approved")
WAYS_AROUND = (
    "nobody decides",
    "by the one who asked",
    "by a stranger",
    "of a plan that changed since",
    "of a plan held before",
    "expired",
    "taken back",
)
BLOCKED = "blocked, and approved all the same"
WAYS = (*APPROVALS, *WAYS_AROUND, BLOCKED)
UNAPPROVED = "changes without a matching approval"
ZEROS = (
    UNAPPROVED,
    "limits that were not exact",
    "decisions that were refused or taken wrongly",
    "approved plans that were not sent whole",
)

KINDS = ("limits of deletes", "limits of inserts", "limits of updates")
DIGITS = 9
LATE = -1
UNLIMITED = SyncRules(deletes=None, rekeyed=None)

People = dict[int, tuple[str | None, float | None]]


@dataclass
class Lab:
    """One project whose versions follow each other; ``people`` is what the destination holds."""

    app: App
    project: TestProject
    receiver: Receiver
    random: random.Random
    people: People = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)

    def acting(self, actor: str) -> App:
        """The application in the name of somebody."""
        tools = self.app.tools
        return replace(self.app, tools=replace(tools, ledger=Ledger(tools.database, tools.clock, actor)))

    def run(self, limits: SyncRules, expires: timedelta = timedelta(hours=1)) -> RunReport:
        app = self.acting("ada@scheduler")
        sync = app.syncs[SYNC]
        bounded = replace(sync, gates=limits, approval=replace(sync.approval, expires=expires))
        (report,) = run_syncs(replace(app, syncs=MappingProxyType({SYNC: bounded})), [SYNC], StopRequest())
        return report

    def asked(self) -> int:
        """How many changes the destination was asked for so far, whatever it answered."""
        return sum(len(entry.records) for entry in self.receiver.journal)

    def changes(self, after: People) -> dict[str, int]:
        """What leads from what is held to a next version, by kind."""
        stayed = self.people.keys() & after.keys()
        return {
            "deletes": len(self.people.keys() - after.keys()),
            "inserts": len(after.keys() - self.people.keys()),
            "updates": sum(self.people[id] != after[id] for id in stayed),
        }

    def decide(self, actor: str, run: str, *, is_due: bool = True, approves: bool = True) -> None:
        """Approve or reject as somebody, which must be taken, or refused, as is due."""
        try:
            (approve_held if approves else reject_held)(self.acting(actor), run, comment="")
        except ConfigurationError:
            is_taken = False
        else:
            is_taken = True
        self.found["decisions"] += 1
        self.found["decisions that were refused or taken wrongly"] += is_taken != is_due

    def bring(self, people: People) -> None:
        self.project.people(people)


def measure(effort: Effort) -> Numbers:
    pairs = effort.of(PAIRS)
    with tempfile.TemporaryDirectory() as folder, _lab(Path(folder), random.Random(effort.seed)) as lab:
        for _ in range(pairs):
            _pair(lab)
        found = lab.found
    names = ("pairs", "at the boundary", "one beyond it", "decisions", "changes that were approved", *KINDS, *ZEROS)
    ways = {f"held: {way}": found[way] for way in WAYS}
    return {"pairs asked for": pairs, **{name: found[name] for name in names}, **ways}


@contextmanager
def _lab(folder: Path, chance: random.Random) -> Iterator[Lab]:
    with receiving() as receiver:
        project = TestProject(folder, receiver.url)
        project.destination("hook", receiver.url, rate={"requests": 100_000, "per": "1s", "concurrency": 4})
        path = folder / "tidegate.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["environments"]["development"] |= {"approvers": ["ada", "bo"], "approval": {"four_eyes": True}}
        project.write("tidegate.yaml", content)
        app = open_app(folder, environment=None)
        try:
            yield Lab(app, project, receiver, chance)
        finally:
            app.close()


def _pair(lab: Lab) -> None:
    """Judge the change from what is delivered to a next version under a limit near to what that changes of a kind."""
    if len(lab.people) < PEOPLE_MIN:
        _settle(lab)
    after = _changed(lab)
    changes, held = lab.changes(after), len(lab.people)
    kind = lab.random.choice(("deletes", "deletes", "inserts", "updates"))
    away = lab.random.choice((-1, -1, 0, 1)) if changes[kind] else lab.random.choice((0, 1))
    way = WAYS[lab.found["one beyond it"] % len(WAYS)]
    limits = _limits(lab, kind, changes[kind] + away, held, Verdict.BLOCK if way == BLOCKED else Verdict.HOLD)
    lab.found["pairs"] += 1
    lab.found["at the boundary"] += away == 0
    lab.found["one beyond it"] += away == -1
    lab.found[f"limits of {kind}"] += 1

    lab.bring(after)
    before, report = lab.asked(), lab.run(limits)
    asked = lab.asked() - before
    if away >= 0:
        is_sent = asked == sum(changes.values()) and report.status in {"succeeded", "unchanged"}
        lab.found["limits that were not exact"] += not is_sent
        lab.people = after
        return
    lab.found["limits that were not exact"] += report.status != ("blocked" if way == BLOCKED else "held")
    lab.found[UNAPPROVED] += asked
    lab.found[way] += 1
    _insist(lab, way, report, limits, after)


def _settle(lab: Lab) -> None:
    """A new start of a random size, delivered without a limit."""
    size = lab.random.randint(PEOPLE_MIN, PEOPLE_MAX)
    lab.people = {id: (f"p{lab.random.randrange(3)}", 0.5) for id in lab.random.sample(range(2 * PEOPLE_MAX), size)}
    lab.bring(lab.people)
    report = lab.run(UNLIMITED)
    assert report.status in {"succeeded", "unchanged"}, report.reason
    assert len(lab.receiver.records) == size, "the destination holds the first version"


def _changed(lab: Lab) -> People:
    """The next version: some people leave, from nobody to all but one, some change, some come."""
    left = lab.random.randrange(len(lab.people))
    stay = lab.random.sample(sorted(lab.people), len(lab.people) - left)
    after = {id: lab.people[id] for id in stay}
    for id in lab.random.sample(stay, lab.random.randrange(len(stay))):
        after[id] = ("changed", lab.random.random())
    newest = 1_000 + 10 * lab.found["pairs"]
    come = {newest + n: ("new", 1.0) for n in range(lab.random.randrange(5))}
    return {**after, **come}


def _limits(lab: Lab, kind: str, changes: int, held: int, on_fail: Verdict) -> SyncRules:
    """A limit that just allows so many changes of a kind, as a count or as a share of few digits."""
    if lab.random.random() < 0.5:
        limit = ChangeLimit(changes, None, on_fail)
    else:
        limit = ChangeLimit(None, math.ceil(changes * 10**DIGITS / held) / 10**DIGITS, on_fail)
    match kind:
        case "deletes":
            return replace(UNLIMITED, deletes=limit)
        case "inserts":
            return replace(UNLIMITED, inserts=limit)
        case _:
            return replace(UNLIMITED, updates=limit)


def _insist(lab: Lab, way: str, report: RunReport, limits: SyncRules, after: People) -> None:
    """Go on as ``way`` says and run again; what then leaves must have been approved."""
    expires = timedelta(hours=1)
    match way:
        case "approved":
            lab.decide("bo", report.run)
        case "rejected first, then approved":
            lab.decide("bo@desk", report.run, approves=False)
            lab.decide("bo", report.run)
        case "by the one who asked":
            lab.decide("ada@laptop", report.run, is_due=False)
        case "by a stranger":
            lab.decide("cy", report.run, is_due=False)
        case "of a plan that changed since":
            lab.decide("bo", report.run)
            lab.bring({**after, LATE: ("late", 2.0)})
        case "of a plan held before":
            lab.bring({**after, LATE: ("late", 2.0)})
            lab.found["limits that were not exact"] += lab.run(limits).status != "held"
            lab.decide("bo", report.run, is_due=False)
        case "expired":
            lab.decide("bo", report.run)
            expires = timedelta(microseconds=1)
        case "taken back":
            lab.decide("bo", report.run)
            lab.decide("ada", report.run, approves=False)
        case _:
            if way == BLOCKED:
                lab.decide("bo", report.run, is_due=False)
    before, changes = lab.asked(), sum(lab.changes(after).values())
    lab.run(limits, expires)
    asked = lab.asked() - before
    if way in APPROVALS:
        lab.found["changes that were approved"] += asked
        lab.found["approved plans that were not sent whole"] += asked != changes
        lab.people = after
    else:
        lab.found[UNAPPROVED] += asked


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["pairs"] != numbers["pairs asked for"]:
        told.append(f"{numbers['pairs asked for']:g} pairs must be judged")
    told += [f"{name} never happened" for name in ("at the boundary", "one beyond it") if not numbers[name]]
    if numbers["pairs"] >= PAIRS / 4:
        told += [f"{name} never happened" for name in numbers if name.startswith("held: ") and not numbers[name]]
    return told


GOAL = Goal("G22", "no mass change leaves without an approval of just that plan", measure, broken, share=0.015)
