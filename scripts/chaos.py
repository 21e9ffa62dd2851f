"""Kill, stop, cut and disturb syncs at random and at every named point, let them recover, and hold them to what is promised.

`scripts/chaos.py [--kills 100] [--restarts N] [--terminations N] [--lanes 2] [--seed 1] [--ledger sqlite|postgres]
[--json FILE]`. Exit code 1 names the invariant that broke, and keeps the folder of the life in which it did. The seed
chooses changes and blows; how far a process has come when an instant comes is the machine's choice.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))

from chaos_lab.blows import Wanted  # noqa: E402  # the checkout is not installed
from chaos_lab.storm import LANES, storm  # noqa: E402
from chaos_lab.tally import Tally  # noqa: E402

RESTARTS_PER_KILL, TERMINATIONS_PER_KILL = 0.6, 1.0


def main() -> int:
    asked = _asked()
    began = time.perf_counter()
    passed = storm(asked.ledger, _wanted(asked), asked.seed, asked.lanes)
    seconds = time.perf_counter() - began
    found = {"ledger": asked.ledger, "seed": asked.seed, "seconds": round(seconds, 1), **passed.tally.json()}
    found["broken"] = passed.broken
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _show(asked, passed.tally, seconds)
    return 0 if passed.broken is None else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Hold syncs to their promises while they are killed and disturbed.")
    parser.add_argument("--kills", type=int, default=100, help="how many processes must die")
    parser.add_argument("--restarts", type=int, help="how often the database server must be ended and started again")
    parser.add_argument("--terminations", type=int, help="how many database sessions must be ended")
    parser.add_argument("--lanes", type=int, default=LANES, help="how many lives at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was counted")
    asked = parser.parse_args()
    if asked.ledger == "sqlite" and (asked.restarts or asked.terminations):
        parser.error("a SQLite ledger has no server to restart and no sessions to end")
    return asked


def _wanted(asked: argparse.Namespace) -> Wanted:
    """What was not said of a server is in proportion to the kills."""
    if asked.ledger == "sqlite":
        return Wanted(asked.kills)
    restarts = round(asked.kills * RESTARTS_PER_KILL) if asked.restarts is None else asked.restarts
    terminations = round(asked.kills * TERMINATIONS_PER_KILL) if asked.terminations is None else asked.terminations
    return Wanted(asked.kills, restarts, terminations)


def _show(asked: argparse.Namespace, tally: Tally, seconds: float) -> None:
    rows = [("seed", str(asked.seed)), ("ledger", asked.ledger), ("wall time", f"{seconds:,.0f} s"), *tally.rows()]
    print("\n| what | count |\n|---|---|")
    for what, count in rows:
        print(f"| {what} | {count} |")


if __name__ == "__main__":
    sys.exit(main())
