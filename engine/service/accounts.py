"""Accounts: what a destination allows at the moment, as all its users found it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.quota import moment
from engine.delivery.pacer import REQUESTS
from engine.ledger.budget import Day, Standing
from engine.service.app import App
from engine.steps.deliver import account_budget
from engine.steps.facts import Sync


@dataclass(frozen=True, slots=True)
class DayReport:
    """What was used of a unit's daily quota; what runs have reserved and not sent yet counts as used."""

    unit: str
    used: int
    limit: int
    resets_at: str


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What a destination allows now; ``probe_in_seconds`` is 0 when its circuit is closed or a probe may leave.

    ``held_until`` is empty when no silence was asked for, and ``learned_rate`` (calls per second) is absent unless
    throttled calls led to fewer than are declared.
    """

    circuit: str
    probe_in_seconds: float
    held_until: str
    daily: tuple[DayReport, ...]
    learned_rate: float | None
    declared_rate: float | None


def account_report(app: App, sync: Sync) -> AccountReport:
    """How the destination of ``sync`` stands; only reads."""
    now = account_budget(app.tools, sync).standing()
    declared = sync.target.paces.get(REQUESTS)
    return AccountReport(
        circuit="open" if now.is_open else "closed",
        probe_in_seconds=round(now.probe_in, 1),
        held_until=_held_until(now),
        daily=tuple(_day(unit, day) for unit, day in now.days.items()),
        learned_rate=None if now.learned_rate is None else round(now.learned_rate, 2),
        declared_rate=declared.rate if declared else None,
    )


def _held_until(now: Standing) -> str:
    return moment(now.held_until) if now.held_until > now.at else ""


def _day(unit: str, day: Day) -> DayReport:
    return DayReport(unit, int(day.used), int(day.quota.units), moment(day.resets_at))
