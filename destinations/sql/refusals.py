"""What databases refuse a record for, in one set of words, whichever database it is."""

from __future__ import annotations

from enum import StrEnum

from destinations.base import Refused


class Refusal(StrEnum):
    """Why a record cannot be written; the value is the code that operators see."""

    BAD_VALUE = "bad_value"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    NO_VALUE = "no_value"
    NOT_UNIQUE = "not_unique"
    NO_REFERENCE = "no_reference"
    CHECK = "check"
    RULE = "rule"
    """A trigger or another rule of the table."""


WORDLESS = "a trigger of the table refuses it"
"""What is said in place of a trigger's own words, which may repeat values."""

_NEXT = {
    Refusal.BAD_VALUE: "map a column of the type that the table has there",
    Refusal.TOO_LONG: "shorten it in the source, or widen the column",
    Refusal.OUT_OF_RANGE: "correct it in the source, or widen the column",
    Refusal.NO_VALUE: "map it, fill it in the source, or give the column a default",
    Refusal.NOT_UNIQUE: "another row has the value already: correct it in the source, or drop the index",
    Refusal.NO_REFERENCE: "the row that it points to must be there first",
    Refusal.CHECK: "correct it in the source, or change the check",
    Refusal.RULE: "correct it in the source, or change what the table refuses",
}


def refused(why: Refusal, said: str, column: str | None = None) -> Refused:
    """One sentence: the column where it is known, what the database said without any value, and what helps."""
    return Refused(why.value, f"{f'`{column}`: ' if column else ''}{said}; {_NEXT[why]}")
