"""A process that holds the lease is stopped, another takes over, and the first goes on: it may change nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from chaos_lab.judge import Broken
from chaos_lab.processes import POLL_SECONDS, Running
from chaos_lab.stage import SYNC, WINDOW_BATCHES, Life

from engine.failpoints import NAMES

LEASE = f"sync:{SYNC}"
STOP_POINTS = sorted(NAMES - {"migrate.step", "lease.before_renew", "job.after_submit"})
"""What a short run of a destination that answers at once comes to."""


@dataclass(frozen=True, slots=True)
class Zombie:
    """A process that stands still while it holds the lease; its events are those of ``actor``."""

    running: Running
    actor: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """How the zombie and its successor ended, the ledger's newest event when the zombie went on, and the calls it made."""

    zombie: int
    successor: int | None
    head: int
    first_call: int
    calls: int


def zombie_somewhere(life: Life) -> Zombie | None:
    """A holder of the lease that was stopped at a named point or between calls; None when none could be."""
    actor = f"stopped-{life.tally.runs}"
    if life.dice.random() < 0.5:
        running = life.start(actor=actor)
        await_calls(life, running, life.dice.randint(1, 20))
        stands = running.stop()
    else:
        running = life.start(actor=actor, points=f"{life.dice.choice(STOP_POINTS)}=stop@{life.dice.randint(1, 3)}")
        stands = running.await_stop()
    life.hit()
    if stands and f":{running.pid}:" in life.look.holder(LEASE):
        return Zombie(running, actor)
    spared(life, running)
    return None


def spared(life: Life, stopped: Running) -> None:
    """Let a process that could not be replaced go to its end."""
    life.tally.missed += 1
    life.go_on(stopped)
    stopped.wait()


def replaced_after(life: Life, zombie: Zombie) -> Replaced | None:
    """The successor ends before the zombie goes on; None when the zombie kept it from beginning."""
    epoch = life.look.epoch(LEASE)
    successor = life.start().wait()
    if life.look.epoch(LEASE) == epoch:
        # It was stopped inside a transaction, and with it everybody else who writes.
        spared(life, zombie.running)
        return None
    effects = life.receiver.effects
    replaced = _gone_on(life, zombie)
    if life.receiver.effects > effects:
        raise Broken("I3", "a process that had been replaced changed the destination")
    return replace(replaced, successor=successor)


def replaced_beside(life: Life, zombie: Zombie) -> Replaced | None:
    """The zombie goes on while its successor holds the lease and has written nothing that would stand in its way."""
    successor = life.start(points="lease.after_acquire=stop")
    if not successor.await_stop():
        spared(life, zombie.running)
        return None
    try:
        replaced = _gone_on(life, zombie)
    finally:
        life.go_on(successor)
        code = successor.wait()
    life.tally.takeovers_beside += 1
    return replace(replaced, successor=code)


def _gone_on(life: Life, zombie: Zombie) -> Replaced:
    """Let it go on to its end: it appends nothing, and sends at most the window that it was in."""
    head, first_call, disturbed = life.look.head(), len(life.receiver.journal), life.disturbed
    life.go_on(zombie.running)
    code = zombie.running.wait()
    calls = len(life.receiver.journal) - first_call
    written = life.look.written_by(zombie.actor, head)
    life.tally.takeovers += 1
    life.tally.stale_calls += calls
    life.tally.stale_writes += len(written)
    life.windows += 2
    if written:
        raise Broken("I3", f"a process that had been replaced appended {', '.join(written)}")
    if calls > WINDOW_BATCHES + 2 * (life.disturbed - disturbed):
        raise Broken("I3", f"a process that had been replaced made {calls} calls, more than a window")
    return Replaced(code, None, head, first_call, calls)


def await_calls(life: Life, running: Running, calls: int) -> None:
    """Wait until so many calls more have arrived, or the process ended."""
    wanted = len(life.receiver.journal) + calls
    while len(life.receiver.journal) < wanted and not running.ended:
        time.sleep(POLL_SECONDS)
