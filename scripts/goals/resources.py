"""G18: files, threads, memory, the ledger and its WAL stay within their bounds, however many runs and rows there are.

A process makes 1,000 runs and is looked at meanwhile. The benchmark's project sends 2 million rows in batches of 500,
twice, while readers of our own look into the ledger; its memory is the largest resident set, not the address space:
DuckDB and Arrow reserve far more addresses than they use.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.sink import sink
from goals.goal import Effort, Goal, Numbers

from engine.clock import SystemClock
from engine.errors import TidegateError
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.projections import runs

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"
RUNS, RUNS_MIN = 1_000, 40
ROWS, ROWS_MIN = 2_000_000, 20_000
MEBIBYTE = 1024 * 1024
MEMORY_MAX, WAL_MAX, RECORD_BYTES_MAX = 1024 * MEBIBYTE, 64 * MEBIBYTE, 200
RESIDENT_GROWTH_MAX = 0.02
"""Mebibytes a run that the resident set may grow once warm; allocators keep what they had, and give back late."""
LOOK_SECONDS = 0.05
COMPUTE_MEMORY = "350MB"


def measure(effort: Effort) -> Numbers:
    with tempfile.TemporaryDirectory(prefix="tidegate-resources-") as folder, sink() as port:
        home = Path(folder)
        return {
            **_many_runs(home / "runs", port, max(RUNS_MIN, effort.of(RUNS))),
            **_many_rows(home / "rows", port, max(ROWS_MIN, effort.of(ROWS))),
        }


def _many_runs(folder: Path, port: int, count: int) -> Numbers:
    folder.mkdir()
    script = Path(__file__).with_name("repeated_runs.py")
    found = _said([str(script), str(folder), f"http://127.0.0.1:{port}/batch", str(count)])
    warm, last = found["looks"][1], found["looks"][-1]
    between = count * (len(found["looks"]) - 2) // len(found["looks"])
    return {
        "runs in one process": sum(found["statuses"].values()),
        "of these with something to send": found["statuses"].get("succeeded", 0),
        "of these without": found["statuses"].get("unchanged", 0),
        "growth of open files": last["files"] - warm["files"],
        "growth of threads": last["threads"] - warm["threads"],
        "growth of the resident set, MiB": round((last["resident_kb"] - warm["resident_kb"]) / 1024, 1),
        "runs over which it grew": between,
    }


def _many_rows(folder: Path, port: int, rows: int) -> Numbers:
    first, second, project = folder / "v1.parquet", folder / "v2.parquet", folder / "project"
    folder.mkdir()
    _said(["-c", _PREPARE, str(BENCH), str(rows), str(folder), str(port), COMPUTE_MEMORY], is_json=False)
    shutil.copyfile(first, project / "data" / "customers.parquet")
    peak, full = 0, {}
    ledger = project / ".tidegate" / "ledger.db"
    with _watched(ledger) as watched:
        full = _said([str(BENCH / "measured.py"), str(project)])
        shutil.copyfile(second, project / "data" / "customers.parquet")
        delta = _said([str(BENCH / "measured.py"), str(project)])
    peak = max(full["rss_kb"], delta["rss_kb"]) * 1024
    acknowledged = sum(full["delivered"].values()) + sum(delta["delivered"].values())
    size = sum(path.stat().st_size for path in ledger.parent.glob("ledger.db*"))
    return {
        "rows planned and applied": rows,
        "records acknowledged": acknowledged,
        "runs that succeeded": [full["status"], delta["status"]].count("succeeded"),
        "peak of the resident set, MiB": round(peak / MEBIBYTE),
        "seconds of the first run": round(full["wall"], 1),
        "bytes of ledger per acknowledged record": round(size / max(1, acknowledged), 1),
        "largest WAL, MiB": round(watched.largest / MEBIBYTE, 1),
        "looks of our own readers meanwhile": watched.looks,
    }


_PREPARE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from data import write_versions
from project import write_project
folder = Path(sys.argv[3])
write_versions(int(sys.argv[2]), folder / "v1.parquet", folder / "v2.parquet")
write_project(folder / "project", port=int(sys.argv[4]), memory=sys.argv[5])
"""


def _said(arguments: list[str], *, is_json: bool = True) -> dict[str, Any]:
    """What a program of the checkout printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return dict(json.loads(done.stdout)) if is_json else {}


@dataclass
class Watched:
    """What a look at the ledger beside the runs saw."""

    largest: int = 0
    looks: int = 0


@contextmanager
def _watched(ledger: Path) -> Iterator[Watched]:
    """Read what `status`, `runs` and `ledger show` read, again and again, and measure the WAL."""
    watched, done = Watched(), threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            wal = ledger.with_name(ledger.name + "-wal")
            if ledger.exists():
                watched.looks += _is_read(ledger)
                watched.largest = max(watched.largest, wal.stat().st_size if wal.exists() else 0)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        done.set()
        thread.join()


def _is_read(ledger: Path) -> bool:
    engine = open_database(f"sqlite:///{ledger}")
    try:
        Ledger(engine, SystemClock(), "goal").tail(20)
        runs.last(engine, "customers_to_sink")
    except TidegateError:
        return False  # its schema is being made
    finally:
        engine.dispose()
    return True


def broken(numbers: Numbers) -> list[str]:
    grown = [name for name in ("growth of open files", "growth of threads") if numbers[name] > 0]
    told = [f"{name} is {numbers[name]:g} and must be 0" for name in grown]
    growth = max(8.0, RESIDENT_GROWTH_MAX * numbers["runs over which it grew"])
    for name, most in (
        ("growth of the resident set, MiB", growth),
        ("peak of the resident set, MiB", MEMORY_MAX / MEBIBYTE),
        ("bytes of ledger per acknowledged record", RECORD_BYTES_MAX),
        ("largest WAL, MiB", WAL_MAX / MEBIBYTE),
    ):
        if numbers[name] > most:
            told.append(f"{name} is {numbers[name]:g} and may be {most:g}")
    halves = min(numbers["of these with something to send"], numbers["of these without"])
    if halves < numbers["runs in one process"] // 2 or numbers["runs that succeeded"] < 2:
        told.append("not every run did what it was to do")
    if (
        numbers["records acknowledged"] < numbers["rows planned and applied"]
        or not numbers["looks of our own readers meanwhile"]
    ):
        told.append("fewer rows were sent, or nobody read meanwhile")
    return told


GOAL = Goal("G18", "files, threads, memory, ledger and WAL stay within bounds", measure, broken, share=0.01)
