"""G26: many processes write one ledger, and none is told that it is locked; many workers claim one lease, and never two at once.

Eight processes on a SQLite file do what runs do: take a lease, append under its fence, keep a read model, share a rate
budget. Sixteen on PostgreSQL claim leases of few names; a claim that is granted while another holds would show as an
epoch that was given twice, or as two holders inside at once.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psycopg
from goals.goal import Effort, Goal, Numbers, never
from sqlalchemy import text

from engine.clock import SystemClock, SystemEntropy
from engine.core.events import RunFinished, RunStarted
from engine.core.names import DatasetId, RunId, run_stream
from engine.core.pace import Pace
from engine.errors import Busy, LedgerError, StaleEpoch
from engine.ledger.budget import AccountBudget
from engine.ledger.database import open_database
from engine.ledger.lease import Fence, acquire, release
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from tests.postgres import postgres_server

WRITERS, SECONDS = 8, 60.0
WORKERS, CLAIMS, NAMES = 16, 100_000, 4
LEASE_SECONDS = 30.0
LOCKED, REFUSED = "errors of the ledger that a writer saw", "appends under a lease of one's own that were refused"
LOST = "events that were acknowledged and are not there"
DOUBLE, INSIDE = "epochs that were given twice", "claims granted while another held the name"
CLAIM_ERRORS = "errors of the ledger that a worker saw"
"""A claim is inside from its grant to its release; a row that only its holder may find empty says so."""
_GUARD = "CREATE TABLE inside (name text PRIMARY KEY, worker int)"
_ENTER = "UPDATE inside SET worker = %s WHERE name = %s AND worker IS NULL"
_LEAVE = "UPDATE inside SET worker = NULL WHERE name = %s AND worker = %s"


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does, on which ledger, beginning at a moment that all share."""

    url: str
    number: int
    begins: float
    amount: float


def measure(effort: Effort) -> Numbers:
    return {**_sqlite(max(3.0, SECONDS * effort.share)), **_postgres(effort.of(CLAIMS))}


def _sqlite(seconds: float) -> Numbers:
    with tempfile.TemporaryDirectory(prefix="tidegate-writers-") as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        _made(url)
        found = _at_once(_write, url, WRITERS, seconds)
        engine = open_database(url)
        try:
            with engine.connect() as connection:
                there = int(
                    connection.execute(text("SELECT count(*) FROM event WHERE stream LIKE 'run:%'")).scalar_one()
                )
        finally:
            engine.dispose()
    return {
        "SQLite writers": WRITERS,
        "seconds of writing": seconds,
        "events appended": found["events"],
        "leases taken": found["leases"],
        "slices of a budget taken": found["slices"],
        "writers that wrote": found["writers"],
        LOCKED: found["errors"],
        REFUSED: found["refused"],
        LOST: max(0, found["events"] - there),
        "longest append, milliseconds": found["longest"],
    }


def _postgres(claims: int) -> Numbers:
    with postgres_server() as server:
        _made(server.url)
        with psycopg.connect(server.plain_url, autocommit=True) as connection:
            connection.execute(_GUARD)
            for name in range(NAMES):
                connection.execute("INSERT INTO inside VALUES (%s, NULL)", [str(name)])
        found = _at_once(_claim, server.url, WORKERS, claims / WORKERS)
    granted = {name: count for name, count in found.items() if name.startswith("epoch ")}
    return {
        "PostgreSQL workers": WORKERS,
        "claims": found["claims"],
        "claims wanted": claims,
        "claims granted": found["granted"],
        DOUBLE: sum(count > 1 for count in granted.values()),
        INSIDE: found["inside"],
        CLAIM_ERRORS: found["errors"],
    }


def _made(url: str) -> None:
    engine = open_database(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _at_once(work: Callable[[Task], Counter[str]], url: str, count: int, amount: float) -> Counter[str]:
    """What all processes counted together; they begin at one moment."""
    tasks = [Task(url, number, time.perf_counter() + 3.0, amount) for number in range(count)]
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        found = list(pool.map(work, tasks))
    longest = max(one.pop("longest", 0) for one in found)
    total = sum(found, Counter[str]())
    total["longest"] = longest
    return total


def _write(task: Task) -> Counter[str]:
    found, clock = Counter[str](writers=1), SystemClock()
    engine = open_database(task.url)
    ledger = Ledger(engine, clock, f"writer-{task.number}")
    budget = AccountBudget(engine, clock, SystemEntropy(), "shared", {"requests": Pace(1e9, 1)})
    _await(task.begins)
    until = time.perf_counter() + task.amount
    while time.perf_counter() < until:
        try:
            lease = acquire(engine, clock, f"sync:{task.number}", f"writer-{task.number}", LEASE_SECONDS)
            _append(ledger, Fence(lease.name, lease.epoch), RunId(f"run-{task.number}-{lease.epoch}"), found)
            budget.slice("requests", 1.0)
            release(engine, lease)
            found.update(leases=1, slices=1)
        except StaleEpoch:
            found["refused"] += 1
        except LedgerError as error:
            found["errors"] += 1
            found[f"error {error.what}"] += 1
    engine.dispose()
    return found


def _append(ledger: Ledger, fence: Fence, run: RunId, found: Counter[str]) -> None:
    dataset = DatasetId("people@1")
    sync = fence.name.partition(":")[2]
    ends = RunFinished(run=run, sync=sync, status="unchanged", reason="", version=None, candidate=None, seconds={})
    for event in (RunStarted(run=run, sync=sync, dataset=dataset, destination="hook"), ends):
        began = time.perf_counter()
        ledger.append(run_stream(run), event, fence=fence)
        found["longest"] = max(found["longest"], round(1000 * (time.perf_counter() - began)))
        found["events"] += 1


def _claim(task: Task) -> Counter[str]:
    found, clock = Counter[str](), SystemClock()
    engine = open_database(task.url)
    holder = json.dumps(task.number)
    with engine.connect() as connection:
        plain = connection.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    _await(task.begins)
    with psycopg.connect(plain, autocommit=True) as inside:
        for turn in range(round(task.amount)):
            name = str((turn + task.number) % NAMES)
            found["claims"] += 1
            try:
                lease = acquire(engine, clock, name, holder, LEASE_SECONDS)
            except Busy:
                continue
            except LedgerError:
                found["errors"] += 1
                continue
            found.update({"granted": 1, f"epoch {name}:{lease.epoch}": 1})
            found["inside"] += inside.execute(_ENTER, [task.number, name]).rowcount != 1
            found["inside"] += inside.execute(_LEAVE, [name, task.number]).rowcount != 1
            release(engine, lease)
    engine.dispose()
    return found


def _await(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, LOCKED, REFUSED, LOST, DOUBLE, INSIDE, CLAIM_ERRORS)
    if numbers["writers that wrote"] < WRITERS or numbers["events appended"] < 10 * numbers["seconds of writing"]:
        told.append("the writers hardly wrote")
    if numbers["claims"] < 0.99 * numbers["claims wanted"] or numbers["claims granted"] < 0.01 * numbers["claims"]:
        told.append("fewer claims were made or granted than intended")
    return told


GOAL = Goal("G26", "many writers of one ledger do not get in each other's way", measure, broken, share=0.015)
