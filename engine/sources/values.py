"""Arrow values made canonical: one batch of one column, converted or parsed as a whole, never row by row.

Width, unit, encoding and zone label may change, the value may not. Only digits of a second beyond the sixth are cut
off, NaN becomes null and a zero loses its sign.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.schema import LogicalType
from engine.sources.families import fitting_kinds
from engine.sources.untyped import DYNAMIC, NUMERAL, TEXT, Kind

_WIDE = 76
_DAYS = (-719_162, 2_932_896)
_MICROSECONDS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_TRUE = "^(1|t|true)$"
_FALSE = "^(0|f|false)$"


class Unfit(Exception):
    """The value at ``index`` of the batch cannot be of the contract's type; ``why`` does not quote it."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index
        self.why = why


def canonical(values: pa.Array, logical: LogicalType, target: pa.DataType) -> pa.Array:
    """``values`` as ``target``, checked; raises `Unfit` for the first value that cannot be."""
    if values.type == DYNAMIC:
        values = _fitting(values.storage, logical)
        result = _converted(values, _parsed, target)
    elif values.type in (TEXT, NUMERAL):
        result = _converted(values.storage, _parsed, target)
    else:
        values = _plain(values)
        result = values if values.type == target else _converted(values, _cast, target)
    return _checked(result, target)


def _plain(values: pa.Array) -> pa.Array:
    """The values without extension, dictionary or run lengths."""
    if values.type == pa.uuid():
        return _uuid_text(values.storage)
    if isinstance(values.type, pa.BaseExtensionType):
        return _plain(values.storage)
    if pa.types.is_dictionary(values.type):
        return _plain(values.dictionary_decode())
    if pa.types.is_run_end_encoded(values.type):
        return _plain(pc.run_end_decode(values))
    return values


def _fitting(storage: pa.StructArray, logical: LogicalType) -> pa.Array:
    """The texts of values that have a type each, when every one of them fits."""
    kinds, texts = storage.field("kind"), storage.field("text")
    allowed = fitting_kinds(logical)
    wrong = pc.and_(pc.invert(pc.is_in(kinds, pa.array(sorted(allowed), pa.uint8()))), texts.is_valid())
    index = pc.index(wrong, value=True).as_py()
    if index >= 0:
        raise Unfit(index, f"is {Kind(kinds[index].as_py()).title} in the source and {logical.value} in the contract")
    return texts


def _converted(values: pa.Array, convert: Callable[[pa.Array, pa.DataType], pa.Array], target: pa.DataType) -> pa.Array:
    try:
        return convert(values, target)
    except pa.ArrowInvalid:
        index = _first_failure(values, lambda part: convert(part, target))
        raise Unfit(index, _misfit(target)) from None


