"""ODCS ``quality`` as rules: the five library metrics, queries and texts, with every mistake told at its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from open_data_contract_standard.model import DataQuality

from engine.contracts.actions import SettingAside, rule_action
from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.patterns import pattern_problem
from engine.contracts.places import Place, Written
from engine.contracts.query_rules import read_query_rule
from engine.contracts.thresholds import read_threshold, severity
from engine.contracts.values import typed
from engine.core.demands import Allowed, Metric, QueryRule, Rule, Threshold, Unit, meets
from engine.core.schema import Column, LogicalType
from engine.core.value_rules import Value

RULES_MAX = 500
VALUES_MAX = 1_000
LABEL_CHARACTERS_MAX = 120
_TYPES = ("library", "sql", "text", "custom")
_OLDER_NAMES = {"duplicateCount": "duplicateValues"}
_ARGUMENTS = {Metric.MISSING: ("missingValues",), Metric.INVALID: ("validValues", "pattern")}


@dataclass(slots=True)
class Quality:
    """What became of the rules that were read; ``unenforced`` names those that nothing can judge."""

    rules: list[Rule] = field(default_factory=list)
    queries: list[QueryRule] = field(default_factory=list)
    unenforced: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_quality(rules: Sequence[Written], place: Place, names: Sequence[str]) -> Quality:
    """The rules of one column, or of the table."""
    quality = Quality()
    if len(rules) > RULES_MAX:
        message = f"`{place.name}` has {len(rules):,} quality rules, more than {RULES_MAX}"
        quality.findings.append(Finding("out_of_range", message, "", place.path))
        return quality
    for index, written in enumerate(rules):
        at = (*place.path, index)
        unknown = [key for key in written if key not in DataQuality.model_fields]
        if unknown:
            known = [*DataQuality.model_fields]
            quality.findings += (
                Finding("unknown_key", f"unknown key `{key}`", nearest(str(key), known), (*at, key)) for key in unknown
            )
        else:
            _one(written, at, place, names, quality)
    return quality


def _one(written: Written, at: KeyPath, place: Place, names: Sequence[str], quality: Quality) -> None:
    kind = written.get("type") or "library"
    label = _label(written, place)
    if kind == "text":
        quality.unenforced.append(f"the quality text {label} of {place.name}")
    elif kind == "sql":
        query = read_query_rule(written, label, at, place)
        if isinstance(query, QueryRule):
            quality.queries.append(query)
        else:
            quality.findings += query
    elif kind == "custom":
        message = f"the quality rule {label} is for the engine `{written.get('engine')}`, which no plug-in serves"
        hint = "write it as a library metric, or as `type: text` to keep it as documentation"
        quality.findings.append(Finding("not_available", message, hint, (*at, "type")))
    elif kind != "library":
        message = f"the quality rule {label} has a `type` that does not exist"
        quality.findings.append(Finding("bad_value", message, nearest(str(kind), _TYPES), (*at, "type")))
    else:
        rule = _library(written, label, at, place, names, quality.findings)
        quality.rules += [rule] if rule else []


def _label(written: Written, place: Place) -> str:
    """What a person calls the rule: its name, its description, else its metric and where it stands."""
    words = written.get("name") or written.get("description") or written.get("id")
    words = words or f"{written.get('metric') or written.get('rule') or written.get('type')} of {place.name}"
    text = " ".join(str(words).split())
    return f"`{text if len(text) <= LABEL_CHARACTERS_MAX else text[: LABEL_CHARACTERS_MAX - 1] + '…'}`"


def _library(
    written: Written, label: str, at: KeyPath, place: Place, names: Sequence[str], findings: list[Finding]
) -> Rule | None:
    metric = _metric(written, label, at, place)
    threshold = read_threshold(written, label, at)
    unit = _unit(written, label, at)
    if isinstance(metric, Finding):
        findings += (found for found in (metric, threshold, unit) if isinstance(found, Finding))
        return None
    wrong = list(_arguments(written, metric, label, at, place, names))
    if metric is Metric.ROWS and unit is Unit.PERCENT:
        message = f"the quality rule {label} asks for the row count in percent, and of what is not said"
        wrong.append(Finding("bad_value", message, "count `rows`", (*at, "unit")))
    wrong += (found for found in (threshold, unit) if isinstance(found, Finding))
    if wrong or isinstance(threshold, Finding) or isinstance(unit, Finding):
        findings += wrong
        return None
    arguments = written.get("arguments") or {}
    columns = (place.column.name,) if place.column else tuple(arguments.get("properties", ()))
    weight = severity(written)
    action = rule_action(written, label, weight, at, findings, _setting_aside(metric, threshold, columns, place))
    return Rule(label, metric, threshold, columns, unit, weight, action, _allowed(arguments, place.column))


def _setting_aside(metric: Metric, threshold: Threshold, columns: tuple[str, ...], place: Place) -> SettingAside:
    """A rule sets rows aside to be met without them, so it must be met when no row is counted."""
    if metric is Metric.ROWS:
        return SettingAside("counts all rows", place.quarantines)
    if not meets(Fraction(0), threshold):
        return SettingAside("would not be met without the rows that it counts", place.quarantines)
    if metric is Metric.DUPLICATE and set(columns) >= {c.name for c in place.columns if c.key_position is not None}:
        return SettingAside("counts repeats of the primary key, which always block", place.quarantines)
    return SettingAside("", place.quarantines)


def _metric(written: Written, label: str, at: KeyPath, place: Place) -> Metric | Finding:
    """The metric, under its name or the older ``rule``; it must belong where the rule stands."""
    key = "metric" if written.get("metric") is not None else "rule"
    name: str | None = written.get(key)
    if name is None:
        hint = "add `metric`, or `type: sql` when there is a `query`"
        return Finding("missing_key", f"the quality rule {label} has no `metric`", hint, at)
    if key == "metric" and written.get("rule") not in (None, name):
        message = f"the quality rule {label} has a `metric` and another `rule`"
        return Finding("bad_value", message, "keep `metric`", (*at, "rule"))
    name = _OLDER_NAMES.get(name, name)
    if name not in list(Metric):
        message = f"the quality rule {label} has a metric that does not exist"
        return Finding("bad_value", message, nearest(name, Metric), (*at, key))
    metric = Metric(name)
    if (metric is Metric.ROWS) == (place.column is not None) and metric is not Metric.DUPLICATE:
        belongs = "the table" if metric is Metric.ROWS else "a column"
        message = f"the quality rule {label} measures `{metric}`, which belongs to {belongs}"
        return Finding("bad_value", message, "", (*at, key))
    return metric


def _unit(written: Written, label: str, at: KeyPath) -> Unit | Finding:
    unit = written.get("unit")
    if unit is None:
        return Unit.ROWS
    if unit in list(Unit):
        return Unit(unit)
    message = f"the quality rule {label} has a `unit` that Tidegate cannot measure"
    return Finding("bad_value", message, "`rows` or `percent`", (*at, "unit"))


def _arguments(
    written: Written, metric: Metric, label: str, at: KeyPath, place: Place, names: Sequence[str]
) -> Iterator[Finding]:
    """What is wrong with the arguments of a metric."""
    arguments, path = written.get("arguments") or {}, (*at, "arguments")
    on_table = metric is Metric.DUPLICATE and place.column is None
    known = ("properties",) if on_table else _ARGUMENTS.get(metric, ())
    unknown = [key for key in arguments if key not in known]
    for key in unknown:
        message = f"`{metric}` of the quality rule {label} knows no argument `{key}`"
        yield Finding("unknown_key", message, nearest(str(key), known), (*path, key))
    if known and not unknown and all(arguments.get(key) is None for key in known):
        needs = " or ".join(f"`{key}`" for key in known)
        message = f"`{metric}` of the quality rule {label} needs {needs} under `arguments`"
        yield Finding("missing_key", message, "", at)
        return
    for key in known:
        if key in arguments and key == "properties":
            yield from _properties(arguments[key], label, (*path, key), names)
        elif key in arguments and place.column is not None:
            judge = _pattern if key == "pattern" else _values
            yield from judge(arguments[key], label, (*path, key), place.column)


def _properties(listed: Any, label: str, path: KeyPath, names: Sequence[str]) -> Iterator[Finding]:  # parsed YAML
    if not isinstance(listed, list) or not listed or len(listed) != len(set(map(str, listed))):
        message = f"`properties` of the quality rule {label} must list columns, each once"
        yield Finding("wrong_type", message, "", path)
        return
    for index, name in enumerate(listed):
        if name not in names:
            hint = nearest(str(name), names)
            yield Finding("unknown_column", f"the contract has no column `{name}`", hint, (*path, index))


def _values(values: Any, label: str, path: KeyPath, column: Column) -> Iterator[Finding]:  # parsed YAML
    if not isinstance(values, list) or not 1 <= len(values) <= VALUES_MAX:
        message = f"`{path[-1]}` of the quality rule {label} must list 1 to {VALUES_MAX:,} values"
        yield Finding("wrong_type", message, "", path)
        return
    for index, value in enumerate(values):
        if value is not None and typed(value, column.type) is None:
            message = f"a value of the quality rule {label} is not of the type of `{column.name}`, {column.type}"
            yield Finding("wrong_type", message, "", (*path, index))


def _pattern(pattern: Any, label: str, path: KeyPath, column: Column) -> Iterator[Finding]:  # parsed YAML
    if column.type is not LogicalType.STRING:
        message = f"the quality rule {label} has a pattern, and `{column.name}` is not a string"
        yield Finding("wrong_type", message, "list `validValues`", path)
    elif not isinstance(pattern, str):
        yield Finding("wrong_type", f"the pattern of the quality rule {label} must be a text", "", path)
    elif problem := pattern_problem(pattern):
        message = f"the pattern of the quality rule {label} {problem}"
        yield Finding("bad_value", message, "patterns are those of RE2, without look-around", path)


def _allowed(arguments: Written, column: Column | None) -> Allowed:
    """The arguments of a rule about values, once they were found to be sound."""
    written = next((arguments[key] for key in ("missingValues", "validValues") if key in arguments), None)
    if column is None or written is None:
        return Allowed(pattern=arguments.get("pattern"))
    values: list[Value] = [value for each in written if (value := typed(each, column.type)) is not None]
    return Allowed(tuple(values), None in written, arguments.get("pattern"))
