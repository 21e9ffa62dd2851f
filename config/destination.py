"""``destinations/*.yaml``: one account of one outside system, and how much of it may be used."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from config.model import FileModel, Model
from config.problems import Code
from config.values import Duration, Name, Names, Positive, refusal


class RateLimit(Model):
    """At most ``requests`` calls, ``records`` and ``bytes`` per ``per``, and ``concurrency`` calls at once.

    All syncs, processes and hosts that use the destination share it.
    """

    requests: Annotated[float, Field(gt=0, le=10**6)] | None = None
    records: Annotated[float, Field(gt=0, le=10**9)] | None = None
    bytes: Annotated[float, Field(gt=0, le=10**12)] | None = None
    per: Duration = Field(default_factory=lambda: timedelta(seconds=1), json_schema_extra={"default": "1s"})
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 4

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.model_fields_set & {"requests", "records", "bytes", "concurrency"}:
            raise refusal(Code.MISSING_KEY, "needs `requests`, `records`, `bytes` or `concurrency`")
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
    clearance: Literal["public", "internal", "confidential", "restricted"] = "internal"
    rate: RateLimit | None = None
    batch: BatchLimit = BatchLimit()
    jobs: JobLimit | None = None
    environments: Annotated[Names, Field(min_length=1)] | None = None

    def is_for(self, environment: str) -> bool:
        """Whether this destination may be used in ``environment``."""
        return self.environments is None or environment in self.environments
