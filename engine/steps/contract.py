"""The contract of a dataset across its versions: what breaks it is refused, and what changed is recorded.

Compared is with the contract of the newest version that nobody withdrew, so that withdrawing a version also takes back the
contract that came with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from engine.contracts.difference import Bump
from engine.contracts.succession import Succession, succession
from engine.core.aim import aim
from engine.core.events import CheckResult, ContractRecorded
from engine.core.names import Digest, VersionNumber
from engine.core.verdict import Verdict, failed, warned
from engine.errors import ContractRefused
from engine.ledger.contracts import ContractLog, Deprecation, contract_log, deprecation
from engine.steps.facts import Dataset

VERSION = "contract.version"
DEPRECATED = "contract.deprecated"
CHANGE = "contract.change"
SAFE = "Nothing was read, and the version before stays current."
MEND = "mend the contract; whatever reads other datasets goes on"
WAY_OUT = (
    "take it back, or raise the major number of `version` and give the new major a dataset file of its own, so that both"
    " live side by side"
)


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contract of today beside those that the ledger has of the dataset; ``follows`` is None where none is to compare.

    ``good`` is the newest version that nobody withdrew, whose contract today's is compared with.
    """

    dataset: Dataset
    log: ContractLog
    good: VersionNumber
    follows: Succession | None
    notice: str = ""
    """That a person ends the contract, when, and what takes its place; empty where nobody does."""

    @property
    def breaks(self) -> bool:
        """Whether nothing may be read under today's contract."""
        return self.follows is not None and self.follows.breaks

    @property
    def words(self) -> str:
        """What is wrong between the two contracts; empty when nothing is."""
        follows = self.follows
        if follows is None or follows.covered:
            return ""
        old, new = follows.before, follows.after
        if follows.breaks:
            whose = f"the contract {new} of {self.dataset.id} breaks the contract {old} of version {self.good}"
            return f"{whose} and keeps its major: {follows.reasons}"
        if follows.bump is Bump.NONE:
            return f"the contract's version went back from {old} to {new}"
        asks = f"what is {follows.kind} asks for a higher {follows.bump} number"
        return f"the contract's version went from {old} to {new}, and {asks}: {follows.reasons}"

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """What is to be said of the contract beside the rows: silent when nothing is.

        A warning when its version grew by less than its changes ask for, and when it ends; a hold when people have to
        approve what it changes.
        """
        told = ((VERSION, self.words), (DEPRECATED, self.notice))
        warnings = [warned(check, words) for check, words in told if words]
        return (*warnings, failed(CHANGE, Verdict.HOLD, self._asked)) if self.asks else tuple(warnings)

    @property
    def asks(self) -> bool:
        """Whether the contract is another than the one of the newest good version, and people approve such changes."""
        return self.dataset.needs_approval and self.follows is not None and bool(self.follows.changes)

    @property
    def _asked(self) -> str:
        assert self.follows is not None, "something changed"
        follows = self.follows
        return f"the contract changes from {follows.before} to {follows.after}, {follows.kind}: {follows.reasons}"

    def record(self, version: VersionNumber) -> tuple[ContractRecorded, ...]:
        """What to append with a capture that accepts ``version`` or confirms it: nothing when the contract stands already."""
        dataset, digest = self.dataset, contract_digest(self.dataset)
        stands = self.log.rows[-1].event.digest if self.log.rows else None
        if not dataset.definition or stands == digest:
            return ()
        return (ContractRecorded(dataset.id, version, dataset.contract, digest, dataset.definition),)


def contract_digest(dataset: Dataset) -> Digest:
    """SHA-256 of all that Tidegate acts upon in the contract of ``dataset``."""
    return Digest(hashlib.sha256(dataset.definition.encode()).hexdigest())


def contracts(database: Engine, dataset: Dataset, now: datetime) -> Contracts:
    """The contracts of ``dataset``; raises `ContractRefused` when nothing may be read under today's.

    That is what its file says, that a person ended it, or that it breaks the contract of the newest good version.
    """
    if dataset.refused:
        raise ContractRefused(f"{dataset.id} is not read: {dataset.refused}", safe=SAFE, next=MEND)
    ends = deprecation(database, dataset.id)
    if ends is not None and dataset.needs_approval and ends.is_over(now):
        raise ContractRefused(f"Nothing is read any more: {ends.words(now)}", safe=SAFE, next=move_on(ends))
    found = replace(compared(database, dataset), notice=ends.words(now) if ends else "")
    if found.breaks:
        what = f"{found.words[0].upper()}{found.words[1:]}"
        raise ContractRefused(what, safe=SAFE, next=WAY_OUT)
    return found


def move_on(ends: Deprecation) -> str:
    """What is left to do once a contract has ended."""
    return (
        f"let its syncs read `{ends.use}`, as `tidegate contract promote SYNC` shows; `tidegate contract reinstate"
        f" {ends.dataset}` takes the end back"
    )


def compared(database: Engine, dataset: Dataset) -> Contracts:
    """As `contracts`, and whoever asks judges."""
    log = contract_log(database, dataset.id)
    good = aim(log.newest, log.withdrawn, None)
    stands = log.of(good)
    if stands is None or not dataset.definition or stands.definition == dataset.definition:
        return Contracts(dataset, log, good, None)
    return Contracts(dataset, log, good, succession(stands.definition, dataset.definition, dataset.classes))
