"""Which versions of a dataset are not kept any more, and how that is said to who asks for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.core.compare import Comparison, Full, Incremental
from engine.core.events import VersionsDropped
from engine.core.names import DatasetId, VersionNumber, dataset_stream, name_of
from engine.errors import ConfigurationError
from engine.ledger.recorded import told
from engine.steps.facts import Tools


@dataclass(frozen=True, slots=True)
class Drop:
    """When a version was dropped, and what the rule kept instead."""

    at: datetime
    rule: str


def dropped_versions(tools: Tools, dataset: DatasetId) -> Mapping[VersionNumber, Drop]:
    """The versions that cannot be read any more, because retention dropped what they were made of."""
    return {
        version: Drop(fact.recorded_at, fact.event.rule)
        for fact in told(tools.database, dataset_stream(dataset), VersionsDropped)
        if isinstance(fact.event, VersionsDropped)
        for version in fact.event.versions
    }


def not_kept(dataset: DatasetId, version: VersionNumber, drop: Drop) -> ConfigurationError:
    """What is said to who asks for a version that was dropped."""
    return ConfigurationError(
        f"Version {version} of {dataset} is not kept any more: it was dropped on {drop.at:%Y-%m-%d}, when "
        f"{drop.rule} were kept",
        safe="Nothing was changed. Its counts and digests stand in the ledger; its rows are gone.",
        next=f"`tidegate versions {name_of(dataset)}` shows which are kept; `retain` in the dataset's file says how many",
    )


def with_what_is_kept(tools: Tools, dataset: DatasetId, how: Comparison, version: VersionNumber) -> Comparison:
    """How to compare with ``version``, given that the changes on the way from the one before may not be kept any more."""
    if not isinstance(how, Incremental) or how.since == version:
        return how
    first, last = sorted((how.since, version))
    if any(first <= gone <= last for gone in dropped_versions(tools, dataset)):
        return Full(f"the changes since version {how.since} are not kept any more")
    return how
