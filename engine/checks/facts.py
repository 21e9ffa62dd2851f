"""What checks may know beside the rows they judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.checks.rules import NO_RULES, DatasetRules
from engine.core.demands import NO_DEMANDS, Demands
from engine.core.schema import TableSchema


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """The contract's columns and demands, what the dataset's file asks, and what earlier versions were like."""

    schema: TableSchema
    allow_empty: bool
    rules: DatasetRules = NO_RULES
    demands: Demands = NO_DEMANDS
    rows_before: int | None = None
    """The rows of the last accepted version; None when there is none."""
    history: tuple[int, ...] = ()
    """The row counts of accepted versions, as many as the rule on history asks for."""
    before: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The metrics of the last accepted version, by check."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The columns that make up the destination's key."""

    match_columns: tuple[str, ...]
