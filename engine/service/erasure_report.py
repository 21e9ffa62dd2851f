"""What was done to forget somebody, as a document that can be checked: signed with a key that only the project has."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.core.erasure import ErasureKey
from engine.errors import ConfigurationError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SyncErasure:
    """One sync: records that its destination acknowledged the removal of, in which runs, and what it still owes.

    ``why`` says what stands in the way of the rest.
    """

    sync: str
    destination: str
    removed: int
    owed: int
    runs: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class DatasetErasure:
    """One dataset: the columns that people were looked for in, segments written again, rows about them that are left."""

    dataset: str
    columns: tuple[str, ...]
    segments: int
    rows_left: int


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What was read byte by byte: the ledger, logs, notes. ``too_short`` values cannot be told from other text."""

    files: int
    bytes: int
    values: int
    too_short: int
    found_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """One request as it stands; ``complete`` when nothing is ``owed`` by a destination and nothing else is ``open``."""

    request: str
    status: str
    people: int
    reason: str
    requested_at: str
    requested_by: str
    due: str
    reported_at: str
    key: str
    owed: int
    open: tuple[str, ...]
    syncs: tuple[SyncErasure, ...]
    datasets: tuple[DatasetErasure, ...]
    search: SearchReport
    tombstones: tuple[str, ...]
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a report is as it was signed, and whether it is about the subject that was asked for, if one was."""

    ok: bool
    request: str
    status: str
    about_subject: bool | None


def signed(report: ErasureReport, key: ErasureKey) -> bytes:
    """The report as its file holds it."""
    content = {"format": FORMAT, **asdict(report)}
    del content["signature"]
    return _text({**content, "signature": key.signature(_text(content))})


def report_of(content: bytes) -> ErasureReport:
    """The report that a file of this project holds; whether it is as it was signed is asked by `verified`."""
    data = json.loads(content)
    del data["format"]
    for name, kind in (("syncs", SyncErasure), ("datasets", DatasetErasure)):
        data[name] = tuple(kind(**{k: _closed(v) for k, v in one.items()}) for one in data[name])
    data["search"] = SearchReport(**{k: _closed(v) for k, v in data["search"].items()})
    return ErasureReport(**{name: _closed(value) for name, value in data.items()})


def _closed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_report(file: Path) -> Mapping[str, Any]:
    """A report's file; raises `ConfigurationError` when it is none."""
    try:
        data = json.loads(file.read_bytes())
        if isinstance(data, dict) and data["format"] == FORMAT and isinstance(data["signature"], str):
            return data
    except (OSError, ValueError, KeyError):
        pass
    raise ConfigurationError(
        "This is no report of an erasure", where=str(file), next="`tidegate erasures list` shows them"
    )


def verified(data: Mapping[str, Any], key: ErasureKey, subject: str | None) -> Verified:
    """Compare a report with its signature, and look for a subject among those that it is about."""
    content = {name: value for name, value in data.items() if name != "signature"}
    ok = hmac.compare_digest(key.signature(_text(content)), data["signature"])
    about = None if subject is None else key.tombstone(subject) in data.get("tombstones", [])
    return Verified(ok, str(data.get("request", "")), str(data.get("status", "")), about)


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1).encode() + b"\n"
