"""G4: at every named point a process is killed, fails or hangs, at passes that the dice choose, and the next runs make it good.

The chaos lab's processes, destination and judge: after each case the destination holds the source's state, nothing came
twice that no intent explains, and the ledger verifies. One that hangs is killed where it stands, or is replaced once its
lease ended, and goes on.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos_lab.destination import Troubled
from chaos_lab.judge import Broken, converge, judge
from chaos_lab.ledgers import SqliteLedgers
from chaos_lab.processes import Processes, Running, Setting, TookTooLongError, starting
from chaos_lab.replacement import LEASE, Zombie, replaced_after
from chaos_lab.stage import Life
from chaos_lab.storm import LANES, ROOT, in_lanes
from chaos_lab.tally import Tally
from goals.goal import Effort, Goal, Numbers, never
from goals.jobs_adapter import NAME, Employer, installed

from engine.failpoints import NAMES
from tests.faultproxy import NO_FAULTS, Faults, proxying
from tests.receiver import receiving

ACTIONS = ("kill", "raise", "stop")
TIMES = 20
CASES_PER_LIFE = 10
TRIES_MAX = 3
JOB_POINT, BIRTH_POINT, RENEWAL_POINT = "job.after_submit", "migrate.step", "lease.before_renew"
JOBS_SHARE = 0.2
SHORT_LEASE = Setting(lease_seconds=0.6)
PASSES = {"batch": 16, "job": 16, "window": 2, "anchor": 2, "segment": 2, "migrate": 4}
"""How many times a run passes a point of such a name, at least."""
FAILED, MISSED = "cases that broke an invariant", "cases that did not reach their point"


@dataclass(frozen=True, slots=True)
class Case:
    """What is done to a process at which point."""

    point: str
    action: str


@dataclass(frozen=True, slots=True)
class Part:
    """Lives of one lane, each with the cases that befall it; those of a life with jobs are marked."""

    lives: Sequence[tuple[bool, Sequence[Case]]]
    seed: str


@dataclass
class Found:
    """What a lane counted."""

    hit: Counter[Case] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    missed: int = 0


def measure(effort: Effort) -> Numbers:
    dice = random.Random(effort.seed)
    cases = _cases(dice)[: effort.of(len(NAMES) * len(ACTIONS) * TIMES)]
    lives = _lives(dice, cases)
    found = in_lanes(_lane, [Part(lives[lane::LANES], f"{effort.seed}-{lane}") for lane in range(LANES)])
    hit = sum((one.hit for one in found), Counter[Case]())
    ways = sum((one.ways for one in found), Counter[str]())
    for sentence in [sentence for one in found for sentence in one.broken]:
        print(f"  {sentence}", file=sys.stderr)
    tally = Tally()
    for one in found:
        tally.add(one.tally)
    return {
        "named points": len(NAMES),
        "points that were reached": len({case.point for case in hit}),
        "points and actions that were tried": len(hit),
        "cases": len(cases),
        "times that a point and action was tried, at least": min(hit.values(), default=0),
        **{f"cases: {way}": ways[way] for way in ("killed", "raised", "hung, killed", "hung, replaced, went on")},
        FAILED: sum(len(one.broken) for one in found),
        MISSED: sum(one.missed for one in found),
        **{name: getattr(tally, name) for name in ("missing", "stale", "duplicates", "stale_writes", "unverified")},
        "records that arrived": tally.records,
        "processes": tally.runs,
    }


def _cases(dice: random.Random) -> list[Case]:
    """All cases, in such an order that few of them already are at every point, and thrice as many with every action."""
    points = dice.sample(sorted(NAMES), len(NAMES))
    turns = [[ACTIONS[(place + turn) % len(ACTIONS)] for place in range(len(points))] for turn in range(len(ACTIONS))]
    return [Case(point, action) for actions in turns * TIMES for point, action in zip(points, actions, strict=True)]


def _lives(dice: random.Random, cases: Sequence[Case]) -> list[tuple[bool, list[Case]]]:
    """Every case in a life of its kind: a birth's in one of its own, a job's where batches are jobs."""
    cases = dice.sample(cases, len(cases))
    born = [(False, [case]) for case in cases if case.point == BIRTH_POINT]
    kinds: dict[bool, list[Case]] = {True: [], False: []}
    for case in [case for case in cases if case.point != BIRTH_POINT]:
        kinds[case.point == JOB_POINT or dice.random() < JOBS_SHARE].append(case)
    for jobs, all_of_kind in kinds.items():
        parts = range(0, len(all_of_kind), CASES_PER_LIFE)
        born += [(jobs, all_of_kind[first : first + CASES_PER_LIFE]) for first in parts]
    dice.shuffle(born)
    return born


def _lane(part: Part) -> Found:
    found, dice = Found(), random.Random(part.seed)
    work = Path(tempfile.mkdtemp(prefix="tidegate-failpoints-"))
    installed(work / "installed")
    with starting(ROOT, work) as processes:
        for number, (jobs, cases) in enumerate(part.lives):
            folder = work / f"life-{number}"
            with _living(folder, processes, found.tally, dice, Employer() if jobs else Troubled()) as life:
                for case in cases:
                    if not _passed(life, case, found):
                        break
            shutil.rmtree(folder)
    shutil.rmtree(work)
    return found


@contextmanager
def _living(
    folder: Path, processes: Processes, tally: Tally, dice: random.Random, receiver: Troubled
) -> Iterator[Life]:
    folder.mkdir()
    with receiving(receiver), proxying(receiver.url, seed=1) as proxy:
        life = Life(folder, SqliteLedgers().fresh(folder), receiver, proxy, processes, tally, dice)
        if isinstance(receiver, Employer):
            written = folder / "destinations" / "hook.yaml"
            written.write_text(written.read_text(encoding="utf-8").replace("type: webhook", f"type: {NAME}"))
        yield life
        tally.records += sum(len(entry.records) for entry in receiver.journal)


def _passed(life: Life, case: Case, found: Found) -> bool:
    """Whether all was good again after the case; what is left of a life that broke says nothing more."""
    life.history.clear()
    try:
        for _ in range(TRIES_MAX):
            life.change()
            if how := _befallen(life, case):
                found.hit[case] += 1
                found.ways[how] += 1
                break
        else:
            found.missed += 1
        converge(life)
        judge(life)
    except (Broken, TookTooLongError) as error:
        found.broken.append(f"{case.point}={case.action}: {error}; {', '.join(life.history)}")
        return False
    return True


def _befallen(life: Life, case: Case) -> str:
    """Start a process and let the case happen to it; returns how, or nothing when it ended before its point."""
    hits = PASSES.get(case.point.partition(".")[0], 1)
    points = f"{case.point}={case.action}@{life.dice.randint(1, hits)}"
    actor = f"stopped-{life.tally.runs}"
    life.history.append(points)
    if case.point == BIRTH_POINT:
        running = life.command("ledger", "verify", points=points)
    elif case.point == RENEWAL_POINT:
        life.setting = SHORT_LEASE
        # The calls hang, so that the run lasts until its lease is to be renewed.
        life.proxy.faults = Faults(stalls=True)
        running = life.start(points=points, actor=actor)
    else:
        running = life.start(points=points, actor=actor)
    try:
        return _ended(life, case, Zombie(running, actor))
    finally:
        _calm(life)
        life.hit()
        life.windows += 1


def _ended(life: Life, case: Case, zombie: Zombie) -> str:
    running = zombie.running
    if case.action == "kill":
        return "killed" if running.wait() == -9 else ""
    if case.action == "raise":
        return "raised" if running.wait() != 0 and "FailpointRaised" in running.said else ""
    if not running.await_stop():
        return ""
    _calm(life)
    if _is_replaceable(life, running) and life.dice.random() < 0.5:
        life.change()
        if replaced_after(life, zombie) is not None:
            return "hung, replaced, went on"
        return ""
    running.kill()
    return "hung, killed"


def _is_replaceable(life: Life, running: Running) -> bool:
    """Whether it holds the lease, outside of a transaction, so that the lease can end."""
    return (
        (life.folder / "ledger.db").exists()
        and f":{running.pid}:" in life.look.holder(LEASE)
        and life.look.expire(LEASE)
    )


def _calm(life: Life) -> None:
    if life.proxy.faults != NO_FAULTS:
        life.proxy.cut()
        life.proxy.faults = NO_FAULTS
    life.setting = Setting()


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, FAILED, MISSED, "missing", "stale", "duplicates", "stale_writes", "unverified")
    if numbers["points that were reached"] < numbers["named points"]:
        told.append("a named point was never reached")
    dealt = sum(count for name, count in numbers.items() if name.startswith("cases: "))
    if dealt < numbers["cases"]:
        told.append("fewer cases were dealt than intended")
    return told


GOAL = Goal("G4", "every named point survives a kill, an error and a hang", measure, broken, share=1 / 60)
