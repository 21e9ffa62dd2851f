"""The opened project: what use cases act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from config.project import Project
from destinations.base import Destination
from engine.core.names import DatasetId, is_meant, major_of
from engine.errors import ConfigurationError
from engine.steps.facts import Dataset, Sync, Tools


@dataclass(frozen=True, slots=True)
class App:
    """A valid project with its references resolved and its ledger open."""

    project: Project
    tools: Tools
    datasets: Mapping[DatasetId, Dataset]
    syncs: Mapping[str, Sync]
    destinations: Mapping[str, Destination]
    scratch: Path

    @property
    def sync_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.syncs))

    @property
    def dataset_names(self) -> tuple[DatasetId, ...]:
        return tuple(sorted(self.datasets))

    def sync(self, name: str) -> Sync:
        """The sync called ``name``; raises `ConfigurationError` with the nearest name."""
        if name in self.syncs:
            return self.syncs[name]
        raise _unknown("sync", name, self.sync_names)

    def dataset(self, name: str) -> Dataset:
        """The dataset ``name`` or ``name@major``; a bare name means its highest major."""
        majors = sorted((d for d in self.datasets if is_meant(d, name)), key=major_of)
        if majors:
            return self.datasets[majors[-1]]
        raise _unknown("dataset", name, self.dataset_names)

    def close(self) -> None:
        """Close the ledger's connections and the compute engine."""
        self.tools.compute.close()
        self.tools.database.dispose()


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> ConfigurationError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known) or 'none'}"
    return ConfigurationError(f"There is no {kind} `{name}` in this project", safe="Nothing was started.", next=hint)
