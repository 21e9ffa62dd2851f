"""The storm: lives, one after the other, until enough blows were dealt; two at once where there are two lanes."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, TypeVar

from chaos_lab.blows import Blows, Wanted
from chaos_lab.judge import Broken, close, converge, judge
from chaos_lab.ledgers import Ledgers, PostgresLedgers, SqliteLedgers
from chaos_lab.processes import Processes, TookTooLongError, starting
from chaos_lab.stage import Life, living
from chaos_lab.tally import Tally

from tests.postgres import postgres_server

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS_PER_LIFE = 3
BLOWS_PER_ROUND = (4, 10)
LANES = 2
Kind = Literal["sqlite", "postgres"]
Work = TypeVar("Work")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Storm:
    """What one lane is to do: against which ledger, until how much was dealt, by which seed."""

    ledger: Kind
    wanted: Wanted
    seed: str


@dataclass(frozen=True, slots=True)
class Passed:
    """What a lane counted, and which invariant broke, if one did."""

    tally: Tally
    broken: str | None


def storm(ledger: Kind, wanted: Wanted, seed: int, lanes: int = LANES) -> Passed:
    """So many storms at once, each with its share of what is wanted; what they counted in all."""
    shares = [
        Storm(ledger, Wanted(*(_share(count, lane, lanes) for count in _counts(wanted))), f"{seed}-{lane}")
        for lane in range(lanes)
    ]
    return together([one for one in shares if one.wanted])


def together(storms: Sequence[Storm]) -> Passed:
    """Each storm in a lane of its own."""
    tally, broken = Tally(), []
    for passed in in_lanes(passed_storm, storms):
        tally.add(passed.tally)
        broken += [passed.broken] if passed.broken else []
    return Passed(tally, broken[0] if broken else None)


def in_lanes(work: Callable[[Work], Found], parts: Sequence[Work]) -> list[Found]:
    """``work`` on each part, all at once, each in a process of its own."""
    with ProcessPoolExecutor(len(parts), mp_context=get_context("spawn")) as lanes:
        return list(lanes.map(work, parts))


def passed_storm(asked: Storm) -> Passed:
    """One lane. What is left of a life in which an invariant broke stays, and stderr says where."""
    tally, broken = Tally(), None
    work = Path(tempfile.mkdtemp(prefix="tidegate-chaos-"))
    with starting(ROOT, work) as processes, ledgers_of(asked.ledger) as ledgers:
        try:
            _lives(asked.wanted, random.Random(asked.seed), ledgers, processes, work, tally)
        except Broken as error:
            broken = str(error)
    if broken is None:
        shutil.rmtree(work)
    else:
        print(f"\nBROKEN {broken}\nseed {asked.seed}; what is left stands in {work}", file=sys.stderr)
    return Passed(tally, broken)


@contextmanager
def ledgers_of(kind: Kind) -> Iterator[Ledgers]:
    """Ledgers in files, or on a server that lives as long as the block."""
    if kind == "sqlite":
        yield SqliteLedgers()
        return
    with postgres_server() as server:
        yield PostgresLedgers(server)


def _lives(
    wanted: Wanted, dice: random.Random, ledgers: Ledgers, processes: Processes, work: Path, tally: Tally
) -> None:
    blows = Blows(ledgers)
    while wanted.left(tally):
        folder = work / f"life-{tally.lives + 1}"
        with living(folder, ledgers, processes, tally, dice) as life, telling(life):
            _live(life, blows, wanted)
        shutil.rmtree(folder)


def _live(life: Life, blows: Blows, wanted: Wanted) -> None:
    blows.birth(life)
    for _ in range(ROUNDS_PER_LIFE):
        for _ in range(life.dice.randint(*BLOWS_PER_ROUND)):
            left = wanted.left(life.tally)
            if not left:
                break
            life.change()
            life.trouble()
            blows.deal(life, left)
        converge(life)
        judge(life)
        life.tally.rounds += 1
    close(life)


@contextmanager
def telling(life: Life) -> Iterator[None]:
    """Print the history of a life in which something broke; a process that does not end breaks I9."""
    try:
        yield
    except (Broken, TookTooLongError) as error:
        print(f"life {life.tally.lives}:", *life.history, sep="\n  ", file=sys.stderr)
        raise error if isinstance(error, Broken) else Broken("I9", str(error)) from error


def _counts(wanted: Wanted) -> tuple[int, int, int]:
    return wanted.kills, wanted.restarts, wanted.terminations


def _share(count: int, lane: int, lanes: int) -> int:
    return count // lanes + (lane < count % lanes)
