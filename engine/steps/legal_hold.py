"""Legal holds: a person lets no rule drop a version, or lets it go again."""

from __future__ import annotations

from collections.abc import Callable

from engine.core.events import LegalHoldPlaced, LegalHoldReleased
from engine.core.names import VersionNumber, dataset_stream
from engine.errors import ConfigurationError
from engine.ledger.projections import versions
from engine.steps.anchors import check_anchors, dataset_anchor, drop_anchor
from engine.steps.dropped import dropped_versions, not_kept
from engine.steps.facts import Dataset, Tools
from engine.steps.races import raced
from engine.steps.retention import ATTEMPTS_MAX, holds


def place_hold(tools: Tools, dataset: Dataset, version: VersionNumber, reason: str) -> None:
    """Let no rule drop a version; returns when that is durable.

    Raises `ConfigurationError` when there is no such version, when it is not kept any more or is held already, and
    `LedgerRegressed` when the ledger may not say so.
    """

    def check() -> None:
        if versions.get(tools.database, dataset.id, version) is None:
            raise _refused(f"There is no version {version} of {dataset.id}", dataset)
        if (drop := dropped_versions(tools, dataset.id).get(version)) is not None:
            raise not_kept(dataset.id, version, drop)
        if (hold := holds(tools, dataset.id).get(version)) is not None:
            raise _refused(f"Version {version} of {dataset.id} is held already, by {hold.by}: {hold.reason}", dataset)

    _decided(tools, dataset, check, LegalHoldPlaced(dataset=dataset.id, version=version, reason=reason))


def release_hold(tools: Tools, dataset: Dataset, version: VersionNumber, reason: str) -> None:
    """Let a version be dropped when a rule says so; raises `ConfigurationError` when it is not held."""

    def check() -> None:
        if version not in holds(tools, dataset.id):
            raise _refused(f"Version {version} of {dataset.id} is under no legal hold", dataset)

    _decided(tools, dataset, check, LegalHoldReleased(dataset=dataset.id, version=version, reason=reason))


def _decided(
    tools: Tools, dataset: Dataset, check: Callable[[], None], event: LegalHoldPlaced | LegalHoldReleased
) -> None:
    check_anchors(tools)
    stream = dataset_stream(dataset.id)

    def attempt() -> None:
        expected = tools.ledger.head(stream)
        check()
        tools.ledger.append(stream, event, expected=expected)

    raced(attempt, ATTEMPTS_MAX)
    drop_anchor(tools, dataset_anchor(dataset.id), stream)


def _refused(what: str, dataset: Dataset) -> ConfigurationError:
    return ConfigurationError(
        what, safe="Nothing was changed.", next=f"`tidegate versions {dataset.id.split('@')[0]}` lists them"
    )
