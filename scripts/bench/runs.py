"""Measure what many runs of one sync leave in the storage, with a rule that drops old plans and without one.

`scripts/bench/runs.py [--rows 20000] [--runs 200] [--keep 20]`. One row in a hundred changes before each run. Sizes are
those of what belongs to the sync: plans, delivered states, outcomes, and what says of each record when it was sent last.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import yaml
from data import write_versions
from project import write_project
from sink import sink
from versions import change

from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.service.app import App
from engine.service.runs import run_syncs

SYNC = "customers_to_sink"
SHOWN_EVERY = 25


def main() -> None:
    options = _options()
    for keep in (options.keep, 0):
        with tempfile.TemporaryDirectory() as folder, sink() as port:
            home = Path(folder)
            project = home / "project"
            write_project(project, port=port, memory=options.memory)
            if keep:
                _retain(project, keep)
            source = project / "data" / "customers.parquet"
            write_versions(options.rows, source, home / "unused.parquet")
            app = open_app(project, environment=None)
            try:
                _measure(app, source, options.runs, f"keep {keep}" if keep else "keep all")
            finally:
                app.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--keep", type=int, default=20, help="the plans of so many runs are kept")
    parser.add_argument("--memory", default="512MB")
    return parser.parse_args()


def _retain(project: Path, runs: int) -> None:
    file = project / "syncs" / f"{SYNC}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**content, "retain": {"runs": runs}}, sort_keys=False), encoding="utf-8")


def _measure(app: App, source: Path, runs: int, rule: str) -> None:
    most, processor = 0, time.process_time()
    for number in range(1, runs + 1):
        if number > 1:
            change(source, number)
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert report.status == "succeeded", report
        files = app.tools.storage.files(f"syncs/{SYNC}")
        size = sum(file.bytes for file in files)
        most = max(most, size)
        if number == 1 or number % SHOWN_EVERY == 0:
            spent = (time.process_time() - processor) / number
            print(
                f"{rule}: after {number} runs {size:,} bytes in {len(files)} files, at most {most:,}; {spent:.2f} s a run",
                flush=True,
            )


if __name__ == "__main__":
    main()
