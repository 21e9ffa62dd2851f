"""What a storage says of a file that it holds: where it is, how large, and when it was last written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What fsspec's file systems call the time of the last write; local directories give seconds, others a moment."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file by its path below the root; ``modified`` is None where the storage does not say when it was written."""

    path: str
    bytes: int
    modified: datetime | None


def stored_file(root: str, path: str, told: Mapping[str, Any]) -> StoredFile:
    """A file as ``find`` of an fsspec file system describes it."""
    found = next((told[name] for name in _TIMES if told.get(name) is not None), None)
    return StoredFile(path.removeprefix(root).lstrip("/"), int(told.get("size") or 0), _moment(found))


def _moment(found: Any) -> datetime | None:  # whatever a file system gives
    match found:
        case datetime():
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        case int() | float():
            return datetime.fromtimestamp(found, UTC)
        case str():
            moment = datetime.fromisoformat(found)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case _:
            return None
