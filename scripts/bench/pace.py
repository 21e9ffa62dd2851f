"""Measure how well processes share one account: use of its limit, and calls that it throttled.

`scripts/bench/pace.py [--limit 100] [--seconds 20]`. The destination counts calls in every sliding second and answers
429 with a Retry-After of one second beyond its limit. Each process runs a sync of its own to it, batches of one record.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from data import write_versions
from project import write_project

ROOT = Path(__file__).parent.parent.parent
TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
THROTTLED = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"


@dataclass
class Limited:
    """A destination that takes ``limit`` calls in any second."""

    limit: int
    taken: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    recent: deque[float] = field(default_factory=deque)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                writer.write(TAKEN if self._takes(time.perf_counter()) else THROTTLED)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _takes(self, now: float) -> bool:
        while self.recent and self.recent[0] <= now - 1:
            self.recent.popleft()
        if len(self.recent) >= self.limit:
            self.throttled.append(now)
            return False
        self.recent.append(now)
        self.taken.append(now)
        return True


@dataclass(frozen=True)
class Case:
    """Who calls, and what they were told of the limit."""

    title: str
    processes: int
    is_declared: bool
    learning_seconds: float


CASES = (
    Case("declared, one process", 1, True, 0),
    Case("declared, two processes", 2, True, 0),
    Case("undeclared, one process", 1, False, 8),
    Case("undeclared, two processes", 2, False, 8),
)


async def measured(case: Case, limit: int, seconds: float) -> str:
    """One row of the table."""
    destination = Limited(limit)
    server = await asyncio.start_server(destination.serve, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = int(limit * (seconds + case.learning_seconds) / case.processes)
        _write(home, server.sockets[0].getsockname()[1], case, limit, rows)
        runs = [await _started(home, number) for number in range(case.processes)]
        for run in runs:
            _, said = await run.communicate()
            assert run.returncode == 0, said.decode()
    server.close()
    begins = destination.taken[0] + case.learning_seconds
    # The end, when only one process still has something to send, is not a matter of sharing.
    ends = destination.taken[-1] - 1.0
    taken = sum(begins <= moment < ends for moment in destination.taken)
    throttled = sum(begins <= moment < ends for moment in destination.throttled)
    use = taken / (limit * (ends - begins))
    return f"| {case.title} | {ends - begins:.1f} | {use:.1%} | {throttled} ({throttled / (taken + throttled):.2%}) |"


def _write(home: Path, port: int, case: Case, limit: int, rows: int) -> None:
    write_project(home, port=port, memory="400MB")
    write_versions(rows, home / "data" / "customers.parquet", home / "later.parquet")
    rate = {"requests": limit, "per": "1s", "concurrency": 4} if case.is_declared else {"concurrency": 4}
    path = home / "destinations" / "sink.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "rate": rate, "batch": {"records": 1}}))
    sync = yaml.safe_load((home / "syncs" / "customers_to_sink.yaml").read_text())
    for number in range(case.processes):
        named = {**sync, "name": f"sync_{number}", "object": f"object_{number}"}
        (home / "syncs" / f"sync_{number}.yaml").write_text(yaml.safe_dump(named, sort_keys=False))


async def _started(home: Path, number: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "engine.faces.cli", "--project", str(home), "run", f"sync_{number}"]
    quiet, kept = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=kept, env=environment)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print(f"A limit of {options.limit} calls in any second; undeclared ones are learned for 8 s first.\n")
    print("| what | seconds | use of the limit | throttled calls |\n|---|---|---|---|")
    for case in CASES:
        print(await measured(case, options.limit, options.seconds), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
