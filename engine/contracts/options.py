"""ODCS ``logicalTypeOptions`` and ``enum`` of a column as value rules; what cannot be judged is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from open_data_contract_standard.model import EnumValue

from engine.contracts.finding import Finding, KeyPath, Listed, nearest
from engine.contracts.moments import moment_option
from engine.contracts.patterns import pattern_problem
from engine.contracts.places import Written
from engine.contracts.quality import VALUES_MAX
from engine.contracts.values import number, typed
from engine.core.schema import Column, LogicalType
from engine.core.value_rules import Enumeration, Format, Length, Multiple, Pattern, Range, Value, ValueDemand, ValueRule

LENGTH_MAX = 1_000_000_000
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_NUMBERS = frozenset({LogicalType.INTEGER, LogicalType.DECIMAL, LogicalType.DOUBLE, LogicalType.NUMBER})
_MOMENTS = frozenset({LogicalType.DATE, LogicalType.TIMESTAMP, LogicalType.TIME})
_OPTIONS: Mapping[LogicalType, tuple[str, ...]] = {
    LogicalType.STRING: ("minLength", "maxLength", "pattern", "format"),
    LogicalType.BINARY: ("format",),
    **dict.fromkeys(_NUMBERS, (*_BOUNDS, "multipleOf", "format")),
    LogicalType.DATE: (*_BOUNDS, "format"),
    **dict.fromkeys((LogicalType.TIMESTAMP, LogicalType.TIME), (*_BOUNDS, "format", "timezone", "defaultTimezone")),
}
_SAYS_NOTHING = ("password", "binary")
"""Formats of strings that no value can break."""
_FLOAT32_MAX = 2**128 - 2**104
_SIZES: Mapping[str, tuple[Decimal, Decimal]] = {
    **{f"i{bits}": (Decimal(-(2 ** (bits - 1))), Decimal(2 ** (bits - 1) - 1)) for bits in (8, 16, 32, 64, 128)},
    **{f"u{bits}": (Decimal(0), Decimal(2**bits - 1)) for bits in (8, 16, 32, 64, 128)},
}
_DOUBLE_PLACES_MAX = 15


@dataclass(slots=True)
class Options:
    """What became of a column's options; ``unenforced`` names those that nothing can break or that describe."""

    rules: list[ValueRule] = field(default_factory=list)
    unenforced: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


Read: TypeAlias = ValueDemand | Finding | Listed | None
"""A demand, what is wrong, what is only listed, or nothing to judge."""


def read_options(written: Written, column: Column, path: KeyPath) -> Options:
    """The rules of a property, which stands at ``path``."""
    found = Options()
    options = written.get("logicalTypeOptions") or {}
    at = (*path, "logicalTypeOptions")
    known = _OPTIONS.get(column.type, ())
    for key, value in options.items():
        if key not in known:
            message = f"a column of type {column.type} has no option `{key}`, and `{column.name}` is one"
            found.findings.append(Finding("unknown_key", message, nearest(str(key), known), (*at, key)))
        elif key == "defaultTimezone" and options.get("timezone") is True:
            found.unenforced.append(f"`{key}` of {column.name}, whose values say their own zone,")
        elif value is not None:
            _take(found, column, key, _reader(column.type, key)(key, value, column, (*at, key)))
    if written.get("enum") is not None:
        _take(found, column, "enum", _enumeration(written["enum"], column, (*path, "enum")))
    found.findings += _contradictions(found.rules, column, at)
    return found


def _take(found: Options, column: Column, key: str, read: Read) -> None:
    if isinstance(read, Finding):
        found.findings.append(read)
    elif isinstance(read, Listed):
        found.unenforced.append(read.name)
    elif read is not None:
        found.rules.append(ValueRule(key, column.name, read))


def _reader(kind: LogicalType, key: str) -> Callable[[str, Any, Column, KeyPath], Read]:
    if key in _BOUNDS:
        return _bound
    if kind in _MOMENTS:
        return moment_option
    if key == "format":
        return _number_format if kind in _NUMBERS else _text_format
    return {"minLength": _length, "maxLength": _length, "pattern": _pattern, "multipleOf": _multiple}[key]


