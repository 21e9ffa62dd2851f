"""ODCS ``slaProperties``: latency and the dates of a contract's life are judged, promises of a service are listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from open_data_contract_standard.model import ServiceLevelAgreementProperty

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.places import Written
from engine.contracts.values import number, typed
from engine.core.demands import Severity
from engine.core.promises import Latency, Lifetime, Promises
from engine.core.schema import Column, LogicalType

SEVERITY = "tidegate.severity"
_NAMES = {
    "latency": ("latency", "ly", "freshness"),
    "generalAvailability": ("generalavailability", "ga"),
    "endOfSupport": ("endofsupport", "es"),
    "endOfLife": ("endoflife", "el"),
    "retention": ("retention", "re"),
}
_MEANING = {word: name for name, words in _NAMES.items() for word in words}
_MOMENTS = {
    "generalAvailability": "general_availability",
    "endOfSupport": "end_of_support",
    "endOfLife": "end_of_life",
}
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_DATED = (LogicalType.DATE, LogicalType.TIMESTAMP)
_DAYS_MAX = 36_500


@dataclass(slots=True)
class ServiceLevels:
    """What became of the service levels; ``unenforced`` names those that nothing can judge."""

    promises: Promises = field(default_factory=Promises)
    unenforced: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_service_levels(
    written: Sequence[Written], default_element: Any, table: Mapping[str, Any], columns: Sequence[Column]
) -> ServiceLevels:
    """The service levels of a contract; ``default_element`` is its ``slaDefaultElement``, parsed YAML like the others."""
    levels = ServiceLevels()
    latencies: list[Latency] = []
    moments: dict[str, datetime] = {}
    for index, level in enumerate(written):
        at: KeyPath = ("slaProperties", index)
        name = _MEANING.get(str(level.get("property") or "").casefold())
        unknown = [key for key in level if key not in ServiceLevelAgreementProperty.model_fields]
        if unknown or not level.get("property"):
            levels.findings += _malformed(level, unknown, at)
        elif name == "latency":
            for found in _latency(level, at, default_element, table, columns):
                (levels.findings if isinstance(found, Finding) else latencies).append(found)  # type: ignore[arg-type]
        elif name in _MOMENTS:
            moment = typed(level.get("value"), LogicalType.TIMESTAMP)
            if not isinstance(moment, datetime):
                message = f"`{name}` must be a date or a moment"
                levels.findings.append(Finding("wrong_type", message, "such as `2032-05-12`", (*at, "value")))
            elif _MOMENTS[name] in moments:
                levels.findings.append(Finding("bad_value", f"`{name}` is there twice", "", (*at, "property")))
            else:
                moments[_MOMENTS[name]] = moment
        elif name == "retention":
            levels.unenforced.append("the service level `retention`, beside which `retain` of the dataset stands,")
        else:
            levels.unenforced.append(f"the service level `{level['property']}`")
    levels.promises = Promises(tuple(latencies), Lifetime(**moments))
    return levels


def _malformed(level: Written, unknown: Sequence[Any], at: KeyPath) -> Iterator[Finding]:
    for key in unknown:
        hint = nearest(str(key), ServiceLevelAgreementProperty.model_fields)
        yield Finding("unknown_key", f"unknown key `{key}`", hint, (*at, key))
    if not level.get("property"):
        yield Finding("missing_key", "a service level has no `property`", "such as `latency`", at)


def _latency(
    level: Written, at: KeyPath, default_element: Any, table: Mapping[str, Any], columns: Sequence[Column]
) -> list[Latency | Finding]:
    limit, weight = _limit(level, at), _severity(level, at)
    element = level.get("element") or default_element
    if not isinstance(element, str) or not element.strip():
        hint = "a column of dates or timestamps"
        return [Finding("missing_key", "`latency` has no `element` whose newest value could be judged", hint, at)]
    found: list[Latency | Finding] = [f for f in (limit, weight) if isinstance(f, Finding)]
    for part in element.split(","):
        column = _column(part.strip(), table, columns, (*at, "element") if level.get("element") else at)
        if isinstance(column, Finding):
            found.append(column)
        elif isinstance(limit, timedelta) and isinstance(weight, Severity):
            found.append(Latency(column, limit, f"{level['value']} {level['unit']}", weight))
    return found


def _limit(level: Written, at: KeyPath) -> timedelta | Finding:
    value, unit = number(level.get("value")), level.get("unit")
    if value is None or value <= 0:
        return Finding("wrong_type", "`latency` must be a number above 0", "", (*at, "value"))
    if unit is None:
        return Finding("missing_key", "`latency` has no `unit`", "such as `h` or `d`", at)
    if str(unit).casefold() not in _UNITS:
        hint = "`s`, `m` (minutes), `h`, `d` or `w`"
        return Finding("bad_value", "`latency` has a `unit` that cannot be counted exactly", hint, (*at, "unit"))
    step = _UNITS[str(unit).casefold()]
    if value * int(step.total_seconds()) > _DAYS_MAX * 86_400:
        return Finding("out_of_range", f"`latency` is more than {_DAYS_MAX:,} days", "", (*at, "value"))
    return timedelta(seconds=float(value) * step.total_seconds())


def _severity(level: Written, at: KeyPath) -> Severity | Finding:
    """The standard gives service levels no severity, so that one of Tidegate's own properties says what is not an error."""
    for index, custom in enumerate(level.get("customProperties") or ()):
        name, path = str(custom.get("property")), (*at, "customProperties", index)
        if not name.startswith("tidegate."):
            continue
        if name != SEVERITY:
            return Finding("unknown_key", f"unknown property `{name}`", nearest(name, (SEVERITY,)), path)
        if custom.get("value") not in list(Severity):
            return Finding("bad_value", f"`{SEVERITY}` must be one of {', '.join(Severity)}", "", path)
        return Severity(custom["value"])
    return Severity.ERROR


def _column(element: str, table: Mapping[str, Any], columns: Sequence[Column], path: KeyPath) -> str | Finding:
    """The column that ``element`` names, with or without its table before a dot."""
    owner, dot, name = element.rpartition(".")
    tables = [str(table[key]) for key in ("name", "physicalName") if table.get(key)]
    if dot and owner not in tables:
        return Finding("unknown_column", "`latency` is about another table", nearest(owner, tables), path)
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        hint = nearest(name, [column.name for column in columns])
        return Finding("unknown_column", "`latency` is about a column that the contract does not have", hint, path)
    if found.type not in _DATED:
        message = f"`latency` is about `{name}`, which is {found.type} and no date or timestamp"
        return Finding("wrong_type", message, "", path)
    return name
