"""What an operator asks of versions and of plans, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class History:
    """Of how many accepted versions row counts are looked at, and how many deviations from their median pass."""

    versions: int
    mad: float


@dataclass(frozen=True, slots=True)
class RowRules:
    """Bounds of a version's row count; ``max_change`` is a share of the version before."""

    min: int | None = None
    max: int | None = None
    max_change: float | None = None
    history: History | None = None
    on_fail: Verdict = Verdict.BLOCK


@dataclass(frozen=True, slots=True)
class IdentifierRules:
    """How far identifiers may move from one version to the next; every limit is a share.

    Nulls and duplicates are shares of the rows, the change of different values is one of those before, the match rate
    one of the values before, and what is re-keyed is a share of the rows again.
    """

    columns: tuple[str, ...] = ()
    max_null_increase: float | None = None
    max_duplicate_increase: float | None = None
    max_distinct_change: float | None = None
    min_match_rate: float | None = None
    max_rekeyed: float | None = None
    on_fail: Verdict = Verdict.BLOCK


@dataclass(frozen=True, slots=True)
class ValueRules:
    """Columns of few values, and the largest share of rows that may hold one which the version before did not know."""

    columns: tuple[str, ...] = ()
    max_new: float = 0.0
    on_fail: Verdict = Verdict.BLOCK


@dataclass(frozen=True, slots=True)
class DatasetRules:
    """All that a dataset's file asks of a candidate."""

    rows: RowRules = RowRules()
    identifiers: IdentifierRules = IdentifierRules()
    values: ValueRules = ValueRules()
    query_seconds_max: float = 60.0
    """How long one quality query of the contract may take."""


NO_RULES = DatasetRules()


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """The most changes of one kind in one plan: by count, and as a share of the records held.

    Up to ``free`` changes no share is judged, so that a small sync is not stopped by a handful.
    """

    max: int | None
    max_ratio: float | None
    on_fail: Verdict
    free: int = 0


DESTRUCTION = ChangeLimit(None, 0.02, Verdict.HOLD, free=25)
"""What a plan may take away where nobody has said how much: more than this is looked at by a person first."""


@dataclass(frozen=True, slots=True)
class ConsentLimit:
    """The least share of rows whose subject consents, and the most that it may fall since the plan before."""

    min: float | None
    max_drop: float | None
    on_fail: Verdict


@dataclass(frozen=True, slots=True)
class Budget:
    """The most calls and records of one plan; what is left of the destination's day counts as well."""

    requests: int | None
    records: int | None
    on_fail: Verdict


@dataclass(frozen=True, slots=True)
class SyncRules:
    """All that a sync's file asks of a plan; None of a kind of change is no limit."""

    inserts: ChangeLimit | None = None
    updates: ChangeLimit | None = None
    deletes: ChangeLimit | None = DESTRUCTION
    rekeyed: ChangeLimit | None = DESTRUCTION
    total: ChangeLimit | None = None
    consent: ConsentLimit | None = None
    budget: Budget | None = None


NO_SYNC_RULES = SyncRules()
