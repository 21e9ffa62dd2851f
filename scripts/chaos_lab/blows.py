"""The blows: how and when a process, its database or its connections are hit. Each deals one and says what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chaos_lab.judge import Broken
from chaos_lab.ledgers import Ledgers
from chaos_lab.processes import Running, waited
from chaos_lab.replacement import (
    LEASE,
    STOP_POINTS,
    Replaced,
    Zombie,
    await_calls,
    replaced_after,
    replaced_beside,
    spared,
    zombie_somewhere,
)
from chaos_lab.stage import Life
from chaos_lab.tally import Tally

from engine.steps.sync_lease import LEASE_SECONDS
from tests.faultproxy import NO_FAULTS, Faults

MIGRATION_STEPS_MAX = 4
SESSIONS_PER_BLOW = 3.0
"""How many sessions end by one blow, about."""
TAKEOVER_SHARE = 0.06
DUE_SHARE = 0.3
Blow = Callable[[Life], str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many processes must be killed, servers restarted and sessions terminated."""

    kills: int
    restarts: int = 0
    terminations: int = 0

    def left(self, tally: Tally) -> Wanted:
        """What is not done yet."""
        return Wanted(
            max(0, self.kills - tally.killed),
            max(0, self.restarts - tally.restarts),
            max(0, self.terminations - tally.sessions),
        )

    def __bool__(self) -> bool:
        return any((self.kills, self.restarts, self.terminations))


