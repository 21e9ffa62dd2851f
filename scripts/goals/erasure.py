"""G8: people who are forgotten are gone from every byte, removed everywhere or visibly owed, and never come back.

One project of many versions and three syncs, in which a share of the people carry values that nobody else has; then many
histories in which what was forgotten is imported again, rolled back to, or brought back by an older ledger.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from goals.goal import Effort, Goal, Numbers, never
from goals.histories import CERTAIN, HISTORIES, measure_histories
from goals.people import SYNCS, holds, opened, people, project_of

from engine.delivery.stop import StopRequest
from engine.service.erasure import forget
from engine.service.ledgers import rebuild_projections, verify_ledger
from engine.service.runs import run_syncs
from tests.receiver import Receiver, receiving

PEOPLE, VERSIONS, SUBJECTS = 200_000, 20, 1_000
SECONDS_MAX, MEMORY_MIB_MAX = 120.0, 1_536
ZEROS = (
    "files that hold a canary",
    "rows of subjects that are left",
    "removals that are not visible",
    "ledgers that do not verify",
    "resurrections",
    "histories that did not end well",
)


def measure(effort: Effort) -> Numbers:
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        found = _large(Path(folder, "large"), receiver, effort)
    for name, number in measure_histories(effort).items():
        found[name] = found.get(name, 0) + number
    return found


def _large(folder: Path, receiver: Receiver, effort: Effort) -> dict[str, float]:
    size, subjects = effort.of(PEOPLE), min(effort.of(SUBJECTS), effort.of(PEOPLE) // 4)
    project = project_of(folder, receiver)
    rng = random.Random(effort.seed)
    chosen = sorted(rng.sample(range(size), subjects))
    with opened(folder) as app:
        for version in range(VERSIONS):
            project.data(people(size, chosen, version))
            run_syncs(app, SYNCS, StopRequest())
        before, marked = _files(folder), any(holds(path) for path in _paths(folder))
        held = sum(str(id) in receiver.records for id in chosen)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        began, worked = time.perf_counter(), time.process_time()
        report = forget(app, [str(id) for id in chosen], "the goal", StopRequest())
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        peak = _peak_mib()
        verified = [verify_ledger(app).ok, bool(rebuild_projections(app)), verify_ledger(app).ok]
        again = run_syncs(app, SYNCS, StopRequest())
    holding = sum(holds(path) for path in _paths(folder))
    at_destination = sum(str(id) in receiver.records for id in chosen)
    return {
        "people": size,
        "versions": VERSIONS,
        "subjects": subjects,
        "files before": before,
        "whether a canary was found before": marked,
        "subjects who were held before": held,
        "seconds to forget": seconds,
        "processor seconds to forget": processor,
        "peak of memory in MiB": peak,
        "segments written again": sum(d.segments for d in report.datasets),
        "removals acknowledged": sum(sync.removed for sync in report.syncs),
        "values looked for": report.search.values,
        "files that hold a canary": holding,
        "rows of subjects that are left": sum(d.rows_left for d in report.datasets),
        "removals that are not visible": max(0, at_destination - report.owed),
        "ledgers that do not verify": verified.count(False),
        "resurrections": sum(str(id) in receiver.records for id in chosen) + sum(r.delivered.inserts for r in again),
        "histories that did not end well": 0,
    }


def _peak_mib() -> float:
    """The most memory since the kernel was told to forget the peak before (5 in ``clear_refs``, see proc(5))."""
    (line,) = (line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _paths(folder: Path) -> Iterator[Path]:
    return (path for path in folder.joinpath(".tidegate").rglob("*") if path.is_file())


def _files(folder: Path) -> int:
    return sum(1 for _ in _paths(folder))


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["seconds to forget"] > SECONDS_MAX:
        told.append(f"forgetting took {numbers['seconds to forget']:.0f} s, wanted at most {SECONDS_MAX:.0f}")
    if numbers["peak of memory in MiB"] > MEMORY_MIB_MAX:
        told.append(f"memory rose to {numbers['peak of memory in MiB']:,.0f} MiB")
    if (
        not numbers["whether a canary was found before"]
        or numbers["subjects who were held before"] < numbers["subjects"]
    ):
        told.append("what was to be forgotten was not there before: nothing was proved")
    if numbers["histories"] != numbers["histories asked for"]:
        told.append(f"{numbers['histories asked for']:g} histories must be judged")
    told += [
        f"not every history had a {way}" for way in CERTAIN if numbers[f"histories with a {way}"] < numbers["histories"]
    ]
    if numbers["histories"] >= HISTORIES / 4 and not numbers["older ledgers that were recognised"]:
        told.append("no older ledger came back")
    if numbers["removals acknowledged"] < len(SYNCS) * numbers["subjects"]:
        told.append("a destination did not acknowledge every removal")
    return told


GOAL = Goal("G8", "who is forgotten is gone from every byte and never comes back", measure, broken, share=0.01)
