"""What Braze's answers say of users, and what its refusals mean.

No sentence here quotes what Braze writes: its words repeat values. A name is told only where it is one of those that
were sent. A success means that Braze queued what it was sent, which is all it ever says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from destinations.base import AllDelivered, Delivered, Outcomes, Refused, Rejected, Stop, Value
from destinations.http import NoAnswer

TAKEN = frozenset({"success", "queued"})
"""What `message` says of a call that was taken; `queued` during maintenance."""
PERMISSIONS = {"track": "users.track", "delete": "users.delete", "custom_attributes": "custom_attributes.get"}
"""The permission that a call needs, by the end of its path."""
_REFUSED = Refused("refused", "Braze refuses it and names no field: compare the row with the attributes in Braze")
_NOT_THERE = Refused("not_counted", "Braze did not count it: a user who is not there is not made, mode upsert would")
_NAMED = re.compile(r"'([^']{1,255})'")
_WORDS = (
    (
        re.compile("blacklisted|blocklisted|disallowed"),
        "blocked_id",
        "Braze blocks the key as that of a dummy user: filter the row out, or ask Braze to let the id be",
    ),
    (
        re.compile("Max Input Length|max number of", re.IGNORECASE),
        "too_many",
        "more users came in one call than Braze takes under this contract: they come again in smaller calls",
    ),
    (re.compile("required|blank|missing"), "required", "`{name}` is missing: fill it at the source"),
    (
        re.compile("too long|too large|length|exceed", re.IGNORECASE),
        "too_long",
        "`{name}` is longer than Braze takes: shorten it at the source",
    ),
    (
        re.compile("not valid|invalid|must be", re.IGNORECASE),
        "invalid",
        "`{name}` is no value that Braze takes: correct it at the source, or map a column of the attribute's type",
    ),
)
"""Braze's errors are prose; what is known of their forms, the code that each gets, and the way out."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a call held: the ids of its records in order, the names of fields, and whether it makes users."""

    ids: Sequence[str]
    names: AbstractSet[str]
    makes_users: bool


@dataclass(frozen=True, slots=True)
class _Error:
    place: int | None
    """The index of the user that it is about; None where it does not say."""
    code: str
    message: str


def tracked(sent: Sent, said: Mapping[str, Value], *, is_fatal: bool) -> Outcomes | Refused:
    """What became of each user of a call that writes attributes.

    Raises for an answer that does not fit the call: what it says of anybody is not believed.
    """
    ids, names = sent.ids, sent.names
    errors = list(_errors(said, names, len(ids)))
    rejected = {ids[error.place]: error for error in reversed(errors) if error.place is not None}
    nameless = [error for error in errors if error.place is None]
    if is_fatal or said["message"] not in TAKEN:
        if len(rejected) < len(ids):
            first = (nameless or errors or [_Error(None, *_complaint(said.get("message"), names))])[0]
            return Refused(first.code, first.message)
    elif nameless:
        # Some of the call may have been taken, which does no harm when the halves of it come again.
        return Refused(nameless[0].code, nameless[0].message)
    elif not len(ids) - len(rejected) <= (count := said.get("attributes_processed", len(ids))) <= len(ids):
        if count > len(ids) or sent.makes_users:
            raise ValueError("the answer counts other users than were sent")
        return _NOT_THERE
    wrong = (Rejected(id, error.code, error.message) for id, error in rejected.items())
    return Outcomes((*wrong, *(Delivered(id) for id in ids if id not in rejected)))


def deleted(count: int, said: Mapping[str, Value], *, is_fatal: bool) -> AllDelivered | Refused:
    """What became of a deletion; who is not there is gone already, and Braze may not count them."""
    is_taken = said["message"] in TAKEN if "message" in said else isinstance(said["deleted"], int)
    if is_fatal or not is_taken or said.get("errors"):
        return Refused(*_complaint(said.get("message"), frozenset()))
    if not 0 <= said.get("deleted", 0) <= count:
        raise ValueError("the answer counts other users than were sent")
    return AllDelivered()


def explained(path: str, meant: NoAnswer) -> NoAnswer:
    """What a status means at the call of ``path``."""
    match meant:
        case Stop("http_401"):
            words = (
                "Braze refuses the key: put one that is in force into `login`, and its own instance into `url` (401)"
            )
            return replace(meant, message=words)
        case Stop("http_403"):
            needed = PERMISSIONS[path.rpartition("/")[2]]
            words = f"the key lacks the permission `{needed}`, or the contract does not include it: add it to the key in Braze (403)"
            return replace(meant, code="missing_permission", message=words)
        case Stop("http_404"):
            words = "there is no Braze at `url`: put the REST endpoint of the instance there (404)"
            return replace(meant, message=words)
        case Refused("http_413"):
            return Refused("too_large", "the call is larger than Braze takes: shorten what is mapped")
        case Refused():
            return _REFUSED
        case _:
            return meant


def _errors(said: Mapping[str, Value], names: AbstractSet[str], count: int) -> Iterator[_Error]:
    for error in said.get("errors") or ():
        told: Mapping[str, Value] = error if isinstance(error, dict) else {"type": error}
        place = told.get("index") if told.get("input_array") == "attributes" else None
        if place is not None and not (type(place) is int and 0 <= place < count):
            raise ValueError("the answer is about a user who was not sent")
        yield _Error(place, *_complaint(told.get("type"), names))


def _complaint(words: Value, names: AbstractSet[str]) -> tuple[str, str]:
    """The code of an error, and one sentence with the field, where it is one that was sent, and the way out."""
    text = words if isinstance(words, str) else ""
    found = sorted({name for name in _NAMED.findall(text) if name in names})
    code, sentence = next(((c, s) for form, c, s in _WORDS if form.search(text)), (_REFUSED.code, _REFUSED.message))
    if "{name}" not in sentence:
        return code, sentence
    return (code, sentence.format(name="` or `".join(found[:3]))) if found else (code, _REFUSED.message)
