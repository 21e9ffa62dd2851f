"""The project and the people of the goals about erasure: some carry values that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.bootstrap import open_app
from engine.service.app import App
from tests.projects import TestProject
from tests.receiver import Receiver

SYNCS = ("people_to_hook", "second", "third")
CANARY = "canary"


def project_of(folder: Path, receiver: Receiver, *, syncs: int = len(SYNCS)) -> TestProject:
    """A project of one dataset and so many of the syncs."""
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
    for name in SYNCS[1:syncs]:
        project.sync(name, mode="upsert" if name == "third" else "mirror")
    return project


def people(size: int, chosen: list[int], version: int) -> pa.Table:
    """A version: of every hundred people one has a new score."""
    ids = pa.array(range(size), pa.int64())
    marked = set(chosen)
    names = pa.array([f"{CANARY}-{id}-of-nobody-else" if id in marked else f"person {id % 997}" for id in range(size)])
    scores = pa.array([float(version if (id + version) % 100 == 0 or id in marked else 0) for id in range(size)])
    return pa.table({"id": ids, "name": names, "score": scores})


@contextmanager
def opened(folder: Path) -> Iterator[App]:
    """The project's application for the time of the block."""
    app = open_app(folder, environment=None)
    try:
        yield app
    finally:
        app.close()


def holds(path: Path) -> bool:
    """Whether a canary stands in a file: in the bytes, or in a column once it is unpacked."""
    if path.suffix != ".parquet":
        return CANARY.encode() in path.read_bytes()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for column in batch.columns:
                if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, CANARY)).as_py():
                    return True
    return False
