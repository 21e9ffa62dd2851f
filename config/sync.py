"""``syncs/*.yaml``: which dataset goes to which object, field by field, under which consent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, PlainValidator, model_validator
from pydantic import StringConstraints as Constraints

from config.consent import Consent, NoConsent, also_none
from config.daemon import Overlap
from config.gates import SyncGates
from config.model import FileModel, Model, is_mapping_with
from config.problems import Code
from config.values import Cron, Duration, Name, Positive, Share, Text, TimeZone, refusal

_DATASET = re.compile(r"([a-z][a-z0-9_-]{0,62})@(0|[1-9][0-9]{0,5})")
_AFTER = re.compile(r"[a-z][a-z0-9_-]{0,62}(@(0|[1-9][0-9]{0,5}))?")


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """A dataset under one contract major, written ``name@major``."""

    name: str
    major: int

    def __str__(self) -> str:
        return f"{self.name}@{self.major}"


def _dataset(value: object) -> DatasetReference:
    match = _DATASET.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refusal(Code.BAD_VALUE, "must be a dataset and its contract's major, such as `customers@1`")
    return DatasetReference(match[1], int(match[2]))


Form: TypeAlias = Literal[
    "exact",
    "email",
    "email_google",
    "email_reddit",
    "phone",
    "phone_digits",
    "name",
    "name_google",
    "city",
    "region",
    "postal_code",
    "country",
]
"""A form that platforms agree on; the engine says what each means."""


class MatchKey(Model):
    """A part of the destination's key. ``normalise`` brings the value into a form, ``hash`` lets only a hash leave."""

    column: Text = Field(alias="from")
    normalise: Form = "exact"
    hash: Literal["sha256"] | None = None


class FieldMapping(MatchKey):
    """One destination field. ``on_null``: ``clear`` empties the field, ``skip`` leaves what is there."""

    type: Literal["string", "integer", "number", "boolean", "date", "timestamp", "time"] | None = None
    on_null: Literal["clear", "skip"] = "clear"

    @model_validator(mode="after")
    def _text_when_prepared(self) -> Self:
        if self.type not in {None, "string"} and (self.hash is not None or self.normalise != "exact"):
            raise refusal(Code.BAD_VALUE, "must be `string`, because what is normalised or hashed is text", "type")
        return self


def _mapped(value: Any) -> Any:  # a validator sees whatever was written
    """``email: email_address`` is short for ``email: {from: email_address}``."""
    return {"from": value} if isinstance(value, str) else value


class Schedule(Model):
    """When the daemon runs the sync: at cron times, at an interval, or after a dataset's new version.

    ``overlap`` takes the place of the daemon's.
    """

    cron: Cron | None = None
    timezone: TimeZone = "UTC"
    every: Duration | None = None
    after: Text | None = None
    overlap: Overlap | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.cron, self.every, self.after)) != 1:
            raise refusal(Code.BAD_VALUE, "needs exactly one of `cron`, `every` and `after`")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise refusal(Code.BAD_VALUE, "belongs to `cron`", "timezone")
        if self.every is not None and self.every < timedelta(seconds=1):
            raise refusal(Code.OUT_OF_RANGE, "must be at least `1s`", "every")
        if self.after is not None and not _AFTER.fullmatch(self.after):
            raise refusal(Code.BAD_VALUE, "must be a dataset such as `customers` or `customers@1`", "after")
        return self


class Rejects(Model):
    """How often a rejected record is tried again, and the share of rejections at which a run stops."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    stop_ratio: Share = 0.2


Target: TypeAlias = Annotated[float, Field(gt=0, lt=1)]


class Objectives(Model):
    """What people rely on: shares of the time.

    ``freshness`` is how old what the destination holds may be, for the share ``fresh`` of the time or, when silent, at any
    time; ``delivered`` is for which share of it the newest run must not have failed.
    """

    freshness: Duration | None = None
    fresh: Target | None = None
    delivered: Target | None = None

    @model_validator(mode="after")
    def _fresh_needs_a_length(self) -> Self:
        if self.fresh is not None and self.freshness is None:
            raise refusal(Code.MISSING_KEY, "belongs to `freshness`, which says how old is too old", "fresh")
        return self


class RetainRuns(Model):
    """Of how many runs that planned something all is kept: the newest, those of the last days, or what either of both keeps."""

    runs: Positive | None = None
    days: Positive | None = None

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if self.runs is None and self.days is None:
            raise refusal(Code.MISSING_KEY, "needs `runs`, `days` or both")
        return self


class SyncFile(FileModel):
    """One sync. ``match`` and ``fields`` go from the destination's field to the dataset's column."""

    name: Name
    dataset: Annotated[DatasetReference, PlainValidator(_dataset, json_schema_input_type=str)]
    destination: Name
    object: Text
    mode: Literal["upsert", "update", "insert", "mirror", "append"]
    match: Annotated[
        dict[Text, Annotated[MatchKey, BeforeValidator(_mapped, json_schema_input_type=str | MatchKey)]],
        Field(min_length=1, max_length=16),
    ]
    fields: Annotated[
        dict[Text, Annotated[FieldMapping, BeforeValidator(_mapped, json_schema_input_type=str | FieldMapping)]],
        Field(min_length=1, max_length=2000),
    ]
    consent: Consent = Field(
        description='{purpose: …, subject: …}, or {none: "why nobody needs to be asked"}',
        json_schema_extra=also_none,
    )
    consent_reason: Annotated[str, Constraints(max_length=1000)] | None = None
    gates: SyncGates = SyncGates()
    schedule: Schedule | None = None
    rejects: Rejects = Rejects()
    owner: Text | None = Field(
        default=None, description="whom alerts about it are for, where it is somebody else than the dataset's owner"
    )
    objectives: Objectives = Objectives()
    retain: RetainRuns | None = None
    on_unknown: Literal["resend", "hold"] = Field(
        default="resend",
        description="what becomes of a record when nobody knows whether a call took effect: sent again, or left for a "
        "person, for destinations at which a second send does harm",
    )

    @model_validator(mode="before")
    @classmethod
    def _consent_none(cls, data: Any) -> Any:  # a validator sees whatever was written
        """``consent: none`` with ``consent_reason: why`` means ``consent: {none: why}``."""
        if is_mapping_with(data, "consent") and data["consent"] == "none":
            reason = data.get("consent_reason")
            return {**data, "consent": {"none": "" if reason is None else reason}}
        return data

    @model_validator(mode="after")
    def _reason_belongs_to_none(self) -> Self:
        if self.consent_reason is not None and not isinstance(self.consent, NoConsent):
            raise refusal(Code.BAD_VALUE, "belongs to `consent: none`", "consent_reason")
        return self

    @model_validator(mode="after")
    def _gate_on_consent_belongs_to_a_rule(self) -> Self:
        if self.gates.consent is not None and isinstance(self.consent, NoConsent):
            raise refusal(Code.BAD_VALUE, "`consent` belongs to a sync that asks for consent", "gates")
        return self
