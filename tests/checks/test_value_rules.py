"""A value rule counts exactly the rows that break it, whatever the column's type, and shows none of their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checks import value_rules
from engine.checks.facts import CandidateFacts
from engine.checks.registry import CANDIDATE, aggregates, judged
from engine.core.demands import Demands
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.value_rules import Enumeration, Format, Length, Multiple, Pattern, Range, ValueDemand, ValueRule
from engine.core.verdict import Verdict
from engine.segments.compute import Compute, Session
from tests.checks.value_model import is_met
from tests.property.effort import examples

SCHEMA = TableSchema((Column("x", LogicalType.STRING, key_position=1),))
LARGE = Decimal("12345678901234567890123456789.123456789")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("256MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


def broken(session: Session, values: Sequence[Any], kind: pa.DataType, *demands: ValueDemand) -> list[int]:
    """Per demand, how many of ``values`` break it, as the rule's own condition says."""
    table = session.rows(pa.table({"x": pa.array(values, kind)}))
    rules = value_rules.row_rules(ValueRule("option", "x", demand) for demand in demands)
    row = session.single(table.aggregate(**{str(n): table.count(where=r.breaks(table)) for n, r in enumerate(rules)}))
    return list(row.values())


def expected(values: Sequence[Any], *demands: ValueDemand) -> list[int]:
    return [sum(not is_met(demand, value) for value in values) for demand in demands]


def test_a_broken_rule_blocks_and_is_named_with_its_rows_and_without_a_value(session: Session) -> None:
    rules = (ValueRule("maxLength", "x", Length(most=3)), ValueRule("minLength", "x", Length(least=1)))
    facts = CandidateFacts(SCHEMA, allow_empty=True, demands=Demands(values=rules))
    table = session.rows(pa.table({"x": ["ok", "canary", None, "tide"]}))
    results = judged(CANDIDATE, session.single(aggregates(CANDIDATE, table, facts)), facts)
    (found,) = [result for result in results if result.check == value_rules.NAME]
    assert found.verdict == Verdict.BLOCK
    assert (found.message, found.metrics) == ("`maxLength` of x is broken in 2 rows", {"count": 2})


def test_the_condition_of_a_rule_is_true_or_false_of_every_row_and_never_null(session: Session) -> None:
    table = session.rows(pa.table({"x": pa.array([None, "a", "abc"])}))
    (rule,) = value_rules.row_rules([ValueRule("maxLength", "x", Length(most=1))])
    assert [row["y"] for row in session.fetch(table.select(y=rule.breaks(table)))] == [False, False, True]


def test_a_length_counts_characters_and_not_bytes(session: Session) -> None:
    values = ["", "é", "日本", "ab\n", "e\u0301", None]
    demands = (Length(most=1), Length(least=1), Length(2, 2))
    assert broken(session, values, pa.string(), *demands) == expected(values, *demands) == [3, 1, 3]


