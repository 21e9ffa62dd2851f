"""``datasets/*.yaml``: what is read, under which contract, and what a version must be to be accepted."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from config.gates import DatasetGates
from config.model import FileModel, Model
from config.problems import Code
from config.values import Duration, Name, Positive, Query, Text, Texts, refusal


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


class NoSubject(Model):
    """The operator's statement that the rows are about no person, and why."""

    reason: Text = Field(alias="none")


class Retain(Model):
    """How many accepted versions stay readable at least: the newest, those of the last days, or what either of both keeps."""

    versions: Positive | None = None
    days: Positive | None = None

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if self.versions is None and self.days is None:
            raise refusal(Code.MISSING_KEY, "needs `versions`, `days` or both")
        return self


IdentifierKind: TypeAlias = Literal["email", "phone", "id"]


def _identifiers_form(value: Any) -> str:  # a discriminator sees whatever was written
    return "by kind" if isinstance(value, dict) else "listed"


Identifiers: TypeAlias = Annotated[
    Annotated[Texts, Tag("listed")] | Annotated[dict[Text, IdentifierKind], Tag("by kind")],
    Discriminator(_identifiers_form),
]


class DatasetObjectives(Model):
    """What people rely on: ``freshness`` is how long ago the source may have been found good last."""

    freshness: Duration


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
    identifiers: Identifiers = Field(
        default=(),
        description="columns that tell people apart; {column: email | phone | id} also says which suppression lists they "
        "are held against",
    )
    gates: DatasetGates = Field(default_factory=DatasetGates)
    subject: Text | NoSubject | None = Field(
        default=None,
        description="the column that says whom a row is about, for `tidegate forget`; when silent, that of the syncs' "
        'consent, else the primary key; {none: "why"} where rows are about nobody',
    )
    retain: Retain | None = None
    objectives: DatasetObjectives | None = None

    @property
    def identifier_columns(self) -> tuple[str, ...]:
        """The columns that tell people apart, whichever way they are written."""
        return tuple(self.identifiers)

    @property
    def identifier_kinds(self) -> dict[str, IdentifierKind] | None:
        """What each of them holds of a person; None when the file does not say."""
        return self.identifiers if isinstance(self.identifiers, dict) else None

    @model_validator(mode="after")
    def _identifiers_to_judge(self) -> Self:
        if self.gates.identifiers is not None and not self.identifiers:
            raise refusal(
                Code.MISSING_KEY, "needs columns to judge: name them in `identifiers` of the dataset", "gates"
            )
        return self
