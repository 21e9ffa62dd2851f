"""When something is an alert, what of it is told, to whom and when: pure functions (G23, I30)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.core.alert import Alert, Severity, changes
from engine.core.alert_conditions import Burning, Told, alerts, span
from engine.core.alert_message import message
from engine.core.alert_routes import Hours, Route, channels, open_channels, try_again_at
from engine.core.events import AlertOpened
from engine.core.health import AccountHealth, DatasetHealth, DayUse, Health, LedgerHealth, SyncHealth
from engine.core.names import DatasetId, RunId, SyncId, VersionNumber
from engine.core.objectives import RULES
from engine.runbooks import NAMES

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CUSTOMERS, ORDERS = DatasetId("customers@1"), DatasetId("orders@1")
OWNERS = {CUSTOMERS: "growth", "orders_to_ads": "ads-team"}
TOLD = Told(OWNERS, {}, frozenset())


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def dataset(name: DatasetId, **more: Any) -> DatasetHealth:
    fine = DatasetHealth(
        name, "accepted", "", ago(minutes=1), ago(minutes=1), None, VersionNumber(3), ago(days=1), 100, 0
    )
    return replace(fine, **more)


def sync(name: str, of: DatasetId, to: str, **more: Any) -> SyncHealth:
    fine = SyncHealth(
        sync=SyncId(name),
        dataset=of,
        destination=to,
        run=RunId("r"),
        status="succeeded",
        reason="",
        started_at=ago(minutes=1),
        ended_at=ago(minutes=1),
        level_at=ago(minutes=1),
        behind_since=None,
        delivered_version=VersionNumber(3),
        lag=timedelta(minutes=1),
        owed=0,
        paused_since=None,
        pinned_since=None,
    )
    return replace(fine, **more)


def account(name: str, **more: Any) -> AccountHealth:
    return replace(AccountHealth(name, False, None, (), None), **more)


def standing(**more: Any) -> Health:
    """Two datasets, three syncs and two destinations, all well, but for what a test changes by name."""
    datasets = {name: dataset(name) for name in (CUSTOMERS, ORDERS)}
    syncs = {
        "customers_to_crm": sync("customers_to_crm", CUSTOMERS, "crm"),
        "orders_to_crm": sync("orders_to_crm", ORDERS, "crm"),
        "orders_to_ads": sync("orders_to_ads", ORDERS, "ads"),
    }
    accounts = {name: account(name) for name in ("crm", "ads")}
    for name, change in more.get("changed", {}).items():
        for known in (datasets, syncs, accounts):
            if name in known:
                known[name] = replace(known[name], **change)
    rest = {name: value for name, value in more.items() if name != "changed"}
    return replace(Health(NOW, datasets, syncs, accounts, LedgerHealth(1, 1), {}, 0, 0), **rest)


def found(changed: dict[str, Any], told: Told = TOLD, **more: Any) -> dict[str, Alert]:
    return {alert.id: alert for alert in alerts(standing(changed=changed, **more), told)}


def failing(**more: Any) -> dict[str, Any]:
    return {"status": "failed", "reason": "503 from crm", "behind_since": ago(hours=1), **more}


def test_nothing_is_told_while_all_is_well() -> None:
    assert found({}) == {}


@pytest.mark.parametrize(
    ("changed", "told", "id", "severity", "since"),
    [
        ({CUSTOMERS: {"status": "blocked", "bad_since": ago(minutes=2)}}, TOLD, "dataset.refused:customers@1", "ticket", ago(minutes=2)),
        ({CUSTOMERS: {"status": "held", "bad_since": ago(hours=5)}}, TOLD, "dataset.held:customers@1", "ticket", ago(hours=5)),
        ({CUSTOMERS: {"read_at": ago(hours=3)}}, replace(TOLD, fresh_for={CUSTOMERS: timedelta(hours=2)}), "dataset.stale:customers@1", "page", ago(hours=1)),
        ({"crm": {"is_open": True}}, TOLD, "destination.silent:crm", "page", NOW),
        ({"crm": {"days": (DayUse("requests", 10, 10),)}}, TOLD, "destination.day_used:crm", "ticket", NOW),
        ({"customers_to_crm": failing()}, TOLD, "sync.failing:customers_to_crm", "ticket", ago(hours=1)),
        ({"customers_to_crm": failing(status="partial")}, TOLD, "sync.failing:customers_to_crm", "ticket", ago(hours=1)),
        ({"customers_to_crm": failing(status="blocked")}, TOLD, "sync.blocked:customers_to_crm", "ticket", ago(hours=1)),
        ({"customers_to_crm": failing(status="held", behind_since=ago(hours=4))}, TOLD, "sync.held:customers_to_crm", "ticket", ago(hours=4)),
        ({"customers_to_crm": {"ended_at": None, "started_at": ago(minutes=20)}}, TOLD, "sync.unfinished:customers_to_crm", "ticket", ago(minutes=20)),
        ({"customers_to_crm": {"level_at": ago(hours=3)}}, replace(TOLD, fresh_for={"customers_to_crm": timedelta(hours=1)}), "sync.stale:customers_to_crm", "page", ago(hours=2)),
        ({"customers_to_crm": {"owed": 20}}, TOLD, "sync.owing:customers_to_crm", "ticket", ago(minutes=1)),
        ({}, replace(TOLD, lost="the storage names event 7 of run:r"), "ledger.regressed:ledger", "page", NOW),
    ],
)  # fmt: skip
def test_a_condition_is_one_alert_with_its_reach_its_owners_a_runbook_and_commands(
    changed: dict[str, Any], told: Told, id: str, severity: str, since: datetime
) -> None:
    (alert,) = found(changed, told).values()

    assert (alert.id, alert.severity.value, alert.since) == (id, severity, since)
    assert alert.runbook in NAMES
    assert "customers_to_crm" in alert.syncs
    assert CUSTOMERS in alert.datasets
    assert "crm" in alert.destinations
    assert alert.next
    assert all(command.startswith("tidegate ") for command in alert.next)
    assert alert.kind.startswith("ledger") or "growth" in alert.owners


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({CUSTOMERS: {"status": "held", "bad_since": ago(hours=3.9)}}, TOLD),
        ({"customers_to_crm": failing(behind_since=ago(minutes=9))}, TOLD),
        ({"customers_to_crm": failing(status="held", behind_since=ago(hours=3.9))}, TOLD),
        ({"customers_to_crm": failing(status="cancelled")}, TOLD),
        ({"customers_to_crm": failing(status="paused")}, TOLD),
        ({"customers_to_crm": failing(paused_since=ago(hours=2))}, TOLD),
        ({"customers_to_crm": {"ended_at": None, "started_at": ago(minutes=14)}}, TOLD),
        ({"customers_to_crm": {"ended_at": None, "started_at": ago(hours=9)}}, replace(TOLD, held_leases=frozenset({"customers_to_crm"}))),
        ({"customers_to_crm": {"owed": 19}}, TOLD),
        ({"customers_to_crm": {"owed": 25}, CUSTOMERS: {"rows": 501}}, TOLD),
        ({"customers_to_crm": {"level_at": ago(hours=3), "pinned_since": ago(hours=3)}}, replace(TOLD, fresh_for={"customers_to_crm": timedelta(hours=1)})),
        ({CUSTOMERS: {"read_at": ago(hours=3)}}, TOLD),
        ({"crm": {"days": (DayUse("requests", 9, 10),)}}, TOLD),
    ],
)  # fmt: skip
def test_what_may_mend_itself_is_a_persons_decision_or_is_little_is_no_alert(
    changed: dict[str, Any], told: Told
) -> None:
    assert found(changed, told) == {}


def test_a_destination_that_is_silent_is_one_alert_however_many_syncs_fail_for_it() -> None:
    changed = {"crm": {"is_open": True}, "customers_to_crm": failing(), "orders_to_crm": failing()}

    (alert,) = found(changed).values()

    assert (alert.id, alert.syncs) == ("destination.silent:crm", ("customers_to_crm", "orders_to_crm"))


def test_a_refused_dataset_is_one_alert_for_all_that_read_it_and_names_why() -> None:
    refused = {"status": "blocked", "bad_since": ago(hours=1), "reason": "0 rows, at least 1 is demanded"}
    changed = {ORDERS: refused, "orders_to_crm": failing(status="blocked"), "orders_to_ads": failing(status="blocked")}

    (alert,) = found(changed).values()

    assert (alert.id, alert.cause) == ("dataset.refused:orders@1", "0 rows, at least 1 is demanded")
    assert (alert.syncs, alert.destinations) == (("orders_to_crm", "orders_to_ads"), ("ads", "crm"))
    assert alert.owners == ("ads-team",)


def test_requests_to_forget_people_past_their_deadline_are_one_page() -> None:
    due = {"a": ago(days=1), "b": ago(hours=1), "c": NOW + timedelta(days=1)}

    (alert,) = found({}, erasures_due=due).values()

    assert (alert.id, alert.severity, alert.since) == ("erasure.overdue:ledger", Severity.PAGE, ago(days=1))


def test_a_budget_that_is_used_up_faster_is_another_alert() -> None:
    def burning(rule: int) -> set[str]:
        fast = Burning(SyncId("orders_to_ads"), "delivered", 0.999, RULES[rule], ago(minutes=3))
        return set(found({}, replace(TOLD, burning=(fast,))))

    assert burning(0) == burning(1) == {"objective.delivered.page:orders_to_ads"}
    assert burning(2) == {"objective.delivered.ticket:orders_to_ads"}


def alert(kind: str, **more: Any) -> Alert:
    return replace(Alert(kind, "s", Severity.TICKET, NOW, "w", "stuck-job"), **more)


def test_only_a_change_is_told_and_not_that_an_alert_goes_on_with_other_words() -> None:
    first = changes([alert("a"), alert("b")], [])
    assert [a.id for a in first.opened] == ["a:s", "b:s"]

    again = changes([alert("a", what="other words", syncs=("more",)), alert("c")], ["a:s", "b:s"])

    assert ([a.id for a in again.opened], again.closed) == (["c:s"], ("b:s",))
    assert changes([alert("a")], ["a:s"]) == changes([], [])


OFFICE = Hours(time(9), time(17), frozenset(range(5)), ZoneInfo("Europe/Paris"))
NIGHT = Hours(time(22), time(6), frozenset({4}), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("hours", "moment", "hold"),
    [
        (OFFICE, "2026-03-04T08:00:00Z", True),
        (OFFICE, "2026-03-04T07:59:59Z", False),
        (OFFICE, "2026-03-04T15:59:59Z", True),
        (OFFICE, "2026-03-04T16:00:00Z", False),
        (OFFICE, "2026-07-01T07:00:00Z", True),
        (OFFICE, "2026-03-07T10:00:00Z", False),
        (NIGHT, "2026-03-06T22:00:00Z", True),
        (NIGHT, "2026-03-07T05:59:00Z", True),
        (NIGHT, "2026-03-07T06:00:00Z", False),
        (NIGHT, "2026-03-07T23:00:00Z", False),
        (NIGHT, "2026-03-06T05:00:00Z", False),
    ],
)
def test_hours_are_those_of_their_zone_and_a_night_belongs_to_the_day_on_which_it_began(
    hours: Hours, moment: str, hold: bool
) -> None:
    assert hours.hold(datetime.fromisoformat(moment)) is hold


PAGES, TICKETS = frozenset({Severity.PAGE}), frozenset({Severity.PAGE, Severity.TICKET})
ROUTES = [Route("oncall", PAGES), Route("growth", TICKETS, "growth", OFFICE), Route("oncall", PAGES, "growth")]
SUNDAY = datetime(2026, 3, 8, 12, tzinfo=UTC)


def test_an_alert_goes_to_every_route_that_takes_it_once() -> None:
    assert channels(ROUTES, Severity.PAGE, ["growth"]) == ("oncall", "growth")
    assert channels(ROUTES, Severity.TICKET, ["growth"]) == ("growth",)
    assert channels(ROUTES, Severity.TICKET, ["others"]) == ()
    assert channels(ROUTES, Severity.INFO, ["growth"]) == ()


def test_quiet_hours_hold_tickets_and_never_pages() -> None:
    assert open_channels(ROUTES, Severity.TICKET, ["growth"], SUNDAY) == ()
    assert open_channels(ROUTES, Severity.TICKET, ["growth"], NOW) == ("growth",)
    assert open_channels(ROUTES, Severity.PAGE, ["growth"], SUNDAY) == ("oncall", "growth")


def test_a_channel_that_fails_is_tried_again_ever_later_and_at_least_once_an_hour() -> None:
    waits = [(try_again_at(NOW, failures) - NOW) / timedelta(minutes=1) for failures in (1, 2, 3, 6, 7, 8, 10_000)]

    assert waits == [1, 2, 4, 32, 60, 60, 60]


def opened(**more: Any) -> AlertOpened:
    event = AlertOpened(
        alert="destination.silent:crm",
        kind="destination.silent",
        subject="crm",
        severity="page",
        since=ago(minutes=9).isoformat(),
        what="crm does not answer.",
        cause="503",
        runbook="destination-outage",
        datasets=("customers@1",),
        syncs=tuple(f"s{n}" for n in range(12)),
        destinations=("crm",),
        owners=("growth",),
        next=("tidegate status",),
    )
    return replace(event, **more)


def test_a_message_says_what_since_when_what_it_reaches_why_where_to_read_and_what_to_type() -> None:
    said = message("acme", [opened()], [])

    assert said.title == "[acme] 1 open: crm"
    assert said.body.splitlines() == [
        "page: crm does not answer.",
        "  since 2026-03-04 11:51 UTC",
        "  reaches datasets customers@1; syncs s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more; destinations crm",
        "  owners growth",
        "  because 503",
        "  next: tidegate runbook destination-outage",
        "  next: tidegate status",
    ]
    assert not said.is_recovery


def test_a_recovery_says_how_long_it_was() -> None:
    said = message("acme", [], [(opened(), ago(minutes=7), NOW)])

    assert (said.title, said.is_recovery) == ("[acme] 1 over: crm", True)
    assert said.body == "over: crm does not answer.\n  after 7 min, at 2026-03-04 12:00 UTC"


def test_a_message_about_very_many_alerts_stays_short() -> None:
    said = message("acme", [opened(subject=f"d{n}") for n in range(500)], [])

    assert said.title.startswith("[acme] 500 open: d0, d1, ")
    assert said.body.count("page: ") == 20
    assert said.body.endswith("and 480 more\n  next: tidegate alerts")


def test_the_cause_names_the_version_that_came_since_the_destination_was_level() -> None:
    changed = {"customers_to_crm": failing(level_at=ago(hours=2)), CUSTOMERS: {"accepted_at": ago(hours=1)}}

    (alert,) = found(changed).values()

    assert alert.cause == "503 from crm; customers@1 has version 3 since 2026-03-04 11:00 UTC"


@pytest.mark.parametrize(
    ("accepted_at", "level_at"), [(ago(hours=3), ago(hours=2)), (ago(hours=2), None), (None, ago(hours=2))]
)
def test_the_cause_names_no_version_that_the_destination_may_have(
    accepted_at: datetime | None, level_at: datetime | None
) -> None:
    alert = found({"customers_to_crm": failing(level_at=level_at), CUSTOMERS: {"accepted_at": accepted_at}})[
        "sync.failing:customers_to_crm"
    ]

    assert alert.cause == "503 from crm"


def test_a_span_is_said_in_whole_units() -> None:
    lengths = [timedelta(seconds=90), timedelta(minutes=15), timedelta(hours=4), timedelta(days=3)]

    assert [span(length) for length in lengths] == ["90 s", "15 min", "4 h", "3 d"]
