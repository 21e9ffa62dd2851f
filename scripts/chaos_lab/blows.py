"""The blows: how and when a process, its database or its connections are hit. Each deals one and says what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chaos_lab.judge import Broken
from chaos_lab.ledgers import Ledgers
from chaos_lab.processes import POLL_SECONDS, Running, waited
from chaos_lab.stage import SYNC, Life

from engine.failpoints import NAMES
from engine.steps.run import LEASE_SECONDS
from tests.faultproxy import NO_FAULTS, Faults

RUN_POINTS = sorted(NAMES - {"migrate.step", "lease.before_renew"})
STOP_POINTS = sorted(set(RUN_POINTS) - {"lease.after_acquire"})
LEASE = f"sync:{SYNC}"
MIGRATION_STEPS_MAX = 4
Blow = Callable[[Life], str]


class Points:
    """Every named point in turn, in a shuffled order, so that a long chaos passes each equally often."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def next(self, life: Life) -> str:
        if not self._left:
            self._left = life.dice.sample(RUN_POINTS, len(RUN_POINTS))
        return self._left.pop()


class Blows:
    """Deals blows of one chaos run."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self._points = Points()
        self._due: list[Blow] = [self._takeover]
        """Blows that even a short chaos deals once."""
        if ledgers.has_server:
            self._due += [self._sessions, self._restart]

    def birth(self, life: Life) -> None:
        """The schema of a new ledger, at times with a death in the middle of its making."""
        command = ("db", "upgrade") if self._ledgers.has_server else ("ledger", "verify")
        if life.dice.random() < 0.5:
            points = f"migrate.step=kill@{life.dice.randint(1, MIGRATION_STEPS_MAX)}"
            self._killed(life, "migrate.step", life.command(*command, points=points))
        code = life.command(*command).wait()
        if code != 0:
            raise Broken("I9", f"the ledger's schema could not be made after a death in the middle (exit code {code})")

    def deal(self, life: Life) -> None:
        """One blow, chosen by the dice."""
        kinds: dict[Blow, int] = {
            self._at_point: 45,
            self._at_instant: 14,
            self._in_traffic: 18,
            self._in_silence: 4,
            self._cold: 3,
            self._takeover: 5,
        }
        if self._ledgers.has_server:
            kinds |= {self._sessions: 20, self._restart: 8}
        blow = life.dice.choices(list(kinds), list(kinds.values()))[0]
        if life.dice.random() < 0.01:
            blow = life.dice.choice((self._at_renewal, self._waited_takeover))
        if self._due and life.dice.random() < 0.4:
            blow = self._due.pop(0)
        life.history.append(f"{blow.__name__.strip('_')}: {blow(life)}")

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
        _await_calls(life, running, life.dice.randint(1, 20))
        waited(life.dice.uniform(0, 0.01), running)
        return _counted(life, "calls under way", died=running.kill())

    def _in_silence(self, life: Life) -> str:
        running = life.start()
        _await_calls(life, running, life.dice.randint(1, 10))
        life.proxy.faults = Faults(stalls=True)
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
        _await_calls(life, running, 1)
        life.proxy.faults = Faults(stalls=True)
        told = self._killed(life, "lease.before_renew", running)
        life.proxy.cut()
        life.proxy.faults = NO_FAULTS
        return told

    def _takeover(self, life: Life) -> str:
        return self._replaced(life, life.look.expire)

    def _waited_takeover(self, life: Life) -> str:
        def wait(_lease: str) -> bool:
            time.sleep(LEASE_SECONDS + 0.5)
            return True

        before, calls = life.tally.takeovers, life.tally.stale_calls
        told = self._replaced(life, wait)
        life.tally.waited_takeovers += life.tally.takeovers - before
        life.tally.stale_calls_after_wait += life.tally.stale_calls - calls
        return told

    def _replaced(self, life: Life, end_lease: Callable[[str], bool]) -> str:
        """Stop a process that holds the lease, let another take over, let the first go on: it may change nothing."""
        actor = f"stopped-{life.tally.runs}"
        stopped = _stopped_somewhere(life, actor)
        if stopped is None or f":{stopped.pid}:" not in life.look.holder(LEASE) or not end_lease(LEASE):
            return _spared(life, stopped)
        life.change()
        epoch = life.look.epoch(LEASE)
        code = life.start().wait()
        if life.look.epoch(LEASE) == epoch:
            # It was stopped inside a transaction, and with it everybody else who writes.
            return _spared(life, stopped)
        head, effects, calls = life.look.head(), life.receiver.effects, len(life.receiver.journal)
        stopped.go_on()
        stopped.wait()
        life.tally.takeovers += 1
        life.windows += 2
        life.tally.stale_calls += len(life.receiver.journal) - calls
        written = life.look.written_by(actor, head)
        life.tally.stale_writes += len(written)
        if written:
            raise Broken("I3", f"a process that had been replaced appended {', '.join(written)}")
        if life.receiver.effects > effects:
            raise Broken("I3", "a process that had been replaced changed the destination")
        return f"the successor ended with exit code {code}"

    def _sessions(self, life: Life) -> str:
        running = life.start()
        ended = 0
        for _ in range(life.dice.randint(1, 4)):
            _await_moment(life, running)
            ended += self._ledgers.terminate_sessions()
        life.tally.sessions += ended
        life.windows += 1
        return f"{ended} sessions, exit code {running.wait()}"

    def _restart(self, life: Life) -> str:
        running = life.start()
        _await_moment(life, running)
        self._ledgers.restart()
        life.tally.restarts += 1
        life.windows += 1
        return f"exit code {running.wait()}"


def _counted(life: Life, how: str, *, died: bool) -> str:
    if not died:
        life.tally.missed += 1
        return "missed"
    life.tally.kills[how] += 1
    life.windows += 1
    return "killed"


def _spared(life: Life, stopped: Running | None) -> str:
    life.tally.missed += 1
    if stopped is not None:
        stopped.go_on()
        stopped.wait()
    return "missed"


def _await_calls(life: Life, running: Running, calls: int) -> None:
    """Wait until so many calls more have arrived, or the process ended."""
    wanted = len(life.receiver.journal) + calls
    while len(life.receiver.journal) < wanted and not running.ended:
        time.sleep(POLL_SECONDS)


def _await_moment(life: Life, running: Running) -> None:
    if life.dice.random() < 0.5:
        _await_calls(life, running, life.dice.randint(1, 20))
    waited(life.dice.uniform(0.0, 0.5), running)


def _stopped_somewhere(life: Life, actor: str) -> Running | None:
    """A process that was stopped at a named point or between calls; None when it ended before."""
    if life.dice.random() < 0.5:
        running = life.start(actor=actor)
        _await_calls(life, running, life.dice.randint(1, 20))
    else:
        flag = life.folder / f"reached-{actor}"
        point = life.dice.choice(STOP_POINTS)
        running = life.start(actor=actor, points=f"{point}=touch:{flag}@{life.dice.randint(1, 3)}")
        for _ in _until(lambda: flag.exists() or running.ended):
            time.sleep(POLL_SECONDS)
    return running if running.stop() else None


def _until(fact: Callable[[], bool]) -> Iterator[None]:
    while not fact():
        yield
