"""What somebody on call is told: an alert, how bad it is, and what changes when conditions are looked at again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """``page`` wakes somebody, ``ticket`` is for working hours, ``info`` is for whoever looks."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """One condition that holds of one ``subject``; two of the same kind and subject are the same alert.

    ``what`` is one sentence, ``cause`` the change upstream that the ledger shows, empty when it shows none. What it reaches
    are ``datasets``, ``syncs`` and ``destinations``, and the ``owners`` of these. ``next`` are commands to type, in order.
    """

    kind: str
    subject: str
    severity: Severity
    since: datetime
    what: str
    runbook: str
    cause: str = ""
    datasets: tuple[str, ...] = ()
    syncs: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    next: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """``dataset.refused:customers@1``."""
        return f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is told: alerts that were not there before, and ids of those that are gone."""

    opened: tuple[Alert, ...]
    closed: tuple[str, ...]


def changes(now: Collection[Alert], open_ids: Collection[str]) -> Changes:
    """Only what changed: an alert that goes on is not told again, whatever became of its words or its reach."""
    ids = {alert.id for alert in now}
    opened = tuple(sorted((alert for alert in now if alert.id not in open_ids), key=lambda alert: alert.id))
    return Changes(opened, tuple(sorted(set(open_ids) - ids)))


def owners_of(names: Collection[str], owners: Mapping[str, str]) -> tuple[str, ...]:
    """The owners of datasets and syncs, each once."""
    return tuple(sorted({owners[name] for name in names if name in owners}))
