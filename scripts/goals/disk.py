"""G10: a disk that is full or fails at any call of a run costs neither data nor truth, and nobody must help afterwards.

Whole runs under strace, of which one call on a file of the project fails, or every such call from there on: with ENOSPC
(no block or no inode left) or EIO, while a file is opened, read, written, synced, renamed or removed. Then the disk is
whole again: the ledger verifies, every segment is what an event names, nothing that succeeded is owed (S1 to S4), and
runs without help come to the state that the source has.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from goals.goal import Effort, Goal, Numbers, never
from goals.stage import Stage, staged
from goals.traced import Call, HungError, Tracer, tracing

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = 200
TRIES_PER_CASE = 6
"""How often a fault is dealt again when the call that was to fail was not made this time."""
ERRORS = {"fsync": ("EIO", "ENOSPC"), "fdatasync": ("EIO", "ENOSPC"), "pread64": ("EIO",), "unlink": ("EIO",)}
LASTING = frozenset({"pwrite64", "write", "fsync", "fdatasync", "ftruncate", "fallocate", "rename"})
CORRUPT, FALSE, STUCK = "damaged ledgers or segments", "false successes", "runs that did not converge"
FOREIGN, HUNG = "errors that are not ours", "runs that hung"
EXIT_CODES = range(7)
ZEROS = (CORRUPT, FALSE, STUCK, FOREIGN, HUNG)


def measure(effort: Effort) -> Numbers:
    dice = random.Random(effort.seed)
    cases = effort.of(CASES)
    found: Counter[str] = Counter(dict.fromkeys(("injections", "calls that failed", *ZEROS), 0))
    with tempfile.TemporaryDirectory(prefix="tidegate-disk-") as name:
        folder = Path(name)
        with tracing(ROOT, folder) as tracer, staged(folder) as stage:
            stage.reset()
            calls = [call for call in tracer.run(stage.command, stage.state).calls if _can_fail(call)]
            for _ in range(cases * TRIES_PER_CASE):
                if found["injections"] == cases:
                    break
                _case(stage, tracer, dice, calls, found)
    return {"asked for": cases, **found}


def _can_fail(call: Call) -> bool:
    return call.name != "openat" or "O_CREAT" in call.text


def _case(stage: Stage, tracer: Tracer, dice: random.Random, calls: list[Call], found: Counter[str]) -> None:
    name = dice.choice(sorted({call.name for call in calls}))
    call = dice.choice([call for call in calls if call.name == name])
    error = dice.choice(ERRORS.get(name, ("ENOSPC", "EIO")))
    lasting = "+" if name in LASTING and dice.random() < 0.5 else ""
    inject = f"{name}:error={error}:when={call.nth}{lasting}"
    stage.reset()
    try:
        ended = tracer.run(stage.command, stage.state, inject)
    except HungError:
        found["injections"] += 1
        found[HUNG] += 1
        return
    if not ended.injected:
        return
    found["injections"] += 1
    found[f"injections of {error} into {name}"] += 1
    found["calls that failed"] += ended.injected
    found["runs that ended well in spite of it"] += ended.code == 0
    foreign = "bug in Tidegate" in ended.said or "Traceback" in ended.said or ended.code not in EXIT_CODES
    found[FOREIGN] += foreign
    found[f"runs with exit code {ended.code}"] += 1
    told = stage.lies(ended.code)
    damaged = stage.damages()
    stuck = stage.converged()
    found[FALSE] += bool(told)
    found[CORRUPT] += bool(damaged or stage.damages())
    found[STUCK] += bool(stuck)
    what = [f"an error that is not ours, exit code {ended.code}"] if foreign else []
    for sentence in (*what, *told, *damaged, *stuck):
        print(f"{inject}: {sentence}\n{ended.said}")


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["injections"] < numbers["asked for"]:
        told.append(f"only {numbers['injections']:g} of {numbers['asked for']:g} faults were dealt")
    return told


GOAL = Goal("G10", "a failing disk costs neither data nor truth", measure, broken, share=0.06)
