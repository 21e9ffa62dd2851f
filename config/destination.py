"""``destinations/*.yaml``: one account of one outside system, and how much of it may be used."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from config.consent import ConsentDefaults
from config.model import FileModel, Model
from config.problems import Code
from config.values import Duration, Name, Names, Positive, Text, TimeOfDay, TimeZone, refusal


class DailyQuota(Model):
    """At most ``requests`` calls and ``records`` from one ``resets``, a time of day in ``timezone``, to the next."""

    requests: Positive | None = None
    records: Annotated[int, Field(ge=1, le=10**12)] | None = None
    resets: TimeOfDay = Field(default_factory=time, json_schema_extra={"default": "00:00"})
    timezone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests is None and self.records is None:
            raise refusal(Code.MISSING_KEY, "needs `requests` or `records`")
        return self


class RateLimit(Model):
    """At most ``requests`` calls, ``records`` and ``bytes`` per ``per``, ``concurrency`` calls at once, and ``daily``.

    All syncs, processes and hosts that use the destination share it.
    """

    requests: Annotated[float, Field(gt=0, le=10**6)] | None = None
    records: Annotated[float, Field(gt=0, le=10**9)] | None = None
    bytes: Annotated[float, Field(gt=0, le=10**12)] | None = None
    per: Duration = Field(default_factory=lambda: timedelta(seconds=1), json_schema_extra={"default": "1s"})
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    daily: DailyQuota | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.model_fields_set & {"requests", "records", "bytes", "concurrency", "daily"}:
            raise refusal(Code.MISSING_KEY, "needs `requests`, `records`, `bytes`, `concurrency` or `daily`")
        return self


class BatchLimit(Model):
    """The most that one call may carry; never more than the adapter allows."""

    records: Positive | None = None


class JobLimit(Model):
    """How long a job of the destination may take before it is given up and its records are unknown."""

    deadline: Duration


class DestinationFile(FileModel):
    """One destination. ``config`` is raw, with interpolated values as secrets; the adapter's model judges it."""

    name: Name
    type: Name
    config: dict[str, Any] = Field(default={}, repr=False)  # each adapter has its own model
    clearance: Text | None = Field(
        default=None,
        description="the most sensitive class that it may receive: `internal`, else the first of the order",
    )
    rate: RateLimit | None = None
    batch: BatchLimit = BatchLimit()
    jobs: JobLimit | None = None
    consent: ConsentDefaults | None = None
    environments: Annotated[Names, Field(min_length=1)] | None = None

    def is_for(self, environment: str) -> bool:
        """Whether this destination may be used in ``environment``."""
        return self.environments is None or environment in self.environments
