"""A batch as it arrives: the body of the webhook protocol (PROJECT.md), held to its shape before anything is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from destinations.sandbox.exact_json import Value, read

RECORDS_MAX = 500
BODY_BYTES_MAX = 16 * 1024 * 1024
NAME_LENGTH_MAX = 200
ID_LENGTH_MAX = 2_000
BATCH_NUMBER_MAX = 2**53

Operation: TypeAlias = Literal["upsert", "update", "insert", "delete", "unsubscribe"]
OPERATIONS: frozenset[str] = frozenset(get_args(Operation))
_WITH_FIELDS = frozenset({"upsert", "update", "insert"})


class Unusable(Exception):
    """A request that is refused as it stands; nothing was applied. The message is one sentence without values."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """One record; ``fields`` is empty where the operation needs none."""

    op: Operation
    id: str
    key: Mapping[str, Value]
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A batch whose ids are all different."""

    sync: str
    object: str
    plan: str
    number: int
    records: tuple[ReceivedRecord, ...]


def received(content: bytes) -> ReceivedBatch:
    """The batch that a body holds. Members that the protocol does not name are ignored. Raises `Unusable`."""
    try:
        body = read(content)
    except ValueError:
        raise Unusable("not_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Unusable("not_a_batch", "the body is not a JSON object")
    number, records = body.get("batch"), body.get("records")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= BATCH_NUMBER_MAX:
        raise Unusable("not_a_batch", "`batch` is not a whole number from 0")
    if not isinstance(records, list) or not records:
        raise Unusable("not_a_batch", "`records` is not an array that holds something")
    if len(records) > RECORDS_MAX:
        raise Unusable("too_many_records", f"a batch holds at most {RECORDS_MAX} records", status=413)
    batch = ReceivedBatch(
        sync=_name(body, "sync"),
        object=_name(body, "object"),
        plan=_name(body, "plan"),
        number=number,
        records=tuple(_record(record) for record in records),
    )
    if len({record.id for record in batch.records}) < len(batch.records):
        raise Unusable("repeated_id", "two records of the batch have one id")
    return batch


def _name(body: dict[str, Value], member: str) -> str:
    name = body.get(member)
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH_MAX:
        raise Unusable("not_a_batch", f"`{member}` is not a text of 1 to {NAME_LENGTH_MAX} characters")
    return name


def _record(record: Value) -> ReceivedRecord:
    if not isinstance(record, dict):
        raise Unusable("not_a_record", "a record is not a JSON object")
    op, id, key, fields = record.get("op"), record.get("id"), record.get("key"), record.get("fields")
    if not isinstance(op, str) or op not in OPERATIONS:
        raise Unusable("unknown_op", f"`op` of a record is none of {', '.join(sorted(OPERATIONS))}")
    if not isinstance(id, str) or len(id) > ID_LENGTH_MAX:
        raise Unusable("not_a_record", f"`id` of a record is not a text of at most {ID_LENGTH_MAX} characters")
    if not isinstance(key, dict) or not key:
        raise Unusable("not_a_record", "`key` of a record is not an object that holds something")
    if fields is None and op not in _WITH_FIELDS:
        fields = {}
    if not isinstance(fields, dict):
        raise Unusable("not_a_record", "`fields` of a record is not an object")
    return ReceivedRecord(cast("Operation", op), id, key, fields)
