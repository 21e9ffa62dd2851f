"""What an adapter author implements and receives.

An adapter is a config model, a `Spec` (data) and pure functions from a `Batch` to a request and from a response
to a `Reply`. It has no clock, no retry loop, no sleep, no logger and no client of its own: the engine owns those
once, for all. This module imports nothing of the engine, so that an adapter can be written and tested without it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol, TypeAlias

import httpx
from pydantic import BaseModel, ConfigDict

from destinations.batch import Batch, Op, Record, Value

__all__ = ["Batch", "Op", "Record", "Value"]
"""What stands in a file of its own; authors import everything from here."""

_JOB_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination confirmed this record."""

    id: str
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination refuses this record with this payload; sending it again cannot help."""

    id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The record was not applied, and another try is worth it."""

    id: str
    code: str
    message: str


Outcome: TypeAlias = Delivered | Rejected | Failed
"""Of one record. *Unknown* exists only in the engine: it is what a record without an outcome gets."""


@dataclass(frozen=True, slots=True)
class AllDelivered:
    """The destination confirmed every record of the batch."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Per-record outcomes, matched by id; a record that is not named is unknown."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The whole batch was refused and nothing was applied, perhaps because of one record; the engine bisects."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """The destination asks for fewer calls; nothing was applied, unless ``applied_unknown``."""

    retry_after: timedelta | None = None
    applied_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was applied or it is not known; the same call may be tried again.

    ``applied_unknown`` is true when the request may have taken effect (time-out after it left, 5xx).
    """

    code: str
    message: str
    applied_unknown: bool
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The destination refuses the credential, the address or the protocol; no batch of this run can succeed.

    ``applied_unknown`` is true when an earlier call for the same batch may have taken effect.
    """

    code: str
    message: str
    applied_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """The destination took the batch as a job; what became of its records `Destination.poll` tells later.

    ``job`` is what the destination calls it, visible ASCII of at most 200 characters. It is kept before it is asked about,
    so that a later process asks on instead of submitting again.
    """

    job: str

    @property
    def is_usable(self) -> bool:
        """Whether the id can be kept and asked about; an adapter may have put into it whatever an API answered."""
        given: object = self.job
        return isinstance(given, str) and _JOB_ID.fullmatch(given) is not None


Reply: TypeAlias = AllDelivered | Outcomes | Refused | Throttled | Unavailable | Stop | Submitted


@dataclass(frozen=True, slots=True)
class Running:
    """The job has not ended; ``ask_after`` is when the destination wants to be asked again, where it says so."""

    ask_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended, and this is what became of its batch."""

    reply: AllDelivered | Outcomes | Refused | Unavailable | Stop


Progress: TypeAlias = Running | Ended | Throttled | Unavailable | Stop
"""What is known of a job; the last three are about the question, and the job goes on."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """How the destination's jobs are asked about: from every ``ask_seconds`` on, ever more rarely.

    One that has not ended after ``deadline_seconds`` is given up, and its records are unknown; operators may choose
    another deadline.
    """

    deadline_seconds: float = 3600.0
    ask_seconds: float = 1.0
    ask_seconds_max: float = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """A record that the destination holds; ``differing`` has what is held in each field that is not as the batch has it.

    A field is as the batch has it when it holds what that value becomes there: compare in the form in which you send.
    """

    id: str
    differing: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What the destination holds of the records of a batch; one that is not named is not there."""

    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``requests`` calls per ``per_seconds``, and ``concurrency`` at once."""

    requests: float
    per_seconds: float = 1.0
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one call may carry, and how fast calls may come; operators may only lower them."""

    records: int
    bytes: int
    rate: Rate | None = None
    concurrency: int = 4


