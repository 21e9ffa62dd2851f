"""One record of a sync: what the destination holds of it, what it should hold, and what the next run would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.desired import FIELD
from engine.core.quarantine import LEFT_ALONE
from engine.core.state import DROPPED
from engine.errors import ConfigurationError
from engine.service.app import App
from engine.service.plans import shown_fields
from engine.service.samples import masked
from engine.steps.record_state import record_state


@dataclass(frozen=True, slots=True)
class RecordReport:
    """``verdict`` is what a comparison says: send, unchanged, unconsented, quarantined, row quarantined, in doubt or absent."""

    sync: str
    id: str
    holds: bool
    desired: bool
    unknown: bool
    owed: bool
    attempts: int
    delivered: Mapping[str, str | None]
    wanted: Mapping[str, str | None]
    verdict: str
    reason: str


def show_record(app: App, name: str, key: str) -> RecordReport:
    """The record with match key ``key``; raises `ConfigurationError` when neither side knows it."""
    sync = app.sync(name)
    with app.tools.compute.session() as session:
        found = record_state(app.tools, session, sync, key)
    if found is None:
        raise unknown_record(name)
    shown = shown_fields(sync)
    attempts = found.held.get("attempts", 0)
    return RecordReport(
        sync=name,
        id=key,
        holds=found.held.get("acked", False),
        desired=bool(found.judged.get("verdict") in {"send", "unchanged", "quarantined", "in doubt"} and found.wanted),
        unknown=found.held.get("unknown", False),
        owed=found.held.get("owed", False),
        attempts=max(0, attempts),
        delivered=masked(_fields(found.held), shown),
        wanted=masked(_fields(found.wanted), shown),
        verdict=found.judged["verdict"],
        reason=_reason(found.judged, attempts),
    )


def _reason(judged: Mapping[str, Any], attempts: int) -> str:
    if judged["verdict"] == "send":
        return str(judged["reason"])
    if judged["verdict"] == LEFT_ALONE:
        return "a rule of the contract sets its row aside: `tidegate quarantine list DATASET` says which"
    if judged["verdict"] == "in doubt":
        return "nobody knows whether the destination has it; it waits for a decision"
    return "given up until its values change" if judged["verdict"] == "quarantined" and attempts == DROPPED else ""


def unknown_record(sync: str) -> ConfigurationError:
    """What to say of a key that nobody knows."""
    return ConfigurationError(
        f"Neither the newest version nor the destination has a record with this key in {sync}",
        safe="Nothing was changed.",
        next="give the match key as the destination knows it, as text",
    )


def _fields(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {c.removeprefix(FIELD): v for c, v in row.items() if c.startswith(FIELD)}
