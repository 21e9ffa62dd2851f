"""G8: people who are forgotten are gone from every byte, removed everywhere or visibly owed, and never come back.

One project of many versions and three syncs, in which a share of the people carry values that nobody else has; then many
short histories in which what was forgotten is delivered again, imported again, or brought back by an older ledger.
"""

from __future__ import annotations

import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from goals.goal import Effort, Goal, Numbers, never

from engine.bootstrap import open_app
from engine.delivery.stop import StopRequest
from engine.service.app import App
from engine.service.erasure import forget, statuses
from engine.service.ledgers import accept_ledger_regression, rebuild_projections, verify_ledger
from engine.service.runs import run_syncs
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

PEOPLE, VERSIONS, SUBJECTS, HISTORIES = 200_000, 20, 1_000, 500
SYNCS = ("people_to_hook", "second", "third")
SECONDS_MAX, MEMORY_MIB_MAX = 120.0, 1_536
CANARY = "canary"
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
    for name, number in _histories(effort).items():
        found[name] = found.get(name, 0) + number
    return found


def _large(folder: Path, receiver: Receiver, effort: Effort) -> dict[str, float]:
    people, subjects = effort.of(PEOPLE), min(effort.of(SUBJECTS), effort.of(PEOPLE) // 4)
    project = _project(folder, receiver)
    rng = random.Random(effort.seed)
    chosen = sorted(rng.sample(range(people), subjects))
    with _opened(folder) as app:
        for version in range(VERSIONS):
            project.data(_people(people, chosen, version))
            run_syncs(app, SYNCS, StopRequest())
        before = _files(folder)
        began = time.perf_counter()
        report = forget(app, [str(id) for id in chosen], "the goal", StopRequest())
        seconds = time.perf_counter() - began
        verified = [verify_ledger(app).ok, bool(rebuild_projections(app)), verify_ledger(app).ok]
        again = run_syncs(app, SYNCS, StopRequest())
    holding = sum(_holds(path) for path in folder.joinpath(".tidegate").rglob("*") if path.is_file())
    at_destination = sum(str(id) in receiver.records for id in chosen)
    return {
        "people": people,
        "versions": VERSIONS,
        "subjects": subjects,
        "files before": before,
        "seconds to forget": seconds,
        "peak of memory in MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
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


def _histories(effort: Effort) -> dict[str, float]:
    """Each: deliver, forget one, then bring the subject back in one of three ways, and run."""
    count, rng = effort.of(HISTORIES), random.Random(effort.seed + 1)
    found = {"histories": count, "resurrections": 0, "histories that did not end well": 0}
    with tempfile.TemporaryDirectory() as root:
        for number in range(count):
            folder = Path(root, str(number))
            with receiving() as receiver:
                project = _project(folder, receiver)
                size = rng.randrange(3, 12)
                gone = rng.randrange(size)
                project.data(_people(size, [gone], 0))
                with _opened(folder) as app:
                    run_syncs(app, SYNCS[:1], StopRequest())
                    older = _copy(folder) if rng.random() < 0.34 else None
                    forget(app, [str(gone)], "the goal", StopRequest())
                _bring_back(rng, project, folder, size, gone, older)
                sent = len(receiver.journal)
                with _opened(folder) as app:
                    if older is not None:
                        accept_ledger_regression(app, "the goal")
                    reports = [*run_syncs(app, SYNCS[:1], StopRequest()), *run_syncs(app, SYNCS[:1], StopRequest())]
                    ended = all(one.status == "complete" for one in statuses(app))
                upserts = {
                    record["id"]
                    for one in receiver.journal[sent:]
                    for record in one.records
                    if record["op"] != "delete"
                }
                found["resurrections"] += str(gone) in upserts or str(gone) in receiver.records
                well = reports[-1].status in {"unchanged", "succeeded"} and ended
                found["histories that did not end well"] += not well
            shutil.rmtree(folder)
    return found


def _bring_back(
    rng: random.Random, project: TestProject, folder: Path, size: int, gone: int, older: bytes | None
) -> None:
    """The source holds the subject again, as before or anew; or the ledger is the one from before."""
    if older is not None:
        ledger = folder / ".tidegate/ledger.db"
        ledger.write_bytes(older)
        for more in ("ledger.db-wal", "ledger.db-shm"):
            ledger.with_name(more).unlink(missing_ok=True)
    elif rng.random() < 0.5:
        project.data(_people(size, [], 1).filter(pc.field("id") != gone))
        with _opened(folder) as app:
            run_syncs(app, SYNCS[:1], StopRequest())
    project.data(_people(size, [gone], rng.randrange(3)))


def _copy(folder: Path) -> bytes:
    return (folder / ".tidegate/ledger.db").read_bytes()


def _project(folder: Path, receiver: Receiver) -> TestProject:
    folder.mkdir(parents=True)
    project = TestProject(folder, receiver.url)
    dataset = {
        "name": "people",
        "contract": "contracts/people-v1.odcs.yaml",
        "source": {"connection": "lake", "table": "people.parquet"},
        "identifiers": ["name"],
    }
    project.write("datasets/people.yaml", dataset)
    project.destination("hook", receiver.url, batch={"records": 5_000})
    for name in SYNCS[1:]:
        project.sync(name, mode="upsert" if name == "third" else "mirror")
    return project


def _people(size: int, chosen: list[int], version: int) -> pa.Table:
    """A version: of every hundred people one has a new score."""
    ids = pa.array(range(size), pa.int64())
    marked = set(chosen)
    names = pa.array([f"{CANARY}-{id}-of-nobody-else" if id in marked else f"person {id % 997}" for id in range(size)])
    scores = pa.array([float(version if (id + version) % 100 == 0 or id in marked else 0) for id in range(size)])
    return pa.table({"id": ids, "name": names, "score": scores})


@contextmanager
def _opened(folder: Path) -> Iterator[App]:
    app = open_app(folder, environment=None)
    try:
        yield app
    finally:
        app.close()


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.joinpath(".tidegate").rglob("*"))


def _holds(path: Path) -> bool:
    """Whether a canary stands in a file: in the bytes, or in a column once it is unpacked."""
    if path.suffix != ".parquet":
        return CANARY.encode() in path.read_bytes()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for column in batch.columns:
                if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, CANARY)).as_py():
                    return True
    return False


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, *ZEROS)
    if numbers["seconds to forget"] > SECONDS_MAX:
        told.append(f"forgetting took {numbers['seconds to forget']:.0f} s, wanted at most {SECONDS_MAX:.0f}")
    if numbers["peak of memory in MiB"] > MEMORY_MIB_MAX:
        told.append(f"memory rose to {numbers['peak of memory in MiB']:,.0f} MiB")
    if numbers["removals acknowledged"] < len(SYNCS) * numbers["subjects"]:
        told.append("a destination did not acknowledge every removal")
    return told


GOAL = Goal("G8", "who is forgotten is gone from every byte and never comes back", measure, broken, share=0.02)
