"""What of a contract's file Tidegate acts upon, as one text: two contracts with equal texts are judged alike.

Texts for people, names of teams, addresses and examples are left out, so that the text may stand in the ledger, where
nothing can be taken out again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Written: TypeAlias = Mapping[str, Any]
"""A part of a contract as parsed YAML, which the published model has found to be well-formed."""

_CONTRACT = ("apiVersion", "kind", "id", "name", "version", "status", "slaDefaultElement")
_TABLE = ("name", "physicalName")
_COLUMN = (
    *("name", "logicalType", "physicalType", "logicalTypeOptions", "classification"),
    *("primaryKey", "primaryKeyPosition", "required", "unique"),
)
_LEVEL = ("property", "value", "unit", "element")
_RULE = (
    *("id", "name", "type", "metric", "rule", "arguments", "unit", "severity", "query"),
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo"),
    *("mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween"),
)


def definition(data: Written) -> str:
    """The text of a contract that could be read: JSON with sorted keys, without spaces.

    `engine.contracts.odcs.read_contract` reads the same contract from it, but for the names of what is not enforced.
    """
    table = data["schema"][0]
    kept = {
        **_said(data, _CONTRACT),
        **_own(data),
        "schema": [
            {
                **_said(table, _TABLE),
                **_own(table),
                **_rules(table),
                "properties": [_column(column) for column in table.get("properties") or ()],
            }
        ],
        "slaProperties": [{**_said(level, _LEVEL), **_own(level)} for level in data.get("slaProperties") or ()],
    }
    # Files give JSON's own types; a date that another reader made of a text is that text again.
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), default=str)


def _column(column: Written) -> dict[str, Any]:
    values = {"enum": [_said(entry, ("value",)) for entry in column["enum"]]} if column.get("enum") is not None else {}
    return {**_said(column, _COLUMN), **_own(column), **_rules(column), **values}


def _rules(part: Written) -> dict[str, Any]:
    """The quality rules that can be judged; one without a name is known by its description."""
    kept = []
    for rule in part.get("quality") or ():
        if rule.get("type") != "text":
            words = _RULE if rule.get("name") else (*_RULE, "description")
            kept.append({**_said(rule, words), **_own(rule)})
    return {"quality": kept} if kept else {}


def _own(part: Written) -> dict[str, Any]:
    """Tidegate's own custom properties."""
    kept = [
        _said(custom, ("property", "value"))
        for custom in part.get("customProperties") or ()
        if str(custom.get("property")).startswith("tidegate.")
    ]
    return {"customProperties": kept} if kept else {}


def _said(part: Written, keys: Iterable[str]) -> dict[str, Any]:
    return {key: part[key] for key in keys if part.get(key) is not None}
