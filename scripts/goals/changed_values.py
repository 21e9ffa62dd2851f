"""Values changed by the least that their type can say, and whether a capture sees each one."""

from __future__ import annotations

import math
import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.steps.capture import Accepted
from tests.sources.captures import Captures
from tests.sources.tables import CANONICAL, Row, in_parquet

ROWS = 1_000
ALONE = 0.03
"""The share of changes that are captured each by itself; of the others, a hundred in as many rows."""
TOGETHER = 100
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


def detected(folder: Path, changes: int, dice: random.Random) -> int:
    """Make so many changes of one value of a row each; how many of them captures called an update of their row."""
    seen = 0
    rows = [_row(id, dice) for id in range(ROWS)]
    with Captures.opened(folder) as captures:
        assert isinstance(captures.capture(in_parquet(folder, rows)), Accepted)
        for size in _sizes(changes):
            for place in dice.sample(range(ROWS), size):
                rows[place] = _changed(rows[place], dice)
            result = captures.capture(in_parquet(folder, rows))
            if isinstance(result, Accepted) and (result.inserts, result.deletes) == (0, 0):
                seen += result.updates
    return seen


def _sizes(changes: int) -> Iterator[int]:
    alone = math.ceil(changes * ALONE)
    yield from [1] * alone
    for start in range(0, changes - alone, TOGETHER):
        yield min(TOGETHER, changes - alone - start)


def _row(id: int, dice: random.Random) -> Row:
    made = (make(dice) for make in _MAKERS.values())
    return (id, *(None if dice.random() < 0.1 else value for value in made))


def _changed(row: Row, dice: random.Random) -> Row:
    """The row with one value changed, or taken away, or given where there was none."""
    name = dice.choice(list(_MAKERS))
    place = CANONICAL.names.index(name)
    old = row[place]
    given = _MAKERS[name](dice) if old is None else _NEXT[name](old, dice)
    new = None if old is not None and dice.random() < 0.1 else given
    assert new != old
    return (*row[:place], new, *row[place + 1 :])


_MAKERS: Mapping[str, Callable[[random.Random], Any]] = {
    "name": lambda dice: dice.choice(("", "a", "caf\u00e9", "cafe\u0301", "NULL", "007", "line\n", "A B")),
    "amount": lambda dice: Decimal(dice.randrange(-(10**23), 10**23)).scaleb(-4),
    "score": lambda dice: dice.choice((0.0, 0.1, 5.0, 5e-324, 1e300, 2.0**53, dice.gauss(0, 1e9))),
    "active": lambda dice: dice.random() < 0.5,
    "born": lambda dice: date(1, 1, 2) + dice.randrange(3_652_000) * DAY,
    "seen": lambda dice: MIDNIGHT + dice.randrange(-(10**16), 10**16) * TICK,
    "wakes": lambda dice: (MIDNIGHT + dice.randrange(86_400_000_000) * TICK).time(),
    "photo": lambda dice: dice.randbytes(dice.randrange(4)),
}


def _text(old: str, dice: random.Random) -> str:
    swapped = {old.swapcase(), unicodedata.normalize("NFC", old), unicodedata.normalize("NFD", old), old.strip()}
    return dice.choice(sorted({*swapped, f"{old} ", f"{old}\u200b", f"0{old}"} - {old}))


def _time(old: time, dice: random.Random) -> time:
    del dice
    moved = datetime.combine(date(2000, 1, 2), old) + TICK
    return moved.time()


def _bytes(old: bytes, dice: random.Random) -> bytes:
    if not old:
        return b"\0"
    place = dice.randrange(len(old))
    return old[:place] + bytes([old[place] ^ (1 << dice.randrange(8))]) + old[place + 1 :]


_NEXT: Mapping[str, Callable[[Any, random.Random], Any]] = {
    "name": _text,
    "amount": lambda old, dice: old + dice.choice((-1, 1)) * Decimal("0.0001"),
    "score": lambda old, dice: math.nextafter(old, dice.choice((-math.inf, math.inf))),
    "active": lambda old, _: not old,
    "born": lambda old, _: old + DAY,
    "seen": lambda old, dice: old + dice.choice((-1, 1)) * TICK,
    "wakes": _time,
    "photo": _bytes,
}
