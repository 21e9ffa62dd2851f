"""Events as the ledger stores them, and the way from every shape that was ever stored to today's."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from engine.core.events import (
    EVENTS,
    CaptureBlocked,
    Event,
    PlanMade,
    RunFinished,
    VersionAccepted,
    WindowIntended,
    WindowReceived,
)

Json = dict[str, Any]
"""Decoded JSON as the ledger stores it; ``Any`` because JSON is recursive."""


def _with(name: str, value: Any) -> Upcast:
    """The data of an event that had no ``name`` yet."""
    return lambda data: {**data, name: value}


def _batches_with(name: str, value: Any) -> Upcast:
    """The data of a window whose batches had no ``name`` yet."""
    return lambda data: {**data, "batches": [{**batch, name: value} for batch in data["batches"]]}


Upcast = Callable[[Json], Json]
UPCASTS: Mapping[tuple[str, int], Upcast] = types.MappingProxyType(
    {
        (VersionAccepted.type, 1): _with("quarantine", None),
        (CaptureBlocked.type, 1): _with("content", None),
        (PlanMade.type, 1): _with("quarantined", 0),
        (WindowIntended.type, 1): _batches_with("withheld", []),
        (WindowReceived.type, 1): _batches_with("withheld", 0),
        (RunFinished.type, 1): _with("unchanged", 0),
        (RunFinished.type, 2): _with("candidate", None),
    }
)
"""From ``(type, schema)`` to the function that gives the data the shape of ``schema + 1``."""


class UnknownEvent(ValueError):
    """The stored type or schema is newer than this code."""


def encode(event: Event) -> tuple[str, int, Json]:
    """``(type, schema, data)`` as the ledger stores an event; data holds only JSON types."""
    return event.type, event.schema, _plain(event)


def decode(type_name: str, schema: int, data: Json, *, upcasts: Mapping[tuple[str, int], Upcast] = UPCASTS) -> Event:
    """The event that was stored, in today's shape.

    Raises `UnknownEvent` for a type or schema that this code does not know.
    """
    cls = EVENTS.get(type_name)
    if cls is None or schema > cls.schema:
        raise UnknownEvent(f"event {type_name} schema {schema} is newer than this code")
    for step in range(schema, cls.schema):
        data = upcasts[type_name, step](data)
    return _typed(cls, data)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


T = TypeVar("T")


def _typed(cls: type[T], data: Json) -> T:
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    return cls(**{name: _value(hint, data[name]) for name, hint in hints.items()})


@cache
def _hints(cls: type[Any]) -> Mapping[str, Any]:
    """The fields of an event or of a part of one, with their types; resolving them takes longer than reading an event."""
    hints = typing.get_type_hints(cls)
    return types.MappingProxyType({f.name: hints[f.name] for f in dataclasses.fields(cls)})


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = [a for a in typing.get_args(hint) if a is not type(None)]
    if dataclasses.is_dataclass(hint):
        return _typed(typing.cast("type[Any]", hint), value)
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        return tuple(_value(item, v) for v in value)
    return value
