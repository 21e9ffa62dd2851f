"""Measure how fast rows get into a local PostgreSQL, next to a bare COPY of the same rows.

`scripts/bench/sql.py [--rows 200000] [--repeat 3]`. A real plan goes through the real step, ledger included, into a table
of twelve columns with a primary key; then its batches through the adapter alone, two at once, into an empty table; then
the same rows by psycopg's COPY into an empty table, nothing around it. The server comes from the wheel and does not wait
for the disk. Rows per second say little on a machine that does other things; processor time says more, that of this
process and that of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from batches import batch_of, slices_of  # noqa: E402
from data import write_versions  # noqa: E402
from project import write_project  # noqa: E402

from destinations.base import AllDelivered, Batch  # noqa: E402
from destinations.sql.adapter import SqlConfig, SqlTable  # noqa: E402
from engine.bootstrap import open_app  # noqa: E402
from engine.delivery.executor import End, StopSignal  # noqa: E402
from engine.delivery.stop import StopRequest  # noqa: E402
from engine.segments.compute import Session  # noqa: E402
from engine.service.runs import run_syncs  # noqa: E402
from engine.steps import send as send_step  # noqa: E402
from engine.steps.deliver import deliver  # noqa: E402
from engine.steps.delivery_log import Work  # noqa: E402
from engine.steps.facts import Sync, Tools  # noqa: E402
from tests.postgres import postgres_server  # noqa: E402

GOAL_ROWS_PER_SECOND = 100_000
CONCURRENCY = 2
TABLE = """CREATE TABLE contacts (
    external_id bigint PRIMARY KEY, email text, first_name text, last_name text, phone text, country text, city text,
    ltv numeric(12, 2), orders bigint, signup_date date, last_seen timestamptz, opted_in boolean
)"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of one way into the table: rows per second, and microseconds of processor a row, here and in the server."""

    rate: float
    here: float
    server: float


class Bench:
    """Stands in the place of the deliver step: measures it, and then the adapter and the reference with the same plan."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.costs: dict[str, list[Cost]] = {"the deliver step": [], "the adapter alone": [], "bare COPY": []}
        with psycopg.connect(url) as connection:
            (path,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        self._postmaster = int((Path(path) / "postmaster.pid").read_text().splitlines()[0])

    def deliver(self, tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal) -> End:
        self.emptied()
        count = work.segment.rows
        end = self.measured("the deliver step", count, lambda: deliver(tools, session, sync, work, stop))
        batches = [
            batch_of(sync, work, number, rows) for number, rows in enumerate(slices_of(tools, session, sync, work), 1)
        ]
        self.emptied()
        self.measured("the adapter alone", count, lambda: asyncio.run(self._sent(batches)))
        assert self.held() == count
        rows = [_row(record) for batch in batches for record in batch.records]
        self.emptied()
        self.measured("bare COPY", count, lambda: self._copied(rows))
        assert self.held() == count
        return end

    def emptied(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS tidegate_delivery")
            connection.execute("DROP TABLE IF EXISTS contacts")
            connection.execute(TABLE)
            connection.execute("CHECKPOINT")

    def held(self) -> int:
        with psycopg.connect(self.url) as connection:
            return int((connection.execute("SELECT count(*) FROM contacts").fetchone() or (0,))[0])

    def measured(self, name: str, count: int, act: Callable[[], Any]) -> Any:
        server, here, began = self._server_seconds(), time.process_time(), time.perf_counter()
        result = act()
        seconds, here = time.perf_counter() - began, time.process_time() - here
        share = 1e6 / count
        self.costs[name].append(Cost(count / seconds, here * share, (self._server_seconds() - server) * share))
        return result

    async def _sent(self, batches: list[Batch]) -> None:
        adapter, left = SqlTable(SqlConfig.model_validate({"url": self.url})), iter(batches)

        async def one_after_the_other() -> None:
            for batch in left:
                assert await adapter.send(batch, _NO_HTTP) == AllDelivered()

        await asyncio.gather(*(one_after_the_other() for _ in range(CONCURRENCY)))
        await adapter.close()

    def _copied(self, rows: list[tuple[object, ...]]) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor().copy("COPY contacts FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _server_seconds(self) -> float:
        """Processor time of the server's processes: those that live, and those that it had to bury."""
        own = _ticks(self._postmaster)
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split()
        return (sum(own) + sum(sum(_ticks(int(child))[:2]) for child in children)) / TICKS


_NO_HTTP: Any = None
"""A database is not spoken to over HTTP."""


def _ticks(pid: int) -> list[int]:
    """Ticks of a process in user and kernel mode, and of the children that it waited for; none when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return [0, 0, 0, 0]
    return [int(field) for field in stat.rpartition(")")[2].split()[11:15]]


def _row(record: Any) -> tuple[object, ...]:
    return (*record.key.values(), *record.fields.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="350MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        bench, home = Bench(server.plain_url), Path(folder)
        send_step.deliver = bench.deliver
        write_project(home, port=9, memory=options.memory)
        destination = {"name": "sink", "type": "sql", "config": {"url": server.plain_url}}
        (home / "destinations" / "sink.yaml").write_text(yaml.safe_dump(destination))
        write_versions(options.rows, home / "data" / "customers.parquet", home / "later.parquet")
        for _ in range(options.repeat):
            shutil.rmtree(home / ".tidegate", ignore_errors=True)
            (report,) = run_syncs(open_app(home, environment=None), ["customers_to_sink"], StopRequest())
            assert report.delivered.total == options.rows, report
    print(_table(options, bench.costs))


def _table(options: argparse.Namespace, costs: dict[str, list[Cost]]) -> str:
    lines = [
        f"| {name} | {_spread([c.rate for c in found], ',.0f')} | {_spread([c.here for c in found], '.1f')} | "
        f"{_spread([c.server for c in found], '.1f')} |"
        for name, found in costs.items()
    ]
    reached = statistics.median(c.rate for c in costs["the adapter alone"]) >= GOAL_ROWS_PER_SECOND
    return "\n".join(
        [
            f"{options.rows:,} rows of 12 columns, {options.repeat} rounds, median (min to max)",
            "",
            "| what | rows/s | CPU here, microseconds a row | CPU of the server, microseconds a row |",
            "|---|---|---|---|",
            *lines,
            "",
            f"Goal: {GOAL_ROWS_PER_SECOND:,} rows/s through the adapter; {'reached' if reached else 'missed'}.",
        ]
    )


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
