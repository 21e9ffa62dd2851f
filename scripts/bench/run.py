"""Measure the main job against a bare DuckDB join, each in a process of its own, and print the table.

`scripts/bench/run.py --rows 1000000 [--repeat 3] [--memory 350MB] [--json FILE]`. Times of the engine are those of
its own run report; memory is the largest resident set of the whole process. Medians are shown, with the range.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from data import bare_join, write_versions
from project import write_project
from sink import sink

HERE = Path(__file__).parent
BARE = """
import sys, time, duckdb
began = time.perf_counter()
with duckdb.connect(config={"threads": 2}) as connection:
    connection.execute("SET enable_progress_bar = false")
    (found,) = connection.execute(sys.argv[1]).fetchone()
print(time.perf_counter() - began, found)
"""


@dataclass(frozen=True)
class Sample:
    """One run of the command: seconds by step, peak memory in MB, records per second end to end, its counts."""

    status: str
    wall: float
    judged: float
    delivered: int
    rss_mb: float
    counts: dict[str, int]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        home = Path(folder)
        first, second = home / "v1.parquet", home / "v2.parquet"
        write_versions(options.rows, first, second)
        project = home / "project"
        write_project(project, port=port, memory=options.memory)
        rounds = [_round(project, first, second) for _ in range(options.repeat)]
    table = _table(options.rows, options.memory, rounds)
    print(table)
    if options.json:
        Path(options.json).write_text(
            json.dumps([[s if isinstance(s, float) else asdict(s) for s in r] for r in rounds])
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="350MB")
    parser.add_argument("--json")
    return parser.parse_args()


def _round(project: Path, first: Path, second: Path) -> tuple[float, Sample, Sample, Sample]:
    """The bare join, a first sync, the second version, and the second version again, from an empty ledger."""
    shutil.rmtree(project / ".tidegate", ignore_errors=True)
    source = project / "data" / "customers.parquet"
    bare = _bare(first, second)
    shutil.copyfile(first, source)
    full = _run(project)
    shutil.copyfile(second, source)
    delta = _run(project)
    unchanged = _run(project)
    return bare, full, delta, unchanged


def _bare(first: Path, second: Path) -> float:
    """Median of three: the reference should not be lucky or unlucky."""
    command = [sys.executable, "-c", BARE, bare_join(first, second)]
    times = []
    for _ in range(3):
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        times.append(float(printed.split()[0]))
    return statistics.median(times)


def _run(project: Path) -> Sample:
    command = [sys.executable, HERE / "measured.py", str(project)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    report = json.loads(done.stdout)
    return Sample(
        status=report["status"],
        wall=report["wall"],
        judged=sum(report["seconds"][step] for step in ("capture", "gate", "plan")),
        delivered=sum(report["delivered"].values()),
        rss_mb=report["rss_kb"] / 1024,
        counts=report["delivered"],
    )


def _table(rows: int, memory: str, rounds: list[tuple[float, Sample, Sample, Sample]]) -> str:
    bares = [r[0] for r in rounds]
    lines = [
        f"{rows:,} rows x 12 columns, compute.memory {memory}, {len(rounds)} rounds, median (min to max)",
        "",
        "| what | seconds | against the bare join | peak RSS, MB |",
        "|---|---|---|---|",
        f"| bare DuckDB join of the two files | {_spread(bares)} | 1 | |",
    ]
    for index, name in ((2, "second version: capture + gate + plan"), (3, "unchanged run: capture + gate + plan")):
        samples = [r[index] for r in rounds]
        ratio = statistics.median(s.judged / r[0] for s, r in zip(samples, rounds, strict=True))
        peak = max(s.rss_mb for s in samples)
        lines.append(f"| {name} | {_spread([s.judged for s in samples])} | {ratio:.1f} x | {peak:,.0f} |")
    full = [r[1] for r in rounds]
    speed = statistics.median(s.delivered / s.wall for s in full)
    peak = max(s.rss_mb for s in full)
    lines.append(f"| first sync, end to end, batches of 500 | {_spread([s.wall for s in full])} | | {peak:,.0f} |")
    lines += ["", f"First sync: {speed:,.0f} records/s end to end."]
    for name, samples in (("first", full), ("second", [r[2] for r in rounds])):
        lines.append(f"Delivered by the {name} run: {samples[0].counts}; status {samples[0].status}.")
    lines.append(f"Third run: {rounds[0][3].status}, {rounds[0][3].delivered} records.")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
