"""Measure what many versions of a dataset occupy, and how long any of them takes to be put together again.

`scripts/bench/versions.py --rows 1000000 [--versions 200] [--every 20]`. One row in a hundred changes with each version.
Sizes are in snapshots: what one whole version takes, as it is stored. Times are in reads of one, streamed to its end in the
same run: of the clock, and of the processor, which says less of who else is at work on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
from data import write_versions
from project import write_project

from engine.bootstrap import open_app
from engine.core.names import VersionNumber
from engine.ledger.projections import versions
from engine.service.app import App
from engine.service.captures import capture_dataset
from engine.steps.snapshots import snapshot_table

_CHANGED = """
COPY (SELECT * REPLACE (CASE WHEN hash(customer_id, {version}) % 100 = 0 THEN lifetime_value + 1 ELSE lifetime_value END
                        AS lifetime_value) FROM read_parquet('{old}')) TO '{new}' (FORMAT parquet, COMPRESSION zstd)
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        project = home / "project"
        write_project(project, port=9, memory=options.memory)
        source = project / "data" / "customers.parquet"
        write_versions(options.rows, source, home / "unused.parquet")
        app = open_app(project, environment=None)
        try:
            for version in range(1, options.versions + 1):
                if version > 1:
                    change(source, version)
                report = capture_dataset(app, "customers")
                assert report.version == version, report
            _report(app, options)
        finally:
            app.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--versions", type=int, default=200)
    parser.add_argument("--every", type=int, default=20, help="put each so-many-th version together")
    parser.add_argument("--memory", default="512MB")
    return parser.parse_args()


def change(source: Path, version: int) -> None:
    new = source.with_suffix(".new")
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(_CHANGED.format(version=version, old=source, new=new))
    new.rename(source)


def _report(app: App, options: argparse.Namespace) -> None:
    listed = versions.listing(app.tools.database, app.dataset("customers").id)
    newest = listed[-1]
    stored = sum(file.bytes for file in app.tools.storage.files("datasets"))
    whole = [row.version for row in listed if app.tools.storage.exists(row.snapshot)]
    print(
        f"{options.rows:,} rows, {len(listed)} versions: {stored / newest.snapshot.bytes:.2f} snapshots, whole: {whole}"
    )
    for row in listed[options.every - 1 :: options.every]:
        times = [(_spent(app, row.version), _spent(app, newest.version)) for _ in range(5)]
        clock, processor = (statistics.median(one[i] / read[i] for one, read in times) for i in (0, 1))
        print(f"version {row.version}: {clock:.2f} reads of a snapshot, by the processor {processor:.2f}", flush=True)


def _spent(app: App, version: VersionNumber) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    with app.tools.compute.session() as session:
        clock, processor = time.perf_counter(), time.process_time()
        rows = snapshot_table(app.tools, session, app.dataset("customers").id, version)
        for _ in session.stream(rows):
            pass
        return time.perf_counter() - clock, time.process_time() - processor


if __name__ == "__main__":
    main()
