"""What Salesforce's answers say of records, and what its refusals mean.

No sentence here quotes what Salesforce writes: its words repeat values. Names of fields and codes have forms of their own,
and whatever has another form is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import httpx
import orjson

from destinations.base import (
    Delivered,
    Failed,
    Outcome,
    Outcomes,
    Refused,
    Rejected,
    Stop,
    Throttled,
    Unavailable,
    Value,
)
from destinations.http import NoAnswer
from destinations.salesforce.records import NAME

DAILY_PAUSE = timedelta(hours=1)
"""How long nothing is sent once a day's calls are used up: the day is the last 24 hours, and frees some calls all the time."""
CONCURRENT_PAUSE = timedelta(seconds=10)
"""How long nothing is sent when too many long calls run at once."""
TRANSIENT = frozenset(
    {
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "CONCURRENT_REQUEST_LIMIT_EXCEEDED",
        "QUERY_TIMEOUT",
        "REQUEST_LIMIT_EXCEEDED",
        "REQUEST_RUNNING_TOO_LONG",
        "SERVER_UNAVAILABLE",
        "TXN_SECURITY_METERING_ERROR",
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
    }
)
"""Codes after which another try of the same record is worth it; after any other the same record meets the same again."""
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
"""What a delete of a record is told that is not there."""
_CODE, _USED = re.compile(r"[A-Z][A-Z0-9_]{2,60}"), re.compile(r"(?:^|[ ;,])api-usage=([0-9]{1,12})/([0-9]{1,12})")
_COLUMN = re.compile(rf"No such column '({NAME.pattern})' on ")
_PLACE, _MEMBER = re.compile(r"column:\s?([0-9]{1,9})\]"), re.compile(rb'"([A-Za-z][A-Za-z0-9_]{0,79})":')
_LOCKED = "UNABLE_TO_LOCK_ROW"
_JOBS_USED_UP = "EXCEEDED_MAX"
"""How the codes begin that say that a day's jobs or their rows are used up."""

_OF_ALL = {
    "INVALID_FIELD": "the object has no field {name} that the user may see: correct `fields`, or give the user the field",
    "INVALID_TYPE": "Salesforce has no such object that the user may see: correct `object`, or give the user the object",
}
"""What is wrong with the mapping: where it meets every record of a call, no other call fares better."""
_OF_ONE = {
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or a flow of the org refuses it: look into it in Salesforce",
    "DUPLICATES_DETECTED": "a duplicate rule of the org finds it twice: merge the two in Salesforce, or write `duplicates: save`",
    "DUPLICATE_EXTERNAL_ID": "several records have this key: make the field unique, or merge them in Salesforce",
    "DUPLICATE_VALUE": "another record has this value of a unique field ({name}): correct the source, or merge the two",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses {name}: correct it at the source",
    "INVALID_CROSS_REFERENCE_KEY": "{name} names a record that is not there: deliver that one before",
    "INVALID_EMAIL_ADDRESS": "{name} is no e-mail address that Salesforce takes: correct it at the source",
    "INSUFFICIENT_ACCESS_OR_READONLY": "the user may not write the record: give it the object and the records",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "{name} cannot be written: take it out of `fields`, or give the user the field",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "{name} is none of the picklist's values: add it, or correct it at the source",
    "JSON_PARSER_ERROR": "{name} is of another type than the field: map a column of that type",
    "MALFORMED_ID": "{name} is no id of Salesforce: correct it at the source",
    "NUMBER_OUTSIDE_VALID_RANGE": "{name} is a number that the field cannot hold: correct it at the source",
    "REQUIRED_FIELD_MISSING": "{name} is missing: map it, or fill it at the source",
    "STRING_TOO_LONG": "{name} is longer than the field: shorten it at the source",
}
_OTHERWISE = "{name} is refused ({code}): correct it at the source, or look at the object's rules in Salesforce"
_FORBIDDEN = (
    "the user may not do this ({code}): give it `API Enabled`, and the object and its fields, in a permission set"
)
_UNKNOWN = "Salesforce has no such object, or no such external id on it: correct `object` or `match`"
_SESSION = "Salesforce refuses the token: put one that is in force into `login` (401)"


