"""What a contract demands of single values of a column, as plain values: ODCS ``logicalTypeOptions`` and ``enum``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | bool | Decimal | date | datetime | time
"""A value that a contract writes down for a column; every number is a `Decimal`, every moment has a zone."""


class Format(StrEnum):
    """What a text can be demanded to be, in the words of ODCS and JSON Schema."""

    EMAIL = "email"
    UUID = "uuid"
    URI = "uri"
    HOSTNAME = "hostname"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DATE = "date"
    BYTE = "byte"


@dataclass(frozen=True, slots=True)
class Length:
    """A text has at least ``least`` characters and, unless None, at most ``most``."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text in which the pattern is found anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """A value between two ends, None where there is none; an end belongs to the range unless it is ``open``."""

    low: Value | None = None
    high: Value | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Multiple:
    """A number that is a whole number of times ``of``, which is above zero."""

    of: Decimal


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A value that is one of these."""

    values: tuple[Value, ...]


ValueDemand: TypeAlias = Length | Pattern | Format | Range | Multiple | Enumeration


@dataclass(frozen=True, slots=True)
class ValueRule:
    """One demand on every value of a column, under the name that the contract gives it; null is no value, and meets it."""

    option: str
    column: str
    demand: ValueDemand

    @property
    def label(self) -> str:
        """What a person calls the rule."""
        return f"`{self.option}` of {self.column}"
