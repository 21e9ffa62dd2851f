"""What checks may know beside the rows they judge."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.schema import TableSchema


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """The contract's columns and the dataset's own bounds."""

    schema: TableSchema
    allow_empty: bool
    rows_min: int | None
    rows_max: int | None


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The columns that make up the destination's key."""

    match_columns: tuple[str, ...]
