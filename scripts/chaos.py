"""Kill, stop, cut and disturb syncs at random and at every named point, let them recover, and hold them to what is promised.

`scripts/chaos.py [--kills 100] [--seed 1] [--ledger sqlite|postgres] [--json FILE]`. Exit code 1 names the invariant
that broke, and keeps the folder of the life in which it did. The seed chooses changes and blows; how far a process has
come when an instant comes is the machine's choice.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))

from chaos_lab.blows import Blows  # noqa: E402  # the checkout is not installed
from chaos_lab.judge import Broken, close, converge, judge  # noqa: E402
from chaos_lab.ledgers import Ledgers, PostgresLedgers, SqliteLedgers  # noqa: E402
from chaos_lab.processes import Processes, TookTooLongError, starting  # noqa: E402
from chaos_lab.stage import Life, living  # noqa: E402
from chaos_lab.tally import Tally  # noqa: E402

from tests.postgres import postgres_server  # noqa: E402

ROUNDS_PER_LIFE = 3
BLOWS_PER_ROUND = (4, 10)


def main() -> int:
    asked = _asked()
    tally, began = Tally(), time.perf_counter()
    broken: Broken | None = None
    work = Path(tempfile.mkdtemp(prefix="tidegate-chaos-"))
    with starting(ROOT, work) as processes, _ledgers(asked.ledger) as ledgers:
        try:
            _storm(asked.kills, random.Random(asked.seed), ledgers, processes, work, tally)
        except Broken as error:
            broken = error
    seconds = time.perf_counter() - began
    found = {"ledger": asked.ledger, "seed": asked.seed, "seconds": round(seconds, 1), **tally.json()}
    found["broken"] = None if broken is None else str(broken)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _show(asked, tally, seconds)
    if broken is None:
        shutil.rmtree(work)
        return 0
    print(f"\nBROKEN {broken}\nseed {asked.seed}; what is left stands in {work}", file=sys.stderr)
    return 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Hold syncs to their promises while they are killed and disturbed.")
    parser.add_argument("--kills", type=int, default=100, help="how many processes must die")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was counted")
    return parser.parse_args()


@contextmanager
def _ledgers(kind: str) -> Iterator[Ledgers]:
    if kind == "sqlite":
        yield SqliteLedgers()
        return
    with postgres_server() as server:
        yield PostgresLedgers(server)


def _storm(kills: int, dice: random.Random, ledgers: Ledgers, processes: Processes, work: Path, tally: Tally) -> None:
    """Lives until enough processes were killed. Raises `Broken` with the life's history in its notes."""
    blows = Blows(ledgers)
    while tally.killed < kills:
        folder = work / f"life-{tally.lives + 1}"
        with living(folder, ledgers, processes, tally, dice) as life:
            try:
                _live(life, blows, kills)
            except (Broken, TookTooLongError) as error:
                print(f"life {tally.lives}:", *life.history, sep="\n  ", file=sys.stderr)
                raise error if isinstance(error, Broken) else Broken("I9", str(error)) from error
        shutil.rmtree(folder)


def _live(life: Life, blows: Blows, kills: int) -> None:
    blows.birth(life)
    for _ in range(ROUNDS_PER_LIFE):
        for _ in range(life.dice.randint(*BLOWS_PER_ROUND)):
            if life.tally.killed >= kills:
                break
            life.change()
            life.trouble()
            blows.deal(life)
        converge(life)
        judge(life)
        life.tally.rounds += 1
    close(life)


def _show(asked: argparse.Namespace, tally: Tally, seconds: float) -> None:
    rows = [("seed", str(asked.seed)), ("ledger", asked.ledger), ("wall time", f"{seconds:,.0f} s"), *tally.rows()]
    print("\n| what | count |\n|---|---|")
    for what, count in rows:
        print(f"| {what} | {count} |")


if __name__ == "__main__":
    sys.exit(main())
