"""A process that dies around the commit of a batch: its database and the moment are its arguments."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from destinations.base import Op
from destinations.sql import marker
from tests.destinations.batches import batch
from tests.destinations.sql.places import Place


def die(*_: Any) -> Any:
    os._exit(7)


def main() -> None:
    kind, url, moment, numbers = sys.argv[1:]
    if moment == "before the commit":
        marker.pruning = die  # the last statement of a run's first batch
    Place(kind, url, die).send(batch(Op.UPSERT, {n: {"name": f"n{n}"} for n in json.loads(numbers)}, run="run-1"))
    die()


if __name__ == "__main__":
    main()
