"""``gates`` of datasets and of syncs: what a version, and what a plan, must hold to, and what happens when it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from config.model import Model
from config.problems import Code
from config.values import Count, Duration, Share, SomeTexts, refusal

OnFail: TypeAlias = Literal["block", "review", "warn"]
"""``review`` waits for a person; ``warn`` tells and goes on."""
Ratio = Annotated[float, Field(ge=0, le=1000)]
"""A share that may be more than everything: a count may grow to many times what it was."""


def _at_most_an_hour(value: timedelta) -> timedelta:
    if value > timedelta(hours=1):
        raise refusal(Code.OUT_OF_RANGE, "must be at most `1h`")
    return value


class RowHistory(Model):
    """Row counts of the last ``versions``; ``mad`` median absolute deviations away from their median still pass."""

    versions: Annotated[int, Field(ge=5, le=1000)]
    mad: Annotated[float, Field(gt=0, le=1000)]


class RowGate(Model):
    """Bounds on a version's row count; ``max_change`` is a share of the last accepted version."""

    min: Count | None = None
    max: Count | None = None
    max_change: Annotated[float, Field(gt=0, le=1000)] | None = None
    history: RowHistory | None = None
    on_fail: OnFail = "block"

    @model_validator(mode="after")
    def _min_below_max(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(Code.OUT_OF_RANGE, "must not be less than `min`", "max")
        return self


class IdentifierGate(Model):
    """How far the identifiers may move from one version to the next; each limit is a share."""

    max_null_increase: Share | None = None
    max_duplicate_increase: Share | None = None
    max_distinct_change: Ratio | None = None
    min_match_rate: Share | None = None
    max_rekeyed: Share | None = None
    on_fail: OnFail = "block"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        limits = [name for name in type(self).model_fields if name != "on_fail"]
        if all(getattr(self, name) is None for name in limits):
            raise refusal(Code.MISSING_KEY, f"needs {_one_of(limits)}")
        return self


class ValueGate(Model):
    """Columns of few values, and the largest share of rows with a value that the version before did not know."""

    columns: SomeTexts
    max_new: Share = 0.0
    on_fail: OnFail = "block"


class QueryGate(Model):
    """How long one quality query of the contract may take before it counts as not met."""

    timeout: Annotated[Duration, AfterValidator(_at_most_an_hour)] = Field(
        default=timedelta(seconds=60), json_schema_extra={"default": "60s"}
    )


class DatasetGates(Model):
    """What a candidate version must hold to."""

    rows: RowGate = RowGate()
    identifiers: IdentifierGate | None = None
    values: ValueGate | None = None
    queries: QueryGate = Field(default_factory=QueryGate)


class ChangeGate(Model):
    """The most of one kind of change in one run: by count, and as a share of the records held."""

    max: Count | None = None
    max_ratio: Ratio | None = None
    on_fail: OnFail = "review"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.max is None and self.max_ratio is None:
            raise refusal(Code.MISSING_KEY, "needs `max` or `max_ratio`")
        return self


class DestructionGate(Model):
    """The most that one run may take away; without `max` and `max_ratio`, 25 records or 2 % of those held."""

    max: Count | None = None
    max_ratio: Share | None = None
    on_fail: OnFail = "review"


class ConsentGate(Model):
    """The least share of rows whose subject consents, and the most that it may fall from one plan to the next."""

    min: Share | None = None
    max_drop: Share | None = None
    on_fail: OnFail = "review"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.min is None and self.max_drop is None:
            raise refusal(Code.MISSING_KEY, "needs `min` or `max_drop`")
        return self


class BudgetGate(Model):
    """The most calls and records of one run, which must also fit into what is left of the destination's day."""

    requests: Count | None = None
    records: Count | None = None
    on_fail: OnFail = "review"


class SyncGates(Model):
    """What a plan must hold to before anything is sent. Removals for consent count for no limit of changes."""

    inserts: ChangeGate | None = None
    updates: ChangeGate | None = None
    deletes: DestructionGate | None = None
    rekeyed: DestructionGate | None = None
    total: ChangeGate | None = None
    consent: ConsentGate | None = None
    budget: BudgetGate | None = None


def _one_of(names: list[str]) -> str:
    return f"{', '.join(f'`{name}`' for name in names[:-1])} or `{names[-1]}`"
