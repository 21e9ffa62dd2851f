"""The rules and the dashboard ask only for what is exposed, in the grammar of PromQL (`promql_parser` is Prometheus's)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml

from engine import runbooks
from engine.service.metric_tables import COUNTERS, FINDING_LABELS, FINDINGS, GAUGES, PREFIX
from tests.tidy.tree import ROOT

DEPLOY = ROOT / "docs" / "deploy"
EXPOSED = {
    **{f"{PREFIX}{c.name}_total": {c.of, c.detail} - {""} for c in COUNTERS},
    f"{PREFIX}{FINDINGS.name}_total": set(FINDING_LABELS),
    **{PREFIX + gauge.name: set(gauge.labels) for gauge in GAUGES},
}
"""By the name of a metric, its labels."""


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((.*), (\w+)\)", r"sum by (\2) (\1)", variable["query"])


def asked(tree: Any) -> tuple[set[str], set[str]]:
    """The metrics that an expression reads, and the labels that it names anywhere."""
    if isinstance(tree, promql.MatrixSelector):
        return asked(tree.vector_selector)
    if isinstance(tree, promql.VectorSelector):
        return {tree.name}, {matcher.name for matcher in tree.matchers.matchers}
    parts = [getattr(tree, name, None) for name in ("expr", "lhs", "rhs", "param")]
    metrics, labels = set[str](), set[str]()
    for part in [*parts, *getattr(tree, "args", [])]:
        if part is not None:
            more = asked(part)
            metrics, labels = metrics | more[0], labels | more[1]
    modifier = getattr(tree, "modifier", None)
    named = getattr(modifier, "labels", None) or getattr(getattr(modifier, "matching", None), "labels", None)
    return metrics, labels | set(named or ())


@pytest.mark.parametrize("expression", [*expressions()])
def test_every_expression_is_promql_over_metrics_and_labels_that_are_exposed(expression: str) -> None:
    metrics, labels = asked(promql.parse(expression))

    assert metrics
    assert metrics <= EXPOSED.keys()
    assert labels <= set().union(*(EXPOSED[metric] for metric in metrics))


def test_an_expression_over_something_else_would_be_noticed() -> None:
    metrics, labels = asked(promql.parse('sum by (shop) (rate(tidegate_sales_total{till="1"}[5m])) / on (clerk) a'))

    assert (metrics, labels) == ({"tidegate_sales_total", "a"}, {"shop", "till", "clerk"})


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_rule_says_how_bad_it_is_what_happens_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "info"}
    assert re.fullmatch(r"[1-9][0-9]*[mh]", rule["for"])
    assert rule["annotations"]["runbook"] in runbooks.NAMES
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    metrics, _ = asked(promql.parse(rule["expr"]))
    assert told <= set().union(*(EXPOSED[metric] for metric in metrics))


def test_the_table_of_metrics_is_what_is_exposed() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- metrics -->\n")[2].partition("<!-- /metrics -->")[0]
    counters = [(f"{c.name}_total", (c.of, c.detail), c.help) for c in COUNTERS]
    counters.append((f"{FINDINGS.name}_total", FINDING_LABELS, FINDINGS.help))
    gauges = [(gauge.name, gauge.labels, gauge.help) for gauge in GAUGES]
    rows = [
        f"| `{PREFIX}{name}` | {', '.join(f'`{label}`' for label in labels if label)} | {text} |"
        for name, labels, text in [*counters, *gauges]
    ]

    assert shown == "\n".join(["| metric | labels | says |", "|---|---|---|", *rows, ""]), "copy in what is made here"
