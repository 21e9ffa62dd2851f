"""What was stored once stays readable for ever, and what a newer release wrote is refused and not guessed."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import events as module
from engine.core.event_codec import UPCASTS, Json, UnknownEvent, decode, encode
from engine.core.events import EVENTS, CaptureUnchanged, Event, RunStarted
from engine.core.names import DatasetId, VersionNumber
from tests.property.effort import examples

STORED = [json.loads(line) for line in Path(__file__).with_name("stored_events.jsonl").read_text().splitlines()]
"""One event of every type and schema that a release ever wrote; lines are added and never edited."""


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    if isinstance(hint, typing.NewType):
        return values(hint.__supertype__)
    if dataclasses.is_dataclass(hint):
        return events(typing.cast("type[Any]", hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(*map(values, arguments), max_size=3)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return {bool: st.booleans(), str: st.text(), int: st.integers(), float: finite, types.NoneType: st.none()}[hint]


def events(cls: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{f.name: values(hints[f.name]) for f in dataclasses.fields(cls)})


@pytest.mark.parametrize("cls", EVENTS.values(), ids=EVENTS.keys())
def test_an_event_comes_back_from_its_json_as_it_was(cls: type[Event]) -> None:
    @given(event=events(cls))
    @examples(15)
    def comes_back(event: Event) -> None:
        type_name, schema, data = encode(event)
        assert (type_name, schema) == (cls.type, cls.schema)
        assert decode(type_name, schema, json.loads(json.dumps(data, allow_nan=False))) == event

    comes_back()


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: f"{stored['type']}-{stored['schema']}")
def test_a_stored_event_is_readable_and_says_what_it_said(stored: Json) -> None:
    event = decode(stored["type"], stored["schema"], stored["data"])

    assert type(event) is EVENTS[stored["type"]]
    if stored["schema"] == event.schema:
        assert encode(event) == (stored["type"], stored["schema"], stored["data"])


def test_every_shape_that_was_ever_stored_has_a_sample_and_a_way_to_todays() -> None:
    shapes = {(name, schema) for name, cls in EVENTS.items() for schema in range(1, cls.schema + 1)}

    assert {(stored["type"], stored["schema"]) for stored in STORED} == shapes
    assert UPCASTS.keys() == {(name, schema) for name, schema in shapes if schema < EVENTS[name].schema}


def test_every_event_is_listed_under_a_name_of_its_own_that_is_not_its_class() -> None:
    written = {v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Event) and v is not Event}

    assert set(EVENTS.values()) == written
    assert not any(cls.__name__ in name for name, cls in EVENTS.items())


def test_old_shapes_are_brought_up_one_schema_after_the_other() -> None:
    steps = {
        (CaptureUnchanged.type, -1): lambda data: {"dataset": data["name"] + "@1", "version": data["version"]},
        (CaptureUnchanged.type, 0): lambda data: {**data, "rows": len(data["dataset"])},
    }

    oldest = decode(CaptureUnchanged.type, -1, {"name": "people", "version": 3}, upcasts=steps)
    older = decode(CaptureUnchanged.type, 0, {"dataset": "people@1", "version": 3}, upcasts=steps)

    assert oldest == older == CaptureUnchanged(DatasetId("people@1"), VersionNumber(3), rows=8)


def test_a_shape_of_today_is_left_as_it_is() -> None:
    event = CaptureUnchanged(DatasetId("people@1"), VersionNumber(3), rows=8)
    steps = {(CaptureUnchanged.type, CaptureUnchanged.schema): lambda _: {}}

    assert decode(*encode(event), upcasts=steps) == event


@pytest.mark.parametrize(
    ("type_name", "schema"),
    [("run.teleported", 1), ("", 1), ("RunStarted", 1), (RunStarted.type, RunStarted.schema + 1)],
)
def test_an_event_of_a_newer_release_is_refused(type_name: str, schema: int) -> None:
    with pytest.raises(UnknownEvent, match="newer than this code"):
        decode(type_name, schema, {"run": "r", "sync": "s", "dataset": "d@1", "destination": "crm"})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RunStarted)])
def test_an_event_with_a_part_missing_is_not_completed(name: str) -> None:
    data = {"run": "r", "sync": "s", "dataset": "d@1", "destination": "crm"}

    with pytest.raises(KeyError, match=name):
        decode(RunStarted.type, 1, {k: v for k, v in data.items() if k != name})
