"""An API described as data: what an operator writes into `config` of a destination of type `http`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from destinations.addresses import UrlConfig
from destinations.auth import Basic, Bearer, ClientCredentials, RefreshToken
from destinations.base import DestinationConfig, Op
from destinations.headers import HEADER_VALUE, HeaderName, sendable
from destinations.http_api.holes import OF_A_RECORD, Described, holes, is_for_many, judged
from destinations.http_api.reading import Answers, At, Verdicts, Words

CALLS_MAX = 100
"""Records of a batch where an operation makes a call for each: a batch that is cut off begins anew."""
OURS = frozenset({"authorization", "content-type", "content-length", "transfer-encoding", "host"})

Status: TypeAlias = Annotated[int, Field(ge=400, le=599)]
Shape: TypeAlias = Annotated[Described, AfterValidator(judged)]
Path: TypeAlias = Annotated[str | list[Any], AfterValidator(judged)]


class ApiKey(DestinationConfig):
    """A secret in a header of its own; ``value`` as it is sent, with whatever word stands before it."""

    header: HeaderName
    value: SecretStr

    @model_validator(mode="after")
    def _is_sendable(self) -> Self:
        if not HEADER_VALUE.fullmatch(self.value.get_secret_value()):
            raise ValueError("`value` is not visible ASCII, with blanks only inside")
        return self


class Call(DestinationConfig):
    """One request: its method, its path below ``url`` (a text, or a list of segments) and its JSON body."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Path
    body: Shape = Field(default=None, repr=False)
    delivered: frozenset[Status] = frozenset()
    """Statuses outside 2xx that say that all is as it was asked for, such as 404 of a deletion."""

    @property
    def is_for_many(self) -> bool:
        """Whether it carries all records of a batch."""
        return is_for_many(self.body)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if isinstance(self.path, str) and not self.path.startswith("/"):
            raise ValueError("`path` begins with `/`, or is a list of segments")
        if is_for_many(self.path):
            raise ValueError("`path` cannot hold `$each`")
        if self.is_for_many and OF_A_RECORD.intersection(_outside(self.path, self.body)):
            raise ValueError("holes of one record stand beside `$each`, which is for many")
        return self


class Operations(DestinationConfig):
    """The call of each operation that the API has."""

    upsert: Call | None = None
    update: Call | None = None
    insert: Call | None = None
    delete: Call | None = None
    unsubscribe: Call | None = None

    @property
    def calls(self) -> dict[Op, Call]:
        """Those that are described."""
        found = {op: getattr(self, op.value, None) for op in Op}
        return {op: call for op, call in found.items() if call is not None}

    @model_validator(mode="after")
    def _can_something(self) -> Self:
        if not self.calls:
            raise ValueError("describes no operation")
        return self


class Statuses(DestinationConfig):
    """Which statuses mean what; those that are not written keep their meaning."""

    throttled: frozenset[Status] = frozenset({429})
    unavailable: frozenset[Status] | None = None
    rejected: frozenset[Status] = frozenset({400, 413, 422})
    """Nothing was applied, for a record cannot be taken."""


class JobCalls(DestinationConfig):
    """A call that is answered with a job: where its id stands, the call that asks about it, and the words for its state."""

    id: At
    ask: Call
    state: At
    running: Words
    ended: Words
    failed: Words = ()
    """Nothing was applied."""
    deadline_seconds: Annotated[float, Field(gt=0, le=604_800)] = 3600.0


class ApiLimits(DestinationConfig):
    """The most that one call carries."""

    records: Annotated[int, Field(ge=1, le=100_000)] = 1
    bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000


class KeyHeader(DestinationConfig):
    """The header in which the API takes an idempotency key that it honours."""

    header: HeaderName


class QuotaHeaders(DestinationConfig):
    """Headers that tell how many calls are left, and when there are more: in seconds, or as a Unix time."""

    remaining: HeaderName
    reset: HeaderName


Login: TypeAlias = Bearer | Basic | ApiKey | ClientCredentials | RefreshToken
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Headers: TypeAlias = Annotated[dict[str, SecretStr], AfterValidator(lambda headers: sendable(headers, OURS))]


class HttpApiConfig(UrlConfig):
    """One API. Each operation that it has is a call; what answers mean stands in ``answers``, ``statuses`` and ``errors``."""

    title: Text = "API"
    docs: str = ""
    login: Login | None = None
    headers: Headers = {}
    operations: Operations
    match: tuple[str, ...] = ()
    """Fields that may be the match key; any where it is empty."""
    limits: ApiLimits = ApiLimits()
    idempotency: KeyHeader | Literal["natural", "none"] = "none"
    clears_with: Literal["null", "empty"] = "null"
    answers: Answers | Literal["all"] | None = None
    statuses: Statuses = Statuses()
    errors: Verdicts | None = None
    quota: QuotaHeaders | None = None
    jobs: JobCalls | None = None
    resubscribes: bool = False
    check: Call | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "?" in self.url:
            raise PydanticCustomError("bad_value", "{message}", {"message": "must carry no query", "key": "url"})
        calls = self.operations.calls
        many = [op.value for op, call in calls.items() if call.is_for_many]
        single = [op.value for op, call in calls.items() if not call.is_for_many]
        if many and self.answers is None:
            raise ValueError(
                f"needs `answers`, for `{many[0]}` carries many records; `all` says that a 2xx speaks for each"
            )
        if single and self.limits.records > CALLS_MAX:
            raise ValueError(f"`limits.records` is at most {CALLS_MAX}, for `{single[0]}` makes a call for each record")
        if single and self.jobs is not None:
            raise ValueError(f"`jobs` are for calls that carry many records, and `{single[0]}` carries one")
        for call in (self.check, self.jobs.ask if self.jobs else None):
            if call is not None and (call.is_for_many or OF_A_RECORD.intersection(holes([call.path, call.body]))):
                raise ValueError("`check` and `jobs.ask` are about no record: they have none of its holes")
        return self


def _outside(*described: Described) -> set[str]:
    """The holes that stand outside of `$each`."""
    found = set[str]()
    for part in described:
        match part:
            case {"$each": _}:
                continue
            case dict():
                found |= {name for name in part if name.startswith("$")} | _outside(*part.values())
            case list() | tuple():
                found |= _outside(*part)
            case _:
                found |= set(holes(part))
    return found
