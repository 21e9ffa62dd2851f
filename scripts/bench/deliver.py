"""Measure what delivering costs this process, in CPU time a record, next to bare calls with the same bodies.

`scripts/bench/deliver.py [--rows 200000] [--records 500] [--repeat 3] [--json FILE]`. A real plan goes through the real
step, ledger included, to a sink in a process of its own. CPU time is that of all threads, in user and kernel mode, and
says little about a machine until it stands beside the reference of the same round: httpx posting the same bodies, made
beforehand, as many at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from batches import batch_of, slices_of  # noqa: E402
from data import write_versions  # noqa: E402
from project import write_project  # noqa: E402
from sink import sink  # noqa: E402

from destinations.http import HttpDestination  # noqa: E402
from engine.bootstrap import open_app  # noqa: E402
from engine.delivery.batches import Slice  # noqa: E402
from engine.delivery.executor import End, StopSignal  # noqa: E402
from engine.delivery.stop import StopRequest  # noqa: E402
from engine.segments.compute import Session  # noqa: E402
from engine.service.runs import run_syncs  # noqa: E402
from engine.steps import send as send_step  # noqa: E402
from engine.steps.deliver import deliver  # noqa: E402
from engine.steps.delivery_log import Work  # noqa: E402
from engine.steps.facts import Sync, Tools  # noqa: E402

GOAL_MICROSECONDS = 20.0
CONCURRENCY = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """Microseconds of CPU a record. The step renders rows, makes bodies, and does the rest around its calls."""

    engine: float
    rendering: float
    bodies: float
    reference: float

    @property
    def difference(self) -> float:
        return self.engine - self.reference


@dataclass
class Bench:
    """Stands in the place of the deliver step: measures it, and then its parts and the reference with the same plan."""

    rounds: list[Round] = field(default_factory=list)

    def deliver(self, tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal) -> End:
        end, engine = _cpu(lambda: deliver(tools, session, sync, work, stop))
        cut, rendering = _cpu(lambda: list(slices_of(tools, session, sync, work)))
        requests, bodies = _cpu(lambda: [_request(sync, work, number, rows) for number, rows in enumerate(cut, 1)])
        _, reference = _cpu(lambda: asyncio.run(_post(requests)))
        share = 1e6 / work.segment.rows
        self.rounds.append(Round(engine * share, rendering * share, bodies * share, reference * share))
        return end


def main() -> None:
    options = _options()
    bench = Bench()
    send_step.deliver = bench.deliver
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        home = Path(folder)
        write_project(home, port=port, memory=options.memory)
        _batches_of(home, options.records)
        write_versions(options.rows, home / "data" / "customers.parquet", home / "later.parquet")
        for _ in range(options.repeat):
            shutil.rmtree(home / ".tidegate", ignore_errors=True)
            (report,) = run_syncs(open_app(home, environment=None), ["customers_to_sink"], StopRequest())
            assert report.delivered.total == options.rows, report
        counts = httpx.get(f"http://127.0.0.1:{port}/counts", trust_env=False).json()
        assert counts["records"] == 2 * options.repeat * options.rows, counts
    print(_table(options, bench.rounds))
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(r) for r in bench.rounds]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--records", type=int, default=500, help="in a batch")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="350MB")
    parser.add_argument("--json")
    return parser.parse_args()


def _batches_of(home: Path, records: int) -> None:
    path = home / "destinations" / "sink.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "batch": {"records": records}}))


def _cpu(act: Callable[[], T]) -> tuple[T, float]:
    """What ``act`` returns, and the seconds of CPU that this process took for it."""
    began = time.process_time()
    result = act()
    return result, time.process_time() - began


def _request(sync: Sync, work: Work, number: int, rows: Slice) -> httpx.Request:
    assert isinstance(sync.target.destination, HttpDestination)
    return sync.target.destination.encode(batch_of(sync, work, number, rows))


async def _post(requests: list[httpx.Request]) -> None:
    left = iter(requests)
    async with httpx.AsyncClient(trust_env=False) as client:

        async def one_after_the_other() -> None:
            for request in left:
                (await client.send(request)).raise_for_status()

        await asyncio.gather(*(one_after_the_other() for _ in range(CONCURRENCY)))


def _table(options: argparse.Namespace, rounds: list[Round]) -> str:
    rows = [
        ("the deliver step", [r.engine for r in rounds]),
        ("- rendering and cutting rows, alone", [r.rendering for r in rounds]),
        ("- making bodies, alone", [r.bodies for r in rounds]),
        ("reference: the same bodies, posted by httpx", [r.reference for r in rounds]),
        ("the step beyond the reference", [r.difference for r in rounds]),
    ]
    median = statistics.median(r.engine for r in rounds)
    return "\n".join(
        [
            f"{options.rows:,} records in batches of {options.records}, {len(rounds)} rounds, median (min to max)",
            "",
            "| what | CPU, microseconds a record |",
            "|---|---|",
            *(f"| {name} | {_spread(values)} |" for name, values in rows),
            "",
            f"Goal: at most {GOAL_MICROSECONDS:.0f}; {'reached' if median <= GOAL_MICROSECONDS else 'missed'}.",
        ]
    )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
