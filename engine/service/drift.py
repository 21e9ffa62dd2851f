"""What a destination was found to hold otherwise than it was delivered, as people see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from destinations.base import reads_back
from destinations.registry import adapter, names
from engine.core.drift import Difference
from engine.errors import ConfigurationError
from engine.service.plans import shown_fields
from engine.service.samples import MASK, is_id_shown, masked
from engine.steps.adopt import refuse_rehearsal
from engine.steps.facts import Sync
from engine.steps.reconcile import Drift, Example


@dataclass(frozen=True, slots=True)
class DriftSample:
    """A record that differs: its fields as they were ``delivered`` and as they are ``there``, as JSON text or masked."""

    difference: str
    id: str
    delivered: Mapping[str, str | None]
    there: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Of the ``compared`` records, how many are missing, changed, or present although they were removed.

    ``fields`` counts the changed records by field; ``left_out`` those of which it is not known what should be there.
    """

    compared: int
    left_out: int
    missing: int
    changed: int
    present: int
    fields: Mapping[str, int]
    calls: int
    samples: tuple[DriftSample, ...]


def drift_report(sync: Sync, found: Drift) -> DriftReport:
    """What was found, with the values that people may see."""
    return DriftReport(
        compared=found.compared,
        left_out=found.left_out,
        missing=found.counts[Difference.MISSING],
        changed=found.counts[Difference.CHANGED],
        present=found.counts[Difference.PRESENT],
        fields=found.fields,
        calls=found.calls,
        samples=tuple(_sample(sync, example) for example in found.examples),
    )


def _sample(sync: Sync, example: Example) -> DriftSample:
    shown = shown_fields(sync)
    return DriftSample(
        example.difference.value,
        example.id if is_id_shown(sync.mapping) else MASK,
        masked(example.delivered, shown),
        masked(example.there, shown),
    )


def refuse_unreadable(sync: Sync) -> None:
    """Raise `ConfigurationError` where the destination cannot be read back, or this environment must not call it."""
    refuse_rehearsal(sync)
    target = sync.target
    kind = type(target.destination)
    if not reads_back(kind):
        able = ", ".join(name for name in names() if reads_back(adapter(name)))
        raise ConfigurationError(
            f"`{target.name}` cannot be read back: the adapter `{kind.spec.name}` has no way to; these have one: {able}",
            safe="Nothing was changed.",
            next=f"`tidegate resync {sync.id}` sends everything again",
        )
    if target.environments is not None and target.environment not in target.environments:
        raise ConfigurationError(
            f"`{target.name}` may be used in {', '.join(target.environments)}, and this is {target.environment}",
            safe="Nothing was changed.",
            next="choose the environment with --env",
        )
