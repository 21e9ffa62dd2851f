"""One text for one value: equal values share it whatever their encoding, different ones never do (I10, X6, X7, X8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import product
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.canonical import differs, digest_of, fragment, key_text, object_text, row_hash, text
from engine.segments.compute import Session
from tests.property.effort import examples

MOMENT = pa.timestamp("us", "UTC")
LONGEST = 2**63 - 1
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AWKWARD = [
    "",
    " ",
    "a",
    "A",
    "á",
    "a\u0301",
    "1",
    "1.0",
    "null",
    "true",
    '"',
    "\\",
    "a,b",
    '["a","b"]',
    "{}",
    "\x00",
    "\n",
]


def rendered(session: Session, values: pa.Array) -> list[tuple[str | None, str | None]]:
    """Text and JSON fragment of each value."""
    table = session.rows(pa.table({"v": values}))
    return [(row["t"], row["f"]) for row in session.fetch(table.select(t=text(table.v), f=fragment(table.v)))]


def keys(session: Session, rows: Sequence[tuple[Any, ...]], types: Sequence[pa.DataType]) -> list[str | None]:
    table = session.rows(made(rows, types))
    return [row["key"] for row in session.fetch(table.select(key=key_text([table[name] for name in table.columns])))]


def made(rows: Sequence[Sequence[Any]], types: Sequence[pa.DataType]) -> pa.Table:
    return pa.table({f"c{i}": pa.array([row[i] for row in rows], kind) for i, kind in enumerate(types)})


@pytest.mark.parametrize(
    ("value", "kind", "plain", "json_text"),
    [
        ("Zoë", pa.string(), "Zoë", '"Zoë"'),
        ("", pa.string(), "", '""'),
        (" a ", pa.string(), " a ", '" a "'),
        ('say "hi" \\ \n', pa.string(), 'say "hi" \\ \n', '"say \\"hi\\" \\\\ \\n"'),
        ("\ufeff\u202e\u2028😀", pa.string(), "\ufeff\u202e\u2028😀", '"\ufeff\u202e\u2028😀"'),
        (0, pa.int64(), "0", "0"),
        (LONGEST, pa.int64(), str(LONGEST), str(LONGEST)),
        (-(2**63), pa.int64(), str(-(2**63)), str(-(2**63))),
        (2**53 + 1, pa.int64(), "9007199254740993", "9007199254740993"),
        (Decimal("1.10"), pa.decimal128(38, 2), "1.1", "1.1"),
        (Decimal("100.00"), pa.decimal128(38, 2), "100", "100"),
        (Decimal("0.00"), pa.decimal128(38, 2), "0", "0"),
        (Decimal(100), pa.decimal128(38, 0), "100", "100"),
        (Decimal("-0.50"), pa.decimal128(10, 2), "-0.5", "-0.5"),
        (Decimal("0.2500"), pa.decimal128(4, 4), "0.25", "0.25"),
        (Decimal("-0.2500"), pa.decimal128(4, 4), "-0.25", "-0.25"),
        (Decimal(0), pa.decimal128(38, 38), "0", "0"),
        (0.1, pa.float64(), "0.1", "0.1"),
        (5.0, pa.float64(), "5", "5"),
        (-1e16, pa.float64(), "-10000000000000000", "-10000000000000000"),
        (float(2**63 - 1024), pa.float64(), str(2**63 - 1024), str(2**63 - 1024)),
        (float(-(2**63)), pa.float64(), str(-(2**63)), str(-(2**63))),
        (1e19, pa.float64(), "1e+19", "1e+19"),
        (-1e300, pa.float64(), "-1e+300", "-1e+300"),
        (5e-324, pa.float64(), "5e-324", "5e-324"),
        (True, pa.bool_(), "true", "true"),
        (date(1, 1, 1), pa.date32(), "0001-01-01", '"0001-01-01"'),
        (date(9999, 12, 31), pa.date32(), "9999-12-31", '"9999-12-31"'),
        (datetime(2026, 1, 2, tzinfo=UTC), MOMENT, "2026-01-02T00:00:00.000000Z", '"2026-01-02T00:00:00.000000Z"'),
        (datetime(999, 1, 2, tzinfo=UTC), MOMENT, "0999-01-02T00:00:00.000000Z", '"0999-01-02T00:00:00.000000Z"'),
        (time(1, 2, 3, 500_000), pa.time64("us"), "01:02:03.5", '"01:02:03.5"'),
        (b"\x00\xff", pa.binary(), "AP8=", '"AP8="'),
        (None, pa.string(), None, None),
        (None, pa.int64(), None, None),
        (None, pa.decimal128(4, 4), None, None),
    ],
)
def test_a_value_has_this_text(
    session: Session, value: Any, kind: pa.DataType, plain: str | None, json_text: str | None
) -> None:
    assert rendered(session, pa.array([value], kind)) == [(plain, json_text)]


@pytest.mark.parametrize(
    "encodings",
    [
        pytest.param([pa.array([7], kind) for kind in (pa.int8(), pa.int32(), pa.int64(), pa.uint64())], id="width"),
        pytest.param(
            [pa.array([Decimal("1.5")], pa.decimal128(*size)) for size in ((2, 1), (10, 2), (38, 9), (38, 37))],
            id="scale",
        ),
        pytest.param(
            [pa.array([Decimal(12)], pa.decimal128(20, 4)), pa.array([12], pa.int64()), pa.array([12.0])], id="whole"
        ),
        pytest.param([pa.array(["x", "é"], kind) for kind in (pa.string(), pa.large_string())], id="string"),
        pytest.param([pa.array(["x", "é"]), pa.array(["x", "é"]).dictionary_encode()], id="dictionary"),
        pytest.param(
            [
                pa.array([NOON], MOMENT),
                pa.array([NOON], pa.timestamp("us", "Europe/Berlin")),
                pa.array([NOON.astimezone(timezone(timedelta(hours=2)))], MOMENT),
                pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us")),
                pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")),
                pa.array([NOON.replace(tzinfo=None)], pa.timestamp("s")),
            ],
            id="instant",
        ),
        pytest.param([pa.array([date(2026, 1, 1)], kind) for kind in (pa.date32(), pa.date64())], id="date"),
        pytest.param([pa.array([b"\x01"], kind) for kind in (pa.binary(), pa.large_binary())], id="binary"),
    ],
)
def test_the_encoding_of_a_value_leaves_no_trace_in_its_text(session: Session, encodings: list[pa.Array]) -> None:
    assert len({tuple(rendered(session, values)) for values in encodings}) == 1


DECIMALS = st.sampled_from([(1, 1), (4, 4), (9, 2), (18, 18), (38, 0), (38, 19), (38, 38)])
FINITE = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value != 0 or str(value) == "0.0")


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    """Different values of one type."""
    kinds: dict[pa.DataType, st.SearchStrategy[Any]] = {
        pa.string(): st.text() | st.sampled_from(AWKWARD),
        pa.int64(): st.integers(-(2**63), LONGEST),
        pa.float64(): FINITE,
        pa.bool_(): st.booleans(),
        pa.date32(): st.dates(),
        MOMENT: st.datetimes(timezones=st.just(UTC)),
        pa.time64("us"): st.times(),
        pa.binary(): st.binary(max_size=9),
    }
    kind = draw(st.sampled_from([*kinds, "decimal"]))
    if kind == "decimal":
        precision, scale = draw(DECIMALS)
        whole = draw(st.lists(st.integers(1 - 10**precision, 10**precision - 1), min_size=1, max_size=20, unique=True))
        return pa.array([Decimal(f"{n}E-{scale}") for n in whole], pa.decimal128(precision, scale))
    return pa.array(draw(st.lists(kinds[kind], min_size=1, max_size=20, unique=True)), kind)


@given(values=columns())
@examples(60)
def test_different_values_of_a_type_never_share_a_text(session: Session, values: pa.Array) -> None:
    texts = rendered(session, values)

    assert len({plain for plain, _ in texts}) == len({json_text for _, json_text in texts}) == len(values)


@given(values=columns())
@examples(60)
def test_a_fragment_is_json_that_holds_the_value(session: Session, values: pa.Array) -> None:
    for value, (plain, json_text) in zip(values.to_pylist(), rendered(session, values), strict=True):
        assert plain is not None
        assert json_text is not None
        held = json.loads(json_text, parse_float=Decimal if isinstance(value, Decimal) else float)
        assert held == (value if isinstance(value, str | bool | int | float | Decimal) else plain)


@given(rows=st.lists(st.tuples(st.sampled_from(AWKWARD) | st.text(max_size=5), st.sampled_from(AWKWARD)), unique=True))
@examples(60)
def test_keys_of_two_columns_never_share_a_text_whatever_their_parts_hold(
    session: Session, rows: list[tuple[str, str]]
) -> None:
    found = keys(session, rows, [pa.string(), pa.string()])

    assert [tuple(json.loads(key)) for key in found if key is not None] == rows


def test_the_parts_of_a_key_keep_their_types(session: Session) -> None:
    assert keys(session, [("1", 1)], [pa.string(), pa.int64()]) == ['["1",1]']
    assert keys(session, [("1", "1")], [pa.string(), pa.string()]) == ['["1","1"]']


def test_a_key_of_one_column_is_the_plain_value(session: Session) -> None:
    assert keys(session, [('a "b"',), ("",)], [pa.string()]) == ['a "b"', ""]


def test_a_key_with_a_missing_part_is_no_key(session: Session) -> None:
    assert keys(session, [("a", None), (None, 1), (None, None)], [pa.string(), pa.int64()]) == [None, None, None]
    assert keys(session, [(None,)], [pa.string()]) == [None]


def test_an_object_holds_its_members_in_order_and_leaves_out_what_is_null(session: Session) -> None:
    names = ["plain", 'quote"d', "it's", "back\\slash", "line\nfeed", "Größe", "a,b", "{x}"]
    rows = [[1] * len(names), [None, *[2] * (len(names) - 1)], [None] * len(names)]
    table = session.rows(made(rows, [pa.int64()] * len(names)))
    built = object_text(names, [fragment(table[name]) for name in table.columns])

    found = [json.loads(row["o"], object_pairs_hook=list) for row in session.fetch(table.select(o=built))]

    assert found == [[(n, v) for n, v in zip(names, row, strict=True) if v is not None] for row in rows]


def test_an_object_without_members_is_an_empty_object(session: Session) -> None:
    table = session.rows(pa.table({"a": [1]}))

    assert session.single(table.select(o=object_text([], [])))["o"] == "{}"


@pytest.mark.parametrize(
    ("left", "right", "expected"), [(1, 1, False), (1, 2, True), (None, 1, True), (None, None, False)]
)
def test_values_differ_also_from_null(session: Session, left: int | None, right: int | None, expected: bool) -> None:
    table = session.rows(pa.table({"l": pa.array([left], pa.int64()), "r": pa.array([right], pa.int64())}))

    assert session.single(table.select(d=differs(table.l, table.r)))["d"] is expected


def test_rows_that_differ_in_place_type_or_null_have_different_hashes(session: Session) -> None:
    parts = {pa.int64(): [None, 0, 1, -1], pa.string(): [None, "", "0", "a"], pa.bool_(): [None, False, True]}
    kinds = [*parts, *parts]
    rows = list(product(*(parts[kind] for kind in kinds)))
    table = session.rows(made(rows, kinds))

    hashes = session.single(table.select(h=row_hash(table, table.columns)).aggregate(n=ibis._.h.nunique()))

    assert hashes["n"] == len(rows)


@pytest.mark.parametrize("size", [(18, 0), (18, 2), (19, 0), (38, 0), (38, 9)])
def test_decimals_that_differ_have_different_hashes(session: Session, size: tuple[int, int]) -> None:
    """The database combines the halves of a wide decimal so that swapped or equal halves, as in 0 and −1, are one."""
    halves = [0, 1, 5, 2**63, 2**64 - 1, -1]
    units = {*range(-500, 500), *(high * 2**64 + low for high in halves for low in halves)}
    fitting = [unit for unit in units if abs(unit) < 10 ** size[0]]
    values = pa.array([Decimal(f"{unit}E-{size[1]}") for unit in fitting], pa.decimal128(*size))
    table = session.rows(pa.table({"v": values}))

    hashes = session.single(table.select(h=row_hash(table, ["v"])).aggregate(n=ibis._.h.nunique()))

    assert hashes["n"] == len(fitting)


def test_a_digest_sees_values_and_not_the_order_of_members() -> None:
    assert digest_of({"a": 1, "b": [True, None]}) == digest_of({"b": [True, None], "a": 1})
    different = [
        1,
        "1",
        1.5,
        True,
        None,
        [],
        {},
        [1],
        [[1]],
        ["a", "b"],
        ["a,b"],
        ["b", "a"],
        {"a": "b"},
        "é",
        "e\u0301",
    ]
    assert len({digest_of(value) for value in different}) == len(different)


def test_a_digest_of_what_json_cannot_say_is_refused() -> None:
    for value in (float("nan"), float("inf"), {1, 2}, b"x"):
        with pytest.raises((ValueError, TypeError)):
            digest_of(value)
