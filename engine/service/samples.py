"""Rows that a person sees: before and after per field, masked where they are too sensitive for that."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any

from engine.core.classification import Classification
from engine.core.desired import FIELD, Mapping
from engine.core.state import BEFORE

MASK = "•••"


@dataclass(frozen=True, slots=True)
class Sample:
    """One changed record; values are JSON text, ``None`` for what is not there, `MASK` for what may not be shown."""

    change: str
    reason: str
    id: str
    before: MappingOf[str, str | None]
    after: MappingOf[str, str | None]
    changed: tuple[str, ...]


def may_show(classification: Classification) -> bool:
    """Whoever may run a command sees values up to the class that the project shows."""
    return classification.is_shown


def plan_sample(row: MappingOf[str, Any], shown: MappingOf[str, bool], *, show_id: bool) -> Sample:
    """A plan row as a sample; ``shown`` says per field whether its value may be seen."""
    before = {name.removeprefix(BEFORE): value for name, value in row.items() if name.startswith(BEFORE)}
    after = {name.removeprefix(FIELD): value for name, value in row.items() if name.startswith(FIELD)}
    return Sample(
        change=row["change"],
        reason=row["reason"],
        id=row["id"] if show_id else MASK,
        before=masked(before, shown),
        after=masked(after, shown),
        changed=tuple(name for name in after if after[name] is not None and after[name] != before.get(name)),
    )


def masked(values: MappingOf[str, str | None], shown: MappingOf[str, bool]) -> dict[str, str | None]:
    """The values with `MASK` for each present one that may not be shown; an unknown field is not shown."""
    return {name: value if value is None or shown.get(name, False) else MASK for name, value in values.items()}


def sampled(rows: Iterable[MappingOf[str, Any]], shown: MappingOf[str, bool], *, show_id: bool) -> tuple[Sample, ...]:
    """Several plan rows as samples."""
    return tuple(plan_sample(row, shown, show_id=show_id) for row in rows)


def is_id_shown(mapping: Mapping) -> bool:
    """Whether the id of a record may be seen."""
    return all(may_show(part.classification) for part in mapping.match)
