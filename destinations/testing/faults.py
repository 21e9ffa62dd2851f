"""What can go wrong between an adapter and its API, as data: a fault meets a call in place of the API's own answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

WAIT_SECONDS = 7


@dataclass(frozen=True, slots=True)
class Answered:
    """The API answers something else than what it should, having applied the call or not."""

    name: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    applied: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer comes, whether or not the call was applied."""

    name: str
    error: type[httpx.TransportError]
    applied: bool


@dataclass(frozen=True, slots=True)
class Spoiled:
    """The call is applied, and the body of its answer is damaged on the way."""

    name: str
    spoil: Callable[[bytes], bytes]
    applied: bool = True


@dataclass(frozen=True, slots=True)
class Dripping:
    """The call is applied, and the body of its answer never ends, although some of it comes all the time."""

    name: str
    applied: bool = True


Fault = Answered | Lost | Spoiled | Dripping


@dataclass(frozen=True, slots=True)
class Throttling:
    """One way in which an API asks for fewer calls, and for how long."""

    fault: Answered
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.fault.name


_DATES = {"date": "Thu, 01 Jan 2026 00:00:00 GMT", "retry-after": "Thu, 01 Jan 2026 00:00:07 GMT"}

THROTTLINGS = (
    Throttling(Answered("429 with seconds", 429, {"retry-after": str(WAIT_SECONDS)}), WAIT_SECONDS),
    Throttling(Answered("429 with a date", 429, _DATES), WAIT_SECONDS),
    Throttling(Answered("429 without a header", 429)),
    Throttling(Answered("429 with a header that says nothing", 429, {"retry-after": "soon"})),
    Throttling(Answered("503 with seconds", 503, {"retry-after": str(WAIT_SECONDS)}), WAIT_SECONDS),
)

LOSSES = (
    Lost("no connection", httpx.ConnectError, applied=False),
    Lost("a time-out before it was applied", httpx.ReadTimeout, applied=False),
    Lost("a time-out after it was applied", httpx.ReadTimeout, applied=True),
    Lost("a connection that breaks after it was applied", httpx.RemoteProtocolError, applied=True),
)
OUTAGES = (
    Answered("500 before it was applied", 500),
    Answered("502 after it was applied", 502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>", applied=True),
    *LOSSES,
)

SPOILINGS = (
    Spoiled("broken off", lambda body: body[: len(body) // 2]),
    Spoiled("a page of HTML", lambda _: b"<!doctype html><title>Sign in</title>"),
    Spoiled("bytes that are no text", lambda _: b"\xff\xfe\x00\x80"),
    Spoiled("a text where an object should be", lambda _: b'"maintenance"'),
    Spoiled("a list where an object should be", lambda _: b"[]"),
)

EXPIRED = Answered("401", 401)
REFUSALS = (
    EXPIRED,
    Answered("403", 403),
    Answered("404", 404),
    Answered("410", 410),
    Answered("302", 302, {"location": "https://elsewhere.example/"}),
)
"""After these no call of the run can succeed."""
