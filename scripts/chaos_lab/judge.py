"""After the storm: runs until nothing is left to do, then every invariant, against the ledger and the destination."""

from __future__ import annotations

import time
from typing import Any

import pyarrow.parquet as pq
from chaos_lab.destination import Silence
from chaos_lab.stage import BATCH, CONCURRENCY, SYNC, WINDOW_BATCHES, WINDOW_RECORDS, Life

from tests.checker import check

RUNS_MAX = 4
WAIT_SECONDS_MAX = 60.0
HEARD_SECONDS = 0.3
"""How long after an answer a process may still be about to write down what it heard."""
WAITING = frozenset({"busy", "paused"})
"""A lease that somebody still holds, a circuit that is open: to be waited for, not failures."""
SENT = frozenset({"succeeded", "partial", "unchanged"})


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


def converge(life: Life) -> None:
    """Run until `unchanged`; raises `Broken` when that takes too long or a run claims what is not so."""
    life.calm()
    reports = [_run(life)]
    if life.receiver.poison:
        touched = [int(id) for id in life.receiver.poison]
        life.receiver.poison = frozenset()
        life.touch(touched)
        reports.append(_run(life))
    while reports[-1]["status"] != "unchanged":
        if len(reports) > RUNS_MAX:
            raise Broken("I9", f"no end after {[report['status'] for report in reports]}: {reports[-1]['reason']}")
        reports.append(_run(life))
    life.tally.converging_runs_max = max(life.tally.converging_runs_max, len(reports))


def _run(life: Life) -> dict[str, Any]:
    """One run that was not in anybody's way, and its report."""
    until = time.perf_counter() + WAIT_SECONDS_MAX
    while True:
        running = life.start()
        running.wait()
        report = running.report
        if not report:
            raise Broken("I9", f"a run without trouble told nothing but {running.said[-2000:]}")
        status = str(report["status"])
        life.history.append(f"run: {status}")
        if status in WAITING and time.perf_counter() < until:
            time.sleep(0.2)
            continue
        if status not in SENT:
            raise Broken("I9", f"a run without trouble ended as {status}: {report['reason']}")
        if status == "succeeded" and (report["failed"] or report["unknown"] or report["rejected"]):
            raise Broken("I8", f"a run succeeded with records that it owes: {report}")
        return report


def judge(life: Life) -> None:
    """Compare, count and verify. Raises `Broken`."""
    _end_state(life)
    _effects(life)
    again = _replayed(life)
    _repeats(life, again)
    _silences(life)
    verified = life.command("ledger", "verify")
    if verified.wait() != 0:
        life.tally.unverified += 1
        raise Broken("I1", f"the ledger does not verify: {verified.said}")


def _end_state(life: Life) -> None:
    held, wanted = life.receiver.records, life.wanted
    missing = [id for id in wanted if id not in held]
    stale = [id for id in held if held[id] != wanted.get(id) and id not in missing]
    life.tally.missing += len(missing)
    life.tally.stale += len(stale)
    if missing or stale:
        raise Broken("I9", f"{len(missing)} records are missing and {len(stale)} are stale, as {(missing + stale)[:5]}")


def _effects(life: Life) -> None:
    """An effect that changes nothing was there before: only for outcomes that the ledger calls unknown may that be."""
    unknown = _unknown(life)
    idle = life.receiver.idle.total()
    if idle > unknown:
        life.tally.duplicates += idle - unknown
        raise Broken("I5", f"{idle} effects came twice; {unknown} outcomes were recorded as unknown")


def _unknown(life: Life) -> int:
    """Exceptions of all receipts whose effect nobody knows."""
    tables = (pq.read_table(path) for path in (life.folder / ".tidegate").rglob("exceptions/*.parquet"))
    return sum(row["outcome"] == "unknown" or row["uncertain"] for table in tables for row in table.to_pylist())


def _replayed(life: Life) -> int:
    """What the checker says; how many records came again under one plan."""
    storage = life.folder / ".tidegate" / "segments"
    try:
        return check(life.url, storage, SYNC, life.receiver.journal, life.receiver.records).again
    except AssertionError as error:
        invariant, _, what = str(error).partition(": ")
        raise Broken(invariant, what) from error


def _repeats(life: Life, again: int) -> None:
    """What is sent twice has a cause: a window for each blow, a batch for each disturbed call."""
    allowed = life.windows * WINDOW_RECORDS + life.disturbed * BATCH
    if again > allowed:
        raise Broken("I5", f"{again} records came again, where {allowed} are explained")
    calls, keys = len(life.receiver.journal), len({entry.key for entry in life.receiver.journal})
    if calls - keys > life.windows * WINDOW_BATCHES + life.disturbed:
        raise Broken("I19", f"{calls - keys} calls were repeated, more than was disturbed")


def _silences(life: Life) -> None:
    """While the destination wants no calls, only those come that were on their way when it said so."""
    for silence in [s for s in life.receiver.silences if _was_heard(life, s)]:
        came = sum(silence.began < moment < silence.ends for moment in life.receiver.arrivals)
        if came > CONCURRENCY - 1:
            life.tally.early += came - (CONCURRENCY - 1)
            raise Broken("I19", f"{came} calls came while the destination had asked for silence")


def _was_heard(life: Life, silence: Silence) -> bool:
    """Whether the process that was asked could tell the ledger, and nobody was about who could not know."""
    hit = any(silence.began <= moment < silence.began + HEARD_SECONDS for moment in life.hits)
    return not hit and not any(silence.began <= moment < silence.ends for moment in life.continued)


def close(life: Life) -> None:
    """Add what only the end of a life tells to the tally."""
    again = _replayed(life)
    allowed = life.windows * WINDOW_RECORDS + life.disturbed * BATCH
    life.tally.again += again
    life.tally.again_max += allowed
    life.tally.again_worst = max(life.tally.again_worst, again / allowed if allowed else 0.0)
    unknown, idle = _unknown(life), life.receiver.idle.total()
    life.tally.silences += sum(_was_heard(life, silence) for silence in life.receiver.silences)
    begun, finished = life.look.runs()
    life.tally.begun += begun
    life.tally.finished += finished
    life.tally.unknown += unknown
    life.tally.repeated_effects += idle
