"""G25: a standby that lags is promoted, or a ledger is restored that is older than what was sent (S8, S16): nothing is sent.

The standby is a real one: it streams from the server, is cut off from it, and is promoted when the server has crashed.
What it lacks is anything from a few events of a run that died to several whole runs. After every refusal the loss is
accepted, and the destination must come to what the source says.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from chaos_lab.blows import Blows
from chaos_lab.judge import Broken, converge
from chaos_lab.ledgers import Look, PostgresLedgers, SqliteLedgers
from chaos_lab.processes import Running, starting
from chaos_lab.stage import SYNC, Life, living
from chaos_lab.standby import following
from chaos_lab.storm import ROOT, Kind, in_lanes, telling
from chaos_lab.tally import Tally
from goals.goal import Effort, Goal, Numbers, never

from tests.postgres import PostgresServer, postgres_server

EACH = 20
TOUCHED = 60
DEATHS = (
    "",
    "batch.after_send=kill@{}",
    "window.before_receipt=kill",
    "window.after_receipt=kill",
    "fold.before_commit=kill",
)
"""How the last run before the failover ended; each has sent something, and its intent has an anchor."""
REFUSED, SENT, WRITTEN = "refused", "calls sent by what was refused", "events written by what was refused"
CONVERGED, BROKEN = "converged after the loss was accepted", "broken"


@dataclass(frozen=True, slots=True)
class Part:
    """How many failovers of one kind of ledger a lane makes."""

    ledger: Kind
    count: int
    seed: str


@dataclass
class Found:
    """What a lane counted; ``lost`` are events that each ledger lacked."""

    tally: Tally = field(default_factory=Tally)
    refused: int = 0
    sent: int = 0
    written: int = 0
    converged: int = 0
    lost: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def _measure(effort: Effort) -> Numbers:
    count = effort.of(EACH)
    kinds: tuple[Kind, ...] = ("sqlite", "postgres")
    restores, promotions = found = in_lanes(_lane, [Part(kind, count, f"{effort.seed}-{kind}") for kind in kinds])
    for sentence in [sentence for one in found for sentence in one.broken]:
        print(f"  {sentence}", file=sys.stderr)
    return {
        "of each kind, wanted": count,
        "promotions of a standby that lagged": len(promotions.lost),
        "restores of an older ledger": len(restores.lost),
        REFUSED: sum(one.refused for one in found),
        SENT: sum(one.sent for one in found),
        WRITTEN: sum(one.written for one in found),
        "events that were lost, at least": min((lost for one in found for lost in one.lost), default=0),
        "events that were lost, at most": max((lost for one in found for lost in one.lost), default=0),
        CONVERGED: sum(one.converged for one in found),
        BROKEN: sum(len(one.broken) for one in found),
    }


def _lane(part: Part) -> Found:
    found, dice = Found(), random.Random(part.seed)
    work = Path(tempfile.mkdtemp(prefix="tidegate-failover-"))
    with starting(ROOT, work) as processes:
        try:
            if part.ledger == "sqlite":
                for number in range(part.count):
                    ledgers = SqliteLedgers()
                    with living(work / f"life-{number}", ledgers, processes, found.tally, dice) as life, telling(life):
                        Blows(ledgers).birth(life)
                        _restored(life, found)
            else:
                with postgres_server() as server:
                    ledgers = PostgresLedgers(server)
                    for number in range(part.count):
                        folder = work / f"life-{number}"
                        with living(folder, ledgers, processes, found.tally, dice) as life, telling(life):
                            Blows(ledgers).birth(life)
                            _promoted(life, found, server)
        except Broken as error:
            found.broken.append(f"{part.ledger}, seed {part.seed}: {error}; what is left stands in {work}")
            return found
    shutil.rmtree(work)
    return found


def _restored(life: Life, found: Found) -> None:
    ledger, older = life.folder / "ledger.db", life.folder / "older.db"
    _whole_runs(life, life.dice.randint(1, 2))
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(older)) as target:
        source.backup(target)
    head = life.look.head()
    _lost_time(life)
    lost = life.look.head() - head
    for rest in ("-wal", "-shm"):
        Path(f"{ledger}{rest}").unlink(missing_ok=True)
    older.replace(ledger)
    _judged(life, found, lost)


def _promoted(life: Life, found: Found, server: PostgresServer) -> None:
    _whole_runs(life, life.dice.randint(1, 2))
    with following(server, server.data.with_name("standby")) as standby:
        standby.fall_behind()
        head = life.look.head()
        _lost_time(life)
        lost = life.look.head() - head
        server.crash()
        try:
            standby.promote()
            written = life.folder / "tidegate.yaml"
            written.write_text(written.read_text(encoding="utf-8").replace(life.url, standby.url), encoding="utf-8")
            life.look = Look(standby.url)
            _judged(life, found, lost)
        finally:
            server.start()


def _whole_runs(life: Life, count: int) -> None:
    for _ in range(count):
        life.change()
        _ended_with(0, life.start())


def _lost_time(life: Life) -> None:
    """What the older ledger will not know. The last run adds nothing: who then leaves the source could not be known."""
    _whole_runs(life, life.dice.randint(0, 2))
    life.touch(life.dice.sample(list(life.people), TOUCHED))
    point = life.dice.choice(DEATHS).format(life.dice.randint(1, 5))
    _ended_with(-9 if point else 0, life.start(points=point))
    life.history.append(f"lost time, {point}")


def _judged(life: Life, found: Found, lost: int) -> None:
    found.lost.append(lost)
    calls, head = len(life.receiver.journal), life.look.head()
    commands: tuple[Callable[[], Running], ...] = (
        life.start,
        lambda: life.command("--json", "capture", "people"),
        lambda: life.command("--json", "plan", SYNC),
        life.start,
    )
    found.refused += sum(_is_refused(command()) for command in commands) == len(commands)
    found.sent += len(life.receiver.journal) - calls
    found.written += life.look.head() - head
    _ended_with(0, life.command("ledger", "accept-regression", "--reason", "the newer one is gone"))
    converge(life)
    found.converged += life.receiver.records == life.wanted
    _ended_with(0, life.command("ledger", "verify"))


def _is_refused(running: Running) -> bool:
    return running.wait() == 1 and "went back in time" in running.said


def _ended_with(wanted: int, running: Running) -> None:
    code = running.wait()
    if code != wanted:
        raise Broken("I21", f"exit code {code} where {wanted} was due: {running.said[-1_000:]}")


def _broken(numbers: Numbers) -> list[str]:
    found = never(numbers, SENT, WRITTEN, BROKEN)
    each = numbers["of each kind, wanted"]
    for name in ("promotions of a standby that lagged", "restores of an older ledger"):
        if numbers[name] < each:
            found.append(f"{name}: only {numbers[name]:g}")
    for name in (REFUSED, CONVERGED):
        if numbers[name] < 2 * each:
            found.append(f"{name}: only {numbers[name]:g} of {2 * each:g}")
    if numbers["events that were lost, at least"] < 1:
        found.append("a ledger had lost nothing, so nothing was proved")
    return found


GOAL = Goal(
    id="G25",
    title="20 promotions of a standby that lags and 20 restores of an older ledger: nothing is sent",
    measure=_measure,
    broken=_broken,
    share=0.05,
)
