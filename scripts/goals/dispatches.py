"""What a ledger says of consent and of dispatch: who withdrew when, and which windows were recorded about whom after that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow.parquet as pq

from engine.core.consent_rule import REMOVING
from engine.core.events import PlanMade, WindowIntended
from engine.ledger.recorded import Recorded
from engine.service.app import App

EVENTS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal that stands in the ledger, at ``sequence``."""

    subject: str
    sequence: int
    at: datetime


def late(app: App, withdrawals: list[Withdrawn]) -> list[str]:
    """A sentence for each window behind a withdrawal that was to send something about the person."""
    since = {one.subject: one.sequence for one in withdrawals}
    log = app.tools.ledger.tail(EVENTS_MAX)
    plans = {fact.event.run: fact.event for fact in log if isinstance(fact.event, PlanMade)}
    told = []
    for fact in log:
        if isinstance(fact.event, WindowIntended):
            rows = _subjects(app, plans[fact.event.run])
            told += [
                f"window {fact.event.window} of {fact.event.run} is about {subject} and behind the withdrawal"
                for subject in _sent(fact, rows)
                if fact.sequence > since.get(subject, fact.sequence)
            ]
    return told


def _subjects(app: App, planned: PlanMade) -> list[str | None]:
    """By place in a plan, whom its row sends something about; None for what removes."""
    assert planned.segment is not None, "it has a window"
    rows = pq.read_table(app.tools.storage.local(planned.segment), columns=["op", "subject"]).to_pylist()
    return [None if row["op"] in REMOVING else row["subject"] for row in rows]


def _sent(fact: Recorded, subjects: list[str | None]) -> Iterator[str]:
    assert isinstance(fact.event, WindowIntended)
    for batch in fact.event.batches:
        for place in range(batch.first, batch.last + 1):
            subject = subjects[place]
            if place not in batch.withheld and subject is not None:
                yield subject
