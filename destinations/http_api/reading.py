"""How answers are read, as an operator describes it: which members tell of records, and which words mean what."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from destinations.base import DestinationConfig

_WAY = re.compile(r"[^.\s]+(\.[^.\s]+)*")

Words: TypeAlias = tuple[str | int | bool, ...]


def _steps(written: object) -> object:
    if isinstance(written, str) and _WAY.fullmatch(written):
        return tuple(written.split("."))
    if isinstance(written, tuple):
        return written
    raise PydanticCustomError("bad_value", "{message}", {"message": "must be the way to a member, such as `data.id`"})


At: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_steps, json_schema_input_type=str)]
"""The way to a member of an answer, written with dots."""


class Verdicts(DestinationConfig):
    """What a word in an answer means for the whole call, whatever its status."""

    at: At
    throttled: Words = ()
    unavailable: Words = ()
    rejected: Words = ()
    stop: Words = ()


class StatusWords(DestinationConfig):
    """What the word at ``at`` says of a record; any other word leaves it unknown."""

    at: At
    delivered: Words = ()
    rejected: Words = ()
    failed: Words = ()


class Results(DestinationConfig):
    """Where an answer tells of single records: a list, and in each entry who it is about and what became of them.

    An entry is found by its ``id``, by an ``index`` from 0 that it names, or ``by_place``: the first is about the first record.
    Without any of these, entries are ids themselves. Without ``status`` every entry says ``means``.
    """

    list: At | None = None
    id: At | None = None
    index: At | None = None
    by_place: bool = False
    status: StatusWords | None = None
    means: Literal["delivered", "rejected", "failed"] | None = None
    code: At | None = None
    message: At | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.id is not None) + (self.index is not None) + self.by_place > 1:
            raise ValueError("an entry is found by one of `id`, `index` and `by_place`")
        if (self.status is None) == (self.means is None):
            raise ValueError("needs either `status` or `means`")
        return self


class Answers(DestinationConfig):
    """How a 2xx is read: it is not believed without what it ``needs``, nor with what it ``lacks`` when it is good.

    ``counts`` are members whose sum is the number of records of the call, ``others`` the records that it does not name.
    """

    needs: tuple[At, ...] = ()
    lacks: tuple[At, ...] = ()
    counts: tuple[At, ...] = ()
    records: tuple[Results, ...] = ()
    others: Literal["delivered", "failed", "unknown"] = "unknown"
