"""No field above a destination's clearance leaves for it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.schema import Classification


def too_sensitive(columns: Iterable[tuple[str, Classification]], clearance: Classification) -> list[str]:
    """Columns whose classification is above ``clearance``, in order."""
    return [name for name, classification in columns if classification.rank > clearance.rank]
