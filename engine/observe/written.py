"""Values as they are written down, to tell whether a text of somebody else quotes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.observe.redact import spellings


def texts_of(written: str, *, whole: bool = False) -> Iterator[str]:
    """Every text and number in a JSON text, and with ``whole`` its names and truths; what is not JSON as it stands."""
    try:
        yield from _leaves(json.loads(written, parse_int=str, parse_float=str), whole=whole)
    except (json.JSONDecodeError, RecursionError):
        yield written


def forms_of(value: str) -> frozenset[str]:
    """A value as it is and in every spelling in which values travel."""
    return spellings(value) | {value.encode("utf-8", "surrogatepass").hex()}


def _leaves(data: Any, *, whole: bool) -> Iterator[str]:  # whatever JSON holds
    match data:
        case str():
            yield data
        case bool() if whole:
            yield "true" if data else "false"
        case dict():
            for part in (*data, *data.values()) if whole else data.values():
                yield from _leaves(part, whole=whole)
        case list():
            for part in data:
                yield from _leaves(part, whole=whole)
        case _:
            pass
