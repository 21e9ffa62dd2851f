"""G12: a destination refuses every call for a minute, and five syncs that share its account neither hammer nor forget it.

Each sync is a process of its own, started again when it ends before its work is done, as a scheduler does. The destination
writes down when each call arrived; all that is judged comes from those moments.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from chaos_lab.processes import Processes, Running, Setting, starting
from chaos_lab.storm import ROOT
from goals.goal import Effort, Goal, Numbers, never

from tests.projects import TestProject
from tests.receiver import Answer, Receiver, receiving

SYNCS = 5
RATE = 40
CALM_SECONDS, STORM_SECONDS, AFTER_SECONDS = 8, 60, 20
STORM_SECONDS_MIN = 6
SILENCE_SECONDS = 2.0
KINDS = ((503, None), (503, SILENCE_SECONDS), (429, SILENCE_SECONDS), (429, None))
"""The storms: what every call is answered, and the silence that is asked for."""
CALLS_SHARE_MAX = 1.1
RECOVERY_SECONDS_MAX, RECOVERED_SHARE, RECOVERED_WINDOW = 10.0, 0.9, 2.0
PROBE_GAP_SECONDS = 1.0
"""A call in the storm that comes so long after the one before is a probe."""
HEARD_SECONDS = 0.3
"""How long after an answer calls may still arrive that left before anybody had read it."""
SPIKE_SHARE_MAX = 1.05
"""What a busy machine holds up for a moment arrives beside the next: that much more than the limit is no spike."""
RESTART_SECONDS = 1.0
SECONDS_MAX = 600.0
EARLY, OVER, MISSING = "calls before the silence was over", "calls beyond what is allowed", "records missing"
SPIKES, SLOW = "calls beyond the limit in any second", "storms after which the rate came back too late"


@dataclass
class Stormy(Receiver):
    """``refusal`` is the answer to every call from ``begins`` on for ``lasts`` seconds; the first call starts the clock."""

    refusal: Answer = (503, {}, b"")
    lasts: float = STORM_SECONDS
    begins: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answer = self._refused

    def _refused(self, _body: dict[str, Any]) -> Answer | None:
        """Called under the receiver's lock."""
        now = time.perf_counter()
        self.arrivals.append(now)
        self.begins = self.begins or now + CALM_SECONDS
        if not self.begins <= now < self.begins + self.lasts:
            return None
        self.refusals.append(now)
        return self.refusal

    @property
    def ends(self) -> float:
        return self.begins + self.lasts


def measure(effort: Effort) -> Numbers:
    """A small share takes one of the storms, by the seed, and a shorter one."""
    lasts = max(STORM_SECONDS_MIN, effort.of(STORM_SECONDS))
    count = effort.of(len(KINDS))
    found: dict[str, float] = dict.fromkeys((EARLY, OVER, MISSING, SPIKES, SLOW), 0)
    for number in range(count):
        status, silence = KINDS[(effort.seed + number) % len(KINDS)]
        name = f"{status}, {f'silence of {silence:g} s asked' if silence else 'no silence asked'}"
        refusal: Answer = (status, {"retry-after": f"{silence:g}"} if silence else {}, b"")
        told = _weathered(refusal, lasts)
        for what in (EARLY, OVER, MISSING, SPIKES, SLOW):
            found[what] += told.pop(what)
        found |= {f"{name}: {what}": value for what, value in told.items()}
    return {"storms": count, "seconds of each": lasts, **found}


def _weathered(refusal: Answer, lasts: float) -> dict[str, float]:
    receiver = Stormy(refusal=refusal, lasts=lasts)
    rows = RATE * (CALM_SECONDS + AFTER_SECONDS) // SYNCS
    work = Path(tempfile.mkdtemp(prefix="tidegate-storm-"))
    with starting(ROOT, work) as processes, receiving(receiver):
        _project(work, receiver.url, rows)
        _run_all(work, processes)
    shutil.rmtree(work)
    return _judged(receiver, batches=rows * SYNCS, silence=float(refusal[1].get("retry-after", 0)))


