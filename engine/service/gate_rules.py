"""The gates of project files as the values that checks are given."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from config.dataset import DatasetFile
from config.gates import ChangeGate, DestructionGate, OnFail
from config.sync import SyncFile
from engine.checks.rules import (
    DESTRUCTION,
    Budget,
    ChangeLimit,
    ConsentLimit,
    DatasetRules,
    History,
    IdentifierRules,
    RowRules,
    SyncRules,
    ValueRules,
)
from engine.core.kept_runs import KEEP_EVERY_RUN, RunRule
from engine.core.retention import KEEP_ALL, Rule
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
            columns=file.identifier_columns,
            max_null_increase=identifiers.max_null_increase,
            max_duplicate_increase=identifiers.max_duplicate_increase,
            max_distinct_change=identifiers.max_distinct_change,
            min_match_rate=identifiers.min_match_rate,
            max_rekeyed=identifiers.max_rekeyed,
            on_fail=_ON_FAIL[identifiers.on_fail],
        )
        if identifiers
        else IdentifierRules(columns=file.identifier_columns),
        values=ValueRules(values.columns, values.max_new, _ON_FAIL[values.on_fail]) if values else ValueRules(),
        query_seconds_max=file.gates.queries.timeout.total_seconds(),
    )


def retention_rule(file: DatasetFile) -> Rule:
    """How many versions a dataset's file keeps; every one when it says nothing."""
    if file.retain is None:
        return KEEP_ALL
    return Rule(file.retain.versions, None if file.retain.days is None else timedelta(days=file.retain.days))


def run_rule(file: SyncFile) -> RunRule:
    """Of how many runs a sync's file keeps all; of every one when it says nothing."""
    if file.retain is None:
        return KEEP_EVERY_RUN
    return RunRule(file.retain.runs, None if file.retain.days is None else timedelta(days=file.retain.days))


def sync_rules(file: SyncFile) -> SyncRules:
    """What a sync's file asks of a plan; what takes away is limited also where the file says nothing of it."""
    gates = file.gates
    return SyncRules(
        inserts=_limit(gates.inserts) if gates.inserts else None,
        updates=_limit(gates.updates) if gates.updates else None,
        deletes=_limit(gates.deletes, DESTRUCTION) if gates.deletes else DESTRUCTION,
        rekeyed=_limit(gates.rekeyed, DESTRUCTION) if gates.rekeyed else DESTRUCTION,
        total=_limit(gates.total) if gates.total else None,
        consent=ConsentLimit(gates.consent.min, gates.consent.max_drop, _ON_FAIL[gates.consent.on_fail])
        if gates.consent
        else None,
        budget=Budget(gates.budget.requests, gates.budget.records, _ON_FAIL[gates.budget.on_fail])
        if gates.budget
        else None,
    )


def _limit(gate: ChangeGate | DestructionGate, default: ChangeLimit | None = None) -> ChangeLimit:
    """A written limit; one that only says what happens takes its numbers from the default."""
    if gate.max is None and gate.max_ratio is None and default is not None:
        return replace(default, on_fail=_ON_FAIL[gate.on_fail])
    return ChangeLimit(gate.max, gate.max_ratio, _ON_FAIL[gate.on_fail])
