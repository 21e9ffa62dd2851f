"""Values that could not be brought into the form that a mapping asks for, and so do not leave."""

from __future__ import annotations

from collections.abc import Mapping

from ibis.expr.types import Scalar, Table

from engine.core.desired import FieldMapping, MatchKey
from engine.core.desired import Mapping as FieldsMapping
from engine.core.events import CheckResult
from engine.core.preparation import AS_IT_IS, lost
from engine.core.verdict import passed, warned

NAME = "mapping.forms"


def shaped(mapping: FieldsMapping) -> list[MatchKey | FieldMapping]:
    """What leaves in a form of its own; nothing is to be measured when there is none."""
    return [part for part in mapping.leaving if part.prepare != AS_IT_IS]


def words(mapping: FieldsMapping) -> tuple[str, ...]:
    """The rule, where there is one."""
    parts = ", ".join(f"{part.target} ({part.prepare.normalise})" for part in shaped(mapping))
    return (f"every value has the form that is asked for: {parts}",) if parts else ()


def metrics(rows: Table, mapping: FieldsMapping) -> dict[str, Scalar]:
    """Per place in `shaped`, how many rows have a value that has no such form."""
    return {
        str(place): rows.count(where=lost(rows[part.column], part.prepare))
        for place, part in enumerate(shaped(mapping))
    }


def verdict(found: Mapping[str, int], mapping: FieldsMapping) -> CheckResult:
    """Such values count as null: a field is cleared or skipped, and a row without a key is withheld."""
    counts = {part.target: int(found[str(place)]) for place, part in enumerate(shaped(mapping))}
    numbers = {target: float(count) for target, count in counts.items()}
    lacking = [f"{count:,} of {target}" for target, count in counts.items() if count]
    if lacking:
        return warned(NAME, f"{', '.join(lacking)} have not the form that is asked for, and count as empty", numbers)
    return passed(NAME, f"every value of {', '.join(counts)} has the form that is asked for", numbers)
