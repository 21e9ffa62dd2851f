"""What steps are given: the tools they act with, and datasets and syncs as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine

from destinations.base import Destination, Jobs, Limits, Op
from engine.checks.rules import NO_RULES, NO_SYNC_RULES, DatasetRules, SyncRules
from engine.clock import Clock, Entropy
from engine.core.approval import ApprovalRules
from engine.core.classification import USUAL, Classification, Classifications
from engine.core.consent_rule import OnWithdrawal
from engine.core.demands import NO_DEMANDS, Demands
from engine.core.desired import Mapping as FieldsMapping
from engine.core.kept_runs import KEEP_EVERY_RUN, RunRule
from engine.core.names import DatasetId, SyncId
from engine.core.pace import Pace
from engine.core.plan import PlanRules
from engine.core.promises import NO_PROMISES, Promises
from engine.core.quota import Quota
from engine.core.retention import KEEP_ALL, Rule
from engine.core.retry import OnUnknown, RetryPolicy
from engine.core.schema import TableSchema
from engine.core.suppression import Identifier
from engine.ledger.log import Ledger
from engine.segments.compute import Compute
from engine.segments.files import Storage
from engine.sources.base import Reading


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything that acts on the outside; one per process."""

    ledger: Ledger
    database: Engine
    storage: Storage
    compute: Compute
    clock: Clock
    entropy: Entropy
    holder: str
    """Who holds a lease: host, process and a token, so that a busy message helps."""
    erasure_key: bytes | None = field(default=None, repr=False)
    """What tombstones are made with, where the operator keeps it; None where it lies beside the segments."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset under one contract major; ``read`` opens one consistent read of its source."""

    id: DatasetId
    schema: TableSchema
    contract: str
    read: Callable[[], AbstractContextManager[Reading]]
    demands: Demands = NO_DEMANDS
    promises: Promises = NO_PROMISES
    allow_empty: bool = False
    rules: DatasetRules = NO_RULES
    subjects: tuple[str, ...] = ()
    """The columns that say whom a row is about; a row is about nobody where there is none."""
    identifiers: Mapping[str, Identifier] | None = None
    """The columns that suppression lists are held against; None when the dataset's file does not say."""
    holds_consent: bool = False
    """Whether its rows are decisions of consent."""
    definition: str = ""
    """The text of all that Tidegate acts upon in its contract; empty where none is recorded or compared."""
    refused: str = ""
    """Why nothing may be read under its contract in this environment, such as that it is retired; empty when it may."""
    needs_approval: bool = False
    """Whether people approve what its environment sends: a changed contract waits for them too, and one is not read under
    from the day on that a person ended it."""
    classes: Classifications = USUAL
    """The project's words for how sensitive a column is, in which contracts are compared."""
    retain: Rule = KEEP_ALL
    """How many of its versions are kept."""
    owner: str = ""
    """Whom alerts about it are for."""
    fresh_for: timedelta | None = None
    """How long ago its source may have been found good last; None where nobody says."""


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as a sync uses it: the adapter and the limits after the operator lowered them."""

    name: str
    destination: Destination
    paces: Mapping[str, Pace]
    """The declared pace of requests, of records and of bytes, where there is one; all syncs to it share them."""
    clearance: Classification
    records_max: int | None = None
    """The most records of a call, where the operator says so."""
    concurrency: int | None = None
    """How many calls of a run may be under way at once, where the operator says so."""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    """What of requests and of records may leave in a day, where it is declared; shared likewise."""
    slots: int | None = None
    """How many calls may be under way at once in all runs together, where it is declared."""
    jobs: Jobs = field(default_factory=Jobs)
    """How the destination's jobs are asked about, where it makes some."""
    environment: str = ""
    """The one that this process acts for; ``environments`` are those that the destination may be used in, None all."""
    environments: tuple[str, ...] | None = None
    record_only: bool = False
    """Plan and gate, write what would be sent, send nothing."""

    def limits_for(self, records: int) -> Limits:
        """The most that one call may carry in a plan of so many records: the adapter's limits, and the operator's where lower."""
        limits = self.destination.limits_for(records)
        return Limits(
            records=min(limits.records, self.records_max or limits.records),
            bytes=limits.bytes,
            concurrency=self.concurrency or limits.concurrency,
        )


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync with all references resolved."""

    id: SyncId
    dataset: Dataset
    registers: tuple[Dataset, ...]
    mapping: FieldsMapping
    target: Target
    retry: RetryPolicy
    max_attempts: int
    stop_ratio: float
    on_unknown: OnUnknown = OnUnknown.RESEND
    gates: SyncRules = NO_SYNC_RULES
    require_approval: bool = False
    approval: ApprovalRules = field(default=ApprovalRules(None, four_eyes=False, expires=timedelta(days=7)))
    owner: str = ""
    """Whom alerts about it are for, where it is somebody else than the owner of its dataset."""
    fresh_for: timedelta | None = None
    """How old what its destination holds may be; None where nobody says."""
    fresh: float | None = None
    """For which share of the time it must be that fresh; None where it must at any time."""
    delivered: float | None = None
    """For which share of the time its newest run must not have failed."""
    retain: RunRule = KEEP_EVERY_RUN
    """Of how many of its runs all is kept."""

    @property
    def rules(self) -> PlanRules:
        """How desired and delivered state are compared."""
        rule = self.mapping.consent
        return PlanRules(
            self.mapping.mode,
            self.max_attempts,
            self.on_unknown is OnUnknown.HOLD,
            can_delete=Op.DELETE in self.target.destination.spec.operations,
            on_withdrawal=rule.on_withdrawal if rule else OnWithdrawal.DELETE,
        )
