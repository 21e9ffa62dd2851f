"""G3: seeded stories of the whole engine hold every invariant, and each comes back byte by byte.

Each seed is told twice, in processes whose hashes are salted differently; a trace is every event of the ledger, with its
time and its place in the chain, and every call that arrived. The engine is the real one with its files, its SQLite and its
DuckDB, so that a step takes what it takes: how long is among the numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from goals.goal import Effort, Goal, Numbers, never

ROOT = Path(__file__).resolve().parents[2]
SEEDS, STEPS = 2_500, 200
STEPS_MIN = 30
"""In a slice of one seed."""
SALTS = ("1", "4242")
BROKEN, DIFFERENT = "seeds in which an invariant broke", "seeds that came back otherwise"


def measure(effort: Effort) -> Numbers:
    seeds = effort.of(SEEDS)
    steps = STEPS if seeds > 1 else STEPS_MIN
    with ThreadPoolExecutor(len(SALTS)) as both:
        first, second = both.map(lambda salt: _told(salt, effort.seed * SEEDS, seeds, steps), SALTS)
    broken = [one for one in first if "broken" in one]
    different = [a for a, b in zip(first, second, strict=True) if a["trace"] != b["trace"]]
    for one in broken:
        print(f"  seed {one['seed']}: {one['broken']}", file=sys.stderr)
    for one in different:
        print(f"  seed {one['seed']} came back otherwise", file=sys.stderr)
    told = steps * max(1, len(first))
    wall, worked = (sum(one.get(name, 0.0) for one in first) for name in ("seconds", "cpu_seconds"))
    return {
        "seeds": len(first),
        "seeds wanted": seeds,
        "steps of each": steps,
        BROKEN: len(broken),
        DIFFERENT: len(different),
        "events in all traces": sum(one.get("events", 0) for one in first),
        "milliseconds a step": round(1000 * wall / told, 1),
        "milliseconds of processor a step": round(1000 * worked / told, 1),
        "share of the goal's steps that this is": len(first) * steps / (SEEDS * STEPS),
    }


def _told(salt: str, first: int, count: int, steps: int) -> list[dict[str, Any]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": salt, "TIDEGATE_ACTOR": "simulator"}
    script = Path(__file__).with_name("simulated.py")
    command = [sys.executable, str(script), str(first), str(count), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, BROKEN, DIFFERENT)
    if numbers["seeds"] < numbers["seeds wanted"] or not numbers["events in all traces"]:
        told.append("fewer seeds were told than intended")
    return told


GOAL = Goal("G3", "seeded stories hold every invariant and come back byte by byte", measure, broken, share=1 / SEEDS)
