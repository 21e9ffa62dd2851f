"""Ids, keys and digests as types, and the names of streams.

Distinct things get distinct types, so that a mix-up is a type error and not a lost afternoon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

DatasetId = NewType("DatasetId", str)
"""``name@major``: the identity of a dataset under one contract major."""
SyncId = NewType("SyncId", str)
RunId = NewType("RunId", str)
PlanId = NewType("PlanId", str)
Digest = NewType("Digest", str)
"""Lower-case hexadecimal SHA-256."""
StreamId = NewType("StreamId", str)
Position = NewType("Position", int)
"""Place within a stream, from 1; 0 is the empty stream."""
Sequence = NewType("Sequence", int)
"""Place in the whole ledger, from 1, in order of append on one database."""
VersionNumber = NewType("VersionNumber", int)
"""Number of a version within its dataset, from 1."""
CandidateId = NewType("CandidateId", str)
"""``customers@1/42-1f3a9c0b``: a candidate that waits for people, by the number that it would get and its digest."""


CONSENT_STREAM = StreamId("consent")
"""Consent decisions that were taken here."""
ERASURE_STREAM = StreamId("erasure")
"""Requests to forget people; its position says how many there were."""
SUPPRESSION_STREAM = StreamId("suppression")
"""Suppression lists that were imported here."""
ALERT_STREAM = StreamId("alerts")
"""Which alerts opened and closed, and who was told."""
LEDGER_STREAM = StreamId("ledger")
"""What people decided about the ledger as a whole."""
STORAGE_STREAM = StreamId("storage")
"""What was removed of the storage because no event names it."""


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """An immutable file that an event names: path below the storage root, SHA-256 of its bytes, rows, bytes."""

    path: str
    digest: Digest
    rows: int
    bytes: int


def dataset_id(name: str, major: int) -> DatasetId:
    """``customers@1``."""
    return DatasetId(f"{name}@{major}")


def name_of(dataset: DatasetId) -> str:
    """``customers`` of ``customers@1``."""
    return dataset.split("@")[0]


def major_of(dataset: DatasetId) -> int:
    """``1`` of ``customers@1``."""
    return int(dataset.split("@")[1])


def is_meant(dataset: DatasetId, name: str) -> bool:
    """Whether a person who says ``name`` may mean this dataset: by its id, or by its name without the major."""
    return name in {dataset, name_of(dataset)}


def dataset_stream(dataset: DatasetId) -> StreamId:
    """Captures and versions of one dataset."""
    return StreamId(f"dataset:{dataset}")


def contract_stream(dataset: DatasetId) -> StreamId:
    """What people decided about how long the contract of one dataset is to be relied on."""
    return StreamId(f"contract:{dataset}")


def sync_stream(sync: SyncId) -> StreamId:
    """The folds of one sync: what its destination is known to hold."""
    return StreamId(f"sync:{sync}")


def pin_stream(sync: SyncId) -> StreamId:
    """What people decided about the version that one sync is kept at."""
    return StreamId(f"pin:{sync}")


def reading_stream(sync: SyncId) -> StreamId:
    """What readings of one sync's destination found."""
    return StreamId(f"reading:{sync}")


def halt_stream(sync: SyncId) -> StreamId:
    """What people decided about whether one sync may run."""
    return StreamId(f"halt:{sync}")


def schedule_stream(sync: SyncId) -> StreamId:
    """Which of its scheduled times a daemon took one sync on for, and what came of each."""
    return StreamId(f"schedule:{sync}")


def run_stream(run: RunId) -> StreamId:
    """One run from start to end."""
    return StreamId(f"run:{run}")


def erasure_stream(request: str) -> StreamId:
    """How one request to forget people went on."""
    return StreamId(f"{ERASURE_STREAM}:{request}")


def run_id(started: datetime, token: str) -> RunId:
    """Sortable by start: ``20260102T030405-9f2c``."""
    return RunId(f"{started:%Y%m%dT%H%M%S}-{token}")


def plan_id(digest: Digest) -> PlanId:
    """The first 16 hexadecimal digits of the digest: short enough to read aloud, long enough to be one."""
    return PlanId(digest[:16])


def candidate_id(dataset: DatasetId, version: VersionNumber, digest: Digest) -> CandidateId:
    """Another candidate for the same number has another id, so that nobody decides about what they did not look at."""
    return CandidateId(f"{dataset}/{version}-{digest[:8]}")


def candidate_dataset(candidate: CandidateId) -> DatasetId:
    """The dataset that a candidate would become a version of."""
    return DatasetId(candidate.partition("/")[0])
