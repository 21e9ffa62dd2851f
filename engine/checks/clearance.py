"""No field above a destination's clearance leaves for it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.classification import Classification
from engine.core.desired import FieldMapping, MatchKey


def too_sensitive(leaving: Iterable[MatchKey | FieldMapping], clearance: Classification) -> list[str]:
    """Columns of which something above ``clearance`` would leave, each once, in order."""
    above = (part.column for part in leaving if part.classification.rank > clearance.rank)
    return list(dict.fromkeys(above))
