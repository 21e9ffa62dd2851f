"""Which metrics there are: their names without the prefix, what they say, and their labels."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ledger.projections.tallies import MILLISECONDS, Counted

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
    Gauge("alerts_open", "Open alerts, as of the last look.", ("severity",)),
    Gauge("alerts_untold", "Open alerts that a channel did not take, as of the last look.", ("severity",)),
    Gauge("objective_target_ratio", "For which share of the time a sync must be well.", ("sync", "objective")),
    Gauge(
        "objective_budget_remaining_ratio",
        "Which share of what an objective leaves for 30 days is left; negative when it is missed.",
        ("sync", "objective"),
    ),
    Gauge("ledger_events", "The number of the newest event."),
    Gauge("ledger_bytes", "Size of the ledger on disk."),
)
"""Every gauge, in the order of exposition."""