def told(ids: Sequence[str], said: Value, *, gone_is_done: bool = False) -> Outcomes | Stop:
    """What an answer says of the records of a call, which it tells in their order. Raises for one that does not fit the call."""
    if not isinstance(said, list):
        raise TypeError("an answer is a list")
    outcomes = tuple(_outcome(id, one, gone_is_done) for id, one in zip(ids, said, strict=True))
    codes = {outcome.code.upper() for outcome in outcomes if isinstance(outcome, Rejected)}
    if len(codes) == 1 and codes <= _OF_ALL.keys() and all(isinstance(outcome, Rejected) for outcome in outcomes):
        one = outcomes[0]
        assert isinstance(one, Rejected), "all are"
        return Stop(one.code, one.message)
    return Outcomes(outcomes)


def _outcome(id: str, said: Mapping[str, Value], gone_is_done: bool) -> Outcome:  # noqa: FBT001  # a fact of the operation
    if said["success"] is True:
        return Delivered(id, str(said["id"]) if said.get("id") else None)
    errors = said["errors"]
    code, message = complaint(errors[0], None)
    if gone_is_done and code.upper() in GONE:
        return Delivered(id)
    return (Failed if passes(errors[0]) else Rejected)(id, code, message)


def explained(response: httpx.Response, meant: NoAnswer) -> NoAnswer:
    """What a body that comes with an error says beyond its status."""
    said = orjson.loads(response.content)
    error: Mapping[str, Value] = said[0] if isinstance(said, list) else said
    code = _code(error)
    if (wait := _pause(code, error, response)) is not None:
        return Throttled(wait)
    name, message = complaint(error, response)
    match meant:
        case Stop():
            return _stopped(code, name, meant, is_job="/jobs/" in response.request.url.path)
        case Refused() if passes(error):
            return Unavailable(name, message, applied_unknown=True)
        case Refused():
            return (Stop if code in _OF_ALL else Refused)(name, message)
        case _:
            return meant


def _pause(code: str, error: Mapping[str, Value], response: httpx.Response) -> timedelta | None:
    """How long nothing is sent, when a refusal is about how much was sent."""
    if code.startswith(_JOBS_USED_UP):
        return DAILY_PAUSE
    if code != "REQUEST_LIMIT_EXCEEDED":
        return None
    is_daily = "TotalRequests" in str(error.get("message")) or used_up(response, 0)
    return DAILY_PAUSE if is_daily else CONCURRENT_PAUSE


def _stopped(code: str, name: str, meant: Stop, *, is_job: bool) -> Stop:
    """A refused credential or address, with what to do about it."""
    match meant.code:
        case "http_401":
            return replace(meant, message=_SESSION)
        case "http_403":
            return Stop(name, _FORBIDDEN.format(code=code))
        case "http_404" if code == "NOT_FOUND" and not is_job:
            return Stop(name, _UNKNOWN)
        case _:
            return meant


def used_up(response: httpx.Response, kept: int) -> bool:
    """Whether an answer says that of the day's calls no more than ``kept`` are left."""
    used = _USED.search(response.headers.get("sforce-limit-info", ""))
    return used is not None and int(used[1]) + kept >= int(used[2])


def complaint(error: Mapping[str, Value], response: httpx.Response | None) -> tuple[str, str]:
    """The code of an error, and one sentence that names the field and the way out."""
    code = _code(error)
    names = [name for name in error.get("fields") or () if isinstance(name, str) and NAME.fullmatch(name)]
    names += _COLUMN.findall(str(error.get("message")))
    names += _at_the_place(error, response)
    name = ", ".join(f"`{name}`" for name in dict.fromkeys(names[:3])) or "a field"
    sentence = _OF_ALL.get(code) or _OF_ONE.get(code) or _OTHERWISE
    return code.lower(), sentence.format(name=name, code=code)


def _at_the_place(error: Mapping[str, Value], response: httpx.Response | None) -> list[str]:
    """The member of the body at whose value Salesforce stopped to read: it names the place only."""
    place = _PLACE.search(str(error.get("message")))
    if place is None or response is None:
        return []
    before = _MEMBER.findall(response.request.content[: int(place[1])])
    return [before[-1].decode()] if before else []


def _code(error: Mapping[str, Value]) -> str:
    code = error.get("statusCode") or error.get("errorCode")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "REFUSED"


def passes(error: Mapping[str, Value]) -> bool:
    """Whether another try is worth it; a trigger that met a lock says so in its words only."""
    return _code(error) in TRANSIENT or _LOCKED in str(error.get("message"))
