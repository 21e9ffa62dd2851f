"""What became of the rows of one slice: outcomes matched by id, and why a run should not go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeGuard, assert_never

import pyarrow.compute as pc

from destinations.base import (
    AllDelivered,
    Delivered,
    Outcome,
    Outcomes,
    Refused,
    Rejected,
    Stop,
    Throttled,
    Unavailable,
)
from engine.core.events import BatchReceipt
from engine.delivery.batches import Slice
from engine.delivery.codes import code_of

ADAPTER_ERROR = "adapter_error"
THROTTLED = "throttled"

Settled: TypeAlias = AllDelivered | Outcomes | Refused | Throttled | Unavailable | Stop
"""A reply after which nothing more is to be waited for."""


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A row that was not delivered: its place in the plan, the outcome, the destination's code and message.

    ``uncertain`` says that an earlier send of the same row may have taken effect, whatever the last answer was.
    """

    ordinal: int
    outcome: str
    code: str
    message: str
    uncertain: bool = False


@dataclass(slots=True)
class Result:
    """How the rows of one slice ended; ``stop`` and ``unreachable`` say why the run should not go on."""

    exceptions: list[Exceptional] = field(default_factory=list)
    requests: int = 0
    bytes_sent: int = 0
    stop: Stop | None = None
    unreachable: Unavailable | None = None

    def called(self, requests: int, bytes_sent: int) -> None:
        """Count calls that were made."""
        self.requests += requests
        self.bytes_sent += bytes_sent


def _matched(part: Slice, outcomes: Iterable[Outcome]) -> list[Exceptional]:
    """Outcomes by record id; a record without one is unknown, and so is a whole batch whose answer contradicts itself."""
    ids = {text: part.cut.first + i for i, text in enumerate(part.rows.column("id").to_pylist())}
    delivered: set[str] = set()
    found: dict[str, Exceptional] = {}
    for outcome in outcomes:
        if outcome.id not in ids or outcome.id in delivered or outcome.id in found:
            return all_of(part, "unknown", "protocol", "the answer names a record twice or one that was not sent")
        if isinstance(outcome, Delivered):
            delivered.add(outcome.id)
        else:
            kind = "rejected" if isinstance(outcome, Rejected) else "failed"
            ordinal = ids[outcome.id]
            code = code_of(outcome.code, _sent(part, ordinal))
            found[outcome.id] = Exceptional(ordinal, kind, code, outcome.message)
    silent = [
        Exceptional(ordinal, "unknown", "not_reported", "the answer does not name this record")
        for text, ordinal in ids.items()
        if text not in delivered and text not in found
    ]
    return [*found.values(), *silent]


def _sent(part: Slice, ordinal: int) -> Iterator[str]:
    """What left of one row: its id, key and fields."""
    place = ordinal - part.cut.first
    for name in ("id", "key", "fields"):
        if (text := part.rows.column(name)[place].as_py()) is not None:
            yield text


def settle(result: Result, part: Slice, reply: Settled, uncertain: bool) -> None:  # noqa: FBT001  # goes with the reply
    """Give each record of ``part`` its outcome; after an ``uncertain`` send one that no answer speaks of is unknown."""
    unanswered = "unknown" if uncertain else "failed"
    match reply:
        case AllDelivered():
            pass
        case Outcomes(outcomes):
            result.exceptions += [replace(e, uncertain=uncertain) for e in _matched(part, outcomes)]
        case Refused(code, message):
            result.exceptions += all_of(part, "rejected", code, message, uncertain)
        case Stop(code, message):
            result.stop = reply
            result.exceptions += all_of(part, unanswered, code, message, uncertain)
        case Throttled():
            result.unreachable = Unavailable(THROTTLED, "throttled for too long", applied_unknown=False)
            result.exceptions += all_of(part, unanswered, THROTTLED, "throttled", uncertain)
        case Unavailable(code, message):
            result.unreachable = reply
            result.exceptions += all_of(part, unanswered, code, message, uncertain)
        case _:
            assert_never(reply)


def is_settled(given: object) -> TypeGuard[Settled]:
    """Whether an adapter kept to the interface, down to each outcome."""
    if not isinstance(given, Outcomes):
        return isinstance(given, Settled)
    outcomes: object = given.outcomes
    return isinstance(outcomes, tuple | list) and all(isinstance(outcome, Outcome) for outcome in outcomes)


def all_of(
    part: Slice,
    outcome: str,
    code: str,
    message: str,
    uncertain: bool = False,  # noqa: FBT001, FBT002  # a fact that goes along
) -> list[Exceptional]:
    """Every row of ``part`` with the same outcome."""
    return [Exceptional(o, outcome, code, message, uncertain) for o in range(part.cut.first, part.cut.last + 1)]


def withheld(rows: Iterable[int], uncertain: bool) -> list[Exceptional]:  # noqa: FBT001  # a fact that goes along
    """Rows that do not leave because consent ended after the plan was made."""
    return [Exceptional(o, "withheld", "consent", "consent ended before it was sent", uncertain) for o in rows]


def rejected(exceptions: Sequence[Exceptional]) -> int:
    """How many rows were rejected."""
    return sum(1 for e in exceptions if e.outcome == "rejected")


def receipt_of(number: int, rows: Slice, result: Result) -> BatchReceipt:
    """What the log keeps of a batch: counts by effect, and of what was not delivered by its outcome."""
    changes = Counter({v["values"]: v["counts"] for v in pc.value_counts(rows.rows.column("change")).to_pylist()})
    kinds = Counter(e.outcome for e in result.exceptions)
    if result.exceptions:
        column = rows.rows.column("change")
        changes.subtract(Counter(column[e.ordinal - rows.cut.first].as_py() for e in result.exceptions))
    return BatchReceipt(
        number=number,
        inserts=changes["insert"],
        updates=changes["update"],
        deletes=changes["delete"],
        rejected=kinds["rejected"],
        failed=kinds["failed"],
        unknown=kinds["unknown"],
        withheld=kinds["withheld"],
        requests=result.requests,
        bytes_sent=result.bytes_sent,
    )
