"""How records and their keys are written for HubSpot, and how its answers name them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from destinations.base import Batch, Op, Record, Value

RECORD_ID = "hs_object_id"
"""The property that holds HubSpot's own id of a record; it finds a record without being a unique property."""
EMAIL = "email"
ADDITIONAL = "hs_additional_emails"
"""The addresses of contacts that were merged into this one; each still finds it."""

TAKES = {
    "number": frozenset({"integer", "number"}),
    "bool": frozenset({"boolean"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"timestamp", "date"}),
}
"""What properties of a type can hold; those of any other hold text, and so everything."""


def key_of(batch: Batch) -> str:
    """The property that finds a record; the same for every record of a batch."""
    (name,) = batch.records[0].key
    return name


def names_of(batch: Batch) -> Named:
    """How answers may name the records of ``batch``."""
    key = key_of(batch)
    return Named(key, {text_of(record.key[key]): record.id for record in batch.records}, batch.ids)


def written(op: Op, place: int, record: Record) -> Mapping[str, Value]:
    """One record of a call. Its place is its trace id, by which errors name it: a key may be an address."""
    ((name, value),) = record.key.items()
    is_property = name != RECORD_ID
    finds = {} if op is Op.INSERT else {"id": text_of(value)} | ({"idProperty": name} if is_property else {})
    # The key is a property like others: who creates a record by it must say it again.
    held = {**({name: value} if is_property else {}), **record.fields}
    properties = {field: text_of(one) for field, one in held.items()}
    return {**finds, "objectWriteTraceId": str(place), "properties": properties}


def text_of(value: Value) -> str:
    """A value as HubSpot keeps it, which is text; the empty text clears a property."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


class Named(NamedTuple):
    """How answers may name the records of a batch: by trace id, which is their place, or by the text of their key."""

    key: str
    by_text: Mapping[str, str]
    ids: Sequence[str]

    def of_result(self, result: Mapping[str, Value]) -> str | None:
        """The id of the record that a result is about; None where it does not say."""
        if (place := result.get("objectWriteTraceId")) is not None:
            return self._at(place)
        properties = result.get("properties", {})
        keys = [result["id"] if self.key == RECORD_ID else properties.get(self.key)]
        if self.key == EMAIL:
            keys += (properties.get(ADDITIONAL) or "").split(";")
        return next((id for key in keys if key and (id := self._by_text(key)) is not None), None)

    def of_error(self, error: Mapping[str, Value]) -> list[str]:
        """The ids of the records that an error is about; none where it does not say."""
        context = mapping(error.get("context"))
        places = [self._at(place) for place in texts(context.get("objectWriteTraceId"))]
        keys = [self._by_text(text) for name in ("ids", "id") for text in texts(context.get(name))]
        return list(dict.fromkeys(id for id in (*places, *keys) if id is not None))

    def _at(self, place: Value) -> str | None:
        return self.ids[int(place)] if re.fullmatch("[0-9]{1,3}", str(place)) and int(place) < len(self.ids) else None

    def _by_text(self, text: str) -> str | None:
        """HubSpot writes addresses in lower case; where two keys of a batch differ by case only, it cannot be told whose."""
        if text in self.by_text:
            return self.by_text[text]
        alike = [id for key, id in self.by_text.items() if key.lower() == text.lower()]
        return alike[0] if len(alike) == 1 else None


def mapping(value: Value) -> Mapping[str, Value]:
    """An object of JSON, or an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def texts(value: Value) -> list[str]:
    """A text, or the texts of a list: the docs show lists where older answers had one text."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
