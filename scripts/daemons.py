"""Two daemons on one PostgreSQL, of which either is killed again and again: each scheduled moment must have one run.

`scripts/daemons.py [--syncs 50] [--minutes 10] [--every 60] [--kill-every 30] [--seed 1] [--json FILE]`. Exit code 1 says what
broke.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))

from engine.clock import SystemClock  # noqa: E402  # the checkout is not installed
from engine.core.events import RunFinished, RunResumed, RunStarted, TurnEnded, TurnTaken  # noqa: E402
from engine.core.names import SyncId, schedule_stream  # noqa: E402
from engine.ledger.database import open_database  # noqa: E402
from engine.ledger.log import Ledger  # noqa: E402
from engine.ledger.migrate import upgrade  # noqa: E402
from engine.ledger.recorded import Recorded  # noqa: E402
from tests.daemon.running import Running  # noqa: E402
from tests.postgres import postgres_server  # noqa: E402
from tests.projects import TestProject  # noqa: E402
from tests.receiver import Receiver, receiving  # noqa: E402

DAEMONS = 2
CLOCK = SystemClock()
SETTLE_SECONDS = 120.0
EVENTS_MAX = 1_000_000


def main() -> int:
    asked = _asked()
    numbers, broken = _measure(asked)
    for name, value in numbers.items():
        print(f"  {name:<60} {value:>10,.6g}")
    for sentence in broken[:20]:
        print(f"  BROKEN {sentence}", file=sys.stderr)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"numbers": numbers, "broken": broken}, indent=2) + "\n", encoding="utf-8")
    return 1 if broken else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill daemons, and see whether each scheduled moment had one run.")
    parser.add_argument("--syncs", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=int, default=60, metavar="SECONDS", help="the interval of each sync")
    parser.add_argument("--kill-every", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _measure(asked: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    dice, names = random.Random(asked.seed), [f"sync_{n:02}" for n in range(asked.syncs)]
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server()).url
        receiver = stack.enter_context(receiving())
        receiver.answer = _apart
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-daemons-")))
        project = _project(folder, receiver, url, names, asked.every)
        database = open_database(url)
        stack.callback(database.dispose)
        upgrade(database)
        daemons = [Running(folder) for _ in range(DAEMONS)]
        kills, rows = _storm(asked, dice, project, daemons, folder)
        _settle(receiver, names, rows)
        codes = [daemon.stop() for daemon in daemons]
        late = [line["late"] for daemon in daemons for line in daemon.said("turn_taken") if not line["missed"]]
        for daemon in daemons:
            daemon.close()
        ledger = Ledger(database, CLOCK, "judge")
        log = ledger.tail(EVENTS_MAX)
        judged = [_judge(log, SyncId(name), asked.every) for name in names]
        wanted = {f"{name}/{id}": value for name in names for id, (value, _) in rows.items()}
        held = {id: fields["name"] for id, fields in receiver.records.items()}
    broken = [sentence for _, sentences in judged for sentence in sentences]
    broken += ["the destination does not hold what is desired"] if held != wanted else []
    broken += [f"a daemon ended with {code}" for code in codes if code]
    late.sort()
    numbers = {
        "syncs": len(names),
        "daemons killed": kills,
        "scheduled moments that had their run": sum(count for count, _ in judged),
        "seconds late, p99, of daemons that lived to the end": late[int(len(late) * 0.99) - 1] if late else 0.0,
    }
    return numbers, broken


def _apart(body: dict[str, Any]) -> None:
    """Keep what several syncs send apart, for the receiver knows records by their ids."""
    for record in body["records"]:
        record["id"] = f"{body['sync']}/{record['id']}"


def _project(folder: Path, receiver: Receiver, url: str, names: list[str], every: int) -> TestProject:
    project = TestProject(folder, receiver.url, ledger=url)
    (folder / "syncs" / "people_to_hook.yaml").unlink()
    for name in names:
        project.sync(name, object=name, schedule={"every": f"{every}s"})
    main = folder / "tidegate.yaml"
    main.write_text(main.read_text() + "daemon: {concurrency: 4, per_destination: 4, per_connection: 4}\n")
    _write(project, {1: ("first", 0.5)})
    return project


def _storm(
    asked: argparse.Namespace, dice: random.Random, project: TestProject, daemons: list[Running], folder: Path
) -> tuple[int, dict[int, tuple[str, float]]]:
    """Change the source and kill daemons until the time is over; the kills, and what the source holds at last."""
    for daemon in daemons:
        daemon.wait_for("daemon_started")
    ends, kills, rows = CLOCK.monotonic() + asked.minutes * 60, 0, {1: ("first", 0.5)}
    while CLOCK.monotonic() < ends:
        time.sleep(asked.kill_every * dice.uniform(0.7, 1.3))
        rows = {**rows, dice.randint(1, 20): (f"change {kills}", 0.5)}
        _write(project, rows)
        one = dice.randrange(DAEMONS)
        daemons[one].kill()
        daemons[one].close()
        daemons[one] = Running(folder)
        kills += 1
    return kills, rows


def _settle(receiver: Receiver, names: list[str], rows: dict[int, tuple[str, float]]) -> None:
    """Wait until everything arrived, or for so long that it will not."""
    deadline = CLOCK.monotonic() + SETTLE_SECONDS
    while CLOCK.monotonic() < deadline:
        held = {id: fields.get("name") for id, fields in dict(receiver.records).items()}
        if all(held.get(f"{name}/{id}") == value for name in names for id, (value, _) in rows.items()):
            return
        time.sleep(0.5)


def _judge(log: Sequence[Recorded], name: SyncId, every: int) -> tuple[int, list[str]]:
    """How many moments of a sync had their run, and what of it is not as it must be."""
    broken, moments = [], list[datetime]()
    runs = _runs(log, name)
    cut_off = _cut_off(log, name)
    broken += [f"{name}: two runs at once" for a, b in pairwise(runs) if b[0] < a[1]]
    first: Recorded | None = None
    for recorded in (one for one in log if one.stream == schedule_stream(name)):
        event = recorded.event
        if isinstance(event, TurnTaken):
            if event.again != (first is not None):
                broken.append(f"{name}: the turn for {event.due} was taken twice")
            first = first or recorded
        elif isinstance(event, TurnEnded):
            if first is None or not isinstance(first.event, TurnTaken) or first.event.due != event.due:
                broken.append(f"{name}: the turn for {event.due} ended twice")
                continue
            within = sum(1 for began, _ in runs if first.sequence < began < recorded.sequence and began not in cut_off)
            if within != 1:
                broken.append(f"{name}: the turn for {event.due} had {within} runs")
            due = datetime.fromisoformat(event.due)
            moments += [due - n * timedelta(seconds=every) for n in reversed(range(first.event.missed + 1))]
            first = None
    if {b - a for a, b in pairwise(moments)} - {timedelta(seconds=every)}:
        broken.append(f"{name}: a moment was left out or had two turns")
    return len(moments), broken


def _cut_off(log: Sequence[Recorded], sync: SyncId) -> set[int]:
    """Where runs of a sync began that did not come to an end by themselves: the next one closed or finished them."""
    resumed = {one.event.run for one in log if isinstance(one.event, RunResumed) and one.event.sync == sync}
    return {int(one.sequence) for one in log if isinstance(one.event, RunStarted) and one.event.run in resumed}


def _runs(log: Sequence[Recorded], sync: SyncId) -> list[tuple[int, int]]:
    """Where in the ledger each run of a sync began and ended."""
    began: dict[str, int] = {}
    found = []
    for recorded in log:
        event = recorded.event
        if isinstance(event, RunStarted) and event.sync == sync:
            began[event.run] = recorded.sequence
        elif isinstance(event, RunFinished) and event.sync == sync:
            found.append((began.pop(event.run), int(recorded.sequence)))
    return sorted([*found, *((at, sys.maxsize) for at in began.values())])


def _write(project: TestProject, rows: dict[int, tuple[str, float]]) -> None:
    """Replace the source as a whole: a run that reads it finds what was there or what is."""
    columns = {"name": [name for name, _ in rows.values()], "score": [score for _, score in rows.values()]}
    project.data(pa.table({"id": pa.array(list(rows), pa.int64()), **columns}), "next.parquet")
    (project.folder / "data" / "next.parquet").replace(project.folder / "data" / "people.parquet")


if __name__ == "__main__":
    sys.exit(main())
