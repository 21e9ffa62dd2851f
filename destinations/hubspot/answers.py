"""What HubSpot's answers say of records, and what its refusals mean.

No sentence here quotes what HubSpot writes: its words repeat values. Names of properties, codes and scopes have forms
of their own, and whatever has another form is left out. Every part of an error may be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

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
from destinations.hubspot.records import Named, mapping, texts

DAILY_PAUSE = timedelta(hours=1)
"""How long nothing is sent once a day's calls are used up: a day ends at midnight in the account's time zone, which is not said."""
WINDOW = timedelta(seconds=10)
"""The window of the burst limit where an answer does not give it."""
LOCKED_PAUSE = timedelta(seconds=2)
MISSING = "OBJECT_NOT_FOUND"
PERMANENT = frozenset({"VALIDATION_ERROR", "CONFLICT", MISSING, "OBJECT_ALREADY_EXISTS", "INVALID_EMAIL"})
"""Categories of an error that the same record meets again; after any other, another try is worth it."""
_PROPERTY, _CODE = re.compile(r"[a-z][a-z0-9_]{0,99}"), re.compile(r"[A-Z][A-Z0-9_]{1,60}")
_SCOPE = re.compile(r"[a-z][a-z0-9._-]{1,99}")

_OF_ALL = {
    "PROPERTY_DOESNT_EXIST": "the object has no property `{name}`: create it in HubSpot, or take it out of `fields`",
    "READ_ONLY_VALUE": "`{name}` is read-only in HubSpot: take it out of `fields`",
}
"""What is wrong with the mapping, and so with every record."""
_OF_ONE = {
    "INVALID_EMAIL": "`{name}` is no e-mail address that HubSpot takes: correct it at the source",
    "INVALID_OPTION": "`{name}` is none of the property's options: add the option in HubSpot, or correct it at the source",
}
_OTHERWISE = "`{name}` is refused ({code}): correct it at the source, or look at the property's rules in HubSpot"
_TOO_LONG = "`{name}` is longer than HubSpot takes ({code}): shorten it at the source"
_OF_ANOTHER_TYPE = "`{name}` is not of the property's type ({code}): map a column of that type"
_BY_CATEGORY = {
    "CONFLICT": "a record has this value of a unique property already: correct the source, or merge the two in HubSpot",
    MISSING: "HubSpot knows no such record or object: mode upsert would create a record",
}
_TYPES = frozenset({"INVALID_INTEGER", "INVALID_LONG", "INVALID_DOUBLE", "INVALID_NUMERIC", "INVALID_NUMBER"})
_TYPES |= {"INVALID_BOOLEAN", "INVALID_BOOL", "INVALID_DATE", "INVALID_DATETIME"}


@dataclass(frozen=True, slots=True)
class Found:
    """What was read, by the ids of the records, and the ids of those of which it is sure that they are not there."""

    records: Mapping[str, Mapping[str, Value]]
    absent: tuple[str, ...]


def found(names: Named, said: Mapping[str, Value]) -> Found:
    """The records of an answer. One that it does not name is absent only if nothing in the answer is about a stranger."""
    results, errors = said["results"], said.get("errors", ())
    named = {id: result for result in results if (id := names.of_result(result)) is not None}
    is_whole = len(named) == len(results) and all(error.get("category") == MISSING for error in errors)
    return Found(named, tuple(id for id in names.ids if id not in named) if is_whole else ())


def reply(names: Named, said: Mapping[str, Value]) -> Outcomes | Stop:
    """What an answer says of a batch. Where it has errors only, and each is the mapping's, no other batch fares better."""
    errors = said.get("errors", ())
    stops = [stop for error in errors if (stop := _of_all(error)) is not None]
    if stops and len(stops) == len(errors) and not said["results"]:
        return stops[0]
    return Outcomes(outcomes(names, said))


def outcomes(names: Named, said: Mapping[str, Value]) -> tuple[Outcome, ...]:
    """What became of each record. Those that neither a result nor an error names are told by the counts, or not at all.

    Raises for an answer that speaks of more records than were sent.
    """
    told: list[Outcome] = []
    nameless_results, nameless_errors = 0, list[Mapping[str, Value]]()
    for result in said["results"]:
        id = names.of_result(result)
        told += [] if id is None else [Delivered(id, str(result["id"]))]
        nameless_results += id is None
    for error in said.get("errors", ()):
        ids = names.of_error(error)
        told += [_outcome(id, error) for id in ids]
        nameless_errors += [] if ids else [error]
    silent = [id for id in names.ids if id not in {outcome.id for outcome in told}]
    if nameless_results + len(nameless_errors) > len(silent):
        raise ValueError("the answer speaks of more records than were sent")
    if nameless_results == len(silent):
        told += [Delivered(id) for id in silent]
    elif len(nameless_errors) == len(silent) and len({complaint(error) for error in nameless_errors}) == 1:
        told += [_outcome(id, nameless_errors[0]) for id in silent]
    return tuple(told)


