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

from engine.core.health import Health
from engine.ledger.projections import tallies
from engine.ledger.projections.tallies import MILLISECONDS, Counted, Tally
from engine.service.app import App
from engine.service.health import health

PREFIX = "tidegate_"


@dataclass(frozen=True, slots=True)
class Counter:
    """A sum over the whole log, exposed as ``name`` and ``_total``; ``detail`` is the label of its details."""

    name: str
    help: str
    counted: Counted
    of: str
    detail: str = ""
    only: str = ""
    """The one detail that is counted, where it is no label."""
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is true now."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


COUNTERS = (
    Counter("captures", "Captures of a dataset, by how they ended.", Counted.CAPTURES, "dataset", "outcome"),
    Counter("runs", "Runs of a sync that ended, by status.", Counted.RUNS, "sync", "status"),
    Counter(
        "step_seconds", "Time that steps of runs took.", Counted.MILLISECONDS, "sync", "step", scale=1 / MILLISECONDS
    ),
    Counter(
        "records_delivered",
        "Records that a destination acknowledged, by their effect.",
        Counted.DELIVERED,
        "sync",
        "operation",
    ),
    Counter(
        "records_undelivered",
        "Records of a plan that were not delivered, by their outcome.",
        Counted.UNDELIVERED,
        "sync",
        "outcome",
    ),
    Counter(
        "record_codes", "Records that were not delivered, by the destination's code.", Counted.CODES, "sync", "code"
    ),
    Counter("batches", "Batches whose outcome is recorded.", Counted.EFFORT, "sync", only="batches"),
    Counter(
        "requests",
        "Calls that were made; beyond one a batch, they are retries and halvings.",
        Counted.EFFORT,
        "sync",
        only="requests",
    ),
    Counter("sent_bytes", "Bytes of the calls that were made.", Counted.EFFORT, "sync", only="bytes"),
)
FINDINGS = Counter(
    "check_findings",
    "Results of gates other than pass; of a capture `sync` is empty, of a plan `dataset`.",
    Counted.FINDINGS,
    "",
)
FINDING_LABELS = ("dataset", "sync", "check", "verdict")

GAUGES = (
    Gauge("dataset_captured_timestamp_seconds", "When the source was last read, whatever came of it.", ("dataset",)),
    Gauge("dataset_read_timestamp_seconds", "When the source was last read and found good.", ("dataset",)),
    Gauge("dataset_accepted_timestamp_seconds", "When the newest version was accepted.", ("dataset",)),
    Gauge("dataset_refused", "1 while captures are blocked or held, else 0.", ("dataset",)),
    Gauge("dataset_version", "The number of the newest version.", ("dataset",)),
    Gauge("dataset_rows", "Rows of the newest version.", ("dataset",)),
    Gauge("dataset_quarantined_rows", "Rows of the newest version that are set aside.", ("dataset",)),
    Gauge("sync_info", "Always 1: what a sync reads, and where it delivers.", ("sync", "dataset", "destination")),
    Gauge(
        "sync_level_timestamp_seconds",
        "The newest moment of which the destination holds all that the source held, but for what it rejects.",
        ("sync",),
    ),
    Gauge("sync_behind", "1 while the last runs did not bring the destination level with the source.", ("sync",)),
    Gauge("sync_ended_timestamp_seconds", "When the newest run ended; absent while it goes on.", ("sync",)),
    Gauge("sync_running", "1 while the newest run has no end, whether or not a process works on it.", ("sync",)),
    Gauge("sync_lag_seconds", "From the acceptance of a version to the end of its last delivery.", ("sync",)),
    Gauge("sync_delivered_version", "The version that the destination holds; absent while it holds none.", ("sync",)),
    Gauge("sync_owed_records", "Records whose last attempt did not deliver, those set aside too.", ("sync",)),
    Gauge("sync_paused", "1 while a person lets the sync do nothing.", ("sync",)),
    Gauge("sync_pinned", "1 while a person keeps the sync, or rows of it, at an older version.", ("sync",)),
    Gauge("account_circuit_open", "1 while a destination is left alone because it did not answer.", ("destination",)),
    Gauge(
        "account_silent_until_timestamp_seconds",
        "Until when a destination asked for no calls; absent where it did not.",
        ("destination",),
    ),
    Gauge("account_day_used", "What is used of a daily quota.", ("destination", "unit")),
    Gauge("account_day_limit", "A daily quota.", ("destination", "unit")),
    Gauge(
        "account_learned_calls_per_second",
        "The pace that throttled calls led to; absent while it is as declared.",
        ("destination",),
    ),
    Gauge("approvals_waiting", "What waits for a person's decision.", ("kind",)),
    Gauge("erasures", "Requests to forget people that are not complete.", ("state",)),
    Gauge("ledger_events", "The number of the newest event."),
    Gauge("ledger_bytes", "Size of the ledger on disk."),
)
"""Every gauge, in the order of exposition."""

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
        found = _samples(health(app))
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


def _samples(now: Health) -> Samples:
    return {**_of_datasets(now), **_of_syncs(now), **_of_accounts(now), **_of_the_ledger(now)}


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


def _moments(found: Mapping[tuple[str, ...], datetime | None]) -> list[tuple[tuple[str, ...], float]]:
    return [(key, moment.timestamp()) for key, moment in found.items() if moment is not None]
