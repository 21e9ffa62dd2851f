"""How records are written for Salesforce, and how its own ids are asked for by a match key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import NamedTuple
from urllib.parse import urlencode

from destinations.base import Batch, Record, Value
from destinations.json_body import json_body, key_text

ID = "Id"
"""The field that holds Salesforce's own id of a record."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
"""The API name of an object or of a field."""
_RELATED = re.compile(rf"({NAME.pattern})(?::({NAME.pattern}))?\.({NAME.pattern})")
RECORDS_MAX = 200
"""Of one call of the collections."""
QUERIES_MAX = 5
"""Of one composite call."""
LITERALS_LENGTH_MAX = 3_000
"""Of the keys in one query, so that its condition keeps below the 4,000 characters that it may have."""


class Related(NamedTuple):
    """A record that is named by an external id of its own: ``Account.Ext_Key__c``, ``Owner:User.Email``."""

    relationship: str
    type: str
    field: str

    @property
    def lookup(self) -> str:
        """The field that holds the id of the related record."""
        stem = self.relationship.removesuffix("__r")
        return f"{stem}__c" if stem != self.relationship else f"{stem}Id"


def related(name: str) -> Related | None:
    """What a mapped name says of another record; None for a field of the record itself."""
    found = _RELATED.fullmatch(name)
    return None if found is None else Related(found[1], found[2] or "", found[3])


def key_of(batch: Batch) -> str:
    """The field that finds a record; the same for every record of a batch."""
    (name,) = batch.records[0].key
    return name


def written(object: str, record: Record, held: Mapping[str, Value]) -> Mapping[str, Value]:
    """One record of a call: ``held`` is what finds it."""
    fields = dict(_written(name, value) for name, value in record.fields.items())
    return {"attributes": {"type": object}, **fields, **held}


def parts_of(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """So many as one call takes; a batch that is too small for a job may still be too large for a call."""
    for first in range(0, len(records), RECORDS_MAX):
        yield records[first : first + RECORDS_MAX]


def body_of(records: Iterable[Mapping[str, Value]]) -> bytes:
    """A call in which each record stands and falls alone."""
    return json_body({"allOrNone": False, "records": list(records)})


def _written(name: str, value: Value) -> tuple[str, Value]:
    """A null clears a field, and takes a record away from the one that it is related to."""
    other = related(name)
    if other is None:
        return name, value
    if value is None:
        return other.lookup, None
    typed = {"attributes": {"type": other.type}} if other.type else {}
    return other.relationship, {**typed, other.field: value}


def questions(object: str, key: str, batch: Batch, root: str) -> Iterator[bytes]:
    """Composite calls that ask for the ids of the records of a batch.

    The keys, which may be addresses of people, stand in bodies, for an address of a call is written to logs.
    """
    parts = iter(_parts([_literal(record.key[key]) for record in batch.records]))
    while some := list(islice(parts, QUERIES_MAX)):
        queries = [f"SELECT {_columns(key)} FROM {object} WHERE {key} IN ({','.join(part)})" for part in some]
        asked = [
            {"method": "GET", "url": f"{root}/query?{urlencode({'q': query})}", "referenceId": f"part{place}"}
            for place, query in enumerate(queries)
        ]
        yield json_body({"allOrNone": False, "compositeRequest": asked})


def _columns(key: str) -> str:
    return ID if key == ID else f"{ID},{key}"


def _parts(literals: Sequence[str]) -> Iterator[list[str]]:
    part, length = list[str](), 0
    for literal in literals:
        if part and length + len(literal) > LITERALS_LENGTH_MAX:
            yield part
            part, length = [], 0
        part.append(literal)
        length += len(literal) + 1
    yield part


def _literal(value: Value) -> str:
    """A value as SOQL writes it."""
    match value:
        case bool() | int() | Decimal():
            return key_text(value).lower()
        case _:
            escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
            return f"'{escaped}'"


def _text(value: Value) -> str:
    """A key to compare by: Salesforce answers with ``12.0`` where 12 was asked for."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"{Decimal(str(value)).normalize():f}"
    return str(value)


class Found(NamedTuple):
    """Salesforce's ids by the id of the record; ``several`` are records that more than one of them is of."""

    ids: Mapping[str, str]
    several: frozenset[str]


def found(key: str, batch: Batch, rows: Iterable[Mapping[str, Value]]) -> Found:
    """Whose ids the rows of an answer hold. Raises for a row that is of none of the batch, for then others may be missing."""
    by_text = {_text(record.key[key]): record.id for record in batch.records}
    alike: dict[str, list[str]] = {}
    for text, id in by_text.items():
        alike.setdefault(text.strip().lower(), []).append(id)
    held: dict[str, list[str]] = {}
    for row in rows:
        text = _text(row[key])
        # Salesforce may compare without regard to case and blanks; where two keys are alike then, both are meant.
        owners = [by_text[text]] if text in by_text else alike[text.strip().lower()]
        for owner in owners:
            held.setdefault(owner, []).append(row[ID])
    several = frozenset(id for id, ids in held.items() if len(ids) > 1)
    return Found({id: ids[0] for id, ids in held.items() if id not in several}, several)
