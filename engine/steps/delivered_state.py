"""The delivered state of a sync as rows: what its destination was sent, and what is known of that."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis.expr.types import Table

from engine.core.events import StateFolded
from engine.core.state import FACTS, live
from engine.segments.compute import Session
from engine.steps.facts import Tools


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivered state that is not the current one: what a fold says of it, if there was one, and its layers, oldest first."""

    state: StateFolded | None
    layers: list[Table]


def state_layers(tools: Tools, session: Session, state: StateFolded | None) -> list[Table]:
    """The state segments of a sync, oldest first; one without rows before the first fold."""
    if state is None or not state.segments:
        return [session.rows(ibis.schema(FACTS).to_pyarrow().empty_table())]
    return [session.table(tools.storage.local(ref)) for ref in state.segments]


def state_rows(tools: Tools, session: Session, state: StateFolded | None) -> Table:
    """The newest row of each record."""
    return live(state_layers(tools, session, state))
