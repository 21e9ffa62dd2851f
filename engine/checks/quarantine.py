"""Which rows of a candidate are set aside and why, and when they are too many to be only some bad rows.

A rule sets rows aside only where it is not met, and only those that break it; of repeated values the first row stays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

from engine.checks import keys, quality, value_rules
from engine.checks.row_rules import RowRule
from engine.core.canonical import key_text, present
from engine.core.demands import Action, Demands, Metric, Rule
from engine.core.events import CheckResult
from engine.core.schema import TableSchema
from engine.core.verdict import Verdict, blocked, failed, passed

NAME = "quarantine"


def setting_aside(schema: TableSchema, demands: Demands, results: Sequence[CheckResult]) -> tuple[RowRule, ...]:
    """The rules that ``results``, those of a whole candidate, say are not met and set their rows aside."""
    if not any(result.verdict == Verdict.QUARANTINE.value for result in results):
        return ()
    columns = demands.quarantine.columns
    judged = [result for result in results if result.check == quality.NAME]
    unmet = [
        rule
        for rule, result in zip(demands.rules, judged, strict=True)
        if rule.action is Action.QUARANTINE and result.verdict == Verdict.QUARANTINE.value
    ]
    return (
        *keys.required_rules(schema, columns),
        *keys.unique_rules(schema, columns),
        *value_rules.row_rules(rule for rule in demands.values if rule.column in columns),
        *(_of_quality(rule, schema.key) for rule in unmet),
    )


def _of_quality(rule: Rule, key: Sequence[str]) -> RowRule:
    if rule.metric is Metric.DUPLICATE:
        return keys.repeat_rule(quality.NAME, rule.label, rule.columns, key)
    found = quality.row_rule(rule)
    assert found is not None, "no other metric that counts rows can be asked to set some aside"
    return found


def set_aside(table: Table, rules: Sequence[RowRule], key: Sequence[str]) -> Table:
    """One row per row that breaks a rule, by ``pk``: its key as text, and ``reasons``, a JSON array of rule labels."""
    broken = {f"_{place}": rule.breaks(table) for place, rule in enumerate(rules)}
    rows = table.select(pk=key_text([table[name] for name in key]), **broken)
    rows = rows.filter(ibis.or_(*(rows[name] for name in broken)))
    labels = [
        rows[name].ifelse(json.dumps(rule.label, ensure_ascii=False), ibis.null("string"))
        for name, rule in zip(broken, rules, strict=True)
    ]
    reasons = ibis.literal("[") + present(labels) + ibis.literal("]")
    return rows.select("pk", reasons=reasons).order_by("pk")


def verdict(count: int, rows: int, demands: Demands) -> CheckResult:
    """Judge how many rows are set aside; above the declared share the read is bad, and not some rows of it."""
    share, most = count / rows if rows else 0.0, demands.quarantine.max_ratio
    numbers = {"set_aside": count, "rows": rows}
    if not count:
        return passed(NAME, "no row is set aside", numbers)
    said = f"{count:,} of {rows:,} rows are set aside, {share:.2%}"
    if share > most:
        return blocked(NAME, f"{said}, and at most {most:.4g} of them may be", numbers)
    return failed(NAME, Verdict.QUARANTINE, said, numbers)