def _project(folder: Path, url: str, rows: int) -> None:
    project = TestProject(folder, url)
    rate = {"requests": RATE, "per": "1s", "concurrency": 4}
    project.destination("hook", url, rate=rate, batch={"records": 1})
    for number in range(SYNCS):
        name = f"people_{number}"
        source = {"connection": "lake", "table": f"{name}.parquet"}
        contract = "contracts/people-v1.odcs.yaml"
        project.write(f"datasets/{name}.yaml", {"name": name, "contract": contract, "source": source})
        # A record of one sync is none of another, though all arrive at one place.
        ids = range(number * rows, (number + 1) * rows)
        project.data(pa.table({"id": ids, "name": ["somebody"] * rows, "score": [0.5] * rows}), f"{name}.parquet")
        rejects = {"max_attempts": 100, "stop_ratio": 1.0}
        project.sync(_sync(number), dataset=f"people_{number}@1", object=f"object_{number}", rejects=rejects)


def _sync(number: int) -> str:
    return f"sync_{number}"


def _run_all(folder: Path, processes: Processes) -> None:
    """Run every sync until it says that nothing is left to do."""

    def started(number: int) -> Running:
        return processes.warm(["--project", str(folder), "--json", "run", _sync(number)], {}, Setting())

    running = {number: started(number) for number in range(SYNCS)}
    until = time.perf_counter() + SECONDS_MAX
    while running:
        assert time.perf_counter() < until, "the syncs do not come to an end"
        time.sleep(0.05)
        for number, one in list(running.items()):
            if not one.ended:
                continue
            if one.report.get("status") in ("succeeded", "unchanged"):
                del running[number]
            else:
                time.sleep(RESTART_SECONDS / SYNCS)
                running[number] = started(number)


def _judged(receiver: Stormy, batches: int, silence: float) -> dict[str, float]:
    arrivals, begins, ends = receiver.arrivals, receiver.begins, receiver.ends
    stormy = [moment for moment in arrivals if begins <= moment < ends]
    probes = sum(after - before >= PROBE_GAP_SECONDS for before, after in pairwise(stormy))
    before = _most_even_rate(arrivals, begins)
    recovered = _recovered(arrivals, ends, before)
    most = max(_within(arrivals, moment, moment + 1.0) for moment in arrivals)
    return {
        "calls": len(arrivals),
        "batches": batches,
        "calls in the storm": len(stormy),
        "of these probes": probes,
        "calls a second before": round(before, 1),
        "seconds until a call after it": round(arrivals[bisect_left(arrivals, ends)] - ends, 2),
        "seconds until 90 % of that again": round(recovered, 2),
        "most calls in a second": most,
        EARLY: sum(_early(arrivals, moment, silence) for moment in receiver.refusals) if silence else 0,
        OVER: max(0, len(arrivals) - int(CALLS_SHARE_MAX * batches) - probes),
        MISSING: batches - len(receiver.records),
        SPIKES: max(0, most - int(RATE * SPIKE_SHARE_MAX)),
        SLOW: recovered > RECOVERY_SECONDS_MAX,
    }


def _most_even_rate(arrivals: Sequence[float], begins: float) -> float:
    """Calls a second in the second half of the calm, when every process has started."""
    seconds = CALM_SECONDS / 2
    return _within(arrivals, begins - seconds, begins) / seconds


def _recovered(arrivals: Sequence[float], ends: float, before: float) -> float:
    """Seconds from the storm's end to the first window in which the calls have their rate again."""
    wanted = RECOVERED_SHARE * before * RECOVERED_WINDOW
    for moment in arrivals[bisect_left(arrivals, ends) :]:
        if _within(arrivals, moment, moment + RECOVERED_WINDOW) >= wanted:
            return moment - ends
    return SECONDS_MAX


def _early(arrivals: Sequence[float], refused: float, silence: float) -> int:
    return _within(arrivals, refused + HEARD_SECONDS, refused + silence)


def _within(arrivals: Sequence[float], begins: float, ends: float) -> int:
    return bisect_left(arrivals, ends) - bisect_left(arrivals, begins)


def _broken(numbers: Numbers) -> list[str]:
    return never(numbers, EARLY, OVER, MISSING, SPIKES, SLOW)


GOAL = Goal(
    id="G12",
    title="a minute in which every call is refused: no storm of repeats, no call too early, and soon the old rate",
    measure=measure,
    broken=_broken,
    share=0.1,
)
