"""What checks may know beside the rows they judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from engine.checks.rules import NO_RULES, NO_SYNC_RULES, DatasetRules, SyncRules
from engine.core.demands import NO_DEMANDS, Demands
from engine.core.promises import NO_PROMISES, Promises
from engine.core.schema import TableSchema

_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """The contract's columns and demands, what the dataset's file asks, and what earlier versions were like."""

    schema: TableSchema
    allow_empty: bool
    rules: DatasetRules = NO_RULES
    demands: Demands = NO_DEMANDS
    promises: Promises = NO_PROMISES
    now: datetime = _NO_MOMENT
    """The moment of the capture; left out, nothing is fresh."""
    rows_before: int | None = None
    """The rows of the last accepted version; None when there is none."""
    history: tuple[int, ...] = ()
    """The row counts of accepted versions, as many as the rule on history asks for."""
    before: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The metrics of the last accepted version, by check."""
    holds_consent: bool = False
    """Whether the rows are decisions of consent."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of how many rows of a version the subject consents."""

    rows: int
    consenting: int


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What the sync's file asks of a plan, and what a plan is judged by beside its own rows."""

    match_columns: tuple[str, ...]
    destination: str
    environment: str
    environments: tuple[str, ...] | None
    """Where the destination may be used; None is everywhere."""
    per_call: Callable[[int], int]
    """The most records in one call of a plan of so many."""
    rules: SyncRules = NO_SYNC_RULES
    asks_consent: bool = False
    coverage: Coverage | None = None
    coverage_before: Coverage | None = None
    """Of the plan that led to what is delivered; None before the first."""
    held: int | None = None
    """Records that the destination holds, or may hold; None where no share of them is in question."""
    left_today: Mapping[str, int] = field(default_factory=dict)
    """What is left of the destination's day, by unit, where it has a daily quota."""
