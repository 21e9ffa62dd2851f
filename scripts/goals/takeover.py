"""G6: how long after its holder was killed another process has the sync.

On the holder's machine the death is seen: a new command takes over at once, whether a process that had imported the engine
runs it or one that is started from nothing. On another machine only the end of the lease tells; there, one run after the
other is tried, as a scheduler does, with a lease of `LEASE_SECONDS`.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_lab.blows import Blows
from chaos_lab.judge import Broken, converge, judge
from chaos_lab.processes import Setting, starting
from chaos_lab.replacement import LEASE, await_calls
from chaos_lab.stage import Life, living
from chaos_lab.storm import ROOT, Kind, in_lanes, ledgers_of, telling
from chaos_lab.tally import Tally
from goals.goal import Effort, Goal, Numbers, never

from engine.clock import SystemClock

SAMPLES = 100
PER_LIFE = 10
LEASE_SECONDS = 2.0
BEYOND_SECONDS_MAX = 2.0
RESTART_SECONDS_MAX = 2.0
TRIES_MAX = 100
HERE = Setting(lease_seconds=LEASE_SECONDS)
ELSEWHERE = Setting(lease_seconds=LEASE_SECONDS, host="elsewhere")
COLD, WARM, OTHER = "same machine, SQLite, started from nothing", "same machine, SQLite", "other machine, PostgreSQL"
BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Part:
    """How many takeovers of each kind a lane times, on which ledger."""

    ledger: Kind
    kinds: Sequence[str]
    samples: int
    seed: str


@dataclass
class Found:
    """Seconds from each kill to the takeover, by its kind."""

    seconds: dict[str, list[float]]
    tally: Tally = field(default_factory=Tally)
    broken: list[str] = field(default_factory=list)


def _measure(effort: Effort) -> Numbers:
    samples = effort.of(SAMPLES)
    lanes: tuple[tuple[Kind, tuple[str, ...]], ...] = (("sqlite", (WARM, COLD)), ("postgres", (OTHER,)))
    found = in_lanes(_lane, [Part(ledger, kinds, samples, f"{effort.seed}-{ledger}") for ledger, kinds in lanes])
    for sentence in [sentence for one in found for sentence in one.broken]:
        print(f"  {sentence}", file=sys.stderr)
    return {
        "takeovers of each kind, wanted": samples,
        "seconds of the lease": LEASE_SECONDS,
        **{name: number for one in found for kind in one.seconds for name, number in _told(kind, one).items()},
        "kills that came after the run had ended": sum(one.tally.missed for one in found),
        BROKEN: sum(len(one.broken) for one in found),
    }


def _told(kind: str, found: Found) -> dict[str, float]:
    """The nearest-rank percentiles of what was timed."""
    ordered = sorted(found.seconds[kind]) or [math.inf]
    rank = {share: ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99)}
    return {
        f"takeovers: {kind}": len(found.seconds[kind]),
        f"p50 seconds: {kind}": round(rank[0.5], 3),
        f"p99 seconds: {kind}": round(rank[0.99], 3),
        f"most seconds: {kind}": round(ordered[-1], 3),
    }


def _lane(part: Part) -> Found:
    found, dice = Found({kind: [] for kind in part.kinds}), random.Random(part.seed)
    work = Path(tempfile.mkdtemp(prefix="tidegate-takeover-"))
    with starting(ROOT, work) as processes, ledgers_of(part.ledger) as ledgers:
        blows = Blows(ledgers)
        try:
            while _left(part, found):
                folder = work / f"life-{found.tally.lives + 1}"
                with living(folder, ledgers, processes, found.tally, dice) as life, telling(life):
                    blows.birth(life)
                    for _ in range(PER_LIFE):
                        for kind in _left(part, found):
                            found.seconds[kind] += _timed(life, kind)
                    converge(life)
                    judge(life)
                shutil.rmtree(folder)
        except Broken as error:
            found.broken.append(f"{part.ledger}, seed {part.seed}: {error}; what is left stands in {work}")
            return found
    shutil.rmtree(work)
    return found


def _left(part: Part, found: Found) -> list[str]:
    return [kind for kind in part.kinds if len(found.seconds[kind]) < part.samples]


def _timed(life: Life, kind: str) -> list[float]:
    """Seconds from the kill of a holder until its lease was taken; none when it had ended before the kill."""
    life.change()
    life.setting = ELSEWHERE if kind == OTHER else HERE
    holder = life.start()
    await_calls(life, holder, life.dice.randint(1, 12))
    killed_at = SystemClock().now()
    died = holder.kill()
    life.setting = HERE
    if not died or f":{holder.pid}:" not in life.look.holder(LEASE):
        life.tally.missed += 1
        return []
    life.windows += 1
    life.hit()
    epoch = life.look.epoch(LEASE)
    if kind == OTHER:
        _tried(life, epoch)
    else:
        _restarted(life, epoch, cold=kind == COLD)
    return [(life.look.acquired(LEASE) - killed_at).total_seconds()]


def _restarted(life: Life, epoch: int, *, cold: bool) -> None:
    code = life.start(cold=cold).wait()
    if code != 0 or life.look.epoch(LEASE) != epoch + 1:
        raise Broken("I9", f"a run on the machine of a dead holder did not take over (exit code {code})")


def _tried(life: Life, epoch: int) -> None:
    for _ in range(TRIES_MAX):
        code = life.start().wait()
        if life.look.epoch(LEASE) != epoch:
            return
    raise Broken("I9", f"nobody took over from a dead holder of another machine (exit code {code})")


def _broken(numbers: Numbers) -> list[str]:
    found = never(numbers, BROKEN)
    wanted, same = numbers["takeovers of each kind, wanted"], RESTART_SECONDS_MAX
    for kind, limit in {WARM: same, COLD: same, OTHER: numbers["seconds of the lease"] + BEYOND_SECONDS_MAX}.items():
        if numbers[f"takeovers: {kind}"] < wanted:
            found.append(f"{kind}: only {numbers[f'takeovers: {kind}']:g} takeovers")
        # Of few samples the p99 is the slowest, and on a busy machine even starting Python takes seconds.
        if numbers[f"p99 seconds: {kind}"] > limit and (kind != COLD or wanted >= SAMPLES):
            found.append(f"{kind}: p99 is {numbers[f'p99 seconds: {kind}']:g} s, more than {limit:g} s")
    if numbers[f"p50 seconds: {OTHER}"] < numbers["seconds of the lease"] / 2:
        found.append("a lease on another machine was taken before it can have ended")
    return found


GOAL = Goal(
    id="G6",
    title="from the holder's death to the takeover, 100 times on its machine and 100 times on another",
    measure=_measure,
    broken=_broken,
    share=0.04,
)
