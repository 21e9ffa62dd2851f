"""The destinations of a project, and whether they answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from config.destination import RateLimit
from destinations.base import CheckFailed, Destination
from engine.clock import SystemClock
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.reach import reach
from engine.delivery.transport import HttpTransport, TransportLimits
from engine.errors import ConfigurationError
from engine.service.app import App
from engine.service.mapping import project_classes
from engine.service.target import destination_clearance


@dataclass(frozen=True, slots=True)
class DestinationReport:
    """One account as the project uses it; ``records`` and ``rate`` are the limits in force."""

    name: str
    type: str
    title: str
    operations: tuple[str, ...]
    clearance: str
    records: int
    rate: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Whether a destination answered and accepted the credential."""

    name: str
    ok: bool
    message: str


def listing(app: App) -> list[DestinationReport]:
    """Every destination that the environment may use."""
    classes = project_classes(app.project.clearance)
    return [
        DestinationReport(
            name=file.name,
            type=file.type,
            title=app.destinations[name].spec.title,
            operations=tuple(sorted(app.destinations[name].spec.operations)),
            clearance=str(destination_clearance(file, classes)),
            records=min(app.destinations[name].spec.limits.records, file.batch.records or 10**9),
            rate=_rate(file.rate),
        )
        for name, file in sorted(app.project.destinations.items())
    ]


def _rate(limit: RateLimit | None) -> str:
    if limit is None:
        return "not limited here"
    paced = _amounts(calls=limit.requests, records=limit.records, bytes=limit.bytes)
    daily = _amounts(calls=limit.daily.requests, records=limit.daily.records) if limit.daily else ""
    parts = (
        paced and f"{paced} per {limit.per.total_seconds():g} s",
        limit.concurrency and f"{limit.concurrency} calls at once",
        daily and f"{daily} a day",
    )
    return "; ".join(part for part in parts if part)


def _amounts(**units: float | None) -> str:
    return ", ".join(f"{amount:,g} {unit}" for unit, amount in units.items() if amount is not None)


def check(app: App, name: str) -> CheckReport:
    """Dial out once, changing nothing."""
    if name not in app.destinations:
        known = ", ".join(sorted(app.destinations)) or "none"
        raise ConfigurationError(f"There is no destination `{name}` in this environment", next=f"known: {known}")
    return asyncio.run(_check(name, app.destinations[name]))


def question_transport(destination: Destination) -> HttpTransport:
    """One for the few calls that a person waits for: of no account's pace, one at a time."""
    clock, limits = SystemClock(), TransportLimits(total_seconds=15.0, connections=1)
    return HttpTransport(Pacer(Unlimited(), clock), clock, limits, reach=reach(destination))


async def _check(name: str, destination: Destination) -> CheckReport:
    transport = question_transport(destination)
    try:
        return CheckReport(name, True, await destination.check(transport))
    except CheckFailed as error:
        return CheckReport(name, False, str(error))
    finally:
        await transport.close()
        await destination.close()
