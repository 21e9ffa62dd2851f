"""Run a project's sync many times in one process, and print what the process then holds: `repeated_runs.py FOLDER RUNS`.

Every second run has something to send, and its destination is elsewhere; what grows here is the engine's.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from engine.bootstrap import open_app  # the checkout is not installed
from engine.delivery.stop import StopRequest
from engine.service.runs import run_syncs
from tests.projects import TestProject

ROWS = 20
LOOKS = 10
"""At how many moments, evenly spread, the process is looked at; the first two are its warming up."""
_PROC = Path("/proc/self")


def main() -> None:
    folder, url, runs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    project = TestProject(folder, url)
    looks, statuses = [], list[str]()
    for number in range(runs):
        if number % 2 == 0:
            project.people({id: (f"person {id}", float(number)) for id in range(ROWS)})
        app = open_app(folder, environment=None)
        try:
            statuses += [report.status.value for report in run_syncs(app, ["people_to_hook"], StopRequest())]
        finally:
            app.close()
        if (number + 1) % max(1, runs // LOOKS) == 0:
            gc.collect()
            looks.append(_look())
    print(json.dumps({"looks": looks, "statuses": {status: statuses.count(status) for status in set(statuses)}}))


def _look() -> dict[str, int]:
    resident = int((_PROC / "statm").read_text(encoding="ascii").split()[1]) * 4
    return {"files": _count("fd"), "threads": _count("task"), "resident_kb": resident}


def _count(what: str) -> int:
    return sum(1 for _ in (_PROC / what).iterdir())


if __name__ == "__main__":
    main()
