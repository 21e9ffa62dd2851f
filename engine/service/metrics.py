"""Metrics in the text format of Prometheus, all derived from the ledger: equal on every host, and kept over restarts.

What only a process knows, such as its memory, is that process's to add. A label holds a name of the project's files or a
word from a bounded list, never a value, a version or a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.core.alert import Severity
from engine.core.health import Health
from engine.core.objectives import PERIOD, budget_left
from engine.ledger.projections import alerts, tallies
from engine.ledger.projections.tallies import Tally
from engine.service.app import App
from engine.service.health import health
from engine.service.metric_tables import COUNTERS, FINDING_LABELS, FINDINGS, GAUGES, PREFIX, Counter
from engine.service.watch import objectives_of

Samples = Mapping[str, Iterable[tuple[tuple[str, ...], float]]]
"""By the name of a gauge, label values and what they have."""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One line of the exposition."""

    name: str
    labels: Mapping[str, str]
    value: float


def exposition(app: App) -> bytes:
    """Every metric in the text format of Prometheus, as of now."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(app))
    return generate_latest(registry)


def samples(app: App) -> list[MetricSample]:
    """The same as values."""
    families = LedgerCollector(app).collect()
    return [MetricSample(s.name, s.labels, float(s.value)) for family in families for s in family.samples]


class LedgerCollector(Collector):
    """What the ledger says, anew at each scrape; to be registered beside the collectors of a process."""

    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        app = self._app
        known = {*app.datasets, *app.syncs}
        sums = [tally for tally in tallies.listing(app.tools.database) if tally.subject in known]
        for counter in COUNTERS:
            yield _counted(counter, sums)
        yield _findings(sums)
        found = _samples(app)
        for gauge in GAUGES:
            family = GaugeMetricFamily(PREFIX + gauge.name, gauge.help, labels=gauge.labels)
            for labels, value in found[gauge.name]:
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing: without it a registry would collect once to learn the names."""
        return ()


def _counted(counter: Counter, sums: Iterable[Tally]) -> Metric:
    labels = (counter.of, counter.detail) if counter.detail else (counter.of,)
    family = CounterMetricFamily(PREFIX + counter.name, counter.help, labels=labels)
    for tally in sums:
        if tally.counted is counter.counted and counter.only in {"", tally.detail}:
            values = (tally.subject, tally.detail) if counter.detail else (tally.subject,)
            family.add_metric(values, tally.amount * counter.scale)
    return family


def _findings(sums: Iterable[Tally]) -> Metric:
    family = CounterMetricFamily(PREFIX + FINDINGS.name, FINDINGS.help, labels=FINDING_LABELS)
    for tally in sums:
        if tally.counted is FINDINGS.counted:
            subject = (tally.subject, "") if "@" in tally.subject else ("", tally.subject)
            check, _, verdict = tally.detail.partition("/")
            family.add_metric((*subject, check, verdict), tally.amount)
    return family


def _samples(app: App) -> Samples:
    now = health(app)
    stands = {**_of_datasets(now), **_of_syncs(now), **_of_accounts(now), **_of_the_ledger(now)}
    return {**stands, **_of_alerts(app), **_of_objectives(app, now)}


def _of_datasets(now: Health) -> Samples:
    datasets = {(dataset,): health for dataset, health in now.datasets.items()}
    return {
        "dataset_captured_timestamp_seconds": _moments({key: d.captured_at for key, d in datasets.items()}),
        "dataset_read_timestamp_seconds": _moments({key: d.read_at for key, d in datasets.items()}),
        "dataset_accepted_timestamp_seconds": _moments({key: d.accepted_at for key, d in datasets.items()}),
        "dataset_refused": [(key, d.bad_since is not None) for key, d in datasets.items()],
        "dataset_version": [(key, d.version) for key, d in datasets.items() if d.version is not None],
        "dataset_rows": [(key, d.rows) for key, d in datasets.items() if d.version is not None],
        "dataset_quarantined_rows": [(key, d.quarantined) for key, d in datasets.items() if d.version is not None],
    }


def _of_syncs(now: Health) -> Samples:
    syncs = {(sync,): health for sync, health in now.syncs.items()}
    return {
        "sync_info": [((s.sync, s.dataset, s.destination), 1) for s in syncs.values()],
        "sync_level_timestamp_seconds": _moments({key: s.level_at for key, s in syncs.items()}),
        "sync_behind": [(key, s.behind_since is not None) for key, s in syncs.items()],
        "sync_ended_timestamp_seconds": _moments({key: s.ended_at for key, s in syncs.items()}),
        "sync_running": [(key, s.run is not None and s.ended_at is None) for key, s in syncs.items()],
        "sync_lag_seconds": [(key, s.lag.total_seconds()) for key, s in syncs.items() if s.lag is not None],
        "sync_delivered_version": [
            (key, s.delivered_version) for key, s in syncs.items() if s.delivered_version is not None
        ],
        "sync_owed_records": [(key, s.owed) for key, s in syncs.items()],
        "sync_paused": [(key, s.paused_since is not None) for key, s in syncs.items()],
        "sync_pinned": [(key, s.pinned_since is not None) for key, s in syncs.items()],
    }


def _of_accounts(now: Health) -> Samples:
    accounts = {(name,): account for name, account in now.accounts.items()}
    return {
        "account_circuit_open": [(key, account.is_open) for key, account in accounts.items()],
        "account_silent_until_timestamp_seconds": _moments({key: a.silent_until for key, a in accounts.items()}),
        "account_day_used": [((*key, day.unit), day.used) for key, a in accounts.items() for day in a.days],
        "account_day_limit": [((*key, day.unit), day.limit) for key, a in accounts.items() for day in a.days],
        "account_learned_calls_per_second": [
            (key, a.learned_rate) for key, a in accounts.items() if a.learned_rate is not None
        ],
    }


def _of_the_ledger(now: Health) -> Samples:
    overdue = sum(due <= now.at for due in now.erasures_due.values())
    return {
        "approvals_waiting": [(("version",), now.versions_waiting), (("plan",), now.plans_waiting)],
        "erasures": [(("open",), len(now.erasures_due) - overdue), (("overdue",), overdue)],
        "ledger_events": [((), now.ledger.events)],
        "ledger_bytes": [((), now.ledger.bytes)],
    }


def _of_alerts(app: App) -> Samples:
    rows = [row for row in alerts.listing(app.tools.database) if row.closed_at is None]
    untold = [row for row in rows if any(telling.failures for telling in row.told.values())]
    return {
        name: [((severity.value,), sum(row.event.severity == severity for row in some)) for severity in Severity]
        for name, some in (("alerts_open", rows), ("alerts_untold", untold))
    }


def _of_objectives(app: App, now: Health) -> Samples:
    found = {
        (sync.id, objective.name): objective
        for sync in app.syncs.values()
        for objective in objectives_of(app, sync, now.at, PERIOD)
    }
    left = [(key, budget_left(each.missed, each.target, now.at)) for key, each in found.items()]
    return {
        "objective_target_ratio": [(key, each.target) for key, each in found.items()],
        "objective_budget_remaining_ratio": left,
    }


def _moments(found: Mapping[tuple[str, ...], datetime | None]) -> list[tuple[tuple[str, ...], float]]:
    return [(key, moment.timestamp()) for key, moment in found.items() if moment is not None]
