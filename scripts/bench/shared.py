"""Measure what many syncs of one dataset cost against one: a version of which 0.1 % changed is read once and planned for each.

`scripts/bench/shared.py --rows 1000000 [--syncs 20] [--memory 1GB] [--repeat 3]`. Every sync has its records delivered
(by adoption) before. The reference is the same command with one sync, from a copy of the same project; each run is a
process of its own, and the two take turns. Times are those of the run reports; medians are shown, with the range.
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
from dataclasses import dataclass
from pathlib import Path

import duckdb
from data import write_versions
from project import FILES, write_project
from sink import sink

HERE = Path(__file__).parent
CHANGED_EVERY = 1_000
GOAL = 3.0
ADOPT = """
import sys
from pathlib import Path
from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.service.captures import capture_dataset
from engine.service.resync import adopt_version
app = open_app(Path(sys.argv[1]), environment=None)
capture_dataset(app, "customers")
for name in app.sync_names:
    (report,) = adopt_version(app, name, "delivered by a file", StopRequest())
    assert report.status == "succeeded", report
"""
RUN = """
import json, sys, time
from dataclasses import asdict
from pathlib import Path
from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.service.runs import run_syncs
app = open_app(Path(sys.argv[1]), environment=None)
began = time.perf_counter()
reports = run_syncs(app, app.sync_names[: int(sys.argv[2])], StopRequest())
print(json.dumps({"wall": time.perf_counter() - began, "reports": [asdict(report) for report in reports]}))
"""


@dataclass(frozen=True)
class Sample:
    """One run of some syncs: seconds in all, and of which step."""

    wall: float
    steps: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--syncs", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="1GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        home = Path(folder)
        project = _delivered(home, options.rows, options.syncs, port, options.memory)
        rounds = [(_run(home, project, 1), _run(home, project, options.syncs)) for _ in range(options.repeat)]
    print(
        f"{options.rows:,} rows, {1 / CHANGED_EVERY:.1%} changed, compute.memory {options.memory}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for index, count in enumerate((1, options.syncs)):
        found = [r[index] for r in rounds]
        steps = {step: statistics.median(f.steps[step] for f in found) for step in found[0].steps}
        spent = ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items())
        print(f"{count:>2} syncs: {_spread([f.wall for f in found])} s ({spent})")
    ratio = statistics.median(every.wall / one.wall for one, every in rounds)
    print(f"{options.syncs} syncs take {ratio:.2f} times as long as one (wanted: at most {GOAL:g})")


def _delivered(home: Path, rows: int, syncs: int, port: int, memory: str) -> Path:
    """A project in which every sync holds the first version, and the second is in the source."""
    first, second, project = home / "v1.parquet", home / "v2.parquet", home / "project"
    write_versions(rows, first, home / "unused.parquet")
    changed = f"CASE WHEN customer_id % {CHANGED_EVERY} = 0 THEN orders + 1 ELSE orders END"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE ({changed} AS orders) FROM '{first}') TO '{second}' (FORMAT parquet)"
        )
    write_project(project, port=port, memory=memory)
    text = FILES["syncs/customers_to_sink.yaml"].format()
    for number in range(1, syncs):
        name = f"customers_to_sink_{number:02d}"
        copy = text.replace("customers_to_sink", name).replace("contacts", f"contacts{number}")
        (project / "syncs" / f"{name}.yaml").write_text(copy, encoding="utf-8")
    shutil.copyfile(first, project / "data" / "customers.parquet")
    _python(ADOPT, project)
    shutil.copyfile(second, project / "data" / "customers.parquet")
    return project


def _run(home: Path, project: Path, syncs: int) -> Sample:
    copy = home / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy)
    found = json.loads(_python(RUN, copy, str(syncs)))
    for report in found["reports"]:
        assert (report["status"], report["plan"]["comparison"]) == ("succeeded", "incremental"), report
    steps = [report["seconds"] for report in found["reports"]]
    return Sample(found["wall"], {step: sum(each[step] for each in steps) for step in steps[0] if step != "total"})


def _python(script: str, *arguments: Path | str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
