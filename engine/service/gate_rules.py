"""The gates of project files as the values that checks are given."""

from __future__ import annotations

from config.dataset import DatasetFile
from config.gates import OnFail
from config.sync import SyncFile
from engine.checks.rules import ChangeLimit, DatasetRules, History, IdentifierRules, RowRules, ValueRules
from engine.core.verdict import Verdict

_ON_FAIL: dict[OnFail, Verdict] = {"block": Verdict.BLOCK, "review": Verdict.HOLD, "warn": Verdict.WARN}


def dataset_rules(file: DatasetFile) -> DatasetRules:
    """What a dataset's file asks of a candidate; identifiers are recorded also where nothing is asked of them."""
    rows, identifiers, values = file.gates.rows, file.gates.identifiers, file.gates.values
    return DatasetRules(
        rows=RowRules(
            min=rows.min,
            max=rows.max,
            max_change=rows.max_change,
            history=History(rows.history.versions, rows.history.mad) if rows.history else None,
            on_fail=_ON_FAIL[rows.on_fail],
        ),
        identifiers=IdentifierRules(
            columns=file.identifiers,
            max_null_increase=identifiers.max_null_increase,
            max_duplicate_increase=identifiers.max_duplicate_increase,
            max_distinct_change=identifiers.max_distinct_change,
            min_match_rate=identifiers.min_match_rate,
            max_rekeyed=identifiers.max_rekeyed,
            on_fail=_ON_FAIL[identifiers.on_fail],
        )
        if identifiers
        else IdentifierRules(columns=file.identifiers),
        values=ValueRules(values.columns, values.max_new, _ON_FAIL[values.on_fail]) if values else ValueRules(),
    )


def delete_limit(file: SyncFile) -> ChangeLimit | None:
    """How much one plan may delete because rows are gone."""
    gate = file.gates.deletes
    return ChangeLimit(gate.max, gate.max_ratio, _ON_FAIL[gate.on_fail]) if gate else None
