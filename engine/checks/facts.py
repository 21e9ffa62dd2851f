"""What checks may know beside the rows they judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.demands import NO_DEMANDS, Demands
from engine.core.schema import TableSchema
from engine.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """The contract's columns and the dataset's own bounds."""

    schema: TableSchema
    allow_empty: bool
    rows_min: int | None
    rows_max: int | None
    demands: Demands = NO_DEMANDS
    max_change: float | None = None
    """The largest change of the row count, as a share of the last accepted version's."""
    identifiers: tuple[str, ...] = ()
    max_null_increase: float | None = None
    """The largest increase of an identifier's share of nulls over the last accepted version's."""
    rows_before: int | None = None
    nulls_before: Mapping[str, float] = field(default_factory=dict)
    """Per identifier, its share of nulls in the last accepted version."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The columns that make up the destination's key."""

    match_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteLimit:
    """The most that one plan may delete because rows are gone: by count, and as a share of what is held."""

    max: int | None
    max_ratio: float | None
    on_fail: Verdict
