"""An exception as a traceback that quotes nobody: where it went through, and what kinds of error it met.

What a library says in its own exceptions may be a row's value or a secret; only errors of ours are written to be shown.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

from engine.errors import TidegateError

LINKS_MAX = 20
"""Causes that are followed; a chain may be a ring."""


def traced(error: BaseException) -> Iterator[str]:
    """Lines from the first cause to ``error`` itself."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain and len(chain) < LINKS_MAX:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for one in reversed(chain):
        yield "Traceback (most recent call last):"
        yield from "".join(traceback.format_tb(one.__traceback__)).splitlines()
        words = f": {one}" if isinstance(one, TidegateError) else ""
        yield f"{type(one).__module__}.{type(one).__qualname__}{words}"


def exception_told(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """As a structlog processor: ``exc_info`` as ``exception``, in the words of `traced`."""
    del logger, name
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(traced(error))
    return event
