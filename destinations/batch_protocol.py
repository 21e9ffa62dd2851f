"""The body of the webhook protocol (PROJECT.md), rendered set by set, and its per-record results read back."""

from __future__ import annotations

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from httpx import Response

from destinations.base import AllDelivered, Batch, Delivered, Failed, Op, Outcome, Outcomes, Rejected
from destinations.http import readable

NOT_REPORTED = "not_reported"
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def body(batch: Batch) -> bytes:
    """The request body; the same batch gives the same bytes."""
    head = {"sync": batch.sync, "object": batch.object, "plan": batch.plan, "batch": batch.number}
    records = ",".join(_records(batch).to_pylist())
    return orjson.dumps(head)[:-1] + b',"records":[' + records.encode() + b"]}"


def _records(batch: Batch) -> pa.Array:
    rows = batch.rows
    start = f'{{"op":"{batch.op.value}","id":'
    ids, keys = _quoted(rows.column("id")), rows.column("key")
    if batch.op in {Op.DELETE, Op.UNSUBSCRIBE}:
        return pc.binary_join_element_wise(start, ids, ',"key":', keys, "}", "")
    fields, changed = rows.column("fields"), rows.column("changed")
    parts = (start, ids, ',"key":', keys, ',"fields":', fields, ',"changed":', changed, "}", "")
    return pc.binary_join_element_wise(*parts)


def _quoted(ids: pa.Array) -> pa.Array:
    """Ids as JSON text; only those that need it are escaped one by one."""
    if pc.any(pc.match_substring_regex(ids, _NEEDS_ESCAPE)).as_py():
        return pa.array([orjson.dumps(text).decode() for text in ids.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', ids, '"', "")


def reply(batch: Batch, response: Response) -> AllDelivered | Outcomes:
    """A 2xx without ``results`` delivers the whole batch; with them, a record that is not named has failed.

    Raises for a body that is not JSON or not of this shape.
    """
    if not response.content.strip():
        return AllDelivered()
    answer = orjson.loads(response.content)
    if not isinstance(answer, dict):
        raise TypeError("an answer is an object")
    if "results" not in answer:
        return AllDelivered()
    if not isinstance(answer["results"], list):
        raise TypeError("results are an array")
    outcomes = [_outcome(result) for result in answer["results"]]
    named = {outcome.id for outcome in outcomes}
    silent = [Failed(id, NOT_REPORTED, "the answer does not name this record") for id in batch.ids if id not in named]
    return Outcomes((*outcomes, *silent))


def _outcome(result: dict[str, object]) -> Outcome:
    id, status = result["id"], result["status"]
    if not isinstance(id, str):
        raise TypeError("an id is text")
    code = readable(str(result.get("code") or "")) or readable(str(status))
    message = readable(str(result.get("message") or ""))
    match status:
        case "delivered":
            return Delivered(id)
        case "rejected":
            return Rejected(id, code, message)
        case _:
            return Failed(id, code, message)