EDGES: dict[str, tuple[pa.DataType, list[Any], list[ValueDemand]]] = {
    "integers": (
        pa.int64(),
        [-(2**63), -8, -1, 0, 1, 7, 8, 2**53 + 1, 2**63 - 1, None],
        [
            Range(low=Decimal("0.5")),
            Range(low=Decimal(1), low_open=True),
            Range(high=Decimal("7.5")),
            Range(high=Decimal(8), high_open=True),
            Range(low=Decimal("-1E+30"), high=Decimal("1E+30")),
            Range(low=Decimal("1E+30")),
            Range(high=Decimal("-1E+30")),
            Range(low=Decimal(-(2**63)), low_open=True),
            Range(low=Decimal(2**63)),
            Multiple(Decimal(2)),
            Multiple(Decimal("0.5")),
            Multiple(Decimal("1.5")),
            Multiple(Decimal("1E+20")),
            Multiple(Decimal(2**63)),
            Enumeration((Decimal(0), Decimal("0.5"), Decimal(2**63 - 1))),
        ],
    ),
    "decimals": (
        pa.decimal128(38, 9),
        [LARGE, -LARGE, Decimal("0E-9"), Decimal("0.000000001"), Decimal("1.5"), Decimal("-0.3"), None],
        [
            Range(low=LARGE),
            Range(high=LARGE, high_open=True),
            Range(low=Decimal("0.0000000005")),
            Range(low=Decimal("0.0000000015")),
            Range(high=Decimal("1E+28"), low=Decimal("-1E+40")),
            Multiple(Decimal("0.000000001")),
            Multiple(Decimal("0.000000003")),
            Multiple(Decimal("0.1")),
            Multiple(Decimal("0.00000000025")),
            Multiple(Decimal("1E+29")),
            Enumeration((LARGE, Decimal("1.50"))),
        ],
    ),
    "doubles": (
        pa.float64(),
        [0.0, 0.1, 0.3, 0.30000000000000004, -0.7, 1e-9, 123456.78, 1e12, 4.5, -2.0, None],
        [
            Range(low=Decimal("0.1")),
            Range(low=Decimal("0.1"), low_open=True),
            Range(high=Decimal("0.30000000000000004"), high_open=True),
            Multiple(Decimal("0.1")),
            Multiple(Decimal("0.01")),
            Multiple(Decimal(2)),
            Multiple(Decimal("1.5")),
            Enumeration((Decimal("0.3"), Decimal("0.10"))),
        ],
    ),
    "days": (
        pa.date32(),
        [date(1, 1, 1), date(2020, 1, 1), date(2020, 2, 29), date(9999, 12, 31), None],
        [
            Range(low=date(2020, 1, 1)),
            Range(low=date(2020, 1, 1), low_open=True),
            Range(high=date(2020, 2, 29), high_open=True),
            Enumeration((date(2020, 2, 29),)),
        ],
    ),
    "moments": (
        pa.timestamp("us", "UTC"),
        [datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC), None],
        [
            Range(low=datetime(2020, 1, 1, tzinfo=UTC), low_open=True),
            Range(high=datetime(2020, 1, 1, tzinfo=UTC)),
            Range(low=datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ],
    ),
    "times": (
        pa.time64("us"),
        [time(0), time(8, 30), time(23, 59, 59, 999_999), None],
        [Range(low=time(8, 30)), Range(low=time(8, 30), low_open=True), Range(high=time(23, 59, 59))],
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_ends_multiples_and_lists_are_exact_in_every_type(session: Session, name: str) -> None:
    kind, values, demands = EDGES[name]
    found = dict(zip(demands, broken(session, values, kind, *demands), strict=True))
    assert found == dict(zip(demands, expected(values, *demands), strict=True))


FINE = {
    Format.EMAIL: ["a@b.co", "first.last+tag@mail.example.org", "o'neil@x-y.example"],
    Format.UUID: ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
    Format.URI: [
        "https://example.org/a?b=c#d",
        "urn:isbn:0451450523",
        "mailto:a@b.co",
        "http://[::1]:80/",
        "a:",
        "x:/y//z",
    ],
    Format.HOSTNAME: ["localhost", "a-b.example.org", "1.2.3.4", "x" * 63],
    Format.IPV4: ["0.0.0.0", "255.255.255.255", "10.9.80.127"],
    Format.IPV6: [
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "::ffff:10.0.0.1",
        "1::3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "fe80::a:0",
    ],
    Format.DATE: ["2024-02-29", "0001-01-01", "9999-12-31"],
    Format.BYTE: ["", "YQ==", "YWI=", "YWJj"],
}
WRONG = {
    Format.EMAIL: ["", "a", "a@b", "@b.co", "a@", "a@b..co", "a b@c.de", ".a@b.co", "a.@b.co", "a@b.co\n", "a@-b.co", f"{'x' * 65}@b.co", "ä@b.co"],
    Format.UUID: ["", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g", "{123e4567-e89b-12d3-a456-426614174000}"],
    Format.URI: ["", "/a", "a b:", "http://a b", "http://[::1", "x:%zz", "1a:b", "x:#a#b", "http://a@b@c/", "http://a:b/", "ä:b"],
    Format.HOSTNAME: ["", "a.", ".a", "a..b", "-a", "a-", "a_b", "x" * 64, ".".join(["x" * 62] * 5), "ä.de", "a\n"],
    Format.IPV4: ["", "1.2.3", "256.1.1.1", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "0x7f.0.0.1", "١.1.1.1"],
    Format.IPV6: ["", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::1%eth0", "1.2.3.4", "::256.1.1.1", "[::1]", "1:2:3:4:5:6:7:8::"],
    Format.DATE: ["", "2024-02-30", "2023-02-29", "0000-01-01", "2024-13-01", "2024-2-3", "20240203", "2024-02-03T00:00:00", " 2024-02-03"],
    Format.BYTE: ["Y", "YQ", "YQ=", "YQ===", "Y Q=", "YQ==\n", "=YQ=", "YWJj\u00e4bcd"],
}  # fmt: skip


@pytest.mark.parametrize("format", Format)
def test_a_format_is_judged_as_its_standard_says(session: Session, format: Format) -> None:
    assert [is_met(format, text) for text in (*FINE[format], *WRONG[format])] == [
        *[True] * len(FINE[format]),
        *[False] * len(WRONG[format]),
    ], "the model itself"
    table = session.rows(pa.table({"x": [*FINE[format], *WRONG[format]]}))
    (rule,) = value_rules.row_rules([ValueRule("format", "x", format)])
    rows = session.fetch(table.select(text=table.x, breaks=rule.breaks(table)))
    assert [row["text"] for row in rows if not row["breaks"]] == FINE[format]


ALPHABETS = {
    Format.EMAIL: "ab.@-+ é\n",
    Format.UUID: "0aF-g",
    Format.URI: "a1:/?#[]@%.- ",
    Format.HOSTNAME: "a1.-_",
    Format.IPV4: "0125.",
    Format.IPV6: "0af1:.%",
    Format.DATE: "0129-",
    Format.BYTE: "Aa0+/= ",
}


@st.composite
def near_texts(draw: st.DrawFn, format: Format) -> str:
    """A sound text with a few characters changed, or any of the format's own characters."""
    if draw(st.booleans()):
        return draw(st.text(ALPHABETS[format], max_size=24))
    text = draw(st.sampled_from(FINE[format] + WRONG[format]))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + draw(st.sampled_from(ALPHABETS[format] + "  ")).strip(" ")
            + text[place + draw(st.integers(0, 2)) :]
        )
    return text


@pytest.mark.parametrize("format", Format)
@examples(8)
@given(data=st.data())
def test_a_format_agrees_with_another_way_of_judging_it(session: Session, format: Format, data: st.DataObject) -> None:
    texts = data.draw(st.lists(near_texts(format), min_size=1, max_size=30))
    conditions = broken(session, texts, pa.string(), format)
    assert conditions == expected(texts, format)


UNITS = st.integers(-(10**12), 10**12) | st.integers(-20, 20) | st.integers(-(10**37), 10**37)
WRITTEN = st.builds(lambda units, places: Decimal(units).scaleb(-places), UNITS, st.integers(0, 12))
RANGES = st.builds(Range, WRITTEN | st.none(), WRITTEN | st.none(), st.booleans(), st.booleans())
NUMERIC = st.one_of(
    RANGES,
    WRITTEN.map(abs).filter(bool).map(Multiple),
    st.lists(WRITTEN, min_size=1, max_size=4).map(lambda values: Enumeration(tuple(values))),
)  # fmt: skip
COLUMNS = st.one_of(
    st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9))),
    st.tuples(
        st.just(pa.decimal128(38, 4)),
        st.lists(st.none() | UNITS.map(lambda units: Decimal(units).scaleb(-4))),
    ),
)


