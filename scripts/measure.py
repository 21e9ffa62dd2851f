"""Measure numeric goals of reliability, at full size or a share of it.

`scripts/measure.py [GOAL...] [--share 1 | --slice] [--seed 1] [--json FILE]`. Without a name, all; ``--slice`` takes of
each the share that runs with the tests. Exit code 1 names what broke.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))

from goals.goal import Effort  # noqa: E402  # the checkout is not installed
from goals.registry import MODULES, goal  # noqa: E402


def main() -> int:
    asked = _asked()
    found = []
    for id in asked.goals or MODULES:
        one = goal(id)
        effort = Effort(one.share if asked.slice else asked.share, asked.seed)
        began = time.perf_counter()
        numbers = one.measure(effort)
        seconds = time.perf_counter() - began
        broken = one.broken(numbers)
        found.append({"goal": id, "share": effort.share, "seed": effort.seed, "seconds": round(seconds, 1)})
        found[-1] |= {"numbers": dict(numbers), "broken": broken}
        print(f"\n{id} {one.title}: {'BROKEN' if broken else 'holds'} ({seconds:,.0f} s)")
        for name, value in numbers.items():
            print(f"  {name:<60} {value:>14,.10g}")
        for sentence in broken:
            print(f"  BROKEN {sentence}", file=sys.stderr)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if any(one["broken"] for one in found) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure numeric goals of reliability.")
    parser.add_argument("goals", nargs="*", choices=[[], *MODULES], metavar="GOAL", help=f"one of {', '.join(MODULES)}")
    parser.add_argument("--share", type=float, default=1.0, help="the part of the full size, above 0 to 1")
    parser.add_argument("--slice", action="store_true", help="of each goal the share that runs with the tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was counted")
    asked = parser.parse_args()
    if not 0 < asked.share <= 1:
        parser.error("--share must be above 0 and at most 1")
    return asked


if __name__ == "__main__":
    sys.exit(main())
