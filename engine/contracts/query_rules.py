"""One ODCS quality rule of ``type: sql``, with every mistake in it told at its key."""

from __future__ import annotations

from engine.contracts.actions import rule_action
from engine.contracts.finding import Finding, KeyPath
from engine.contracts.places import Place, Written
from engine.contracts.queries import read_query
from engine.contracts.thresholds import read_threshold, severity
from engine.core.demands import QueryRule

_OTHERS = ("metric", "rule", "arguments", "engine", "implementation")
_OF_TRUTH = ("mustBe", "mustNotBe")


def read_query_rule(written: Written, label: str, at: KeyPath, place: Place) -> QueryRule | tuple[Finding, ...]:
    """The rule, or everything that is wrong with it."""
    findings = [
        Finding("unknown_key", f"the quality rule {label} is a query, and has a `{key}`", "", (*at, key))
        for key in _OTHERS
        if written.get(key) is not None
    ]
    truths = {key: int(written[key]) for key in _OF_TRUTH if isinstance(written.get(key), bool)}
    threshold = read_threshold({**written, **truths}, label, at)
    query = read_query(written.get("query"), label, at, place)
    weight = severity(written)
    action = rule_action(written, label, weight, at, findings)
    findings += (found for found in (threshold, query) if isinstance(found, Finding))
    if findings or isinstance(threshold, Finding) or isinstance(query, Finding):
        return tuple(findings)
    return QueryRule(label, query.text, threshold, weight, action, query.counts)