class Idempotency(StrEnum):
    """What the destination does with the same batch sent twice."""

    KEYED = "keyed"
    """It honours the idempotency key."""
    NATURAL = "natural"
    """Setting the same values again has no further effect."""
    NONE = "none"
    """A second send may duplicate effects."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """HTTP statuses by meaning; 2xx are answers for `HttpDestination.decode`, everything unnamed is a stop."""

    throttled: frozenset[int] = frozenset({429})
    expired: frozenset[int] = frozenset({401})
    """Where the adapter has an `auth` that can be renewed, this is done once, and the call repeated once."""
    unavailable: frozenset[int] = frozenset({408, 409, 421, 423, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
    refused: frozenset[int] = frozenset({400, 413, 422})
    answers: frozenset[int] = frozenset()
    """Statuses outside 2xx whose body `decode` understands."""


@dataclass(frozen=True, slots=True)
class Spec:
    """An adapter's facts as data; each fact about an API carries a link in ``docs``."""

    name: str
    title: str
    config: type[BaseModel]
    operations: frozenset[Op]
    limits: Limits
    idempotency: Idempotency
    match_keys: tuple[str, ...] = ()
    """Destination fields that may be the match key; empty means any."""
    composite_match: bool = False
    statuses: Statuses = field(default_factory=Statuses)
    jobs: Jobs | None = None
    """Present when `send` may answer `Submitted`."""
    undo: str = ""
    """What this destination cannot take back, in one sentence."""
    erasure: str = ""
    """What becomes here of somebody who is forgotten, in one sentence; they are removed by a delete."""
    resubscribes: bool = True
    """Whether writing a record takes its unsubscribe back; where not, only the person can, at the destination."""
    docs: str = ""


class DestinationConfig(BaseModel):
    """Base of an adapter's config model: unknown keys are errors, secrets are ``SecretStr``."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a destination object, as schema discovery reports it."""

    name: str
    type: str
    required: bool = False
    read_only: bool = False
    unique: bool = False
    """No two records have the same value in it, so that it may be the match key."""
    takes: frozenset[str] = frozenset()
    """What it can hold, in the words of a sync's ``type``; empty where that is not said."""


Sign: TypeAlias = Callable[[httpx.Request, datetime], httpx.Request]
"""Gives a request what must be made at the moment of each attempt, such as a signature over the time."""


class Transport(Protocol):
    """The engine's HTTP client: paced, time-limited, size-limited; never retries by itself."""

    async def request(self, request: httpx.Request, sign: Sign | None = None) -> httpx.Response | Unavailable:
        """Sign, send once and read the whole body; a network failure is a value, not an exception.

        Raises `Denied` where calls may not go to the address.
        """
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward, to tell how old something is."""
        ...


class CheckFailed(Exception):
    """`Destination.check` found the destination unusable; the message is one sentence without secrets."""


class Denied(CheckFailed):
    """No call can be made as things stand, and none was; ``stop`` is what that means for a run."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.message)
        self.stop = stop


class Destination(ABC):
    """One account of one outside system. Subclasses that speak HTTP use `destinations.http.HttpDestination`."""

    spec: ClassVar[Spec]
    calls_by_transport: ClassVar[bool] = True
    """Whether every call goes through the `Transport`, which paces it; else the engine paces each `send` as one call."""

    def __init__(self, config: BaseModel) -> None:
        self.config = config

    @abstractmethod
    async def send(self, batch: Batch, transport: Transport) -> Reply:
        """Send one batch once. Must not raise for what a destination may answer."""

    async def poll(self, job: str, batch: Batch, transport: Transport) -> Progress:
        """Ask once what became of a job that `send` submitted for ``batch``, perhaps in an earlier process."""
        return Stop("no_jobs", "the adapter submits jobs and cannot ask about them")

    async def read_back(self, batch: Batch, transport: Transport) -> ReadBack | Throttled | Unavailable | Stop:
        """Find the records of a batch at the destination, changing nothing; only the fields of the batch are looked at.

        Optional: overriding it is what says that the destination can be read back. Limits are those of `send`.
        """
        return Stop("no_read_back", "the adapter cannot read back")

    def limits_for(self, records: int) -> Limits:
        """The most that one call may carry in a plan of so many records: large plans may go another way, such as by jobs."""
        return self.spec.limits

    async def check(self, transport: Transport) -> str:
        """Prove that the destination is reachable and the credential works, changing nothing.

        Returns one sentence for the operator; raises `CheckFailed`.
        """
        return "no check available"

    async def fields(self, object: str, transport: Transport) -> Sequence[Field]:
        """The fields of ``object``; empty when the API has no discovery."""
        return ()

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        """Reasons why a sync cannot work with this destination, found without a connection; empty when fine."""
        return ()

    def exhausted_for(self, response: httpx.Response) -> timedelta | None:
        """How long an answer says that no call is left; None when some are, or when it does not say."""
        return None

    async def close(self) -> None:
        """Release what was opened."""


def reads_back(adapter: type[Destination]) -> bool:
    """Whether what was delivered with an adapter can be compared with what the destination holds."""
    return adapter.read_back is not Destination.read_back