def explained(said: Mapping[str, Value], meant: NoAnswer) -> NoAnswer:
    """What a body that comes with an error says beyond its status."""
    code, message = complaint(said)
    match meant:
        case Throttled(wait) if policy := said.get("policyName"):
            # The unit of `Retry-After` is in doubt here, and no window is longer than this one.
            return replace(meant, retry_after=DAILY_PAUSE if policy == "DAILY" else min(wait or WINDOW, WINDOW))
        case Unavailable("http_423", retry_after=None):
            return replace(meant, retry_after=LOCKED_PAUSE)
        case Stop() if said.get("category") == MISSING:
            return Refused(code, message)
        case Stop():
            return _forbidden(said, meant)
        case Refused():
            return _of_all(said) or Refused(code, message)
        case _:
            return meant


def _forbidden(said: Mapping[str, Value], meant: Stop) -> Stop:
    """A refused credential, with what to do about it."""
    if meant.code == "http_401":
        return replace(meant, message="HubSpot refuses the token: put one that is in force into `login` (401)")
    if not (scopes := sorted(set(_scopes(said)))):
        return meant
    needed = " or ".join(f"`{scope}`" for scope in scopes)
    return replace(meant, code="missing_scopes", message=f"the token lacks a scope: give its app {needed} (403)")


def _of_all(said: Mapping[str, Value]) -> Stop | None:
    """Why no record of the sync can be taken; None where only some of this call may be to blame."""
    code, message = complaint(said)
    words = str(said.get("message"))
    if any(code in _OF_ALL for _, code in _complaints(said)):
        return Stop(code, message)
    if "non-unique" in words:
        return Stop("match_not_unique", "the match key is not unique in HubSpot: match by a property that is")
    if "infer object type" in words:
        return Stop("unknown_object", "HubSpot has no object of this type: a custom one is named by its id, `2-…`")
    return None


def write_scopes(said: Mapping[str, Value]) -> list[str]:
    """What a token may write, of what is said about it."""
    return sorted(s for s in texts(said.get("scopes")) if _SCOPE.fullmatch(s) and s.endswith("write"))


def _outcome(id: str, error: Mapping[str, Value]) -> Outcome:
    code, message = complaint(error)
    return (Rejected if error.get("category") in PERMANENT else Failed)(id, code, message)


def complaint(error: Mapping[str, Value]) -> tuple[str, str]:
    """The code of an error, and one sentence that names the property and the way out."""
    category = _fitting(_CODE, error.get("category")) or "refused"
    complaints = sorted(set(_complaints(error)))
    if not complaints:
        return category.lower(), _BY_CATEGORY.get(category, f"HubSpot refuses it ({category}) and names no property")
    code = next((code for _, code in complaints if code in _OF_ALL), complaints[0][1])
    return code.lower(), "; ".join(_sentence(name, code) for name, code in complaints[:3])


def _sentence(name: str, code: str) -> str:
    words = _OF_ALL.get(code) or _OF_ONE.get(code)
    if words is None:
        is_length = "LENGTH" in code or "TOO_LONG" in code
        words = _TOO_LONG if is_length else _OF_ANOTHER_TYPE if code in _TYPES else _OTHERWISE
    return words.format(name=name, code=code)


def _complaints(error: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Properties and what is wrong with each: from the errors inside an error, and from the JSON inside its message."""
    for inner in _inner(error):
        context = mapping(inner.get("context"))
        names = (inner.get("in"), inner.get("name"), *texts(context.get("propertyName")))
        name = next((name for said in names if (name := _fitting(_PROPERTY, said))), "")
        code = _fitting(_CODE, inner.get("code")) or _fitting(_CODE, inner.get("error"))
        if name and code:
            yield name, code


def _inner(error: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    message = str(error.get("message", ""))
    written = message[message.find("[{") : message.rfind("}]") + 2] if "[{" in message else "[]"
    try:
        inside = json.loads(written)
    except ValueError:
        inside = []
    given = error.get("errors")
    yield from (mapping(one) for one in (*(given if isinstance(given, list) else ()), *inside))


def _scopes(said: Mapping[str, Value]) -> Iterator[str]:
    for error in (said, *_inner(said)):
        context = mapping(error.get("context"))
        for name in ("requiredGranularScopes", "requiredScopes", "missingScopes"):
            yield from (scope for scope in texts(context.get(name)) if _SCOPE.fullmatch(scope))


def _fitting(form: re.Pattern[str], value: Value) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""