def _length(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LENGTH_MAX:
        return Finding("wrong_type", f"`{key}` of `{column.name}` must be a whole number from 0", "", at)
    return Length(least=value) if key == "minLength" else Length(most=value)


def _pattern(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    if not isinstance(value, str):
        return Finding("wrong_type", f"`{key}` of `{column.name}` must be a text", "", at)
    if problem := pattern_problem(value):
        hint = "patterns are those of RE2, without look-around"
        return Finding("bad_value", f"`{key}` of `{column.name}` {problem}", hint, at)
    return Pattern(value)


def _text_format(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    if value in _SAYS_NOTHING:
        return Listed(f"`{key}: {value}` of {column.name}")
    if column.type is LogicalType.STRING and value in list(Format):
        return Format(value)
    known = (*Format, *_SAYS_NOTHING) if column.type is LogicalType.STRING else _SAYS_NOTHING
    message = f"`{column.name}` has a `{key}` that Tidegate cannot judge"
    return Finding("not_available", message, f"{nearest(str(value), known)}, or write a `pattern`", at)


def _number_format(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    """A size in bits as the range of numbers that it holds."""
    if column.type is not LogicalType.INTEGER:
        sizes = {"f32": Range(Decimal(-_FLOAT32_MAX), Decimal(_FLOAT32_MAX)), "f64": None}
        if value in sizes:
            return sizes[value]
        hint = "`f32` or `f64`"
    else:
        if value in _SIZES:
            return Range(*_SIZES[value])
        hint = ", ".join(f"`{size}`" for size in _SIZES)
    return Finding("bad_value", f"`{column.name}` has a `{key}` that does not exist", hint, at)


def _bound(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    bound = typed(value, column.type)
    if bound is None:
        return Finding("wrong_type", f"`{key}` of `{column.name}` must be of its type, {column.type}", "", at)
    is_open = key.startswith("exclusive")
    return Range(low=bound, low_open=is_open) if key.endswith("inimum") else Range(high=bound, high_open=is_open)


def _multiple(key: str, value: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    of = number(value)
    if of is None or of <= 0:
        return Finding("wrong_type", f"`{key}` of `{column.name}` must be a number above 0", "", at)
    places = -int(of.as_tuple().exponent)
    if column.type in (LogicalType.DOUBLE, LogicalType.NUMBER) and places > _DOUBLE_PLACES_MAX:
        message = (
            f"`{key}` of `{column.name}` has more than {_DOUBLE_PLACES_MAX} places, and doubles do not tell them apart"
        )
        return Finding("out_of_range", message, "make it a decimal with a `physicalType`", at)
    return Multiple(of)


def _enumeration(entries: Any, column: Column, at: KeyPath) -> Read:  # parsed YAML
    if not isinstance(entries, list) or not 1 <= len(entries) <= VALUES_MAX:
        return Finding("wrong_type", f"`enum` of `{column.name}` must list 1 to {VALUES_MAX:,} values", "", at)
    values: list[Value] = []
    for index, entry in enumerate(entries):
        read = _enumerated(entry, column, (*at, index))
        if isinstance(read, Finding):
            return read
        if any(read == value for value in values):
            return Finding("bad_value", f"`enum` of `{column.name}` lists a value twice", "", (*at, index, "value"))
        values.append(read)
    return Enumeration(tuple(values))


def _enumerated(entry: Written, column: Column, at: KeyPath) -> Value | Finding:
    for key in entry:
        if key not in EnumValue.model_fields:
            return Finding("unknown_key", f"unknown key `{key}`", nearest(str(key), EnumValue.model_fields), (*at, key))
    if entry.get("value") is None:
        return Finding("missing_key", f"an entry of `enum` of `{column.name}` has no `value`", "", at)
    value = typed(entry["value"], column.type)
    if value is None:
        message = f"a value of `enum` of `{column.name}` is not of its type, {column.type}"
        return Finding("wrong_type", message, "", (*at, "value"))
    return value


def _contradictions(rules: Sequence[ValueRule], column: Column, at: KeyPath) -> Iterator[Finding]:
    """Options that no value can meet together."""
    lengths = [rule.demand for rule in rules if isinstance(rule.demand, Length)]
    least = max((length.least for length in lengths), default=0)
    most = min((length.most for length in lengths if length.most is not None), default=None)
    if most is not None and least > most:
        yield Finding(
            "out_of_range", f"`minLength` of `{column.name}` is above its `maxLength`", "", (*at, "minLength")
        )
    ranges = {rule.option: rule.demand for rule in rules if isinstance(rule.demand, Range) and rule.option in _BOUNDS}
    for low_name, low in ranges.items():
        for high_name, high in ranges.items():
            if low.low is not None and high.high is not None and _is_empty(low, high):
                message = f"`{low_name}` of `{column.name}` leaves nothing below its `{high_name}`"
                yield Finding("out_of_range", message, "", (*at, low_name))


def _is_empty(low: Range, high: Range) -> bool:
    """Whether nothing lies between the low end of one range and the high end of another; both of one type."""
    first: Any = low.low  # `Value` is a union whose members compare only among themselves
    if low.low_open or high.high_open:
        return bool(first >= high.high)
    return bool(first > high.high)
