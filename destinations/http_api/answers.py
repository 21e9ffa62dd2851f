"""What a described API's answers mean: for the whole call by its status or a word, for single records by lists in it.

Nothing is believed that the description does not name: a word that is in no list, a record that nothing is said of and an answer
without the members that it needs leave their records unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

import httpx
import orjson

from destinations.base import (
    AllDelivered,
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
from destinations.http import NoAnswer, readable
from destinations.http_api.reading import Answers, At, Results, StatusWords, Verdicts
from destinations.json_body import key_text
from destinations.waiting import retry_after

_MISSING = object()


def believed(response: httpx.Response) -> None:
    """Raise for an answer that does not look like one of an API: it is an object, or nothing at all."""
    if not isinstance(content_of(response), dict | None):
        raise TypeError("an answer is an object")


def content_of(response: httpx.Response) -> Value:
    """The JSON of an answer, or None for one without a body; raises for anything else."""
    return orjson.loads(response.content) if response.content.strip() else None


def at(said: Value, way: At) -> Value:
    """The member of ``said`` that the way leads to; None where there is none."""
    found = _found(said, way)
    return None if found is _MISSING else found


def verdict(response: httpx.Response, errors: Verdicts | None) -> NoAnswer | None:
    """What a word in an answer means for the whole call; None where it says nothing of it."""
    if errors is None:
        return None
    try:
        word = at(content_of(response), errors.at)
    except ValueError:
        return None
    code = readable(str(word))
    if is_one_of(word, errors.throttled):
        return Throttled(retry_after(response))
    if is_one_of(word, errors.unavailable):
        return Unavailable(code, f"the destination answered {code}", False, retry_after(response))
    if is_one_of(word, errors.rejected):
        return Refused(code, f"the destination refuses it ({code})")
    return Stop(code, f"the destination refuses the call ({code})") if is_one_of(word, errors.stop) else None


def outcomes(ids: Sequence[str], said: Value, answers: Answers) -> AllDelivered | Outcomes:
    """What an answer says of the records of its call: ``ids`` are those that were sent, in order.

    Raises for an answer that is no object or list, lacks what it needs, or tells of a place where nothing was sent.
    """
    if not isinstance(said, list if any(results.list is None for results in answers.records) else dict):
        raise TypeError("the answer is an object, or a list where records are told in it")
    if any(_found(said, way) is _MISSING for way in answers.needs):
        raise ValueError("the answer lacks what it needs to be believed")
    if any(_found(said, way) is not _MISSING for way in answers.lacks):
        raise ValueError("the answer has what a good one lacks")
    if answers.counts and sum(at(said, way) for way in answers.counts) != len(ids):
        raise ValueError("the answer is about another number of records")
    told: list[Outcome] = []
    for results in answers.records:
        before = {outcome.id for outcome in told}
        told += [outcome for outcome in _told(ids, said, results) if outcome.id not in before]
    named = {outcome.id for outcome in told}
    return Outcomes((*told, *_others([id for id in ids if id not in named], answers)))


def _others(ids: Sequence[str], answers: Answers) -> Iterator[Outcome]:
    match answers.others:
        case "delivered":
            yield from map(Delivered, ids)
        case "failed":
            yield from (Failed(id, "not_reported", "the answer does not name this record") for id in ids)
        case "unknown":
            return
        case _:
            assert_never(answers.others)


def _told(ids: Sequence[str], said: Value, results: Results) -> Iterator[Outcome]:
    entries = said if results.list is None else at(said, results.list)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise TypeError("records are told in a list")
    for place, entry in enumerate(entries):
        id = _id(ids, place, entry, results)
        means = _meant(entry, results.status) if results.status else results.means
        make: Callable[[str, str, str], Outcome]
        match means:
            case "delivered":
                yield Delivered(id)
                continue
            case "rejected":
                make = Rejected
            case "failed":
                make = Failed
            case _:
                continue
        yield make(id, _code(entry, results), readable(str(_member(entry, results.message) or "")))


def _id(ids: Sequence[str], place: int, entry: Value, results: Results) -> str:
    """Who an entry is about."""
    if results.index is not None:
        index = at(entry, results.index)
        if type(index) is not int or not 0 <= index < len(ids):
            raise ValueError("the answer is about a place where nothing was sent")
        return ids[index]
    if results.by_place:
        if place >= len(ids):
            raise ValueError("the answer tells of more records than were sent")
        return ids[place]
    id = entry if results.id is None else at(entry, results.id)
    if not isinstance(id, str | int) or isinstance(id, bool):
        raise TypeError("an id is a text or a whole number")
    return key_text(id)


def _meant(entry: Value, words: StatusWords) -> str | None:
    word = at(entry, words.at)
    for name in ("delivered", "rejected", "failed"):
        if is_one_of(word, getattr(words, name)):
            return name
    return None


def _code(entry: Value, results: Results) -> str:
    """The code of an entry; where it has none, the word of its status or the name of the list that it stands in."""
    for way in (results.code, results.status.at if results.status else None):
        if (code := _member(entry, way)) is not None:
            return readable(str(code))
    return results.list[-1] if results.list else "refused"


def _member(entry: Value, way: At | None) -> Value:
    return None if way is None else at(entry, way)


def _found(said: Value, way: At) -> Value:
    for step in way:
        if isinstance(said, dict) and step in said:
            said = said[step]
        elif isinstance(said, list) and step.isdigit() and int(step) < len(said):
            said = said[int(step)]
        else:
            return _MISSING
    return said


def is_one_of(word: Value, words: Sequence[Value]) -> bool:
    """As JSON has them: `true` is not 1."""
    return any(type(word) is type(one) and word == one for one in words)
