"""Doctor: what is under way, what stands still, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.ledger.lease import Standing, standing
from engine.ledger.projections import runs, states
from engine.ledger.projections.runs import RunRow
from engine.service.accounts import account_report
from engine.service.app import App
from engine.service.approvals import held_plans
from engine.service.doctor_premises import Finding, Premises, fine, problem, warning
from engine.service.erasure import statuses
from engine.service.held_versions import held_versions
from engine.service.quarantine import quarantine_list
from engine.steps.forget import ERASURE_LEASE
from engine.steps.halt import pause_of

STUCK_AFTER = timedelta(hours=1)
"""How long a run may lie without anybody at it before that is a problem."""
LONG_AFTER = timedelta(hours=6)
"""How long a run may go on before that is worth a look."""
WAITS_LONG = timedelta(days=1)


def leases(premises: Premises) -> Iterator[Finding]:
    """Who holds what, and which leases nobody is behind any more; that of a daemon is its own name's, and nobody wants it."""
    if premises.app is None:
        return
    every = standing(premises.app.tools.database, premises.clock)
    found = [
        lease for lease in every if not (lease.name.startswith("daemon:") and (lease.is_over or lease.is_orphaned))
    ]
    for lease in found:
        if lease.is_over or lease.is_orphaned:
            ended = (
                "is dead" if lease.is_orphaned else f"did not renew it after {lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            )
            what = f"{lease.name} was left by {lease.holder}, which {ended}; whoever wants it takes it over"
            yield warning("leases", what, _go_on(lease.name))
    alive = [lease for lease in found if not lease.is_over and not lease.is_orphaned]
    held = "; ".join(f"{lease.name} by {lease.holder}" for lease in alive[:5])
    yield fine("leases", f"{len(alive):,} held{': ' if held else ''}{held}")


def _go_on(name: str) -> str:
    kind, _, sync = name.partition(":")
    if kind == "alerts":
        return "tidegate alerts check"
    return "tidegate erasures resume" if kind == ERASURE_LEASE else f"tidegate run {sync}"


def unfinished(premises: Premises) -> Iterator[Finding]:
    """Runs that have begun and not ended: with nobody at them, or for very long."""
    if premises.app is None:
        return
    now, tools = premises.clock.now(), premises.app.tools
    held = {one.name: one for one in standing(tools.database, premises.clock)}
    found = runs.all_unfinished(tools.database)
    said = [finding for row in found if (finding := _lying(premises.app, row, held, now)) is not None]
    yield from said
    if not said:
        yield fine("runs", f"{len(found):,} under way, none left lying")


def _lying(app: App, row: RunRow, held: dict[str, Standing], now: datetime) -> Finding | None:
    lease, age = held.get(f"sync:{row.sync}"), now - row.started_at
    since = f"run {row.run} of {row.sync}, begun {row.started_at:%Y-%m-%d %H:%M:%S} UTC,"
    if lease is not None and not lease.is_over and not lease.is_orphaned:
        if age < LONG_AFTER:
            return None
        return warning("runs", f"{since} still goes on", f"tidegate cancel {row.sync}")
    if pause_of(app.tools, row.sync) is not None:
        return warning("runs", f"{since} waits, because its sync is paused", f"tidegate resume {row.sync}")
    if row.sync not in app.syncs:
        return warning(
            "runs", f"{since} has not ended, and its sync is not in the project", f"tidegate runs {row.sync}"
        )
    say = problem if age >= STUCK_AFTER else warning
    return say("runs", f"{since} has not ended and nobody is at it", f"tidegate run {row.sync}")


def accounts(premises: Premises) -> Iterator[Finding]:
    """Destinations that take no calls now: open circuits, silence that was asked for, days that are used up."""
    if premises.app is None:
        return
    by_destination = {sync.target.name: sync for sync in premises.app.syncs.values()}
    said = [
        finding for name in sorted(by_destination) for finding in _account(premises.app, name, by_destination[name].id)
    ]
    yield from said
    if not said:
        yield fine("accounts", "every destination takes calls")


def _account(app: App, name: str, sync: str) -> Iterator[Finding]:
    now = account_report(app, app.syncs[sync])
    look = f"tidegate destination check {name}"
    if now.circuit == "open":
        what = f"{name} did not answer, or throttled, call after call: a probe in {now.probe_in_seconds:,.0f} s, nothing else"
        yield problem("accounts", what, look)
    if now.held_until:
        yield warning("accounts", f"{name} asked for no calls until {now.held_until}", f"tidegate status {sync}")
    for day in now.daily:
        if day.used >= day.limit:
            what = f"{name} has used all {day.limit:,} {day.unit} until {day.resets_at}"
            yield warning("accounts", what, f"tidegate status {sync}")


def decisions(premises: Premises) -> Iterator[Finding]:
    """Plans and versions that wait for a person."""
    if premises.app is None:
        return
    plans = [plan for plan in held_plans(premises.app) if plan.decision == "open"]
    waiting = [
        *((f"a plan of {plan.sync}", plan.asked_at, plan.next) for plan in plans),
        *((f"version {held.candidate}", held.asked_at, held.next) for held in held_versions(premises.app)),
    ]
    for what, since, next in waiting:
        waits = premises.clock.now() - datetime.fromisoformat(since)
        say = problem if waits >= WAITS_LONG else warning
        yield say("decisions", f"{what} waits for a decision since {since}", next)
    if not waiting:
        yield fine("decisions", "nothing waits for a person")


def erasures(premises: Premises) -> Iterator[Finding]:
    """People who are to be forgotten and are not everywhere yet."""
    if premises.app is None:
        return
    found = [one for one in statuses(premises.app) if one.status != "complete"]
    for one in found:
        say = problem if one.status == "overdue" else warning
        what = f"erasure {one.request} is {one.status}: due {one.due}, {one.owed:,} removals owed"
        yield say("erasures", what, "tidegate erasures resume")
    if not found:
        yield fine("erasures", "none is open")


def quarantine(premises: Premises) -> Iterator[Finding]:
    """Records that a destination rejected until they were set aside, and those in doubt."""
    if premises.app is None:
        return
    said = [finding for name in premises.app.sync_names for finding in _set_aside(premises.app, name)]
    yield from said
    if not said:
        yield fine("quarantine", "no record is set aside")


def _set_aside(app: App, name: str) -> Iterator[Finding]:
    state = states.current(app.tools.database, app.syncs[name].id)
    if state is None or not state.owed:
        return
    found = quarantine_list(app, name, 1)
    if found.quarantined or found.in_doubt:
        what = f"{name}: {found.quarantined:,} records set aside, {found.in_doubt:,} in doubt"
        yield warning("quarantine", what, f"tidegate quarantine list {name}")
