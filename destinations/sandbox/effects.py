"""What an operation does to a record: decisions over the record that arrived and the one that is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from destinations.sandbox.batch import ReceivedRecord
from destinations.sandbox.exact_json import Value, written

UNSUBSCRIBED = "unsubscribed"
"""The field that an unsubscribe sets; whatever writes the record later takes it back."""


@dataclass(frozen=True, slots=True)
class Held:
    """The record is held with these fields afterwards."""

    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Gone:
    """The record is not held afterwards."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Nothing was done for this record."""

    code: str
    message: str


Effect: TypeAlias = Held | Gone | Rejection


def effect(record: ReceivedRecord, held: Mapping[str, Value] | None) -> Effect:
    """The effect of ``record`` where ``held`` are the fields of the record with its id, None when there is none.

    A field that is not named keeps its value, and null clears it. What asks for an absence finds it where nothing
    was held: a delete or an unsubscribe of an absent record has nothing to do.
    """
    match record.op:
        case "upsert":
            return Held({**_subscribed(held or {}), **record.fields})
        case "insert":
            return Held(record.fields) if held is None else Rejection("exists", "a record with this id exists")
        case "update":
            return _absent() if held is None else Held({**_subscribed(held), **record.fields})
        case "delete":
            return Gone()
        case "unsubscribe":
            return Gone() if held is None else Held({**held, UNSUBSCRIBED: True})
        case _:
            assert_never(record.op)


def _subscribed(held: Mapping[str, Value]) -> Mapping[str, Value]:
    return {name: value for name, value in held.items() if name != UNSUBSCRIBED}


def _absent() -> Rejection:
    return Rejection("not_found", "there is no record with this id")


def answer(records: Sequence[ReceivedRecord], rejections: Mapping[str, Rejection]) -> bytes:
    """The body of a batch's answer; once one record is named all must be, for the protocol takes silence as failure."""
    if not rejections:
        return b"{}"
    return written({"results": [_result(record.id, rejections.get(record.id)) for record in records]})


def _result(id: str, rejection: Rejection | None) -> dict[str, str]:
    if rejection is None:
        return {"id": id, "status": "delivered"}
    return {"id": id, "status": "rejected", "code": rejection.code, "message": rejection.message}
