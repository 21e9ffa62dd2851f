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
    StateFolded,
    SyncPinned,
    VersionAccepted,
    VersionHeld,
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
        (CaptureBlocked.type, 2): lambda data: {**data, "key": [], "failing": None},
        (VersionHeld.type, 1): _with("definition", None),
        (PlanMade.type, 1): _with("quarantined", 0),
        (PlanMade.type, 2): _with("consent", None),
        (WindowIntended.type, 1): _batches_with("withheld", []),
        (WindowReceived.type, 1): _batches_with("withheld", 0),
        (StateFolded.type, 1): _with("resync", False),
        (SyncPinned.type, 1): _with("keys", None),
        (SyncPinned.type, 2): _with("through", None),
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


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if dataclasses.is_dataclass(kind):
        return {name: _plain(getattr(value, name)) for name in _readers(kind)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


T = TypeVar("T")
Reader = Callable[[Any], Any]


def _typed(cls: type[T], data: Json) -> T:
    readers = _readers(cls)  # type: ignore[arg-type]  # a class is hashable
    return cls(**{name: data[name] if read is None else read(data[name]) for name, read in readers.items()})


@cache
def _readers(cls: type[Any]) -> Mapping[str, Reader | None]:
    """For each field of an event or of a part of one, what makes its value of JSON; None where that is the value.

    Found once for a class: looking at types takes longer than reading an event, and a window has hundreds of parts.
    """
    hints = typing.get_type_hints(cls)
    return types.MappingProxyType({f.name: _reader(hints[f.name]) for f in dataclasses.fields(cls)})


def _reader(hint: Any) -> Reader | None:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = [a for a in typing.get_args(hint) if a is not type(None)]
    if dataclasses.is_dataclass(hint):
        part = typing.cast("type[Any]", hint)
        return lambda value: None if value is None else _typed(part, value)
    if typing.get_origin(hint) is tuple:
        read = _reader(typing.get_args(hint)[0])
        return lambda value: None if value is None else tuple(value if read is None else map(read, value))
    return None
