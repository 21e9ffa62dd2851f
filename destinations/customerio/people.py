"""How people are named and written for Customer.io, and which records it would drop or take for something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from destinations.base import Batch, Op, Record, Rejected, Value
from destinations.json_body import json_body, key_text

ID, EMAIL, PHONE, CIO_ID = "id", "email", "phone", "cio_id"
IDENTIFIERS = (ID, EMAIL, PHONE, CIO_ID)
"""The fields that find a person; any of them may be the match key, and a person is named by one alone."""
UNSUBSCRIBED = "unsubscribed"
NAME_BYTES_MAX = 150
"""Of the name of an attribute, and of an `id`."""
VALUE_BYTES_MAX = 1_000
ATTRIBUTES_MAX = 300
ITEM_BYTES_MAX = 32_000
"""Of what is written of one person: 32 KB, by the smaller reading."""
_BATCH = b'{"batch":['


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator decides of how people are written."""

    deletes: Literal["delete", "suppress"]
    clears_with: Literal["empty", "null"]
    moments: frozenset[str]
    """Attributes that are sent as Unix seconds."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The records of a batch that may be sent, with what is written of each in their order, and those that may not."""

    sent: Mapping[str, bytes]
    rejected: tuple[Rejected, ...]
    names: frozenset[str]
    """The names that a complaint may be about."""

    @property
    def body(self) -> bytes:
        """The body of the call; the order of people in it is that of the answer's indices."""
        return _BATCH + b",".join(self.sent.values()) + b"]}"


def sort_out(batch: Batch, rules: Rules) -> Sorted:
    """Customer.io may drop what is beyond its limits without a word, so that is told here."""
    sent, rejected, names = dict[str, bytes](), list[Rejected](), set[str]()
    for record in batch.records:
        wrong = next(_objections(record, rules), None)
        item = json_body(_item(batch.op, record, rules)) if wrong is None else b""
        if len(item) > ITEM_BYTES_MAX:
            words = f"the record is larger than the {ITEM_BYTES_MAX:,} bytes that Customer.io takes: map fewer or shorter fields"
            wrong = "too_large", words
        if wrong is None:
            sent[record.id] = item
            names |= {*record.fields, *record.key}
        else:
            rejected.append(Rejected(record.id, *wrong))
    return Sorted(sent, tuple(rejected), frozenset(names))


def seconds(value: Value) -> Value:
    """Unix seconds of a date or a timestamp; whole numbers are seconds already.

    Raises `ValueError` or `TypeError` for other values.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise TypeError("a moment is a text or a whole number")
    moment = datetime.fromisoformat(value)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _item(op: Op, record: Record, rules: Rules) -> Mapping[str, Value]:
    """``_update`` keeps a person who is not there from being made."""
    person = {"type": "person", "identifiers": {name: key_text(value) for name, value in record.key.items()}}
    match op:
        case Op.DELETE:
            return {**person, "action": rules.deletes}
        case Op.UNSUBSCRIBE:
            return {**person, "action": "identify", "attributes": {"_update": True, UNSUBSCRIBED: True}}
        case _:
            only_there = {"_update": True} if op is Op.UPDATE else {}
            written = {name: _written(name, value, rules) for name, value in record.fields.items()}
            return {**person, "action": "identify", "attributes": {**only_there, **written}}


def _written(name: str, value: Value, rules: Rules) -> Value:
    if value is None:
        return "" if rules.clears_with == "empty" else None
    return seconds(value) if name in rules.moments else value


def _objections(record: Record, rules: Rules) -> Iterator[tuple[str, str]]:
    """Code and sentence of what is wrong with a record."""
    ((name, value),) = record.key.items()
    if not key_text(value):
        yield "required", f"`{name}` is missing: fill it at the source"
    if len(key_text(value).encode()) > NAME_BYTES_MAX:
        words = f"`{name}` is longer than the {NAME_BYTES_MAX} bytes that Customer.io takes: shorten it at the source"
        yield "too_long", words
    for name, value in record.fields.items():
        if isinstance(value, str) and len(value.encode()) > VALUE_BYTES_MAX:
            limit = f"{VALUE_BYTES_MAX:,}"
            yield (
                "too_long",
                f"`{name}` is longer than the {limit} bytes that Customer.io keeps: shorten it at the source",
            )
        if name == UNSUBSCRIBED and type(value) is not bool:
            words = "is neither true nor false: map a boolean column, and write `on_null: skip` where it is null"
            yield "invalid", f"`{name}` {words}"
        if name in rules.moments and not _is_moment(value):
            yield "invalid", f"`{name}` is no date, timestamp or whole number of seconds: map a column that is one"


def _is_moment(value: Value) -> bool:
    try:
        seconds(value)
    except (ValueError, TypeError):
        return False
    return True


def problems(mode: str, match: Sequence[str], fields: Sequence[str], rules: Rules) -> Iterator[str]:
    """Why a sync with these fields cannot work."""
    if CIO_ID in match and mode != "update":
        yield f"Customer.io gives `{CIO_ID}` itself: only mode update can match by it"
    if mode == "mirror" and rules.deletes == "suppress":
        yield "`deletes: suppress` would block everybody who leaves the dataset for good: write mode upsert, or `deletes: delete`"
    if len(fields) > ATTRIBUTES_MAX:
        yield f"`fields` names {len(fields)} attributes, and Customer.io keeps {ATTRIBUTES_MAX} of a person: map fewer"
    for name in fields:
        if name in match:
            yield f"`{name}` finds the person already: take it out of `fields`"
        elif found := _name_problem(name):
            yield found


def _name_problem(name: str) -> str:
    if name == CIO_ID:
        return f"`{CIO_ID}` is given by Customer.io and never written: take it out of `fields`"
    if name.partition(".")[0] in {"cio_subscription_preferences", "cio_relationships"}:
        return f"`{name}` is an object in Customer.io, which no column is: take it out of `fields`"
    if name.startswith("_"):
        return f"`{name}` means something else to Customer.io and is no attribute: give the attribute another name"
    if len(name.encode()) > NAME_BYTES_MAX:
        return f"`{name[:20]}…` is longer than the {NAME_BYTES_MAX} bytes of a name: give the attribute a shorter one"
    return ""
