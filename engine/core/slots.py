"""Whether one more run may begin beside those under way: overall, into one destination, out of one connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs of one daemon may go on at once."""

    overall: int
    per_destination: int
    per_connection: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run uses while it goes on."""

    destination: str
    connections: tuple[str, ...]


def may_begin(needs: Needs, under_way: Iterable[Needs], limits: Limits) -> bool:
    """Whether a run with ``needs`` fits beside those ``under_way``."""
    others = list(under_way)
    into = sum(1 for other in others if other.destination == needs.destination)
    out = (sum(1 for other in others if name in other.connections) for name in needs.connections)
    return (
        len(others) < limits.overall
        and into < limits.per_destination
        and all(count < limits.per_connection for count in out)
    )
