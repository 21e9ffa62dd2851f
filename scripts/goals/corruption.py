"""G9: whatever is flipped, cut off, edited or moved in a ledger, a segment or an anchor is found before it is used.

Most cases damage a copy and ask what would use it: the look that `tidegate ledger verify` takes, the check of a
segment, the check of anchors. A damage is harmless only when every row of every table reads back as it was. A share of
the cases are whole runs on a damaged project, against a destination that records: what they send is what the undamaged
project sends, or nothing.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from goals.damaged import Found, Template, template
from goals.goal import Effort, Goal, Numbers, never

FILE, ROWS, SEGMENTS, ANCHORS, RUNS = 4_500, 2_000, 2_300, 700, 500
UNSEEN = "damages that were used unseen"
FOREIGN = "errors that are not ours"
WRONG = "wrong sends"
WRONG_CLAIMS = "runs that succeeded without sending what was to be sent"


def measure(effort: Effort) -> Numbers:
    dice = random.Random(effort.seed)
    with tempfile.TemporaryDirectory(prefix="tidegate-corruption-") as folder, template(Path(folder)) as made:
        found = Counter[str]()
        kinds = {
            "bytes of the ledger's file": (FILE, made.damaged_file),
            "rows of the ledger": (ROWS, made.damaged_rows),
            "segments": (SEGMENTS, made.damaged_segment),
            "anchors": (ANCHORS, made.damaged_anchor),
        }
        for kind, (full, damage) in kinds.items():
            for _ in range(effort.of(full)):
                _count(found, kind, damage(dice))
        runs = _runs(effort.of(RUNS), dice, made)
    found["cases"] += int(runs["whole runs"])
    return {**dict.fromkeys((UNSEEN, FOREIGN), 0), **found, **runs}


def _count(found: Counter[str], kind: str, result: Found) -> None:
    found["cases"] += 1
    found[f"{kind}: {result.name.lower()}"] += 1
    found[UNSEEN] += result is Found.UNSEEN
    found[FOREIGN] += result is Found.FOREIGN


def _runs(count: int, dice: random.Random, made: Template) -> dict[str, float]:
    """Whole runs; each either refuses and sends nothing, or sends exactly what was to be sent."""
    runs = Counter[str]({"whole runs": 0, "runs that refused": 0, "runs as without damage": 0, WRONG: 0})
    runs.update({WRONG_CLAIMS: 0, "errors of runs that are not ours": 0, "runs that refused after a right send": 0})
    for _ in range(count):
        run = made.damaged_run(dice)
        runs["whole runs"] += 1
        runs[WRONG] += run.wrong
        runs["errors of runs that are not ours"] += run.code == "bug"
        runs[WRONG_CLAIMS] += run.succeeded and not run.complete
        runs["runs as without damage"] += run.succeeded and run.complete
        runs["runs that refused"] += not run.succeeded and not run.sent
        runs["runs that refused after a right send"] += not run.succeeded and run.sent > 0 and not run.wrong
    return dict(runs)


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, UNSEEN, FOREIGN, WRONG, WRONG_CLAIMS, "errors of runs that are not ours")
    for kind in ("bytes of the ledger's file", "rows of the ledger", "segments", "anchors"):
        if not numbers.get(f"{kind}: detected"):
            told.append(f"no damage to {kind} was detected, so none was dealt")
    if not numbers["runs that refused"] or not numbers["runs as without damage"]:
        told.append("whole runs must be seen to refuse, and to go on where nothing that they use is damaged")
    return told


GOAL = Goal("G9", "corruption is found before it is used", measure, broken, share=0.06)
