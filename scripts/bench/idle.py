"""What a daemon costs that has nothing to do: processor time and memory.

`scripts/bench/idle.py [--syncs 500] [--seconds 60]`. All schedules are for the turn of the year. The nursery beside the daemon is let
go after two minutes without a run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from time import sleep

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(1, str(ROOT))

from tests.daemon.running import running  # noqa: E402  # the checkout is not installed
from tests.projects import TestProject  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a daemon that has nothing to do.")
    parser.add_argument("--syncs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-idle-") as folder:
        project = TestProject(Path(folder), "http://127.0.0.1:9/batch")
        for n in range(asked.syncs - 1):
            project.sync(f"sync_{n}", object=f"o{n}", schedule={"cron": "0 0 1 1 *"})
        project.people({1: ("Ada", 0.5)})
        project.sync("people_to_hook", schedule={"cron": "0 0 1 1 *"})
        with running(Path(folder)) as daemon:
            daemon.wait_for("daemon_started")
            sleep(5)
            before = _processor_seconds(daemon.pid)
            sleep(asked.seconds)
            used = _processor_seconds(daemon.pid) - before
            own = _megabytes(daemon.pid)
            nursery = sum(_megabytes(child) for child in _children(daemon.pid))
            daemon.stop()
    print(f"{asked.syncs} syncs: {used / asked.seconds:.2%} of a core, daemon {own:.0f} MB, nursery {nursery:.0f} MB")
    return 0


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


if __name__ == "__main__":
    sys.exit(main())
