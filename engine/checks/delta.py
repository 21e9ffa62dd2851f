"""The blast radius of a plan: how much of each kind of change it holds, by count and as a share of what is held.

Removals of people who do not consent, or are to be forgotten, are owed to them and count for no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ibis.expr.types import BooleanValue, Scalar, Table

from engine.checks.facts import PlanFacts
from engine.checks.rules import DESTRUCTION, ChangeLimit, SyncRules
from engine.checks.shares import is_above, percent, share
from engine.core.events import CheckResult
from engine.core.plan import is_owed_to_people
from engine.core.verdict import failed, passed


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change: its name in files, what people call it, its limit, and which rows of a plan are of it."""

    name: str
    said: str
    limit: Callable[[SyncRules], ChangeLimit | None]
    of: Callable[[Table], BooleanValue]

    @property
    def check(self) -> str:
        return f"delta.{self.name}"


KINDS = (
    Kind("inserts", "inserts", lambda rules: rules.inserts, lambda plan: plan.change == "insert"),
    Kind(
        "updates",
        "updates",
        lambda rules: rules.updates,
        lambda plan: (plan.change == "update") & ~is_owed_to_people(plan),
    ),
    Kind("deletes", "deletes", lambda rules: rules.deletes, lambda plan: plan.reason == "gone"),
    Kind("rekeyed", "re-keyed records", lambda rules: rules.rekeyed, lambda plan: plan.reason == "re-keyed"),
    Kind("total", "changes", lambda rules: rules.total, lambda plan: ~is_owed_to_people(plan)),
)


def metrics(kind: Kind, plan: Table, facts: PlanFacts) -> Mapping[str, Scalar]:
    """How many rows of a plan are of a kind."""
    del facts
    return {kind.name: plan.count(where=kind.of(plan))}


def words(kind: Kind, facts: PlanFacts) -> Sequence[str]:
    """The limit of a kind of change."""
    limit = kind.limit(facts.rules)
    if limit is None or (limit.max is None and limit.max_ratio is None):
        return ()
    ratio = "" if limit.max_ratio is None else f"{percent(limit.max_ratio)} of the records held"
    if limit.free:
        return (f"{kind.said}: at most {limit.free:,}, or {ratio} if that is more",)
    most = " and ".join(part for part in ("" if limit.max is None else f"{limit.max:,}", ratio) if part)
    return (f"{kind.said}: at most {most}",)


def verdict(kind: Kind, values: Mapping[str, Any], facts: PlanFacts) -> Sequence[CheckResult]:
    """The result for a kind that has a limit."""
    limit = kind.limit(facts.rules)
    assert limit is not None, "the check applies only then"
    return [judged(kind, int(values[kind.name]), facts.held, limit)]


def judged(kind: Kind, count: int, held: int | None, limit: ChangeLimit) -> CheckResult:
    """Judge a number of changes; while a destination holds nothing of a sync there is no share of it."""
    numbers = {kind.name: count} | ({} if held is None else {"held": held})
    of_held = f" of {held:,} records held" if held else ""
    if limit.max is not None and count > limit.max:
        return failed(kind.check, limit.on_fail, f"{count:,} {kind.said} are more than {limit.max:,}", numbers)
    if limit.max_ratio is not None and held and count > limit.free and is_above(count, held, limit.max_ratio):
        most = f"more than {limit.max_ratio:.1%}"
        said = f"{count:,} {kind.said} are {share(count, held):.1%} of the {held:,} records held, {most}"
        way = f"; `gates.{kind.name}` of the sync allows more" if limit is DESTRUCTION else ""
        return failed(kind.check, limit.on_fail, said + way, numbers)
    return passed(kind.check, f"{count:,} {kind.said}{of_held}", numbers)


def asks_share(values: Mapping[str, Any], facts: PlanFacts) -> bool:
    """Whether a verdict depends on how many records are held; ``values`` are those of `metrics` of every kind."""
    limits = [(kind, limit) for kind in KINDS if (limit := kind.limit(facts.rules)) is not None]
    return any(
        limit.max_ratio is not None and int(values.get(f"{kind.check}|{kind.name}", 0)) > limit.free
        for kind, limit in limits
    )


CHECKS = tuple((kind.check, partial(words, kind), partial(metrics, kind), partial(verdict, kind)) for kind in KINDS)
"""Per kind: name, words, metrics and verdict of its check."""