@examples(25)
@given(column=COLUMNS, demands=st.lists(NUMERIC, min_size=1, max_size=6))
def test_exact_numbers_agree_with_judging_value_by_value(
    session: Session, column: tuple[pa.DataType, list[Any]], demands: list[ValueDemand]
) -> None:
    kind, values = column
    assert broken(session, values, kind, *demands) == expected(values, *demands)


DOUBLES = st.builds(lambda units, places: units / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 5))


@examples(12)
@given(
    values=st.lists(st.none() | DOUBLES, min_size=1, max_size=20),
    of=st.builds(lambda units, places: Decimal(units).scaleb(-places), st.integers(1, 500), st.integers(0, 5)),
    ends=st.tuples(WRITTEN, WRITTEN, st.booleans(), st.booleans()),
)
def test_doubles_agree_with_judging_value_by_value(
    session: Session, values: list[float | None], of: Decimal, ends: tuple[Decimal, Decimal, bool, bool]
) -> None:
    demands = (Multiple(of), Range(*ends))
    assert broken(session, values, pa.float64(), *demands) == expected(values, *demands)


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


@examples(6)
@given(
    values=st.lists(MOMENTS, min_size=1, max_size=10),
    step=st.timedeltas(timedelta(microseconds=-2), timedelta(microseconds=2)),
    opens=st.tuples(st.booleans(), st.booleans()),
)
def test_moments_agree_with_judging_value_by_value(
    session: Session, values: list[datetime], step: timedelta, opens: tuple[bool, bool]
) -> None:
    demands = (Range(low=values[0] + step, low_open=opens[0]), Range(high=values[0] + step, high_open=opens[1]))
    assert broken(session, values, pa.timestamp("us", "UTC"), *demands) == expected(values, *demands)


TEXTS = st.lists(st.none() | st.text("aé\n 日", max_size=5), max_size=8)


@examples(6)
@given(values=TEXTS, least=st.integers(0, 4), extra=st.none() | st.integers(0, 3))
def test_texts_agree_with_judging_value_by_value(
    session: Session, values: list[str | None], least: int, extra: int | None
) -> None:
    demands = (
        Length(least, None if extra is None else least + extra),
        Pattern("^a+$"),
        Pattern("a"),
        Enumeration(("a", "日")),
    )
    assert broken(session, values, pa.string(), *demands) == expected(values, *demands)