class Points:
    """Every named point in turn, in a shuffled order, so that a long chaos passes each equally often."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def next(self, life: Life) -> str:
        if not self._left:
            self._left = life.dice.sample(STOP_POINTS, len(STOP_POINTS))
        return self._left.pop()


class Blows:
    """Deals blows of one chaos run."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self._points = Points()
        self._due: list[Blow] = [self._takeover, self._takeover_beside]
        """Blows that even a short chaos deals once."""

    def birth(self, life: Life) -> None:
        """The schema of a new ledger, at times with a death in the middle of its making."""
        command = ("db", "upgrade") if self._ledgers.has_server else ("ledger", "verify")
        if life.dice.random() < 0.5:
            points = f"migrate.step=kill@{life.dice.randint(1, MIGRATION_STEPS_MAX)}"
            self._killed(life, "migrate.step", life.command(*command, points=points))
        code = life.command(*command).wait()
        if code != 0:
            raise Broken("I9", f"the ledger's schema could not be made after a death in the middle (exit code {code})")

    def deal(self, life: Life, left: Wanted) -> None:
        """One blow, chosen by the dice in the proportion of what is left to do."""
        if self._due and life.dice.random() < DUE_SHARE:
            due, takeovers = self._due.pop(0), life.tally.takeovers
            self._dealt(life, due)
            if life.tally.takeovers == takeovers:
                self._due.append(due)
        elif life.dice.random() < TAKEOVER_SHARE:
            self._dealt(life, life.dice.choice((self._takeover, self._takeover_beside)))
        else:
            kinds: dict[Blow, float] = {
                self._killing(life): left.kills,
                self._restart: left.restarts,
                self._sessions: left.terminations / SESSIONS_PER_BLOW,
            }
            self._dealt(life, life.dice.choices(list(kinds), list(kinds.values()))[0])

    def _dealt(self, life: Life, blow: Blow) -> None:
        life.history.append(f"{blow.__name__.strip('_')}: {blow(life)}")

    def _killing(self, life: Life) -> Blow:
        if life.dice.random() < 0.01:
            return life.dice.choice((self._at_renewal, self._waited_takeover))
        kinds: dict[Blow, int] = {
            self._at_point: 54,
            self._at_instant: 17,
            self._in_traffic: 21,
            self._in_silence: 5,
            self._cold: 3,
        }
        return life.dice.choices(list(kinds), list(kinds.values()))[0]

    def _at_point(self, life: Life) -> str:
        point = self._points.next(life)
        hits = 25 if point.startswith("batch.") else 4 if point.startswith(("window.", "anchor.", "segment.")) else 1
        points = f"{point}=kill@{life.dice.randint(1, hits)}"
        return self._killed(life, point, life.start(points=points)) + f" {points}"

    def _killed(self, life: Life, how: str, running: Running) -> str:
        """Wait for the process to die by its own failpoint."""
        return _counted(life, how, died=running.wait() == -9)

    def _at_instant(self, life: Life) -> str:
        running = life.start()
        waited(life.dice.uniform(0.02, 0.8), running)
        return _counted(life, "any instant", died=running.kill())

    def _in_traffic(self, life: Life) -> str:
        running = life.start()
        await_calls(life, running, life.dice.randint(1, 20))
        waited(life.dice.uniform(0, 0.01), running)
        return _counted(life, "calls under way", died=running.kill())

    def _in_silence(self, life: Life) -> str:
        running = life.start()
        await_calls(life, running, life.dice.randint(1, 10))
        life.proxy.faults = Faults(stalls=True)
        life.hit()
        waited(life.dice.uniform(0.02, 0.2), running)
        told = _counted(life, "destination silent", died=running.kill())
        life.proxy.cut()
        life.proxy.faults = NO_FAULTS
        return told

    def _cold(self, life: Life) -> str:
        running = life.start(cold=True)
        waited(life.dice.uniform(0.3, 3.0), running)
        return _counted(life, "started cold", died=running.kill())

    def _at_renewal(self, life: Life) -> str:
        running = life.start(points="lease.before_renew=kill")
        await_calls(life, running, 1)
        life.proxy.faults = Faults(stalls=True)
        life.hit()
        told = self._killed(life, "lease.before_renew", running)
        life.proxy.cut()
        life.proxy.faults = NO_FAULTS
        return told

    def _takeover(self, life: Life) -> str:
        return _taken_over(life, life.look.expire, replaced_after)

    def _takeover_beside(self, life: Life) -> str:
        return _taken_over(life, life.look.expire, replaced_beside)

    def _waited_takeover(self, life: Life) -> str:
        def wait(_lease: str) -> bool:
            time.sleep(LEASE_SECONDS + 0.5)
            return True

        before, calls = life.tally.takeovers, life.tally.stale_calls
        told = _taken_over(life, wait, replaced_after)
        life.tally.waited_takeovers += life.tally.takeovers - before
        life.tally.stale_calls_after_wait += life.tally.stale_calls - calls
        return told

    def _sessions(self, life: Life) -> str:
        running = life.start()
        ended = 0
        for _ in range(life.dice.randint(1, 4)):
            _await_moment(life, running)
            ended += self._ledgers.terminate_sessions()
            life.hit()
        life.tally.sessions += ended
        life.windows += 1
        return f"{ended} sessions, exit code {running.wait()}"

    def _restart(self, life: Life) -> str:
        running = life.start()
        _await_moment(life, running)
        self._ledgers.restart()
        life.hit()
        life.tally.restarts += 1
        life.windows += 1
        return f"exit code {running.wait()}"


def _counted(life: Life, how: str, *, died: bool) -> str:
    life.hit()
    if not died:
        life.tally.missed += 1
        return "missed"
    life.tally.kills[how] += 1
    life.windows += 1
    return "killed"


def _taken_over(
    life: Life, end_lease: Callable[[str], bool], replaced: Callable[[Life, Zombie], Replaced | None]
) -> str:
    zombie = zombie_somewhere(life)
    if zombie is None:
        return "missed"
    if not end_lease(LEASE):
        spared(life, zombie.running)
        return "missed"
    life.change()
    told = replaced(life, zombie)
    return "missed" if told is None else f"exit codes {told.zombie} and, of the successor, {told.successor}"


def _await_moment(life: Life, running: Running) -> None:
    if life.dice.random() < 0.5:
        await_calls(life, running, life.dice.randint(1, 20))
    waited(life.dice.uniform(0.0, 0.5), running)
