"""Batches that are taken as jobs: kept whole when they are submitted, and applied when their job is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from destinations.sandbox.batch import ReceivedBatch, received
from destinations.sandbox.effects import Rejection
from destinations.sandbox.exact_json import written
from destinations.sandbox.store import Conflict, Kept, Refused, Store, answered, applied, note

_TABLE = """
CREATE TABLE IF NOT EXISTS job (
  job INTEGER PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, body_digest BLOB NOT NULL, body BLOB NOT NULL,
  rejections TEXT NOT NULL, submitted INTEGER NOT NULL, asked INTEGER NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Job:
    """The batch is kept as this job, now or before under its idempotency key."""

    number: int


Submission: TypeAlias = Job | Refused | Conflict


class Jobs:
    """The jobs of a store; like all of it, they outlive the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as connection:
            connection.execute(_TABLE)

    def submit(
        self, key: str, body: bytes, batch: ReceivedBatch, *, rejections: Mapping[str, Rejection], refuse: bool
    ) -> Submission:
        """Keep a batch once per idempotency ``key``; ``rejections`` are for when it is run, ``refuse`` only journals it."""
        digest = hashlib.sha256(body).digest()
        with self._store.transaction() as connection:
            of_key = "FROM job WHERE idempotency_key = ?"
            found = connection.execute(f"SELECT job, body_digest {of_key}", [key]).fetchone()
            before = answered(connection, key)
            if (found is not None and found[1] != digest) or (before is not None and before[0] != digest):
                return Conflict()
            if found is not None:
                connection.execute("UPDATE job SET submitted = submitted + 1 WHERE job = ?", [found[0]])
                return Job(found[0])
            if refuse:
                note(connection, key, batch, [Kept.REFUSED] * len(batch.records))
                return Refused()
            kept = json.dumps({id: [rejection.code, rejection.message] for id, rejection in rejections.items()})
            values = [key, digest, body, kept]
            made = connection.execute("INSERT INTO job VALUES (NULL, ?, ?, ?, ?, 1, 0)", values)
            return Job(made.lastrowid or 0)

    def asked(self, number: int) -> int | None:
        """Count a question; returns how many there were with it, or None when there is no such job."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE job SET asked = asked + 1 WHERE job = ?", [number])
            found = connection.execute("SELECT asked FROM job WHERE job = ?", [number]).fetchone()
        return None if found is None else int(found[0])

    def run(self, number: int) -> bytes:
        """Apply the batch of a job that there is, if that was not done before; returns the answer to it."""
        with self._store.transaction() as connection:
            key, digest, body, kept = connection.execute(
                "SELECT idempotency_key, body_digest, body, rejections FROM job WHERE job = ?", [number]
            ).fetchone()
            if before := answered(connection, key):
                return before[1]
            rejections = {id: Rejection(*said) for id, said in json.loads(kept).items()}
            return applied(connection, key, digest, received(body), rejections)

    def listing(self) -> list[dict[str, object]]:
        """Every job in order: its key, how often it was submitted and asked about, and whether it has run."""
        statement = """
            SELECT job, idempotency_key, submitted, asked, answer.answer IS NOT NULL
            FROM job LEFT JOIN answer USING (idempotency_key) ORDER BY job
        """
        with self._store.transaction() as connection:
            found = connection.execute(statement).fetchall()
        return [
            {"job": str(job), "idempotency_key": key, "submitted": submitted, "asked": asked, "has_run": bool(run)}
            for job, key, submitted, asked, run in found
        ]


def told(answer: bytes | None) -> bytes:
    """The body of the answer to a question: the state, and the answer to the batch of a job that has run."""
    if answer is None:
        return written({"state": "running"})
    return b'{"state":"ended"' + (b"}" if answer == b"{}" else b"," + answer[1:])
