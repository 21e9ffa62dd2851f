"""G5: a run is stopped for longer than its lease, another takes over, and the first goes on: nothing stale is written (P5).

Half of the zombies go on after their successor ended, half while it holds the lease, where nothing but the epoch stands
in their way. Half of the ledgers are SQLite files, half are on PostgreSQL.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaos_lab.blows import Blows
from chaos_lab.judge import Broken, close, converge, judge
from chaos_lab.processes import POLL_SECONDS, Setting, starting
from chaos_lab.replacement import LEASE, Replaced, Zombie, replaced_after, replaced_beside, spared, zombie_somewhere
from chaos_lab.stage import WINDOW_BATCHES, Life, living
from chaos_lab.storm import ROOT, Kind, in_lanes, ledgers_of, telling
from chaos_lab.tally import NEVER, Tally
from goals.goal import Effort, Goal, Numbers, never

TAKEOVERS = 200
SHORT_LEASE = Setting(lease_seconds=1.0)
PER_LIFE = 10
ATTEMPTS_MAX = 200
"""Times that a process is let go on for a moment because it was stopped inside a transaction."""
HAD_ENDED, TOLD, OTHERWISE = "after its run had ended", "exit 1, told of its lease", "in any other way"
UNKNOWN_KEYS, CALLS_MAX, BROKEN = "calls under keys that the ledger did not know", "calls, at most", "broken"


@dataclass(frozen=True, slots=True)
class Part:
    """How many takeovers of one kind of ledger a lane makes."""

    ledger: Kind
    takeovers: int
    seed: str


@dataclass
class Found:
    """What a lane counted."""

    tally: Tally = field(default_factory=Tally)
    ends: Counter[str] = field(default_factory=Counter)
    unknown_keys: int = 0
    calls_max: int = 0
    broken: list[str] = field(default_factory=list)


def _measure(effort: Effort) -> Numbers:
    wanted = effort.of(TAKEOVERS)
    shares: tuple[tuple[Kind, int], ...] = (("sqlite", wanted - wanted // 2), ("postgres", wanted // 2))
    parts = [Part(ledger, count, f"{effort.seed}-{ledger}") for ledger, count in shares if count]
    lanes = in_lanes(_lane, parts)
    tally, ends = Tally(), Counter[str]()
    for one in lanes:
        tally.add(one.tally)
        ends += one.ends
        for sentence in one.broken:
            print(f"  {sentence}", file=sys.stderr)
    return {
        "takeovers, wanted": wanted,
        "takeovers": tally.takeovers,
        "of these while the successor held the lease": tally.takeovers_beside,
        **{f"zombies that ended {how}": ends[how] for how in (TOLD, HAD_ENDED, OTHERWISE)},
        "calls by zombies": tally.stale_calls,
        f"{CALLS_MAX} by one zombie": max(one.calls_max for one in lanes),
        f"{CALLS_MAX} in a window": WINDOW_BATCHES,
        UNKNOWN_KEYS: sum(one.unknown_keys for one in lanes),
        **{name: getattr(tally, name) for name in NEVER},
        BROKEN: sum(len(one.broken) for one in lanes),
        "processes that ended before they could be stopped": tally.missed,
    }


def _lane(part: Part) -> Found:
    found, dice = Found(), random.Random(part.seed)
    work = Path(tempfile.mkdtemp(prefix="tidegate-zombies-"))
    with starting(ROOT, work) as processes, ledgers_of(part.ledger) as ledgers:
        blows = Blows(ledgers)
        try:
            while found.tally.takeovers < part.takeovers:
                folder = work / f"life-{found.tally.lives + 1}"
                with living(folder, ledgers, processes, found.tally, dice) as life, telling(life):
                    blows.birth(life)
                    life.setting = SHORT_LEASE
                    _live(life, found, part.takeovers)
                shutil.rmtree(folder)
        except Broken as error:
            found.broken.append(f"{part.ledger}, seed {part.seed}: {error}; what is left stands in {work}")
            return found
    shutil.rmtree(work)
    return found


def _live(life: Life, found: Found, wanted: int) -> None:
    until = min(wanted, life.tally.takeovers + PER_LIFE)
    while life.tally.takeovers < until:
        life.change()
        zombie = zombie_somewhere(life)
        if zombie is None or not _lease_ended(life, zombie):
            continue
        life.change()
        way = replaced_beside if life.tally.takeovers % 2 else replaced_after
        replaced = way(life, zombie)
        if replaced is not None:
            life.history.append(f"{way.__name__}: {replaced}")
            _counted(life, found, zombie, replaced)
    life.setting = Setting()  # on a busy machine a run alone would lose so short a lease
    converge(life)
    judge(life)
    close(life)


def _lease_ended(life: Life, zombie: Zombie) -> bool:
    """Wait until its lease is over; it may not stand inside a transaction, where it would keep everybody from writing."""
    for _ in range(ATTEMPTS_MAX):
        if life.look.is_open(LEASE):
            break
        zombie.running.go_on()
        time.sleep(POLL_SECONDS)
        if not zombie.running.stop():
            break
    else:
        spared(life, zombie.running)
        return False
    if zombie.running.ended or f":{zombie.running.pid}:" not in life.look.holder(LEASE):
        spared(life, zombie.running)
        return False
    while not life.look.ended(LEASE):
        time.sleep(POLL_SECONDS)
    return True


def _counted(life: Life, found: Found, zombie: Zombie, replaced: Replaced) -> None:
    known = life.look.intended_keys(replaced.head)
    sent = life.receiver.journal[replaced.first_call : replaced.first_call + replaced.calls]
    found.unknown_keys += sum(entry.key not in known for entry in sent)
    found.calls_max = max(found.calls_max, replaced.calls)
    told = str(zombie.running.report.get("reason", ""))
    if replaced.zombie == 1 and f"lease {LEASE}" in told and "has ended or another process took it" in told:
        end = TOLD
    elif replaced.zombie == 0 and life.look.finished_by(zombie.actor, replaced.head):
        end = HAD_ENDED
    else:
        end = OTHERWISE
        life.history.append(f"exit code {replaced.zombie}: {told or zombie.running.said[-1_000:]}")
        print(life.history[-1], file=sys.stderr)
    found.ends[end] += 1


def _broken(numbers: Numbers) -> list[str]:
    found = never(numbers, BROKEN, UNKNOWN_KEYS, f"zombies that ended {OTHERWISE}", *NEVER)
    if numbers["takeovers"] < numbers["takeovers, wanted"]:
        found.append(f"only {numbers['takeovers']:g} takeovers")
    if not numbers[f"zombies that ended {TOLD}"]:
        found.append("no zombie was in the middle of a run, so nothing was proved")
    if numbers[f"{CALLS_MAX} by one zombie"] > numbers[f"{CALLS_MAX} in a window"]:
        found.append("a zombie sent more than the window that it was in")
    return found


GOAL = Goal(
    id="G5",
    title="200 processes stopped beyond their lease, replaced and continued: nothing stale is written",
    measure=_measure,
    broken=_broken,
    share=0.02,
)