def _first_failure(values: pa.Array, attempt: Callable[[pa.Array], object]) -> int:
    """Halve the batch until the first value that fails stands alone."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            attempt(values.slice(low, middle - low))
        except (pa.ArrowInvalid, Unfit):
            high = middle
        else:
            low = middle
    return low


def _cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    found = values.type
    if pa.types.is_timestamp(target) and pa.types.is_timestamp(found):
        zoned = values.view(pa.timestamp(found.unit, "UTC"))
        return (pc.floor_temporal(zoned, unit="microsecond") if found.unit == "ns" else zoned).cast(target)
    if pa.types.is_time64(target) and pa.types.is_time64(found):
        return values.cast(target, safe=False)
    if pa.types.is_decimal(target) and pa.types.is_integer(found):
        return values.cast(pa.decimal256(_WIDE, target.scale)).cast(target)
    if pa.types.is_floating(target) and pa.types.is_decimal(found):
        # Dividing digits by a power of ten can be one bit off; reading their text is not.
        return values.cast(pa.string()).cast(target)
    return values.cast(target)


def _parsed(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(target):
        return _truth(values)
    if pa.types.is_integer(target) and pc.any(pc.match_substring(values, "x", ignore_case=True)).as_py():
        raise pa.ArrowInvalid("hexadecimal")
    if pa.types.is_decimal(target):
        number = pc.if_else(pc.equal(pc.ascii_lower(values), "nan"), None, values)
        return number.cast(pa.decimal256(_WIDE, 38)).cast(target)
    if pa.types.is_timestamp(target):
        return _moment(values)
    if pa.types.is_time64(target):
        return _shortened(pc.binary_join_element_wise("1970-01-01", values, "T")).cast(pa.timestamp("us")).cast(target)
    if pa.types.is_binary(target):
        return _bytes(values)
    return values.cast(target)


def _truth(values: pa.Array) -> pa.Array:
    lower = pc.ascii_lower(values)
    true = pc.match_substring_regex(lower, _TRUE)
    if pc.any(pc.invert(pc.or_(true, pc.match_substring_regex(lower, _FALSE)))).as_py():
        raise pa.ArrowInvalid("neither true nor false")
    return true


def _moment(values: pa.Array) -> pa.Array:
    """ISO 8601 with or without a zone, in one column; without one it is UTC."""
    zoned = pc.match_substring_regex(values, r":[0-9.]*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$")
    short = _shortened(values)
    with_zone = pc.if_else(zoned, short, None).cast(pa.timestamp("us", "UTC"))
    without = pc.if_else(zoned, None, short).cast(pa.timestamp("us")).view(pa.timestamp("us", "UTC"))
    return pc.coalesce(with_zone, without)


def _shortened(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"(\.[0-9]{6})[0-9]+", r"\1")


def _bytes(values: pa.Array) -> pa.Array:
    r"""Hexadecimal digits, with or without the prefix ``\x``, as bytes: all values in one step."""
    digits = pc.replace_substring_regex(values, r"^\\x", "")
    if not pc.all(pc.match_substring_regex(digits, "^([0-9a-fA-F]{2})*$"), min_count=0).as_py():
        raise pa.ArrowInvalid("not hexadecimal")
    lengths = pc.divide(pc.fill_null(pc.binary_length(digits), 0), 2)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(digits)], pc.fill_null(digits, "")), "")[0].as_py()
    data = binascii.unhexlify(whole or "")
    validity = pc.cast(digits.is_valid(), pa.bool_()).buffers()[1] if digits.null_count else None
    return pa.Array.from_buffers(pa.binary(), len(digits), [validity, offsets.buffers()[1], pa.py_buffer(data)])


def _uuid_text(storage: pa.FixedSizeBinaryArray) -> pa.Array:
    """Sixteen bytes a value in the usual form with dashes."""
    lent = storage.cast(pa.binary())
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lent)], pc.fill_null(lent, b"\0" * 16)), b"")[0].as_py()
    digits = pa.array([(whole or b"").hex()]).buffers()[2]
    offsets = pa.array(range(0, 32 * len(lent) + 1, 32), pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(pa.string(), len(lent), [None, offsets, digits])
    dashed = pc.replace_substring_regex(texts, "^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-")
    return pc.if_else(storage.is_valid(), dashed, None)


def _checked(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_floating(target):
        return _finite(values)
    if pa.types.is_string(target) or pa.types.is_time64(target) or pa.types.is_decimal(target):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            index = _first_failure(values, lambda part: part.validate(full=True))
            raise Unfit(index, "is not valid Unicode" if pa.types.is_string(target) else _misfit(target)) from None
    elif pa.types.is_date32(target):
        _in_range(values.view(pa.int32()), *_DAYS)
    elif pa.types.is_timestamp(target):
        _in_range(values.view(pa.int64()), *_MICROSECONDS)
    return values


def _finite(values: pa.Array) -> pa.Array:
    if not pc.all(pc.is_finite(values), min_count=0).as_py():
        index = pc.index(pc.is_inf(values), value=True).as_py()
        if index >= 0:
            raise Unfit(index, "is infinite or too large, which no destination can hold")
        values = pc.if_else(pc.is_nan(values), None, values)
    return pc.add(values, 0.0)  # −0.0 + 0.0 is 0.0; every other number stays


def _in_range(numbers: pa.Array, low: int, high: int) -> None:
    found = pc.min_max(numbers)
    if found["min"].is_valid and not low <= found["min"].as_py() <= found["max"].as_py() <= high:
        outside = pc.or_(pc.less(numbers, low), pc.greater(numbers, high))
        raise Unfit(pc.index(outside, value=True).as_py(), "is infinite or outside the years 1 to 9999")


def _misfit(target: pa.DataType) -> str:
    return "is not a time of day" if pa.types.is_time64(target) else f"does not fit {_title(target)}"


def _title(target: pa.DataType) -> str:
    if pa.types.is_decimal(target):
        return f"decimal({target.precision},{target.scale})"
    if pa.types.is_timestamp(target):
        return "timestamp"
    return {pa.int64(): "integer", pa.float64(): "double without losing digits", pa.date32(): "date"}.get(
        target, str(target)
    )
