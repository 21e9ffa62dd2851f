"""``alerts`` of an environment: where people are told that something is wrong, and who is told of what."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, PlainValidator, SecretStr, model_validator

from config.interpolate import Unresolved
from config.model import Model
from config.problems import Code
from config.values import Name, Text, TimeOfDay, TimeZone, refusal

Severity: TypeAlias = Literal["page", "ticket", "info"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _channel_url(value: object) -> SecretStr:
    if isinstance(value, Unresolved):
        return value
    if not isinstance(value, SecretStr):
        raise refusal(Code.BAD_VALUE, "must come from outside the file: `${env:NAME}` or `${file:PATH}`")
    if "://" not in value.get_secret_value():
        raise refusal(Code.BAD_VALUE, "must be the URL of a channel as Apprise writes it, such as `slack://…`")
    return value


class Channel(Model):
    """A place where messages go; ``url`` is as Apprise writes it and holds a token, so that it is a secret."""

    url: Annotated[SecretStr, PlainValidator(_channel_url, json_schema_input_type=str)]


class AlertHours(Model):
    """A part of the day in a time zone, past midnight where ``to`` is earlier than ``from``."""

    begins: TimeOfDay = Field(alias="from")
    ends: TimeOfDay = Field(alias="to")
    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1)] = DAYS
    timezone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.begins == self.ends:
            raise refusal(Code.BAD_VALUE, "must be another time than `from`; leave `hours` out for the whole day", "to")
        return self


class AlertRoute(Model):
    """Alerts of these severities go to ``channel``: all of them, or those of one owner; outside ``hours`` they wait, pages never."""

    channel: Name
    severity: Annotated[tuple[Severity, ...], Field(strict=False, min_length=1)] = ("page", "ticket")
    owner: Text | None = None
    hours: AlertHours | None = None


class Alerts(Model):
    """An alert goes to every route that takes it."""

    channels: dict[Name, Channel] = Field(default={})
    routes: Annotated[tuple[AlertRoute, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        for route in self.routes:
            if route.channel not in self.channels:
                raise refusal(Code.BAD_VALUE, f"names no channel: `{route.channel}`", "routes")
        return self
