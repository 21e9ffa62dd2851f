"""Faults that can be switched on, and the decision which of them meet a batch.

A *disturbance* spoils a call: the first one of the list that is left does. A *rule* refuses records or whole batches:
every rule that matches a record holds, unless a disturbance ends the call before anything is applied. A batch that is
submitted as a job is met when it is submitted, and questions about jobs are met by faults of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, model_validator

from destinations.sandbox.batch import ReceivedRecord, Unusable
from destinations.sandbox.effects import Rejection
from destinations.sandbox.exact_json import Value, read

FAULTS_MAX = 100
IDS_MAX = 100_000
COUNT_MAX = 1_000_000
SLOW_SECONDS_MAX = 300
RETRY_AFTER_SECONDS_MAX = 86_400

ServerError = Annotated[int, Field(ge=500, le=599)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=200)]
Ids = Annotated[tuple[StrictStr, ...], Field(max_length=IDS_MAX)]


class _Fault(BaseModel):
    """``count`` is how many batches it still meets; None is until it is switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    count: Annotated[StrictInt, Field(ge=1, le=COUNT_MAX)] | None = None


class Throttle(_Fault):
    """429; ``retry_after`` in whole seconds, None sends none."""

    kind: Literal["throttle"]
    retry_after: Annotated[StrictInt, Field(ge=0, le=RETRY_AFTER_SECONDS_MAX)] | None = 1


class ErrorBefore(_Fault):
    """A 5xx, and nothing was applied."""

    kind: Literal["error_before"]
    status: ServerError = 503


class ErrorAfter(_Fault):
    """A 5xx, and the batch was applied all the same."""

    kind: Literal["error_after"]
    status: ServerError = 500


class DropBefore(_Fault):
    """The connection is closed without an answer, and nothing was applied."""

    kind: Literal["drop_before"]


class DropAfter(_Fault):
    """The connection is closed without an answer, and the batch was applied."""

    kind: Literal["drop_after"]


class Slow(_Fault):
    """The batch is applied, and its answer comes late."""

    kind: Literal["slow"]
    seconds: Annotated[float, Field(gt=0, le=SLOW_SECONDS_MAX)]


class Malformed(_Fault):
    """The batch is applied, and its answer breaks off in the middle of its JSON."""

    kind: Literal["malformed"]


class Reject(_Fault):
    """Rejects the records that have one of ``ids``, or whose ``field`` equals a value; the others are applied."""

    kind: Literal["reject"]
    ids: Ids = ()
    field: Text | None = None
    equals: StrictStr | StrictBool | StrictInt | Decimal | None = None
    code: Text = "rejected"
    message: Text = "a fault rejects this record"

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if bool(self.ids) == (self.field is not None):
            raise ValueError("needs either `ids` or `field`")
        if self.field is not None and "equals" not in self.model_fields_set:
            raise ValueError("`field` needs `equals`")
        return self

    def matches(self, records: Sequence[ReceivedRecord]) -> list[str]:
        """The ids of the records that it rejects."""
        if self.field is None:
            return _named(records, self.ids)
        return [record.id for record in records if self.field in record.fields and self._equals(record.fields)]

    def _equals(self, fields: Mapping[str, Value]) -> bool:
        value = fields[str(self.field)]
        return isinstance(value, bool) is isinstance(self.equals, bool) and bool(value == self.equals)


class Refuse(_Fault):
    """Refuses, with 400, every batch that holds one of ``ids``, without saying which."""

    kind: Literal["refuse"]
    ids: Annotated[Ids, Field(min_length=1)]
    message: Text = "the batch holds a record that cannot be read"


class JobRuns(_Fault):
    """A job that is asked about has not ended; ``count`` is in questions."""

    kind: Literal["job_runs"]


class JobLost(_Fault):
    """There is no job that is asked about; ``count`` is in questions."""

    kind: Literal["job_lost"]


BeforeCommit: TypeAlias = Throttle | ErrorBefore | DropBefore
AfterCommit: TypeAlias = ErrorAfter | DropAfter | Slow | Malformed
AboutJobs: TypeAlias = JobRuns | JobLost
Fault: TypeAlias = BeforeCommit | AfterCommit | Reject | Refuse | AboutJobs


class Faults(BaseModel):
    """What is switched on, as ``PUT /faults`` takes and ``GET /faults`` gives it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    faults: Annotated[tuple[Annotated[Fault, Field(discriminator="kind")], ...], Field(max_length=FAULTS_MAX)] = ()


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True)
class Decision:
    """What meets one batch: at most one disturbance, a refusal of the whole, and records rejected by id."""

    disturbance: BeforeCommit | AfterCommit | None
    refusal: str | None
    rejections: Mapping[str, Rejection]


def asked(content: bytes) -> Faults:
    """The faults that a body switches on. Raises `Unusable`."""
    try:
        return Faults.model_validate(read(content))
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:5])
        raise Unusable("not_faults", found) from None
    except ValueError:
        raise Unusable("not_json", "the body is not JSON") from None


def decided(faults: Faults, records: Sequence[ReceivedRecord]) -> tuple[Decision, Faults]:
    """What meets a batch of ``records``, and the faults that are left for the next one."""
    disturbance = next((fault for fault in faults.faults if isinstance(fault, BeforeCommit | AfterCommit)), None)
    refusal: str | None = None
    rejections: dict[str, Rejection] = {}
    left: list[Fault] = []
    for fault in faults.faults:
        is_met = fault is disturbance
        if isinstance(fault, Reject | Refuse) and not isinstance(disturbance, BeforeCommit):
            ids = fault.matches(records) if isinstance(fault, Reject) else _named(records, fault.ids)
            is_met = bool(ids)
            if isinstance(fault, Reject):
                rejections |= {id: Rejection(fault.code, fault.message) for id in ids if id not in rejections}
            elif ids and refusal is None:
                refusal = fault.message
        left += _left(fault) if is_met else [fault]
    return Decision(disturbance, refusal, rejections), Faults(faults=tuple(left))


def questioned(faults: Faults) -> tuple[AboutJobs | None, Faults]:
    """What meets a question about a job, and the faults that are left for the next one."""
    met = next((fault for fault in faults.faults if isinstance(fault, AboutJobs)), None)
    left = [kept for fault in faults.faults for kept in (_left(fault) if fault is met else [fault])]
    return met, Faults(faults=tuple(left))


def _named(records: Sequence[ReceivedRecord], ids: Sequence[str]) -> list[str]:
    wanted = set(ids)
    return [record.id for record in records if record.id in wanted]


def _left(fault: Fault) -> list[Fault]:
    """The fault after it met a batch; nothing when that was the last."""
    if fault.count is None:
        return [fault]
    return [fault.model_copy(update={"count": fault.count - 1})] if fault.count > 1 else []
