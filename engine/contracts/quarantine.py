"""Where a contract lets rows be set aside: a table or a column with `tidegate.quarantine`, and how many rows at most."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.contracts.actions import QUARANTINE, own_properties
from engine.contracts.finding import Finding, KeyPath
from engine.contracts.places import Written
from engine.contracts.values import number
from engine.core.demands import Action, Demands, Quarantine
from engine.core.schema import Column

MAX_RATIO = "tidegate.quarantineMaxRatio"
_TABLE: KeyPath = ("schema", 0)


def quarantined_columns(table: Written, findings: list[Finding]) -> frozenset[str]:
    """The columns that say so, or all whose table does; a column may also say that it does not."""
    by_default, names = _is_asked(table, _TABLE, findings), []
    for index, property in enumerate(table.get("properties") or ()):
        path = (*_TABLE, "properties", index)
        asked = _is_asked(property, path, findings)
        if by_default if asked is None else asked:
            names.append(str(property.get("name")))
    return frozenset(names)


def read_quarantine(
    table: Written, columns: Sequence[Column], demands: Demands, asking: frozenset[str], findings: list[Finding]
) -> Quarantine:
    """The quarantine of a contract whose other ``demands`` were read; nonsense goes to ``findings``."""
    able = _able(columns, demands)
    rules = {name for rule in demands.rules if rule.action is Action.QUARANTINE for name in rule.columns or ("",)}
    for index, property in enumerate(table.get("properties") or ()):
        name = str(property.get("name"))
        if says_quarantine(property) is True and name not in able | rules:
            message = f"the column `{name}` has `{QUARANTINE}` and no rule that one row by itself can break"
            path = (*_TABLE, "properties", index, "customProperties")
            findings.append(Finding("bad_value", message, "a key that is null or repeated always blocks", path))
    kept, has_rules = asking & able, any(rule.action is Action.QUARANTINE for rule in demands.rules)
    if says_quarantine(table) is True and not kept and not has_rules:
        message = f"the table has `{QUARANTINE}` and no rule that one row by itself can break"
        findings.append(Finding("bad_value", message, "", (*_TABLE, "customProperties")))
    ratio = _max_ratio(table, findings)
    if ratio is not None and not kept and not has_rules and says_quarantine(table) is not True:
        message = f"`{MAX_RATIO}` bounds nothing, for no rule sets rows aside"
        findings.append(Finding("bad_value", message, f"add `{QUARANTINE}: true`", (*_TABLE, "customProperties")))
    return Quarantine(kept) if ratio is None else Quarantine(kept, ratio)


def _able(columns: Sequence[Column], demands: Demands) -> frozenset[str]:
    """Columns with a demand that one row by itself can break, or by repeating a value."""
    alone = sum(column.key_position is not None for column in columns) == 1
    required = {column.name for column in columns if column.required and column.key_position is None}
    unique = {column.name for column in columns if column.unique and not (alone and column.key_position)}
    return frozenset(required | unique | {rule.column for rule in demands.values})


def _is_asked(written: Written, at: KeyPath, findings: list[Finding]) -> bool | None:
    for name, value, path in own_properties(written, at):
        if name == QUARANTINE and not isinstance(value, bool):
            findings.append(Finding("wrong_type", f"`{QUARANTINE}` must be true or false", "", path))
    return says_quarantine(written)


def says_quarantine(written: Written) -> bool | None:
    """Whether a table or a column says that rows are set aside, or that they are not; None when it is silent."""
    values = [value for name, value, _ in own_properties(written, ()) if name == QUARANTINE]
    return values[-1] if values and isinstance(values[-1], bool) else None


def _max_ratio(table: Written, findings: list[Finding]) -> float | None:
    for name, value, path in own_properties(table, _TABLE):
        if name != MAX_RATIO:
            continue
        ratio = number(value)
        if ratio is None or not Decimal(0) < ratio <= Decimal(1):
            message = f"`{MAX_RATIO}` must be a share of the rows, more than 0 and at most 1"
            findings.append(Finding("out_of_range", message, "0.05 is one row in twenty", path))
            return None
        return float(ratio)
    return None
