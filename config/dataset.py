"""``datasets/*.yaml``: what is read, under which contract, and what a version must be to be accepted."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.model import FileModel, Model
from config.problems import Code
from config.values import Count, Duration, Name, Positive, Query, Share, Text, Texts, refusal


class Source(Model):
    """A table or a query of a connection."""

    connection: Name
    table: Text | None = None
    query: Query | None = None

    @model_validator(mode="after")
    def _one_of_table_and_query(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise refusal(Code.BAD_VALUE, "needs either `table` or `query`, and not both")
        return self


class Extract(Model):
    """How the source is read: whole, or by a cursor with a margin for late rows and a full read now and then."""

    mode: Literal["full", "incremental"]
    cursor: Text | None = None
    lookback: Duration | None = None
    full_every: Duration | None = None

    @model_validator(mode="after")
    def _cursor_if_incremental(self) -> Self:
        if (self.mode == "incremental") != (self.cursor is not None):
            raise refusal(Code.BAD_VALUE, "`cursor` belongs to `mode: incremental`, and that mode needs it", "cursor")
        return self


def _extract(value: Any) -> Any:  # a validator sees whatever was written
    """``extract: full`` is short for ``extract: {mode: full}``."""
    return {"mode": value} if isinstance(value, str) else value


class RowGate(Model):
    """Bounds on a version's row count; ``max_change`` is a share of the last accepted version."""

    min: Count | None = None
    max: Count | None = None
    max_change: Annotated[float, Field(gt=0, le=1000)] | None = None

    @model_validator(mode="after")
    def _min_below_max(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(Code.OUT_OF_RANGE, "must not be less than `min`", "max")
        return self


class IdentifierGate(Model):
    """How much worse the null rate of an identifier may get from one version to the next."""

    max_null_increase: Share


class DatasetGates(Model):
    """What a candidate version must hold to."""

    rows: RowGate = RowGate()
    identifiers: IdentifierGate | None = None


class Retain(Model):
    """How many accepted versions stay readable."""

    versions: Positive


class DatasetFile(FileModel):
    """One dataset. Its major comes from its contract's version, so two files may share a name across majors."""

    name: Name
    owner: Text | None = None
    kind: Literal["data", "consent"] = "data"
    contract: Text
    source: Source
    extract: Annotated[Extract, BeforeValidator(_extract, json_schema_input_type=Literal["full"] | Extract)] = Extract(
        mode="full"
    )
    identifiers: Texts = ()
    gates: DatasetGates = DatasetGates()
    retain: Retain | None = None
