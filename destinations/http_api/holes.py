"""The holes of a described call: which there are, where they may stand, and what fills them.

A description is data: it is sent as it stands, but for texts and mappings that begin with `$`. There are no expressions.

    $id            the match key as text
    $key           the match key: its fields and values
    {$key: NAME}   the value of one of its fields
    $fields        the mapped fields and their values
    $object        what the sync calls the object
    $job           what the API called the job that is asked about
    {$each: X}     a list with X for each record of the call
    {$merge: […]}  objects made into one; later ones win

A text that begins with `$` and is none of these is written with two: `$$distinct_id` is sent as `$distinct_id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from destinations.base import Record, Value

Described: TypeAlias = Any
"""Plain data with holes; ``Any`` because it is recursive."""
Place: TypeAlias = tuple[str | int, ...]

OF_A_RECORD = frozenset({"$id", "$key", "$fields"})
OF_A_CALL = frozenset({"$object", "$job"})
EACH, MERGE, KEY = "$each", "$merge", "$key"
WORDS = (*sorted(OF_A_RECORD | OF_A_CALL), EACH, MERGE)


@dataclass(frozen=True, slots=True)
class Given:
    """What fills the holes of one call."""

    records: tuple[Record, ...]
    object: str
    nulls: Value = None
    """What a field is cleared with."""
    job: str = ""


def judged(described: Described) -> Described:
    """``described`` itself; raises pydantic's `ValidationError` with the place of each hole that is none, or stands where none may."""
    found = list(_problems(described, (), inside=False))
    if found:
        details = [
            InitErrorDetails(
                type=PydanticCustomError("bad_hole", "{message}", {"message": words}), loc=place, input=None
            )
            for place, words in found
        ]
        raise ValidationError.from_exception_data("holes", details)
    return described


def is_for_many(described: Described) -> bool:
    """Whether one call carries all records of a batch."""
    return any(hole == EACH for hole in holes(described))


def holes(described: Described) -> Iterator[str]:
    """Each hole, by the word that it begins with."""
    match described:
        case dict():
            for name, member in described.items():
                if _is_word(name):
                    yield name
                yield from holes(member)
        case list() | tuple():
            for member in described:
                yield from holes(member)
        case str() if _is_word(described):
            yield described


def filled(described: Described, given: Given, record: Record | None = None) -> Value:
    """``described`` with its holes filled, those of a record by ``record``; `$each` goes over those of the call."""
    match described:
        case dict():
            return _filled_mapping(described, given, record)
        case list() | tuple():
            return [filled(member, given, record) for member in described]
        case str() if _is_word(described):
            return _filled_word(described, given, record)
        case str():
            return _plain(described)
        case _:
            return described


def key_names(described: Described) -> Iterator[str]:
    """The fields of the match key that are named."""
    match described:
        case {"$key": name}:
            yield name
        case dict():
            for member in described.values():
                yield from key_names(member)
        case list() | tuple():
            for member in described:
                yield from key_names(member)
        case _:
            return


def _filled_mapping(described: Mapping[str, Described], given: Given, record: Record | None) -> Value:
    match described:
        case {"$each": each}:
            return [filled(each, given, one) for one in given.records]
        case {"$merge": [*parts]}:
            return {name: member for part in parts for name, member in filled(part, given, record).items()}
        case {"$key": name}:
            return _of(record).key[name]
        case _:
            return {_plain(name): filled(member, given, record) for name, member in described.items()}


def _filled_word(word: str, given: Given, record: Record | None) -> Value:
    match word:
        case "$object":
            return given.object
        case "$job":
            return given.job
        case "$id":
            return _of(record).id
        case "$key":
            return dict(_of(record).key)
        case _:
            fields = _of(record).fields
            return {name: given.nulls if value is None else value for name, value in fields.items()}


def _of(record: Record | None) -> Record:
    assert record is not None, "a hole of a record stands where there is one"
    return record


def _plain(text: str) -> str:
    return text[1:] if text.startswith("$$") else text


def _is_word(text: object) -> bool:
    return isinstance(text, str) and text.startswith("$") and not text.startswith("$$")


def _problems(described: Described, place: Place, *, inside: bool) -> Iterator[tuple[Place, str]]:
    """``inside`` an `$each`, where another one makes no sense."""
    match described:
        case dict() if any(map(_is_word, described)):
            yield from _problems_of_form(described, place, inside=inside)
        case dict():
            for name, member in described.items():
                yield from _problems(member, (*place, name), inside=inside)
        case list() | tuple():
            for index, member in enumerate(described):
                yield from _problems(member, (*place, index), inside=inside)
        case str() if _is_word(described) and described not in OF_A_RECORD | OF_A_CALL:
            yield place, _unknown(described)


def _problems_of_form(described: Mapping[str, Described], place: Place, *, inside: bool) -> Iterator[tuple[Place, str]]:
    word = next(name for name in described if _is_word(name))
    member = described[word]
    if word not in {EACH, MERGE, KEY}:
        yield (*place, word), _unknown(word)
    elif len(described) > 1:
        yield (*place, word), f"is `{word}` with other keys beside it: it stands alone in its mapping"
    elif word == KEY and (not isinstance(member, str) or _is_word(member)):
        yield (*place, word), "must be the name of a field of the match key"
    elif word == EACH and inside:
        yield (*place, word), "stands inside another `$each`"
    elif word == MERGE and not (
        isinstance(member, list) and all(isinstance(p, dict) or p in {"$key", "$fields"} for p in member)
    ):
        yield (*place, word), "must be a list of mappings, `$fields` or `$key`"
    elif word != KEY:
        yield from _problems(member, (*place, word), inside=inside or word == EACH)


def _unknown(written: str) -> str:
    """What was written is not repeated: it may be a secret."""
    near = get_close_matches(written.casefold(), WORDS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(f'`{word}`' for word in WORDS)}"
    return f"is no hole: {hint} A text that begins with `$` is written with two"
